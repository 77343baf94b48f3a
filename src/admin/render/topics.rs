//! Traffic by topic, and partitions: sizes, offsets, replication.

use super::Snapshot;
use crate::admin::text::{Kind, Text};
use crate::base::Uuid;
use crate::partition::PartitionFacts;
use crate::shard::{Counted, Fetches};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Topics with lines of their own; the others are summed.
pub const TOPICS_MAX: usize = 1000;
/// Partitions with lines of their own: those of the first topics by name, as long as they fit.
pub const PARTITIONS_MAX: usize = 2000;
/// The label of what is summed.
pub const OTHERS: &str = "(others)";

#[derive(Default)]
struct TopicSum {
    bytes_in: u64,
    records_in: u64,
    produces: u64,
    fetched: Fetches,
    size_bytes: u64,
}

impl TopicSum {
    fn add(&mut self, other: &Self) {
        self.bytes_in += other.bytes_in;
        self.records_in += other.records_in;
        self.produces += other.produces;
        self.fetched = self.fetched.plus(other.fetched);
        self.size_bytes += other.size_bytes;
    }
}

/// All of it.
pub fn write(snapshot: &Snapshot, out: &mut Text) {
    let mut partitions: Vec<&PartitionFacts> = snapshot.cores.iter().flat_map(|core| &core.partitions).collect();
    partitions.sort_by(|a, b| a.name.cmp(&b.name));
    traffic(snapshot, &partitions, out);
    by_partition(&partitions, out);
    replication(snapshot, &partitions, out);
}

fn by_topic(snapshot: &Snapshot, partitions: &[&PartitionFacts]) -> (BTreeMap<Arc<str>, TopicSum>, usize) {
    let mut topics: BTreeMap<Arc<str>, TopicSum> = BTreeMap::new();
    let mut names: HashMap<Uuid, Arc<str>> = HashMap::new();
    for facts in partitions {
        names.entry(facts.id.topic_id).or_insert_with(|| facts.name.topic.clone());
        let sum = TopicSum {
            bytes_in: facts.bytes_in,
            records_in: facts.records_in,
            produces: facts.produces,
            fetched: Fetches::default(),
            size_bytes: facts.size_bytes,
        };
        topics.entry(facts.name.topic.clone()).or_default().add(&sum);
    }
    for (id, fetched) in snapshot.cores.iter().flat_map(|core| &core.fetched_by_topic) {
        if let Some(topic) = names.get(id).and_then(|name| topics.get_mut(name)) {
            topic.fetched = topic.fetched.plus(*fetched);
        }
    }
    let summed = topics.len().saturating_sub(TOPICS_MAX);
    if summed > 0 {
        let first_other = topics.keys().nth(TOPICS_MAX).cloned();
        let others = first_other.map(|first| topics.split_off(&first)).unwrap_or_default();
        let mut sum = TopicSum::default();
        others.values().for_each(|other| sum.add(other));
        topics.insert(OTHERS.into(), sum);
    }
    (topics, summed)
}

fn traffic(snapshot: &Snapshot, partitions: &[&PartitionFacts], out: &mut Text) {
    let (topics, summed) = by_topic(snapshot, partitions);
    let all = |value: fn(&crate::admin::survey::CoreFacts) -> u64| snapshot.cores.iter().map(value).sum::<u64>();
    let families: [(&str, &str, u64, fn(&TopicSum) -> u64); 6] = [
        ("bytesin", "Bytes of batches taken", all(|c| c.bytes_in), |t| t.bytes_in),
        ("messagesin", "Records taken", all(|c| c.records_in), |t| t.records_in),
        ("totalproducerequests", "Partitions' shares of produce requests", all(|c| c.produces), |t| t.produces),
        ("bytesout", "Bytes of records sent", all(|c| c.fetched.bytes), |t| t.fetched.bytes),
        ("totalfetchrequests", "Partitions' shares of fetches answered", all(|c| c.fetched.fetches), |t| {
            t.fetched.fetches
        }),
        ("failedfetchrequests", "Those answered with an error", all(|c| c.fetched.failed), |t| t.fetched.failed),
    ];
    for (name, help, sum, value) in families {
        let name = format!("kafka_server_brokertopicmetrics_{name}_total");
        let mut family = out.family(&name, Kind::Counter, &format!("{help}; without a topic: in all topics."));
        family.sample(&[], sum);
        topics.iter().for_each(|(topic, sums)| family.sample(&[("topic", topic)], value(sums)));
    }
    let failed = all(|c| c.produces_failed);
    out.counter("kafka_server_brokertopicmetrics_failedproducerequests_total", "Shares refused.", failed);
    let mut family = out.family("corelog_topic_log_size_bytes", Kind::Gauge, "Bytes of the topic's logs.");
    topics.iter().for_each(|(topic, sums)| family.sample(&[("topic", topic)], sums.size_bytes));
    out.gauge("corelog_metrics_topics_summed", "Topics without lines of their own: they stand under (others).", summed);
}

