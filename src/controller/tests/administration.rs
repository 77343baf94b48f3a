//! Quotas, credentials, features, elections, brokers that are forgotten: answers as Apache Kafka 4.3.1 gave them.

use super::*;
use crate::protocol::messages::alter_client_quotas_request::{AlterClientQuotasRequest, EntityData, EntryData, OpData};
use crate::protocol::messages::alter_user_scram_credentials_request::*;
use crate::protocol::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use crate::protocol::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use crate::protocol::messages::{ConfigRecord, UserScramCredentialRecord};

fn entity(parts: &[(&str, Option<&str>)]) -> Vec<EntityData> {
    let part = |(kind, name): &(&str, Option<&str>)| EntityData {
        entity_type: (*kind).into(),
        entity_name: name.map(Into::into),
    };
    parts.iter().map(part).collect()
}

fn set(key: &str, value: f64) -> OpData {
    OpData { key: key.into(), value, remove: false }
}

fn quotas(node: &mut Node, entries: Vec<EntryData>) -> Vec<String> {
    let decision = alter_client_quotas(node.image(), &AlterClientQuotasRequest { entries, validate_only: false });
    node.apply(decision.records);
    let text = |(_, outcome): (QuotaEntity, Result<(), Refusal>)| match outcome {
        Ok(()) => String::new(),
        Err(refusal) => {
            assert_eq!(refusal.code, ErrorCode::InvalidRequest);
            refusal.message.unwrap()
        }
    };
    decision.response.into_iter().map(text).collect()
}

#[test]
fn quotas_are_refused_in_kafkas_words() {
    type Row<'a> = (&'a [(&'a str, Option<&'a str>)], &'a [OpData], &'a str);
    let rate = |value| [set("producer_byte_rate", value)];
    let table: &[Row<'_>] = &[
        (&[], &rate(1.0), "Invalid empty client quota entity"),
        (&[("foo", Some("x"))], &rate(1.0), "Unhandled client quota entity type: foo"),
        (&[("user", Some(""))], &rate(1.0), "Empty user not supported"),
        (
            &[("ip", Some("1.2.3.4")), ("user", Some("u"))],
            &[],
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ),
        (&[("ip", Some("no such host!"))], &[], "no such host! is not a valid IP or resolvable host."),
        (&[("user", Some("u"))], &[set("bogus", 1.0)], "Invalid configuration key bogus"),
        (&[("user", Some("u"))], &rate(0.0), "Quota producer_byte_rate must be greater than 0"),
        (&[("user", Some("u"))], &rate(1.5), "producer_byte_rate cannot be a fractional value."),
        (&[("user", Some("u"))], &rate(1e30), "Proposed value for producer_byte_rate is too large for a LONG."),
        (
            &[("ip", None)],
            &[set("connection_creation_rate", 5e9)],
            "Proposed value for connection_creation_rate is too large for an INT.",
        ),
        (
            &[("user", Some("u"))],
            &[set("producer_byte_rate", 1.0), set("producer_byte_rate", 2.0)],
            "Ignoring duplicate entity ClientQuotaEntity(entries={user=u})",
        ),
    ];
    let mut node = Node::new(&[DIR_A]);
    for (parts, ops, told) in table {
        let entry = EntryData { entity: entity(parts), ops: ops.to_vec() };
        assert_eq!(quotas(&mut node, vec![entry]), [*told]);
    }
    assert_eq!(node.image().client_quotas().count(), 0);
}

#[test]
fn quotas_are_kept_changed_and_removed_and_what_fails_stops_no_other() {
    let mut node = Node::new(&[DIR_A]);
    let both = entity(&[("user", Some("a")), ("client-id", None)]);
    let entry = |entity: &Vec<EntityData>, ops: Vec<OpData>| EntryData { entity: entity.clone(), ops };
    let bad = entity(&[("user", Some("b"))]);
    let told = quotas(
        &mut node,
        vec![entry(&both, vec![set("request_percentage", 1.5)]), entry(&bad, vec![set("bogus", 1.0)])],
    );
    assert_eq!(told, ["", "Invalid configuration key bogus"]);
    let kept = |node: &Node| -> Vec<(String, f64)> {
        node.image().client_quotas().map(|(_, key, value)| (key.to_owned(), value)).collect()
    };
    assert_eq!(kept(&node), [("request_percentage".to_owned(), 1.5)]);
    let same = alter_client_quotas(
        node.image(),
        &AlterClientQuotasRequest {
            entries: vec![entry(&both, vec![set("request_percentage", 1.5)])],
            validate_only: false,
        },
    );
    assert!(same.records.is_empty(), "the same value again is no change");
    let remove = OpData { key: "request_percentage".into(), value: 0.0, remove: true };
    assert_eq!(quotas(&mut node, vec![entry(&both, vec![remove])]), [""]);
    assert_eq!(kept(&node), []);
}

fn upsertion(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion {
        name: name.into(),
        mechanism,
        iterations,
        salt: b"salt".as_slice().into(),
        salted_password: vec![7; 32].into(),
    }
}

