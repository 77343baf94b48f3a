//! Table tests of the controller: a request and an image in, records and answers out.

mod administration;

use super::*;
use crate::base::{BrokerId, Uuid};
use crate::config::Config;
use crate::metadata::image::Provenance;
use crate::metadata::loader::Loader;
use crate::metadata::{BrokerEndpoint, MetadataImage};
use crate::protocol::messages::create_partitions_request::*;
use crate::protocol::messages::create_topics_request::*;
use crate::protocol::messages::delete_topics_request::*;
use crate::protocol::messages::{FeatureLevelRecord, PartitionChangeRecord};

const DIR_A: Uuid = Uuid([0xa; 16]);
const DIR_B: Uuid = Uuid([0xb; 16]);

/// A node in service, driven through decisions as the broker drives it.
struct Node {
    loader: Loader,
    config: Config,
    draws: u8,
}

impl Node {
    fn new(log_dirs: &[Uuid]) -> Self {
        Self::with(log_dirs, &[])
    }

    fn with(log_dirs: &[Uuid], overrides: &[(&str, &str)]) -> Self {
        let mut node = Self { loader: Loader::default(), config: Config::from_overrides(overrides).unwrap(), draws: 0 };
        let version = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 };
        node.apply(vec![version.into()]);
        node.start(log_dirs);
        node
    }

    fn start(&mut self, log_dirs: &[Uuid]) {
        let endpoint =
            BrokerEndpoint { listener: "PLAINTEXT".into(), host: "h".into(), port: 9092, security_protocol: 0 };
        let start = BrokerStart {
            id: BrokerId(1),
            incarnation_id: Uuid([1; 16]),
            endpoints: vec![endpoint],
            rack: None,
            log_dirs: log_dirs.to_vec(),
        };
        let registered = register_broker(self.image(), &start, self.image().offset().plus(1));
        assert_eq!(registered.response, self.image().offset().0 + 1);
        self.apply(registered.records);
        self.apply(unfence_broker(self.image(), BrokerId(1)).records);
    }

    fn image(&self) -> &MetadataImage {
        self.loader.image()
    }

    fn apply(&mut self, records: Vec<MetadataRecord>) {
        let end = self.image().offset().plus(records.len() as i64);
        self.loader.apply(&records, Provenance { offset: end, ..Provenance::default() }).unwrap();
    }

    fn create(&mut self, topics: Vec<CreatableTopic>) -> Vec<(i16, String)> {
        self.create_with(CreateTopicsRequest { topics, ..Default::default() })
    }

    fn create_with(&mut self, request: CreateTopicsRequest) -> Vec<(i16, String)> {
        let context = TopicContext { policy: &self.config.topics, defaults: &self.config.log_defaults };
        let draws = &mut self.draws;
        let mut random = || {
            *draws += 1;
            [*draws; 16]
        };
        let decision = create_topics(self.loader.image(), &request, context, &mut random);
        self.apply(decision.records);
        decision.response.iter().map(|r| (r.error_code, r.error_message.as_deref().unwrap_or("").to_owned())).collect()
    }

    fn grow(&mut self, name: &str, count: i32, assignments: Option<Vec<Vec<i32>>>) -> i16 {
        let assignment = |broker_ids| CreatePartitionsAssignment { broker_ids };
        let assignments = assignments.map(|all| all.into_iter().map(assignment).collect());
        let topic = CreatePartitionsTopic { name: name.into(), count, assignments };
        let request = CreatePartitionsRequest { topics: vec![topic], ..Default::default() };
        let decision = create_partitions(self.image(), &request, 0);
        self.apply(decision.records);
        decision.response[0].error_code
    }
}

fn topic(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions: partitions, replication_factor: factor, ..Default::default() }
}

fn with_config(name: &str, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig { name: key.into(), value: value.map(Into::into) };
    CreatableTopic { configs: vec![config], ..topic(name, 1, 1) }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(index, brokers): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *index,
        broker_ids: brokers.to_vec(),
    };
    CreatableTopic { assignments: assignments.iter().map(assignment).collect(), ..topic(name, -1, -1) }
}