fn by_partition(partitions: &[&PartitionFacts], out: &mut Text) {
    // Whole topics: half a topic would look like a small one.
    let mut told = partitions.len().min(PARTITIONS_MAX);
    let same_topic = |at: usize| match (partitions.get(at.wrapping_sub(1)), partitions.get(at)) {
        (Some(before), Some(next)) => before.name.topic == next.name.topic,
        _ => false,
    };
    while same_topic(told) {
        told -= 1;
    }
    let shown = partitions.get(..told).unwrap_or_default();
    let families: [(&str, &str, fn(&PartitionFacts) -> i64); 7] = [
        ("kafka_log_log_size", "Bytes of the log.", |p| p.size_bytes as i64),
        ("kafka_log_log_numlogsegments", "Its segments.", |p| p.segments as i64),
        ("kafka_log_log_logstartoffset", "The first offset there is.", |p| p.start.0),
        ("kafka_log_log_logendoffset", "The offset the next record gets.", |p| p.end.0),
        ("kafka_topic_partition_oldest_offset", "The first offset there is.", |p| p.start.0),
        ("kafka_topic_partition_current_offset", "The high watermark.", |p| p.high_watermark.0),
        ("kafka_cluster_partition_underminisr", "1: in-sync replicas are too few.", |p| i64::from(p.under_min_isr)),
    ];
    for (name, help, value) in families {
        let mut family = out.family(name, Kind::Gauge, help);
        for p in shown {
            family.sample(&[("topic", &p.name.topic), ("partition", &p.name.partition)], value(p));
        }
    }
    let left_out = partitions.len() - told;
    let help = "Partitions without lines of their own; their topics are told.";
    out.gauge("corelog_metrics_partitions_left_out", help, left_out);
}

fn replication(snapshot: &Snapshot, partitions: &[&PartitionFacts], out: &mut Text) {
    let (mut topics, mut all, mut under_replicated, mut leaderless) = (0, 0usize, 0usize, 0usize);
    let mut counts = Vec::new();
    for topic in snapshot.image.topics() {
        topics += 1;
        all += topic.partitions.len();
        counts.push((topic.name.clone(), topic.partitions.len()));
        for partition in topic.partitions.values() {
            under_replicated += usize::from(partition.isr.len() < partition.replicas.len());
            leaderless += usize::from(partition.leader.0 < 0);
        }
    }
    let offline: usize = snapshot.cores.iter().map(|core| core.offline_partitions).sum();
    let leads = partitions.iter().filter(|p| p.leads).count();
    let under_min = partitions.iter().filter(|p| p.under_min_isr).count();
    let producers: usize = partitions.iter().map(|p| p.producers).sum();
    for (name, help, value) in [
        ("kafka_controller_kafkacontroller_globaltopiccount", "Topics of the cluster.", topics),
        ("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions of the cluster.", all),
        ("kafka_controller_kafkacontroller_offlinepartitionscount", "Partitions that nobody leads.", leaderless),
        ("kafka_server_replicamanager_partitioncount", "Partitions open here.", partitions.len()),
        ("kafka_server_replicamanager_leadercount", "Partitions led here.", leads),
        ("kafka_server_replicamanager_offlinereplicacount", "Partitions on failed log directories.", offline),
        ("kafka_server_replicamanager_underreplicatedpartitions", "Fewer in-sync than replicas.", under_replicated),
        ("kafka_server_replicamanager_underminisrpartitioncount", "Fewer in-sync than wanted.", under_min),
        ("kafka_server_replicamanager_produceridcount", "Producers whose state is kept, by partition.", producers),
    ] {
        out.gauge(name, help, value);
    }
    counts.sort();
    let mut family = out.family("kafka_topic_partitions", Kind::Gauge, "Partitions of the topic.");
    counts.iter().take(TOPICS_MAX).for_each(|(topic, count)| family.sample(&[("topic", topic)], count));
}
