//! Proposing, beginning and giving up reassignments.

use super::plan::{self, Plan, Replica};
use super::verify::places;
use super::{Arguments, current_dirs, of_topics, replicas, throttles, told};
use crate::base::{ErrorCode, TopicPartition};
use crate::client::cluster::At;
use crate::client::{ClientError, Cluster};
use crate::commands::print::joined;
use crate::commands::{Streams, ToolError};
use crate::protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use crate::protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use crate::protocol::messages::{AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest};
use crate::ring::clock;
use crate::ring::plain::pause;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

const EXISTING: &str = "Cannot execute because there is an existing partition assignment.  Use --additional to override \
     this and create a new partition assignment in addition to the existing one. The --additional flag can also be used \
     to change the throttle by resubmitting the current reassignment.";
const VERIFY_LATER: &str = "Warning: You must run --verify periodically, until the reassignment completes, to ensure the \
     throttle is removed.";

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `--generate`.
pub fn generate(cluster: &mut Cluster, arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let failed = |why: String| ToolError::Failed(why);
    let ids: Result<Vec<i32>, _> =
        arguments.broker_list.as_deref().unwrap_or_default().split(',').map(|id| id.trim().parse::<i32>()).collect();
    let ids = ids.map_err(|_| failed("--broker-list takes ids of brokers: 1,2".into()))?;
    let twice = plan::duplicates(ids.iter());
    if !twice.is_empty() {
        return Err(failed(format!("Broker list contains duplicate entries: [{}]", joined(twice))));
    }
    let file = arguments.topics_to_move_json_file.as_deref().unwrap_or(Path::new(""));
    let topics = plan::topics(file).map_err(failed)?;
    let twice = plan::duplicates(topics.iter());
    if !twice.is_empty() {
        return Err(failed(format!("List of topics to reassign contains duplicate entries: [{}]", joined(twice))));
    }
    let now = of_topics(cluster, &topics.iter().map(String::as_str).collect::<Vec<_>>())?;
    let dirs = current_dirs(cluster, &now)?;
    let metadata = cluster.call(|cluster| cluster.metadata(Some(&[])))?;
    let mut known: Vec<_> = metadata.brokers.iter().filter(|broker| ids.contains(&broker.node_id)).collect();
    if !arguments.disable_rack_aware {
        let racked = known.iter().filter(|broker| broker.rack.is_some()).count();
        if racked != 0 && racked != known.len() {
            let why = "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica \
                       assignment without rack information.";
            return Err(failed(why.into()));
        }
        // One of each rack, then the next of each: neighbours stand in different ones.
        let mut seen: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        known.sort_by_cached_key(|broker| {
            let turn = seen.entry(broker.rack.as_deref()).or_default();
            *turn += 1;
            (*turn, broker.node_id)
        });
    }
    let brokers: Vec<i32> = known.iter().map(|broker| broker.node_id).collect();
    let proposed = plan::striped(&now, &brokers)?;
    writeln!(streams.out, "Current partition replica assignment\n{}\n", plan::json(&now, &dirs))?;
    let proposed = plan::json(&proposed, &BTreeMap::new());
    Ok(writeln!(streams.out, "Proposed partition reassignment configuration\n{proposed}")?)
}