#[test]
fn credentials_are_kept_without_the_password_and_refused_in_kafkas_words() {
    let mut node = Node::new(&[DIR_A]);
    let mut alter = |deletions: &[(&str, i8)], upsertions: Vec<ScramCredentialUpsertion>| -> Vec<String> {
        let deletion =
            |(name, mechanism): &(&str, i8)| ScramCredentialDeletion { name: (*name).into(), mechanism: *mechanism };
        let deletions = deletions.iter().map(deletion).collect();
        let decision =
            alter_scram_credentials(node.image(), &AlterUserScramCredentialsRequest { deletions, upsertions });
        node.apply(decision.records);
        let told = |(name, outcome): (crate::protocol::Str, Result<(), Refusal>)| {
            format!("{name}: {}", outcome.err().map_or(String::new(), |refusal| refusal.message.unwrap_or_default()))
        };
        decision.response.into_iter().map(told).collect()
    };
    let twice = "A user credential cannot be altered twice in the same request";
    assert_eq!(alter(&[], vec![upsertion("alice", 1, 4096), upsertion("bob", 2, 8192)]), ["alice: ", "bob: "]);
    assert_eq!(alter(&[], vec![upsertion("c", 1, 4095)]), ["c: Too few iterations"]);
    assert_eq!(alter(&[], vec![upsertion("c", 1, 16_385)]), ["c: Too many iterations"]);
    assert_eq!(alter(&[], vec![upsertion("c", 3, 5000)]), ["c: Unknown SCRAM mechanism"]);
    assert_eq!(alter(&[], vec![upsertion("", 1, 5000)]), [": Username must not be empty"]);
    assert_eq!(alter(&[("alice", 1)], vec![upsertion("alice", 2, 5000)]), [format!("alice: {twice}")]);
    let unknown = "nobody: Attempt to delete a user credential that does not exist";
    assert_eq!(alter(&[("nobody", 1), ("bob", 2)], vec![]), ["bob: ", unknown]);
    let kept: Vec<UserScramCredentialRecord> = node.image().scram_credentials().cloned().collect();
    let [alice] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!((&*alice.name, alice.mechanism, alice.iterations), ("alice", 1, 4096));
    assert_ne!(&alice.stored_key[..], &[7; 32][..]);
    assert_eq!((alice.stored_key.len(), alice.server_key.len()), (32, 32));
}

#[test]
fn features_change_as_kafka_changes_them() {
    let metadata = "Unsupported metadata.version downgrade from 30 to 29.";
    let table: &[(&str, i16, i8, &str)] = &[
        ("metadata.version", 30, 1, ""),
        ("metadata.version", 31, 1, "Local controller 1 only supports versions 7-30"),
        ("metadata.version", 29, 1, "Can't downgrade the version of this feature without setting"),
        ("metadata.version", 29, 2, metadata),
        ("metadata.version", 29, 3, "Unsafe metadata downgrade is not supported in this version."),
        ("metadata.version", -1, 3, "A feature version cannot be less than 0."),
        ("foo", 1, 1, "Invalid update version 1 for feature foo. Local controller 1 does not support this feature."),
        ("foo", 0, 2, "Feature foo not found."),
        ("group.version", 1, 1, ""),
        ("group.version", 1, 2, "Can't downgrade to a newer version."),
        ("group.version", 2, 1, "Local controller 1 only supports versions 0-1"),
        ("group.version", 1, 0, "The controller does not support the given upgrade type."),
        ("kraft.version", 1, 1, "static"),
        ("kraft.version", 0, 1, ""),
    ];
    for (name, level, upgrade, told) in table {
        let node = Node::new(&[DIR_A]);
        let update = FeatureUpdateKey {
            feature: (*name).into(),
            max_version_level: *level,
            upgrade_type: *upgrade,
            ..Default::default()
        };
        let request = UpdateFeaturesRequest { feature_updates: vec![update], ..Default::default() };
        let decision = update_features(node.image(), &request, 2, BrokerId(1), 1);
        match decision.response {
            Ok(()) => assert_eq!(*told, "", "{name} {level}"),
            Err(refusal) => {
                let said = refusal.message.unwrap();
                assert!(!told.is_empty() && said.contains(told), "{name} {level}: {said}");
                assert!(decision.records.is_empty());
            }
        }
    }
}

#[test]
fn eligible_leaders_bring_one_number_for_all_brokers() {
    let mut node = Node::new(&[DIR_A]);
    let own = ConfigRecord {
        resource_type: 4,
        resource_name: "1".into(),
        name: "min.insync.replicas".into(),
        value: Some("2".into()),
    };
    node.apply(vec![own.into()]);
    let update = |validate_only| UpdateFeaturesRequest {
        feature_updates: vec![FeatureUpdateKey {
            feature: "eligible.leader.replicas.version".into(),
            max_version_level: 1,
            ..Default::default()
        }],
        validate_only,
        ..Default::default()
    };
    assert!(update_features(node.image(), &update(true), 2, BrokerId(1), 3).records.is_empty());
    let decision = update_features(node.image(), &update(false), 2, BrokerId(1), 3);
    node.apply(decision.records);
    let (own, all) = node.image().broker_configs(BrokerId(1));
    assert_eq!((own.get("min.insync.replicas"), all.get("min.insync.replicas").map(String::as_str)), (None, Some("3")));
    assert_eq!(node.image().feature("eligible.leader.replicas.version"), 1);
}

