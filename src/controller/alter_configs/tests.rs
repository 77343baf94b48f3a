//! A request and an image in, records and answers out; the words are Apache Kafka 4.3.1's.

use super::*;
use crate::base::Uuid;
use crate::metadata::image::Provenance;
use crate::metadata::loader::Loader;
use crate::protocol::messages::{FeatureLevelRecord, TopicRecord};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

type Change<'a> = (&'a str, i8, Option<&'a str>);

struct Node {
    loader: Loader,
    config: Config,
}

impl Node {
    fn new() -> Self {
        let mut node = Self { loader: Loader::default(), config: Config::from_overrides(&[]).unwrap() };
        let topics = ["t1", "t2"]
            .iter()
            .zip(1..)
            .map(|(name, id)| MetadataRecord::from(TopicRecord { name: (*name).into(), topic_id: Uuid([id; 16]) }));
        node.apply(topics.collect());
        node
    }

    fn apply(&mut self, records: Vec<MetadataRecord>) {
        self.loader.apply(&records, Provenance::default()).unwrap();
    }

    fn run(&mut self, alterations: &[Alteration], validate_only: bool) -> Vec<(i16, String)> {
        let context = AlterContext { config: &self.config, node: BrokerId(1) };
        let decision = alter_configs(self.loader.image(), alterations, validate_only, context);
        assert!(!validate_only || decision.records.is_empty());
        self.apply(decision.records);
        let told = |outcome: Result<(), Refusal>| match outcome {
            Ok(()) => (0, String::new()),
            Err(refusal) => (refusal.code.code(), refusal.message.unwrap_or_default()),
        };
        decision.response.into_iter().map(told).collect()
    }

    /// Incrementally, one resource.
    fn alter(&mut self, kind: i8, name: &str, changes: &[Change]) -> (i16, String) {
        self.run(&[incremental(kind, name, changes)], false).remove(0)
    }