#[test]
fn each_wrong_topic_gets_its_error() {
    let mut node = Node::new(&[DIR_A]);
    assert_eq!(node.create(vec![topic("a.b", 1, 1)])[0].0, 0);
    for (wrong, code, words) in [
        (topic("a.b", 1, 1), 36, "already exists"),
        (topic("a_b", 1, 1), 17, "collides"),
        (topic("a b", 1, 1), 17, "invalid"),
        (topic("", 1, 1), 17, "empty"),
        (topic("__cluster_metadata", 1, 1), 42, "prohibited"),
        (topic("t", 0, 1), 37, "non-positive"),
        (topic("t", -2, 1), 37, "non-positive"),
        (topic("t", 1, 0), 38, "larger than 0"),
        (topic("t", 1, -2), 38, "larger than 0"),
        (topic("t", 1, 2), 38, "only 1 broker"),
        (topic("t", 20_000, 1), 44, "number of partitions"),
        (with_config("t", "no.such.key", Some("1")), 40, "no.such.key"),
        (with_config("t", "retention.ms", Some("x")), 40, "retention.ms"),
        (with_config("t", "retention.ms", None), 40, "Null value"),
        (assigned("t", &[(0, &[])]), 39, "empty"),
        (assigned("t", &[(0, &[7])]), 39, "no such broker"),
        (assigned("t", &[(0, &[1, 1])]), 39, "more than once"),
        (assigned("t", &[(0, &[1]), (0, &[1])]), 39, "multiple"),
        (assigned("t", &[(0, &[1]), (2, &[1])]), 39, "consecutive"),
        (CreatableTopic { num_partitions: 3, ..assigned("t", &[(0, &[1])]) }, 42, "numPartitions"),
        (CreatableTopic { replication_factor: 1, ..assigned("t", &[(0, &[1])]) }, 42, "replication factor"),
    ] {
        let said = node.create(vec![wrong.clone()]);
        assert_eq!((said[0].0, said[0].1.contains(words)), (code, true), "{wrong:?}: {said:?}");
    }
    assert_eq!(node.image().topic_count(), 1);
}

#[test]
fn names_given_twice_are_refused_and_the_others_created() {
    let mut node = Node::new(&[DIR_A]);
    let said = node.create(vec![topic("twice", 1, 1), topic("once", 1, 1), topic("twice", 2, 1)]);
    assert_eq!(said.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [0, 42]);
    assert!(node.image().topic_by_name("once").is_some() && node.image().topic_by_name("twice").is_none());
}

#[test]
fn defaults_fill_what_a_request_leaves_open() {
    let mut node = Node::with(&[DIR_A], &[("num.partitions", "7")]);
    node.create(vec![topic("t", -1, -1)]);
    let created = node.image().topic_by_name("t").unwrap();
    assert_eq!((created.partition_count(), created.partitions[&6].leader), (7, BrokerId(1)));
    assert_eq!(created.partitions[&6].directories, [DIR_A]);
}

#[test]
fn validating_changes_nothing() {
    let mut node = Node::new(&[DIR_A]);
    let request = CreateTopicsRequest { topics: vec![topic("t", 1, 1)], validate_only: true, ..Default::default() };
    assert_eq!(node.create_with(request)[0].0, 0);
    assert_eq!(node.image().topic_count(), 0);
}

#[test]
fn partitions_spread_over_directories_by_their_number() {
    let mut node = Node::new(&[DIR_A]);
    node.create(vec![topic("old", 3, 1)]);
    node.start(&[DIR_A, DIR_B]);
    node.create(vec![topic("new", 5, 1)]);
    let count = |dir| {
        let partitions = node.image().topics().flat_map(|topic| topic.partitions.values());
        partitions.filter(|partition| partition.directories == [dir]).count()
    };
    assert_eq!((count(DIR_A), count(DIR_B)), (4, 4));
}

#[test]
fn topics_are_deleted_by_name_and_by_id_but_not_twice() {
    let mut node = Node::new(&[DIR_A]);
    node.create(["a", "b", "c"].map(|name| topic(name, 1, 1)).to_vec());
    let id = |name: &str| node.image().topic_by_name(name).unwrap().id;
    let by = |name: Option<&str>, topic_id| DeleteTopicState { name: name.map(Into::into), topic_id };
    let topics = vec![
        by(Some("a"), Uuid::ZERO),
        by(None, id("b")),
        by(Some("b"), Uuid::ZERO),
        by(Some("x"), Uuid::ZERO),
        by(None, Uuid([0x77; 16])),
        by(None, Uuid::ZERO),
        by(Some("c"), id("c")),
    ];
    let request = DeleteTopicsRequest { topics, ..Default::default() };
    let decision = delete_topics(node.image(), &request, 6, true);
    let codes: Vec<_> = decision.response.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [42, 42, 0, 100, 0, 42, 3]);
    node.apply(decision.records);
    assert_eq!(node.image().topics().map(|topic| topic.name.to_string()).collect::<Vec<_>>(), ["c"]);
    let twice = DeleteTopicsRequest { topic_names: vec!["c".into(), "c".into()], ..Default::default() };
    let decision = delete_topics(node.image(), &twice, 5, true);
    assert_eq!((decision.response.len(), decision.response[0].error_code, decision.records.len()), (1, 42, 0));
}

