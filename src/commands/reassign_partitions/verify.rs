//! How far reassignments are.

use super::plan::{Plan, Replica};
use super::throttles;
use crate::base::{ErrorCode, TopicPartition};
use crate::client::cluster::At;
use crate::client::{ClientError, Cluster};
use crate::commands::print::joined;
use crate::commands::{Streams, ToolError};
use crate::protocol::messages::DescribeLogDirsRequest;
use crate::protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where a replica lies, and where it is being moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The directory it is served from.
    pub current: Option<String>,
    /// The one that it is being copied to.
    pub future: Option<String>,
}

/// Where these replicas lie; those that their brokers do not know have no place.
pub fn places(cluster: &mut Cluster, replicas: &BTreeSet<Replica>) -> Result<BTreeMap<Replica, Place>, ToolError> {
    let mut places: BTreeMap<Replica, Place> =
        replicas.iter().map(|replica| (replica.clone(), Place::default())).collect();
    let brokers: BTreeSet<i32> = replicas.iter().map(|replica| replica.broker).collect();
    for broker in brokers {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for replica in replicas.iter().filter(|replica| replica.broker == broker) {
            topics.entry(&replica.at.topic).or_default().push(replica.at.partition);
        }
        let topic = |(topic, partitions): (&str, Vec<i32>)| DescribableLogDirTopic { topic: topic.into(), partitions };
        let request = DescribeLogDirsRequest { topics: Some(topics.into_iter().map(topic).collect()) };
        let answer = cluster.call(|cluster| {
            if !cluster.brokers().contains_key(&broker) {
                cluster.metadata(Some(&[]))?;
            }
            let answer = cluster.ask(At::Broker(broker), &request)?;
            ClientError::check(answer.error_code, None).map(|()| answer)
        })?;
        // A directory that failed tells nothing of what it holds.
        for dir in answer.results.iter().filter(|dir| dir.error_code == ErrorCode::None.code()) {
            for (topic, partition) in
                dir.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)))
            {
                let at = TopicPartition::new(&*topic.name, partition.partition_index);
                let Some(place) = places.get_mut(&Replica { broker, at }) else { continue };
                let part = if partition.is_future_key { &mut place.future } else { &mut place.current };
                *part = Some(dir.log_dir.to_string());
            }
        }
    }
    Ok(places)
}

/// `--verify`.
pub fn run(cluster: &mut Cluster, file: &Path, keep: bool, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let plan = Plan::read(file).map_err(ToolError::Failed)?;
    let under_way = partitions(cluster, &plan, streams)?;
    let wanted: BTreeSet<Replica> = plan.log_dirs.keys().cloned().collect();
    let mut moving = false;
    let mut lines = Vec::new();
    for (replica, place) in places(cluster, &wanted)? {
        let target = plan.log_dirs.get(&replica).map_or("", String::as_str);
        moving |= place.future.is_some();
        lines.push(of_place(&replica, &place, target));
    }
    writeln!(streams.out, "{}", lines.join("\n"))?;
    if !under_way && !moving && !keep {
        throttles::clear(cluster, &plan, streams)?;
    }
    Ok(())
}

fn of_place(Replica { broker, at }: &Replica, place: &Place, target: &str) -> String {
    let replica = format!("{at}-{broker}");
    match (place.current.as_deref(), place.future.as_deref()) {
        (None, _) => format!(
            "Partition {at} is not found in any live log dir on broker {broker}. There is likely an offline log \
             directory on the broker."
        ),
        (Some(_), Some(future)) if future == target => {
            format!("Reassignment of replica {replica} is still in progress.")
        }
        (Some(_), Some(future)) => {
            format!("Partition {at} on broker {broker} is being moved to log dir {future} instead of {target}.")
        }
        (Some(current), None) if current == target => {
            format!("Reassignment of replica {replica} completed successfully.")
        }
        (Some(current), None) => {
            format!("Partition {at} on broker {broker} is not being moved from log dir {current} to {target}.")
        }
    }
}

/// Tells of the partitions; true where any reassignment is under way, also others than these.
fn partitions(cluster: &mut Cluster, plan: &Plan, streams: &mut Streams<'_>) -> Result<bool, ToolError> {
    let under_way = cluster.reassignments()?;
    let names: BTreeSet<&str> = plan.partitions.iter().map(|(at, _)| &*at.topic).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let metadata = cluster.call(|cluster| cluster.metadata(Some(&names)))?;
    let mut now: BTreeMap<TopicPartition, Vec<i32>> = BTreeMap::new();
    for topic in &metadata.topics {
        let name = topic.name.as_deref().unwrap_or_default();
        for partition in &topic.partitions {
            now.insert(TopicPartition::new(name, partition.partition_index), partition.replica_nodes.clone());
        }
    }
    writeln!(streams.out, "Status of partition reassignment:")?;
    let wanted: BTreeMap<&TopicPartition, &Vec<i32>> =
        plan.partitions.iter().map(|(at, wanted)| (at, wanted)).collect();
    for (at, wanted) in wanted {
        if under_way.contains_key(&(at.topic.to_string(), at.partition)) {
            writeln!(streams.out, "Reassignment of partition {at} is still in progress.")?;
            continue;
        }
        let none = Vec::new();
        let current = now.get(at).unwrap_or(&none);
        if current == wanted {
            writeln!(streams.out, "Reassignment of partition {at} is completed.")?;
        } else {
            let (current, wanted) = (joined(current), joined(wanted));
            writeln!(
                streams.out,
                "There is no active reassignment of partition {at}, but replica set is {current} rather than {wanted}."
            )?;
        }
    }
    Ok(!under_way.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_a_move_has_its_sentence() {
        let replica = Replica { broker: 1, at: TopicPartition::new("t", 0) };
        let place = |current: Option<&str>, future: Option<&str>| Place {
            current: current.map(str::to_owned),
            future: future.map(str::to_owned),
        };
        for (current, future, words) in [
            (None, None, "is not found in any live log dir on broker 1"),
            (Some("/a"), Some("/b"), "Reassignment of replica t-0-1 is still in progress."),
            (Some("/a"), Some("/c"), "is being moved to log dir /c instead of /b."),
            (Some("/b"), None, "Reassignment of replica t-0-1 completed successfully."),
            (Some("/a"), None, "is not being moved from log dir /a to /b."),
        ] {
            let said = of_place(&replica, &place(current, future), "/b");
            assert!(said.contains(words), "{said}");
        }
    }
}