/// `--execute`.
pub fn run(
    cluster: &mut Cluster,
    file: &Path,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let plan = Plan::read(file).map_err(ToolError::Failed)?;
    plan.check().map_err(ToolError::Failed)?;
    let under_way = cluster.reassignments()?;
    if !arguments.additional && !under_way.is_empty() {
        return Err(told(streams, EXISTING));
    }
    cluster.call(|cluster| cluster.metadata(Some(&[])))?;
    let unknown =
        plan.partitions.iter().flat_map(|(_, brokers)| brokers).find(|id| !cluster.brokers().contains_key(id));
    if let Some(id) = unknown {
        return Err(ToolError::Failed(format!("Unknown broker id {id}")));
    }
    let now = replicas(cluster, &plan.partitions.iter().map(|(at, _)| at.clone()).collect())?;
    let dirs = current_dirs(cluster, &now)?;
    writeln!(
        streams.out,
        "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during rollback",
        plan::json(&now, &dirs)
    )?;
    let (between_brokers, between_dirs) = (arguments.throttle, arguments.replica_alter_log_dirs_throttle);
    let rate = |rate: Option<i64>| rate.filter(|rate| *rate >= 0);
    if rate(between_brokers).is_some() || rate(between_dirs).is_some() {
        writeln!(streams.out, "{VERIFY_LATER}")?;
    }
    if let Some(rate) = rate(between_brokers) {
        // Of what is under way already the old sources stay the sources.
        let mut moves: BTreeMap<TopicPartition, (BTreeSet<i32>, BTreeSet<i32>)> = BTreeMap::new();
        for ((topic, partition), it) in &under_way {
            let added: BTreeSet<i32> = it.adding.iter().copied().collect();
            let sources = it.replicas.iter().copied().filter(|id| !added.contains(id)).collect();
            moves.insert(TopicPartition::new(topic.as_str(), *partition), (sources, added));
        }
        for (at, wanted) in &plan.partitions {
            let before = || now.get(at).into_iter().flatten().copied().collect();
            let sources: BTreeSet<i32> = moves.get(at).map_or_else(before, |(sources, _)| sources.clone());
            let destinations = wanted.iter().copied().filter(|id| !sources.contains(id)).collect();
            moves.insert(at.clone(), (sources, destinations));
        }
        throttles::between_brokers(cluster, &moves, rate, streams)?;
    }
    if let Some(rate) = rate(between_dirs) {
        throttles::between_dirs(cluster, plan.log_dirs.keys(), rate, streams)?;
    }
    let wanted = plan.partitions.iter().map(|(at, wanted)| (at.clone(), Some(wanted.clone()))).collect();
    let errors = alter(cluster, &wanted, !arguments.disallow_replication_factor_change)?;
    if !errors.is_empty() {
        return Err(told(streams, &format!("Error reassigning partition(s):\n{}", errors.join("\n"))));
    }
    let names = joined(wanted.keys());
    writeln!(streams.out, "Successfully started partition reassignment{} for {names}", plural(wanted.len()))?;
    move_dirs(cluster, plan.log_dirs, arguments.timeout, streams)
}

/// `--cancel`.
pub fn cancel(
    cluster: &mut Cluster,
    file: &Path,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let plan = Plan::read(file).map_err(ToolError::Failed)?;
    let under_way = cluster.reassignments()?;
    let active: BTreeMap<TopicPartition, Option<Vec<i32>>> = plan
        .partitions
        .iter()
        .filter(|(at, _)| under_way.contains_key(&(at.topic.to_string(), at.partition)))
        .map(|(at, _)| (at.clone(), None))
        .collect();
    if active.is_empty() {
        writeln!(streams.out, "None of the specified partition reassignments are active.")?;
    } else {
        let errors = alter(cluster, &active, true)?;
        if !errors.is_empty() {
            let many = plural(errors.len());
            let why = format!("Error cancelling partition reassignment{many} for:\n{}", errors.join("\n"));
            return Err(told(streams, &why));
        }
        let names = joined(active.keys());
        writeln!(streams.out, "Successfully cancelled partition reassignment{} for: {names}", plural(active.len()))?;
    }
    let replicas: BTreeSet<Replica> = plan.log_dirs.keys().cloned().collect();
    // What is being moved is told to stay where it is.
    let back: BTreeMap<Replica, String> = places(cluster, &replicas)?
        .into_iter()
        .filter(|(_, place)| place.future.is_some())
        .filter_map(|(replica, place)| Some((replica, place.current?)))
        .collect();
    if back.is_empty() {
        write!(streams.out, "None of the specified partition moves are active.")?;
    } else {
        move_dirs(cluster, back, arguments.timeout, streams)?;
    }
    if !arguments.preserve_throttles {
        throttles::clear(cluster, &plan, streams)?;
    }
    Ok(())
}

