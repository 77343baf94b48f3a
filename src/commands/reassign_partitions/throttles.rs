//! How fast replicas may be moved: configurations of brokers and topics.

use super::plan::{Plan, Replica};
use crate::base::TopicPartition;
use crate::client::Cluster;
use crate::client::configs::{Change, ResourceType};
use crate::commands::print::joined;
use crate::commands::{Streams, ToolError};
use std::collections::{BTreeMap, BTreeSet};

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LOG_DIRS_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn to(key: &str, value: impl ToString) -> Change {
    (key.to_owned(), Some(value.to_string()))
}

/// Takes all of them away, as nobody knows which brokers took part.
pub fn clear(cluster: &mut Cluster, plan: &Plan, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    cluster.call(|cluster| cluster.metadata(Some(&[])))?;
    let mut brokers: BTreeSet<i32> = cluster.brokers().keys().copied().collect();
    brokers.extend(plan.partitions.iter().flat_map(|(_, replicas)| replicas));
    writeln!(streams.out, "Clearing broker-level throttles on broker{} {}", plural(brokers.len()), joined(&brokers))?;
    let gone = |keys: &[&str]| -> Vec<Change> { keys.iter().map(|key| ((*key).to_owned(), None)).collect() };
    for broker in brokers {
        let changes = gone(&[LEADER_RATE, FOLLOWER_RATE, LOG_DIRS_RATE]);
        cluster.alter_configs(ResourceType::Broker, &broker.to_string(), &changes)?;
    }
    let topics: BTreeSet<&str> = plan.partitions.iter().map(|(at, _)| &*at.topic).collect();
    writeln!(streams.out, "Clearing topic-level throttles on topic{} {}", plural(topics.len()), joined(&topics))?;
    for topic in topics {
        cluster.alter_configs(ResourceType::Topic, topic, &gone(&[LEADER_REPLICAS, FOLLOWER_REPLICAS]))?;
    }
    Ok(())
}

/// Bounds what brokers send each other for these reassignments, and for those under way (the first of `sets`).
pub fn between_brokers(
    cluster: &mut Cluster,
    moves: &BTreeMap<TopicPartition, (BTreeSet<i32>, BTreeSet<i32>)>,
    rate: i64,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let mut topics: BTreeMap<&str, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    let mut brokers = BTreeSet::new();
    for (at, (sources, destinations)) in moves {
        let (leaders, followers) = topics.entry(&at.topic).or_default();
        leaders.extend(sources.iter().map(|broker| format!("{}:{broker}", at.partition)));
        let new = destinations.difference(sources);
        followers.extend(new.map(|broker| format!("{}:{broker}", at.partition)));
        brokers.extend(sources.union(destinations).copied());
    }
    for (topic, (leaders, followers)) in topics {
        let changes = [to(LEADER_REPLICAS, joined(leaders)), to(FOLLOWER_REPLICAS, joined(followers))];
        cluster.alter_configs(ResourceType::Topic, topic, &changes)?;
    }
    for broker in brokers {
        let changes = [to(LEADER_RATE, rate), to(FOLLOWER_RATE, rate)];
        cluster.alter_configs(ResourceType::Broker, &broker.to_string(), &changes)?;
    }
    Ok(writeln!(streams.out, "The inter-broker throttle limit was set to {rate} B/s")?)
}

/// Bounds what brokers copy between their log directories.
pub fn between_dirs<'a>(
    cluster: &mut Cluster,
    replicas: impl Iterator<Item = &'a Replica>,
    rate: i64,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let brokers: BTreeSet<i32> = replicas.map(|replica| replica.broker).collect();
    for broker in brokers {
        cluster.alter_configs(ResourceType::Broker, &broker.to_string(), &[to(LOG_DIRS_RATE, rate)])?;
    }
    Ok(writeln!(streams.out, "The replica-alter-dir throttle limit was set to {rate} B/s")?)
}