    fn of(&self, kind: ResourceType, name: &str) -> Vec<(String, String)> {
        self.loader.image().config(kind, name).iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

fn incremental(kind: i8, name: &str, changes: &[Change]) -> Alteration {
    let change = |(key, operation, value): &Change| KeyChange {
        key: (*key).into(),
        operation: *operation,
        value: value.map(Into::into),
    };
    let changes = changes.iter().map(change).collect();
    Alteration { resource_type: kind, resource_name: name.into(), changes, replaces_all: false }
}

fn whole(kind: i8, name: &str, pairs: &[(&str, &str)]) -> Alteration {
    let changes: Vec<_> = pairs.iter().map(|(key, value)| (*key, SET, Some(*value))).collect();
    Alteration { replaces_all: true, ..incremental(kind, name, &changes) }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn ok() -> (i16, String) {
    (0, String::new())
}

#[test]
fn keys_of_a_topic_are_set_and_deleted_and_lists_grow_and_shrink() {
    let mut node = Node::new();
    assert_eq!(
        node.alter(TOPIC, "t1", &[("retention.ms", SET, Some(" 77 ")), ("preallocate", SET, Some("true"))]),
        ok()
    );
    assert_eq!(node.of(ResourceType::Topic, "t1"), pairs(&[("preallocate", "true"), ("retention.ms", " 77 ")]));
    assert_eq!(node.alter(TOPIC, "t1", &[("retention.ms", DELETE, None), ("preallocate", DELETE, Some("x"))]), ok());
    let steps: [(i8, &str, &str); 4] = [
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact,delete", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "compact", ""),
    ];
    for (operation, value, want) in steps {
        assert_eq!(node.alter(TOPIC, "t1", &[("cleanup.policy", operation, Some(value))]), ok());
        assert_eq!(node.of(ResourceType::Topic, "t1"), pairs(&[("cleanup.policy", want)]));
    }
    assert_eq!(node.of(ResourceType::Topic, "t2"), []);
    assert_eq!(node.alter(TOPIC, "t1", &[("unknown", DELETE, None)]), ok());
}

#[test]
fn the_whole_configuration_is_replaced_by_the_old_request() {
    let mut node = Node::new();
    node.alter(TOPIC, "t1", &[("retention.ms", SET, Some("1")), ("segment.ms", SET, Some("1"))]);
    assert_eq!(node.run(&[whole(TOPIC, "t1", &[("segment.ms", "2")])], false), [ok()]);
    assert_eq!(node.of(ResourceType::Topic, "t1"), pairs(&[("segment.ms", "2")]));
    assert_eq!(node.run(&[whole(TOPIC, "t1", &[])], false), [ok()]);
    assert_eq!(node.of(ResourceType::Topic, "t1"), []);
}

#[test]
fn validate_only_says_the_same_and_changes_nothing() {
    let mut node = Node::new();
    let good = incremental(TOPIC, "t1", &[("retention.ms", SET, Some("77"))]);
    let bad = incremental(TOPIC, "t2", &[("retention.ms", SET, Some("soon"))]);
    let told = node.run(&[good, bad], true);
    assert_eq!((told[0].0, told[1].0), (0, 40));
    assert_eq!(node.of(ResourceType::Topic, "t1"), []);
}

#[test]
fn one_wrong_resource_does_not_stop_another() {
    let mut node = Node::new();
    let bad = incremental(TOPIC, "t1", &[("retention.ms", SET, Some("x")), ("retention.bytes", SET, Some("5"))]);
    let good = incremental(TOPIC, "t2", &[("retention.ms", SET, Some("5"))]);
    let told = node.run(&[bad, good], false);
    assert_eq!((told[0].0, told[1].0), (40, 0));
    assert_eq!(node.of(ResourceType::Topic, "t1"), [], "nothing of a refused resource is set");
    assert_eq!(node.of(ResourceType::Topic, "t2"), pairs(&[("retention.ms", "5")]));
}

#[test]
fn a_resource_named_twice_is_refused_each_time() {
    let mut node = Node::new();
    let once = incremental(BROKER, "1", &[("log.retention.ms", SET, Some("5"))]);
    let twice = incremental(TOPIC, "t1", &[("retention.ms", SET, Some("5"))]);
    let told = node.run(&[twice.clone(), once, twice], false);
    let refused = (42, "Each resource must appear at most once.".to_owned());
    assert_eq!(told, [refused.clone(), ok(), refused]);
}

#[test]
fn what_a_topic_is_refused() {
    let mut node = Node::new();
    let set: fn(&'static str, &'static str) -> Vec<Change<'static>> = |key, value| vec![(key, SET, Some(value))];
    type Row = (&'static str, Vec<Change<'static>>, i16, &'static str);
    let table: Vec<Row> = vec![
        ("nope", set("retention.ms", "1"), 3, "The topic 'nope' does not exist."),
        ("", set("retention.ms", "1"), 42, "Default topic resources are not allowed."),
        ("a/b", set("retention.ms", "1"), 17, "Topic name is invalid: 'a/b' contains one or more characters"),
        ("__cluster_metadata", set("retention.ms", "5"), 3, "does not exist"),
        ("t1", set("foo.bar", "1"), 40, "Unknown topic config name: foo.bar"),
        ("t1", set("retention.ms", "soon"), 40, "Invalid value soon for configuration retention.ms: Not a number"),
        (
            "t1",
            vec![("retention.ms", SET, None), ("x", SET, None)],
            42,
            "Null value not supported for : retention.ms, x",
        ),
        ("t1", vec![("a", DELETE, None), ("a", DELETE, None)], 42, "Error due to duplicate config keys"),
        ("t1", vec![("a", 9, Some("1"))], -1, ""),
        (
            "t1",
            vec![("retention.ms", APPEND, Some("1"))],
            40,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        ("t1", vec![("foo", SUBTRACT, Some("1"))], 40, "Can't SUBTRACT to key foo because its type is not LIST."),
        ("t1", vec![("cleanup.policy", APPEND, Some("purge"))], 40, "String must be one of: compact, delete"),
        ("t1", set("remote.storage.enable", "true"), 40, "Tiered Storage functionality is disabled"),
    ];
    for (name, changes, code, told) in table {
        let (said, text) = node.alter(TOPIC, name, &changes);
        assert!(said == code && text.contains(told), "{name} {changes:?}: {said} {text}");
    }
    assert_eq!(node.of(ResourceType::Topic, "t1"), []);
}

#[test]
fn brokers_are_altered_one_and_all() {
    let mut node = Node::new();
    assert_eq!(node.alter(BROKER, "1", &[("log.retention.ms", SET, Some("5000"))]), ok());
    assert_eq!(node.alter(BROKER, "", &[("log.cleanup.policy", APPEND, Some("compact"))]), ok());
    assert_eq!(node.of(ResourceType::Broker, "1"), pairs(&[("log.retention.ms", "5000")]));
    assert_eq!(node.of(ResourceType::Broker, ""), pairs(&[("log.cleanup.policy", "delete,compact")]));
    let table: [(&str, Change, i16, &str); 7] = [
        ("2", ("log.retention.ms", SET, Some("5")), 42, "Unexpected broker id, expected 1, but received 2"),
        ("x", ("log.retention.ms", SET, Some("5")), 42, "Node id must be an integer, but it is: x"),
        ("1", ("log.dirs", SET, Some("/x")), 42, "Cannot update these configs dynamically: [log.dirs]"),
        ("", ("listeners", SET, Some("x")), 42, "broker id must be specified: [listeners]"),
        ("1", ("log.retention.ms", APPEND, Some("5")), 40, "Config value append is not allowed for config key"),
        ("1", ("foo.x", APPEND, Some("5")), 40, "Unknown config name: foo.x"),
        ("1", ("log.retention.ms", SET, Some("x")), 42, "Not a number of type LONG"),
    ];
    for (name, change, code, told) in table {
        let (said, text) = node.alter(BROKER, name, &[change]);
        assert!(said == code && text.contains(told), "{name} {change:?}: {said} {text}");
    }
    assert_eq!(node.run(&[whole(BROKER, "1", &[]), whole(BROKER, "", &[])], false), [ok(), ok()]);
    assert_eq!((node.of(ResourceType::Broker, "1"), node.of(ResourceType::Broker, "")), (vec![], vec![]));
}

#[test]
fn directories_are_cordoned_where_the_metadata_can_say_so() {
    let mut node = Node::new();
    let cordon = ("cordoned.log.dirs", SET, Some("*"));
    let (code, text) = node.alter(BROKER, "1", &[cordon]);
    assert_eq!(code, 40);
    assert!(text.ends_with("it requires metadata.version >= 4.3-IV0"), "{text}");
    let version = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 };
    node.apply(vec![version.into()]);
    assert_eq!(node.alter(BROKER, "1", &[cordon]), ok());
    assert_eq!(node.alter(BROKER, "1", &[("cordoned.log.dirs", SET, Some("/nope"))]).0, 42);
    let rate = "replica.alter.log.dirs.io.max.bytes.per.second";
    assert_eq!(node.alter(BROKER, "", &[(rate, SET, Some("1000"))]), ok());
    assert_eq!(node.alter(BROKER, "1", &[(rate, SET, Some("-1"))]).0, 42);
    let (own, all) = node.loader.image().broker_configs(BrokerId(1));
    let live = LiveSettings::new(&node.config, &own, &all);
    assert_eq!((live.log_dirs.move_bytes_per_second, live.log_dirs.cordoned.len()), (1000, node.config.log_dirs.len()));
}

#[test]
fn what_the_broker_does_not_heed_stands_in_no_changes_way_and_stays() {
    let mut node = Node::new();
    let foreign = ConfigRecord {
        resource_type: BROKER,
        resource_name: "1".into(),
        name: "log.dirs".into(),
        value: Some("/of/another/version".into()),
    };
    node.apply(vec![foreign.into()]);
    assert_eq!(node.alter(BROKER, "1", &[("log.retention.ms", SET, Some("5"))]), ok());
    let both = pairs(&[("log.dirs", "/of/another/version"), ("log.retention.ms", "5")]);
    assert_eq!(node.of(ResourceType::Broker, "1"), both);
    assert_eq!(node.alter(BROKER, "1", &[("log.dirs", DELETE, None)]), ok());
    assert_eq!(node.of(ResourceType::Broker, "1"), pairs(&[("log.retention.ms", "5")]));
}

#[test]
fn with_eligible_leader_replicas_min_isr_is_the_clusters() {
    let mut node = Node::new();
    assert_eq!(node.alter(BROKER, "1", &[("min.insync.replicas", SET, Some("1"))]), ok());
    let elr = FeatureLevelRecord { name: ELR.into(), feature_level: 1 };
    node.apply(vec![elr.into()]);
    assert_eq!(node.alter(BROKER, "1", &[("min.insync.replicas", DELETE, None)]).0, 40);
    assert_eq!(node.alter(BROKER, "", &[("min.insync.replicas", SET, Some("2"))]), ok());
    let told = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
    assert_eq!(node.alter(BROKER, "", &[("min.insync.replicas", DELETE, None)]), (40, told.into()));
    assert_eq!(node.run(&[whole(BROKER, "", &[])], false), [(40, told.into())]);
}

#[test]
fn what_cannot_be_set_is_refused_in_words() {
    let mut node = Node::new();
    let table: [(i8, &str, i16, &str); 7] = [
        (8, "1", 40, "Logger k does not exist!"),
        (8, "2", 42, "Unexpected node id. Expected 1, but received 2"),
        (16, "m", 42, "Unknown client metrics configuration: k"),
        (32, "g", 40, "Unknown group config name: k"),
        (32, "", 42, "Default group resources are not allowed."),
        (77, "x", 42, "Unknown resource type 77"),
        (0, "x", 42, "Unknown resource type 0"),
    ];
    for (kind, name, code, told) in table {
        let (said, text) = node.alter(kind, name, &[("k", SET, Some("v"))]);
        assert!(said == code && text.contains(told), "{kind}: {said} {text}");
    }
    assert_eq!(node.run(&[whole(8, "1", &[("k", "INFO")])], false), [(42, "Unknown resource type 8".into())]);
}

#[test]
fn a_request_causes_a_bounded_number_of_records() {
    let mut node = Node::new();
    let keys: Vec<String> = (0..=RECORDS_PER_REQUEST_MAX).map(|n| format!("my.plugin.{n}")).collect();
    let changes: Vec<Change> = keys.iter().map(|key| (key.as_str(), SET, Some("1"))).collect();
    assert_eq!(node.alter(BROKER, "1", &changes).0, ErrorCode::PolicyViolation.code());
    assert_eq!(node.of(ResourceType::Broker, "1"), []);
}

#[test]
fn a_list_grows_to_what_a_record_takes_and_no_further() {
    let mut node = Node::new();
    let part = |from: u32| (from..from + 3000).map(|n| format!("{n}:1")).collect::<Vec<_>>().join(",");
    let key = "leader.replication.throttled.replicas";
    let outcomes: Vec<i16> =
        (0..4).map(|n| node.alter(TOPIC, "t1", &[(key, APPEND, Some(&part(n * 3000)))]).0).collect();
    assert_eq!(outcomes, [0, 40, 40, 40]);
}
