//! Telling of topics and their partitions.

use super::super::Streams;
use super::super::print::{joined, json, numbers, text};
use super::{Arguments, Failure, chosen_that_exist};
use crate::base::Uuid;
use crate::base::java_hash::hash_map_order;
use crate::client::Cluster;
use crate::client::configs::{DEFAULT_CONFIG, ResourceType};
use crate::client::topics::{Partition, Reassignment, Topic};
use crate::protocol::json::Json;
use crate::protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use std::collections::BTreeMap;

/// A topic with all that is printed of it.
struct Described<'a> {
    topic: &'a Topic,
    /// What somebody has set.
    configs: Vec<DescribeConfigsResourceResult>,
    min_isr: usize,
    reassignments: BTreeMap<i32, &'a Reassignment>,
}

pub fn describe(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let names = names(arguments, cluster)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut topics = BTreeMap::new();
    if !names.is_empty() {
        topics = cluster.describe_topics(&names, arguments.partition_size_limit_per_response)?;
    }
    let mut configs = cluster.describe_configs(ResourceType::Topic, &names)?;
    let reassignments = if topics.is_empty() { BTreeMap::new() } else { cluster.reassignments()? };
    let live = cluster.brokers();
    let mut items = Vec::new();
    for topic in topics.values() {
        let entries = configs.remove(&topic.name).unwrap_or_default();
        let own = reassignments.iter().filter(|((name, _), _)| *name == topic.name);
        let described = Described {
            topic,
            min_isr: min_isr(&entries),
            configs: set_by_somebody(entries),
            reassignments: own.map(|((_, index), reassignment)| (*index, reassignment)).collect(),
        };
        let shown = |partition: &&Partition| described.shows(arguments, partition, |id| live.contains_key(&id));
        let partitions: Vec<&Partition> = topic.partitions.iter().filter(shown).collect();
        let header = !arguments.reports() && (!arguments.topics_with_overrides || !described.configs.is_empty());
        if arguments.connect.json {
            if header || !partitions.is_empty() {
                items.push(described.json(&partitions));
            }
            continue;
        }
        if header {
            described.print_topic(streams)?;
        }
        if !arguments.topics_with_overrides {
            partitions.iter().try_for_each(|partition| described.print_partition(partition, streams))?;
        }
    }
    if arguments.connect.json {
        json(streams, &Json::Array(items))?;
    }
    Ok(())
}

/// The names of the topics meant by id or name.
fn names(arguments: &Arguments, cluster: &mut Cluster) -> Result<Vec<String>, Failure> {
    let wrong = |text: &str| Failure::Said(format!("{text} is no topic id"));
    let id = arguments.topic_id.as_deref().map(|text| Uuid::parse(text).ok_or_else(|| wrong(text))).transpose()?;
    let Some(id) = id.filter(|id| !id.is_zero()) else {
        let topics = chosen_that_exist(arguments, cluster)?;
        return Ok(topics.into_iter().map(|topic| topic.name).collect());
    };
    let topics = cluster.topics()?;
    match topics.into_values().find(|topic| topic.id == id && !(arguments.exclude_internal && topic.internal)) {
        Some(topic) => Ok(vec![topic.name]),
        None if arguments.if_exists => Ok(Vec::new()),
        None => Err(Failure::Said(format!("TopicId '{id}' does not exist as expected"))),
    }
}

fn min_isr(entries: &[DescribeConfigsResourceResult]) -> usize {
    let entry = entries.iter().find(|entry| &*entry.name == "min.insync.replicas");
    entry.and_then(|entry| entry.value.as_deref()).and_then(|value| value.parse().ok()).unwrap_or(1)
}

/// The entries that are no defaults, in the order in which Kafka's client keeps them.
fn set_by_somebody(mut entries: Vec<DescribeConfigsResourceResult>) -> Vec<DescribeConfigsResourceResult> {
    hash_map_order(&mut entries, |entry| &entry.name);
    entries.retain(|entry| entry.config_source != DEFAULT_CONFIG);
    entries
}

