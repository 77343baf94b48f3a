use super::*;
use crate::metadata::delta::MetadataDelta;
use crate::metadata::loader::Loader;
use crate::metadata::record::MetadataRecord;
use crate::protocol::messages::*;

const TOPIC: Uuid = Uuid([7; 16]);

fn partition(index: i32) -> MetadataRecord {
    PartitionRecord {
        partition_id: index,
        topic_id: TOPIC,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![Uuid([9; 16])],
        ..Default::default()
    }
    .into()
}

fn topic(name: &str) -> MetadataRecord {
    TopicRecord { name: name.into(), topic_id: TOPIC }.into()
}

fn config(topic: &str, key: &str, value: Option<&str>) -> MetadataRecord {
    ConfigRecord { resource_type: 2, resource_name: topic.into(), name: key.into(), value: value.map(Into::into) }
        .into()
}

fn level(name: &str, level: i16) -> MetadataRecord {
    FeatureLevelRecord { name: name.into(), feature_level: level }.into()
}

fn at(offset: i64) -> Provenance {
    Provenance { offset: Offset(offset), ..Provenance::default() }
}

fn loaded(records: &[MetadataRecord]) -> Loader {
    let mut loader = Loader::default();
    loader.apply(records, at(records.len() as i64 - 1)).unwrap();
    loader
}

#[test]
fn a_created_topic_shows_in_image_and_delta() {
    let mut loader = loaded(&[topic("t"), config("t", "retention.ms", Some("5")), partition(0), partition(1)]);
    let (image, delta) = loader.publish();
    assert_eq!(image.topic_by_name("t").unwrap().partition_count(), 2);
    assert_eq!(image.topic_overrides("t").collect::<Vec<_>>(), [("retention.ms", "5")]);
    assert_eq!(delta.changed_partitions(&image).map(|p| p.0.partition).collect::<Vec<_>>(), [0, 1]);
    assert!(delta.topics[&TOPIC].created);
    assert_eq!(delta.changed_configs().collect::<Vec<_>>(), [(ResourceType::Topic, "t")]);
    assert_eq!(image.provenance().offset, Offset(3));
}

#[test]
fn a_published_image_does_not_change() {
    let mut loader = loaded(&[topic("t"), partition(0)]);
    let (before, _) = loader.publish();
    let change = PartitionChangeRecord { partition_id: 0, topic_id: TOPIC, leader: -1, ..Default::default() };
    loader.apply(&[change.into()], at(2)).unwrap();
    let (after, delta) = loader.publish();
    let id = TopicIdPartition { topic_id: TOPIC, partition: 0 };
    assert_eq!(before.partition(&id).unwrap().leader, BrokerId(1));
    assert_eq!(after.partition(&id).unwrap().leader, BrokerId::NONE);
    assert_eq!(after.partition(&id).unwrap().leader_epoch, LeaderEpoch(1));
    assert!(!delta.topics[&TOPIC].created);
}

#[test]
fn changes_of_the_isr_alone_leave_the_leader_epoch() {
    let mut loader = loaded(&[topic("t"), partition(0)]);
    let change = PartitionChangeRecord { partition_id: 0, topic_id: TOPIC, isr: Some(vec![]), ..Default::default() };
    loader.apply(&[change.into()], at(2)).unwrap();
    let id = TopicIdPartition { topic_id: TOPIC, partition: 0 };
    let partition = loader.image().partition(&id).unwrap();
    assert_eq!((partition.leader_epoch.0, partition.partition_epoch.0), (0, 1));
    assert_eq!(partition.directories, [Uuid([9; 16])]);
}

#[test]
fn a_deleted_topic_takes_its_configuration_along() {
    let mut loader = loaded(&[topic("t"), config("t", "retention.ms", Some("5")), partition(0)]);
    loader.publish();
    loader.apply(&[RemoveTopicRecord { topic_id: TOPIC }.into()], at(3)).unwrap();
    let (image, delta) = loader.publish();
    assert!(image.topic_by_name("t").is_none() && image.config(ResourceType::Topic, "t").is_empty());
    assert_eq!(delta.deleted_partitions().count(), 1);
    assert!(delta.configs.is_empty());
}