#[test]
fn deletion_can_be_switched_off() {
    let mut node = Node::new(&[DIR_A]);
    node.create(vec![topic("t", 1, 1)]);
    let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
    let code = |version| delete_topics(node.image(), &request, version, false).response[0].error_code;
    assert_eq!((code(2), code(3)), (42, 73));
}

#[test]
fn partition_counts_only_grow() {
    let mut node = Node::new(&[DIR_A]);
    node.create(vec![topic("t", 2, 1)]);
    for (count, assignments, code) in [
        (2, None, 37),
        (1, None, 37),
        (4, Some(vec![vec![1]]), 39),
        (3, Some(vec![vec![9]]), 39),
        (3, Some(vec![vec![1, 2]]), 39),
        (i32::MAX, None, 44),
        (3, Some(vec![vec![1]]), 0),
        (5, None, 0),
    ] {
        assert_eq!(node.grow("t", count, assignments.clone()), code, "{count} {assignments:?}");
    }
    assert_eq!(node.grow("none", 3, None), 3);
    assert_eq!(node.image().topic_by_name("t").unwrap().partition_count(), 5);
}

#[test]
fn a_stop_leaves_partitions_without_a_leader_and_a_start_takes_them_back() {
    let mut node = Node::new(&[DIR_A]);
    node.create(vec![topic("t", 1, 1)]);
    let partition = |node: &Node| node.image().topic_by_name("t").unwrap().partitions[&0].clone();
    for elr in [false, true] {
        if elr {
            let level = FeatureLevelRecord { name: "eligible.leader.replicas.version".into(), feature_level: 1 };
            node.apply(vec![level.into()]);
        }
        let epoch = partition(&node).leader_epoch.0;
        node.apply(shut_down_broker(node.image(), BrokerId(1)).records);
        assert_eq!((partition(&node).leader, partition(&node).isr.is_empty()), (BrokerId::NONE, elr));
        assert!(node.image().live_brokers().next().is_none());
        assert_eq!(node.create(vec![topic("u", 1, 1)])[0].0, 38, "no broker serves");
        node.start(&[DIR_A]);
        let after = partition(&node);
        assert_eq!((after.leader, after.isr.clone(), after.elr.len()), (BrokerId(1), vec![BrokerId(1)], 0));
        assert_eq!(after.leader_epoch.0, epoch + 2);
    }
}

#[test]
fn a_start_after_a_crash_raises_every_leader_epoch() {
    let mut node = Node::new(&[DIR_A]);
    node.create(vec![topic("t", 2, 1)]);
    node.start(&[DIR_A]);
    let epochs = node.image().topic_by_name("t").unwrap().partitions.values().map(|p| p.leader_epoch.0);
    assert_eq!(epochs.collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_replica_that_lost_its_place_does_not_lead() {
    let mut node = Node::new(&[DIR_A]);
    node.create(vec![topic("t", 1, 1)]);
    let topic_id = node.image().topic_by_name("t").unwrap().id;
    let moved = PartitionChangeRecord {
        topic_id,
        partition_id: 0,
        replicas: Some(vec![1, 2]),
        isr: Some(vec![2]),
        leader: 2,
        ..Default::default()
    };
    node.apply(vec![moved.into()]);
    node.start(&[DIR_A]);
    assert_eq!(node.image().topic_by_name("t").unwrap().partitions[&0].leader, BrokerId::NONE);
}

#[test]
fn producer_ids_are_handed_out_once() {
    let mut node = Node::new(&[DIR_A]);
    let block = |node: &mut Node| {
        let decision = allocate_producer_ids(node.image(), BrokerId(1));
        node.apply(decision.records);
        decision.response.unwrap()
    };
    let (mut first, mut second) = (block(&mut node), block(&mut node));
    let ids: Vec<_> = std::iter::from_fn(|| first.take()).map(|id| id.0).collect();
    assert_eq!((ids.len() as i64, ids[0], second.take().map(|id| id.0)), (PRODUCER_ID_BLOCK, 0, Some(1000)));
    assert!(allocate_producer_ids(node.image(), BrokerId(5)).response.is_err());
}

#[test]
fn internal_topics_come_with_their_configuration() {
    let mut node = Node::new(&[DIR_A]);
    let internal = InternalTopics {
        groups: &node.config.groups,
        transactions: &node.config.transactions,
        share: &node.config.share,
    };
    let offsets = creatable("__consumer_offsets", internal).unwrap();
    assert!(creatable("no good", internal).is_none());
    assert_eq!(node.create(vec![offsets])[0], (0, String::new()));
    assert_eq!(node.image().topic_by_name("__consumer_offsets").unwrap().partition_count(), 50);
    assert_eq!(
        node.image().topic_overrides("__consumer_offsets").collect::<Vec<_>>(),
        [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")]
    );
}