impl Described<'_> {
    /// The reassignment, where it changes something that has not been done.
    fn reassignment(&self, partition: &Partition) -> Option<&Reassignment> {
        self.reassignments.get(&partition.index).copied()
    }

    fn replication_factor(&self, partition: &Partition) -> usize {
        let moving = |reassignment: &&Reassignment| {
            let mut changing = reassignment.adding.iter().chain(&reassignment.removing);
            changing.any(|id| partition.replicas.contains(id))
        };
        match self.reassignment(partition).filter(moving) {
            Some(reassignment) => reassignment.replicas.len().saturating_sub(reassignment.adding.len()),
            None => partition.replicas.len(),
        }
    }

    /// Whether a partition is among those asked for.
    fn shows(&self, arguments: &Arguments, partition: &Partition, live: impl Fn(i32) -> bool) -> bool {
        let in_sync = partition.isr.len();
        !arguments.reports()
            || (arguments.under_replicated_partitions && self.replication_factor(partition) > in_sync)
            || (arguments.unavailable_partitions && !partition.leader.is_some_and(live))
            || (arguments.under_min_isr_partitions && (partition.leader.is_none() || in_sync < self.min_isr))
            || (arguments.at_min_isr_partitions && in_sync == self.min_isr)
    }

    fn print_topic(&self, streams: &mut Streams<'_>) -> std::io::Result<()> {
        let topic = self.topic;
        write!(streams.out, "Topic: {}", topic.name)?;
        if !topic.id.is_zero() {
            write!(streams.out, "\tTopicId: {}", topic.id)?;
        }
        let factor = topic.partitions.first().map_or(0, |first| self.replication_factor(first));
        let value = |entry: &DescribeConfigsResourceResult| {
            format!("{}={}", entry.name, entry.value.as_deref().unwrap_or("null"))
        };
        writeln!(
            streams.out,
            "\tPartitionCount: {}\tReplicationFactor: {factor}\tConfigs: {}",
            topic.partitions.len(),
            joined(self.configs.iter().map(value))
        )
    }

    fn print_partition(&self, partition: &Partition, streams: &mut Streams<'_>) -> std::io::Result<()> {
        write!(
            streams.out,
            "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}",
            self.topic.name,
            partition.index,
            partition.leader.map_or("none".to_owned(), |id| id.to_string()),
            joined(&partition.replicas),
            joined(&partition.isr)
        )?;
        if let Some(moving) = self.reassignment(partition) {
            let (adding, removing) = (joined(&moving.adding), joined(&moving.removing));
            write!(streams.out, "\tAdding Replicas: {adding}\tRemoving Replicas: {removing}")?;
        }
        let or_not_told = |ids: &Option<Vec<i32>>| ids.as_ref().map_or("N/A".to_owned(), joined);
        let (elr, last) = (or_not_told(&partition.elr), or_not_told(&partition.last_known_elr));
        writeln!(streams.out, "\tElr: {elr}\tLastKnownElr: {last}")
    }

    fn json(&self, partitions: &[&Partition]) -> Json {
        let config = |entry: &DescribeConfigsResourceResult| {
            let name = Json::Text(entry.name.to_string());
            Json::Object(vec![("name", name), ("value", text(entry.value.as_deref()))])
        };
        let told = |ids: &Option<Vec<i32>>| ids.as_ref().map_or(Json::Null, |ids| numbers(ids));
        let partition = |partition: &&Partition| {
            Json::Object(vec![
                ("partition", Json::Int(partition.index.into())),
                ("leader", partition.leader.map_or(Json::Null, |id| Json::Int(id.into()))),
                ("leaderEpoch", Json::Int(partition.leader_epoch.into())),
                ("replicas", numbers(&partition.replicas)),
                ("isr", numbers(&partition.isr)),
                ("elr", told(&partition.elr)),
                ("lastKnownElr", told(&partition.last_known_elr)),
            ])
        };
        let factor = self.topic.partitions.first().map_or(0, |first| self.replication_factor(first));
        Json::Object(vec![
            ("topic", Json::Text(self.topic.name.clone())),
            ("topicId", Json::Text(self.topic.id.to_string())),
            ("internal", Json::Bool(self.topic.internal)),
            ("partitionCount", Json::Int(self.topic.partitions.len() as i64)),
            ("replicationFactor", Json::Int(factor as i64)),
            ("configs", Json::Array(self.configs.iter().map(config).collect())),
            ("partitions", Json::Array(partitions.iter().map(partition).collect())),
        ])
    }
}