#[test]
fn a_transaction_counts_only_at_its_end() {
    let mut loader = Loader::default();
    loader.apply(&[BeginTransactionRecord::default().into(), level(METADATA_VERSION, 30)], at(1)).unwrap();
    assert_eq!((loader.image().metadata_version(), loader.image().provenance().offset), (0, Offset(-1)));
    assert!(loader.in_transaction());
    loader.apply(&[EndTransactionRecord::default().into()], at(2)).unwrap();
    assert_eq!((loader.image().metadata_version(), loader.image().provenance().offset), (30, Offset(2)));
    let aborted =
        [BeginTransactionRecord::default().into(), level("group.version", 1), AbortTransactionRecord::default().into()];
    loader.apply(&aborted, at(5)).unwrap();
    assert_eq!(loader.image().feature("group.version"), 0);
    assert!(loader.apply(&[EndTransactionRecord::default().into()], at(6)).is_err());
}

#[test]
fn records_about_what_is_not_there_are_refused() {
    for record in [
        partition(0),
        RemoveTopicRecord { topic_id: TOPIC }.into(),
        PartitionChangeRecord { topic_id: TOPIC, partition_id: 0, ..Default::default() }.into(),
        FenceBrokerRecord { id: 4, epoch: 0 }.into(),
    ] {
        assert!(Loader::default().apply(std::slice::from_ref(&record), at(0)).is_err(), "{record:?}");
    }
    assert!(loaded(&[topic("t")]).apply(&[topic("t")], at(1)).is_err());
}

#[test]
fn a_snapshot_rebuilds_the_image() {
    let acl = AccessControlEntryRecord { id: Uuid([3; 16]), resource_name: "r".into(), ..Default::default() };
    let scram = UserScramCredentialRecord { name: "u".into(), mechanism: 1, ..Default::default() };
    let quota = ClientQuotaRecord { key: "producer_byte_rate".into(), value: 1.5, ..Default::default() };
    let loader = loaded(&[
        level(METADATA_VERSION, 30),
        level("group.version", 1),
        RegisterBrokerRecord { broker_id: 1, broker_epoch: 2, rack: Some("r".into()), ..Default::default() }.into(),
        BrokerRegistrationChangeRecord { broker_id: 1, broker_epoch: 2, fenced: -1, ..Default::default() }.into(),
        topic("t"),
        partition(0),
        config("t", "retention.ms", Some("5")),
        config("t", "segment.ms", Some("5")),
        config("t", "segment.ms", None),
        ProducerIdsRecord { broker_id: 1, broker_epoch: 2, next_producer_id: 1000 }.into(),
        acl.into(),
        scram.into(),
        quota.into(),
    ]);
    let image = loader.image();
    assert_eq!(image.topic_overrides("t").count(), 1);
    let mut rebuilt = Loader::default();
    let records: Vec<_> =
        image.records().iter().map(|record| MetadataRecord::decode(&record.encode_for(30).unwrap()).unwrap()).collect();
    rebuilt.apply(&records, image.provenance()).unwrap();
    assert_eq!(rebuilt.image(), image);
    assert!(MetadataDelta::between(image, rebuilt.image()).is_empty());
}

#[test]
fn removed_credentials_and_quotas_stay_away() {
    let quota = |remove| ClientQuotaRecord { key: "k".into(), remove, ..Default::default() };
    let loader = loaded(&[
        quota(false).into(),
        UserScramCredentialRecord { name: "u".into(), mechanism: 1, ..Default::default() }.into(),
        quota(true).into(),
        RemoveUserScramCredentialRecord { name: "u".into(), mechanism: 1 }.into(),
    ]);
    assert!(loader.image().records().is_empty());
}
