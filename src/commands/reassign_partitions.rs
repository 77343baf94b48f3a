//! `corelog reassign-partitions` (`org.apache.kafka.tools.reassign.ReassignPartitionsCommand`).

mod execute;
mod plan;
mod throttles;
mod verify;

use super::print::joined;
use super::{Connect, Streams, Tool, ToolError};
use crate::base::TopicPartition;
use crate::client::{ClientError, Cluster};
use clap::{Args, FromArgMatches};
use plan::Replica;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub const TOOL: Tool = Tool {
    name: "reassign-partitions",
    script: "kafka-reassign-partitions.sh",
    about: "Moves replicas of partitions to other brokers and log directories",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

/// Here `--broker-list` are ids, so the flags of the connection stand here themselves.
#[derive(Debug, Args)]
struct Arguments {
    /// The brokers to ask, one that answers is enough: host1:9092,host2:9092
    #[arg(long, value_name = "host:port,...")]
    bootstrap_server: Option<String>,
    /// A properties file for the connection, with Kafka's names
    #[arg(long, value_name = "FILE")]
    command_config: Option<PathBuf>,
    /// Tell how far the reassignment of --reassignment-json-file is, and take throttles away when it is done
    #[arg(long)]
    verify: bool,
    /// Propose a reassignment of --topics-to-move-json-file to the brokers of --broker-list
    #[arg(long)]
    generate: bool,
    /// Begin the reassignment of --reassignment-json-file
    #[arg(long)]
    execute: bool,
    /// Give up the reassignment of --reassignment-json-file
    #[arg(long)]
    cancel: bool,
    /// List the reassignments under way
    #[arg(long)]
    list: bool,
    /// {"partitions":[{"topic":"foo","partition":1,"replicas":[1,2],"log_dirs":["any","/disk2"]}],"version":1};
    /// log_dirs may be left out
    #[arg(long, value_name = "FILE")]
    reassignment_json_file: Option<PathBuf>,
    /// {"topics":[{"topic":"foo"}],"version":1}
    #[arg(long, value_name = "FILE")]
    topics_to_move_json_file: Option<PathBuf>,
    /// Ids of brokers
    #[arg(long, value_name = "id,...")]
    broker_list: Option<String>,
    /// With --generate: whatever the racks are
    #[arg(long)]
    disable_rack_aware: bool,
    /// With --execute: bytes/s between brokers
    #[arg(long, value_name = "bytes/s")]
    throttle: Option<i64>,
    /// With --execute: bytes/s between log directories
    #[arg(long, value_name = "bytes/s")]
    replica_alter_log_dirs_throttle: Option<i64>,
    /// How long to wait for moves between log directories to begin, ms
    #[arg(long, value_name = "ms", default_value_t = 10_000)]
    timeout: u64,
    /// With --execute: beside the reassignments under way
    #[arg(long)]
    additional: bool,
    /// Leave throttles as they are
    #[arg(long)]
    preserve_throttles: bool,
    /// With --execute: refuse to change how many replicas there are
    #[arg(long)]
    disallow_replication_factor_change: bool,
    /// Print the release of Kafka whose tool this is, and our own
    #[arg(long)]
    version: bool,
}

/// Kafka's tool tells on standard output why it failed.
fn told(streams: &mut Streams<'_>, why: &str) -> ToolError {
    match writeln!(streams.out, "{why}") {
        Ok(()) => ToolError::Told,
        Err(e) => ToolError::Output(e),
    }
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    check(arguments)?;
    let connect = Connect {
        bootstrap_server: arguments.bootstrap_server.clone(),
        command_config: arguments.command_config.clone(),
        zookeeper: None,
        json: false,
        version: false,
    };
    let mut cluster = connect.cluster("reassign-partitions-tool")?;
    let done = act(&mut cluster, arguments, streams);
    done.map_err(|error| match error {
        ToolError::Failed(why) => told(streams, &format!("Error: {why}")),
        other => other,
    })
}

fn act(cluster: &mut Cluster, arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let file = arguments.reassignment_json_file.as_deref().unwrap_or(Path::new(""));
    if arguments.list {
        list(cluster, streams)
    } else if arguments.generate {
        execute::generate(cluster, arguments, streams)
    } else if arguments.verify {
        verify::run(cluster, file, arguments.preserve_throttles, streams)
    } else if arguments.execute {
        execute::run(cluster, file, arguments, streams)
    } else {
        execute::cancel(cluster, file, arguments, streams)
    }
}

/// Which flags belong to which action.
fn check(arguments: &Arguments) -> Result<(), ToolError> {
    let usage = |why: String| Err(ToolError::Usage(why));
    let a = arguments;
    let actions = [
        ("generate", a.generate),
        ("execute", a.execute),
        ("verify", a.verify),
        ("cancel", a.cancel),
        ("list", a.list),
    ];
    let mut given = actions.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
    let (Some(action), None) = (given.next(), given.next()) else {
        return usage(
            "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list".into(),
        );
    };
    let of_file: &[&str] = &["execute", "verify", "cancel"];
    // Flag, whether it is there, the actions that need it, those that may have it.
    let flags: [(&str, bool, &[&str], &[&str]); 9] = [
        ("reassignment-json-file", a.reassignment_json_file.is_some(), of_file, of_file),
        ("topics-to-move-json-file", a.topics_to_move_json_file.is_some(), &["generate"], &["generate"]),
        ("broker-list", a.broker_list.is_some(), &["generate"], &["generate"]),
        ("disable-rack-aware", a.disable_rack_aware, &[], &["generate"]),
        ("throttle", a.throttle.is_some(), &[], &["execute"]),
        ("replica-alter-log-dirs-throttle", a.replica_alter_log_dirs_throttle.is_some(), &[], &["execute"]),
        ("additional", a.additional, &[], &["execute"]),
        ("disallow-replication-factor-change", a.disallow_replication_factor_change, &[], &["execute"]),
        ("preserve-throttles", a.preserve_throttles, &[], &["verify", "cancel"]),
    ];
    for (flag, there, needed, may) in flags {
        if needed.contains(&action) && !there {
            return usage(format!("Missing required argument \"[{flag}]\""));
        }
        if there && !may.contains(&action) {
            return usage(format!("Option \"[{flag}]\" can't be used with action \"[{action}]\""));
        }
    }
    Ok(())
}

fn list(cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let under_way = cluster.reassignments()?;
    if under_way.is_empty() {
        return Ok(writeln!(streams.out, "No partition reassignments found.")?);
    }
    writeln!(streams.out, "Current partition reassignments:")?;
    for ((topic, partition), it) in &under_way {
        let changing = |what: &str, brokers: &[i32]| match brokers {
            [] => String::new(),
            brokers => format!(" {what}: {}.", joined(brokers)),
        };
        let (adding, removing) = (changing("adding", &it.adding), changing("removing", &it.removing));
        writeln!(streams.out, "{topic}-{partition}: replicas: {}.{adding}{removing}", joined(&it.replicas))?;
    }
    Ok(())
}

/// The replicas of these partitions now.
fn replicas(
    cluster: &mut Cluster,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<BTreeMap<TopicPartition, Vec<i32>>, ToolError> {
    let names: BTreeSet<&str> = partitions.iter().map(|at| &*at.topic).collect();
    let found = of_topics(cluster, &names.into_iter().collect::<Vec<_>>())?;
    let found: BTreeMap<_, _> = found.into_iter().filter(|(at, _)| partitions.contains(at)).collect();
    let absent: Vec<&TopicPartition> = partitions.iter().filter(|at| !found.contains_key(at)).collect();
    match absent.is_empty() {
        true => Ok(found),
        false => {
            let absent = super::print::separated(absent, ", ");
            Err(ToolError::Failed(format!("Unable to find partition: {absent}")))
        }
    }
}

/// The replicas of all partitions of these topics.
fn of_topics(cluster: &mut Cluster, names: &[&str]) -> Result<BTreeMap<TopicPartition, Vec<i32>>, ToolError> {
    let metadata = cluster.call(|cluster| cluster.metadata(Some(names)))?;
    let mut found = BTreeMap::new();
    for topic in &metadata.topics {
        let name = topic.name.as_deref().unwrap_or_default();
        let unknown = |_| ToolError::Failed(format!("Topic {name} not found."));
        ClientError::check(topic.error_code, None).map_err(unknown)?;
        for partition in &topic.partitions {
            found.insert(TopicPartition::new(name, partition.partition_index), partition.replica_nodes.clone());
        }
    }
    Ok(found)
}

/// Where these replicas lie.
fn current_dirs(
    cluster: &mut Cluster,
    partitions: &BTreeMap<TopicPartition, Vec<i32>>,
) -> Result<BTreeMap<Replica, String>, ToolError> {
    let replicas = partitions
        .iter()
        .flat_map(|(at, brokers)| brokers.iter().map(|broker| Replica { broker: *broker, at: at.clone() }));
    let places = verify::places(cluster, &replicas.collect())?;
    Ok(places.into_iter().filter_map(|(replica, place)| Some((replica, place.current?))).collect())
}