#[test]
fn a_partition_that_nobody_leads_gets_a_leader_by_an_unclean_election() {
    let mut node = Node::new(&[DIR_A]);
    node.create(vec![topic("t", 2, 1)]);
    let id = node.image().topic_by_name("t").unwrap().id;
    let lost = PartitionChangeRecord {
        partition_id: 1,
        topic_id: id,
        leader: -1,
        isr: Some(Vec::new()),
        ..Default::default()
    };
    node.apply(vec![lost.into()]);
    let elect = |node: &mut Node, election_type, partitions: Option<&[i32]>| {
        let named = |partitions: &[i32]| vec![TopicPartitions { topic: "t".into(), partitions: partitions.to_vec() }];
        let request =
            ElectLeadersRequest { election_type, topic_partitions: partitions.map(named), ..Default::default() };
        let decision = elect_leaders(node.image(), &request);
        node.apply(decision.records);
        let results = decision.response.replica_election_results;
        let codes = results.into_iter().flat_map(|topic| topic.partition_result);
        (decision.response.error_code, codes.map(|p| (p.partition_id, p.error_code)).collect::<Vec<_>>())
    };
    assert_eq!(elect(&mut node, 5, None), (42, vec![]));
    assert_eq!(elect(&mut node, 0, Some(&[0, 1, 9])), (0, vec![(0, 84), (1, 80), (9, 3)]));
    assert_eq!(elect(&mut node, 1, None), (0, vec![(1, 0)]));
    let partition = node.image().topic_by_name("t").unwrap().partition(1).unwrap().clone();
    assert_eq!((partition.leader, &partition.isr[..]), (BrokerId(1), &[BrokerId(1)][..]));
}

#[test]
fn only_other_brokers_are_forgotten() {
    let mut node = Node::new(&[DIR_A]);
    node.apply(vec![
        crate::protocol::messages::RegisterBrokerRecord { broker_id: 2, fenced: true, ..Default::default() }.into(),
    ]);
    let mut forget = |id| {
        let decision = unregister_broker(node.image(), BrokerId(id), BrokerId(1));
        node.apply(decision.records);
        decision.response.map_err(|refusal| (refusal.code, refusal.message.unwrap()))
    };
    let unknown = |id| Err((ErrorCode::BrokerIdNotRegistered, format!("Broker ID {id} is not currently registered")));
    assert_eq!(forget(5), unknown(5));
    assert_eq!(forget(2), Ok(()));
    assert_eq!(forget(2), unknown(2));
    assert!(forget(1).is_err());
    assert!(node.image().broker(BrokerId(1)).is_some());
}

#[test]
fn nothing_new_comes_into_a_cordoned_directory() {
    let mut node = Node::new(&[DIR_A, DIR_B]);
    let cordon = |node: &mut Node, cordoned: &[Uuid]| {
        let decision = change_cordoned_dirs(node.image(), BrokerId(1), cordoned.to_vec());
        let records = decision.records.len();
        node.apply(decision.records);
        records
    };
    assert_eq!(cordon(&mut node, &[]), 0, "nothing is new");
    assert_eq!(cordon(&mut node, &[DIR_B]), 1);
    assert_eq!(cordon(&mut node, &[DIR_B]), 0);
    assert_eq!(node.create(vec![topic("t", 4, 1)])[0].0, 0);
    let places = |node: &Node, name: &str| -> Vec<Uuid> {
        node.image().topic_by_name(name).unwrap().partitions.values().flat_map(|p| p.directories.clone()).collect()
    };
    assert_eq!(places(&node, "t"), [DIR_A; 4]);
    assert_eq!(cordon(&mut node, &[DIR_A, DIR_B]), 1);
    let (code, words) = node.create(vec![topic("u", 1, 1)]).remove(0);
    assert_eq!(code, 38);
    assert!(
        words.ends_with("All brokers are currently fenced, or have all their log directories cordoned."),
        "{words}"
    );
    assert_eq!(node.grow("t", 5, None), 38);
    assert_eq!(node.create(vec![assigned("m", &[(0, &[1])])])[0].0, 0, "who names the broker gets it");
    assert_eq!(cordon(&mut node, &[DIR_A]), 1);
    assert_eq!(node.grow("t", 6, None), 0);
    assert_eq!(places(&node, "t"), [DIR_A, DIR_A, DIR_A, DIR_A, DIR_B, DIR_B]);
    assert_eq!(node.image().broker(BrokerId(1)).unwrap().cordoned_log_dirs, Some(vec![DIR_A]));
    // Before 4.3-IV0 the metadata cannot say it.
    let older = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 29 };
    node.apply(vec![older.into()]);
    assert_eq!(cordon(&mut node, &[DIR_B]), 0);
}