/// Reassigns, or gives up where there are no replicas; a line for each partition that was refused.
fn alter(
    cluster: &mut Cluster,
    wanted: &BTreeMap<TopicPartition, Option<Vec<i32>>>,
    may_change_factor: bool,
) -> Result<Vec<String>, ToolError> {
    let mut topics: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
    for (at, replicas) in wanted {
        let one = ReassignablePartition { partition_index: at.partition, replicas: replicas.clone() };
        topics.entry(&at.topic).or_default().push(one);
    }
    let topic =
        |(name, partitions): (&str, Vec<ReassignablePartition>)| ReassignableTopic { name: name.into(), partitions };
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 30_000,
        allow_replication_factor_change: may_change_factor,
        topics: topics.into_iter().map(topic).collect(),
    };
    let answer = cluster.call(|cluster| {
        let answer = cluster.ask(At::Controller, &request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref()).map(|()| answer)
    })?;
    let mut errors = BTreeMap::new();
    for topic in &answer.responses {
        for partition in &topic.partitions {
            if let Some(error) = ClientError::of(partition.error_code, partition.error_message.as_deref()) {
                errors.insert(TopicPartition::new(&*topic.name, partition.partition_index), error);
            }
        }
    }
    Ok(errors.into_iter().map(|(at, error)| format!("{at}: {error}")).collect())
}

/// Asks until all moves have begun: a replica that is on its way to another broker is not there yet.
fn move_dirs(
    cluster: &mut Cluster,
    mut left: BTreeMap<Replica, String>,
    timeout_ms: u64,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let until = clock::mono().plus(Duration::from_millis(timeout_ms));
    while !left.is_empty() {
        for replica in begin_moves(cluster, &left)? {
            let Some(dir) = left.remove(&replica) else { continue };
            let Replica { broker, at } = &replica;
            writeln!(
                streams.out,
                "Successfully started moving log directory to {dir} for replica {at} with broker {broker} "
            )?;
        }
        if left.is_empty() {
            break;
        }
        if clock::mono() >= until {
            let (many, names) = (plural(left.len()), joined(left.keys()));
            let why = format!("Timed out before log directory move{many} could be started for: {names}");
            return Err(told(streams, &why));
        }
        pause(Duration::from_millis(100));
    }
    Ok(())
}

/// The replicas whose moves have begun.
fn begin_moves(cluster: &mut Cluster, wanted: &BTreeMap<Replica, String>) -> Result<Vec<Replica>, ToolError> {
    let brokers: BTreeSet<i32> = wanted.keys().map(|replica| replica.broker).collect();
    let mut begun = Vec::new();
    for broker in brokers {
        let mut dirs: BTreeMap<&str, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
        for (replica, dir) in wanted.iter().filter(|(replica, _)| replica.broker == broker) {
            dirs.entry(dir).or_default().entry(&replica.at.topic).or_default().push(replica.at.partition);
        }
        let topic = |(name, partitions): (&str, Vec<i32>)| AlterReplicaLogDirTopic { name: name.into(), partitions };
        let dir = |(path, topics): (&str, BTreeMap<&str, Vec<i32>>)| AlterReplicaLogDir {
            path: path.into(),
            topics: topics.into_iter().map(topic).collect(),
        };
        let request = AlterReplicaLogDirsRequest { dirs: dirs.into_iter().map(dir).collect() };
        let answer = cluster.call(|cluster| cluster.ask(At::Broker(broker), &request))?;
        for topic in &answer.results {
            for partition in &topic.partitions {
                let replica =
                    Replica { broker, at: TopicPartition::new(&*topic.topic_name, partition.partition_index) };
                match ClientError::of(partition.error_code, None) {
                    None => begun.push(replica),
                    Some(ClientError::Broker(ErrorCode::ReplicaNotAvailable, _)) => {}
                    Some(_) => return Err(ToolError::Failed(format!("Failed to alter dir for {replica}"))),
                }
            }
        }
    }
    Ok(begun)
}
