//! `corelog leader-election` (`org.apache.kafka.tools.LeaderElectionCommand`).

use super::print::{json, separated};
use super::{Connect, Streams, Tool, ToolError};
use crate::base::{ErrorCode, TopicPartition};
use crate::client::ClientError;
use crate::client::cluster::At;
use crate::protocol::json::Json;
use crate::protocol::messages::ElectLeadersRequest;
use crate::protocol::messages::elect_leaders_request::TopicPartitions;
use crate::ring::fs;
use clap::{Args, FromArgMatches};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub const TOOL: Tool = Tool {
    name: "leader-election",
    script: "kafka-leader-election.sh",
    about: "Elects leaders of partitions: the preferred ones, or any where there is none in sync",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// Deprecated: --command-config
    #[arg(long = "admin.config", id = "admin_config", value_name = "FILE", hide = true)]
    admin_config: Option<PathBuf>,
    /// preferred or unclean
    #[arg(long, value_name = "TYPE")]
    election_type: Option<String>,
    /// The topic
    #[arg(long)]
    topic: Option<String>,
    /// The partition of the topic
    #[arg(long)]
    partition: Option<i32>,
    /// All partitions
    #[arg(long)]
    all_topic_partitions: bool,
    /// A file: {"partitions": [{"topic": "foo", "partition": 1}]}
    #[arg(long, value_name = "FILE")]
    path_to_json_file: Option<PathBuf>,
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let usage = |why: &str| Err(ToolError::Usage(why.into()));
    let election = match arguments.election_type.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("preferred") => 0,
        Some("unclean") => 1,
        Some(other) => return usage(&format!("{other} is no election type: preferred and unclean are")),
        None => return usage("Missing required argument \"[election-type]\""),
    };
    let scopes = [arguments.topic.is_some(), arguments.all_topic_partitions, arguments.path_to_json_file.is_some()];
    if scopes.iter().filter(|given| **given).count() != 1 {
        return usage(
            "One and only one of the following options is required: topic, all-topic-partitions, path-to-json-file",
        );
    }
    if arguments.topic.is_some() != arguments.partition.is_some() {
        return usage("--topic and --partition belong together");
    }
    let wanted = wanted(arguments)?;
    let mut connect = arguments.connect.clone();
    connect.command_config = connect.command_config.or(arguments.admin_config.clone());
    let mut cluster = connect.cluster("adminclient-1")?;
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for at in wanted.iter().flatten() {
        topics.entry(&at.topic).or_default().push(at.partition);
    }
    let topic = |(topic, partitions): (&str, Vec<i32>)| TopicPartitions { topic: topic.into(), partitions };
    let request = ElectLeadersRequest {
        election_type: election,
        topic_partitions: wanted.is_some().then(|| topics.into_iter().map(topic).collect()),
        timeout_ms: 30_000,
    };
    let answer = cluster.call(|cluster| {
        let answer = cluster.ask(At::Controller, &request)?;
        ClientError::check(answer.error_code, None).map(|()| answer)
    });
    let answer = answer.map_err(|error| ToolError::Failed(error.with_exception()))?;
    let (mut done, mut needless, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for topic in &answer.replica_election_results {
        for result in &topic.partition_result {
            let at = TopicPartition::new(&*topic.topic, result.partition_id);
            match ClientError::of(result.error_code, result.error_message.as_deref()) {
                None => done.push(at),
                Some(ClientError::Broker(ErrorCode::ElectionNotNeeded, _)) => needless.push(at),
                Some(error) => failed.push((at, error)),
            }
        }
    }
    if connect.json {
        let names = |all: &[TopicPartition]| Json::Array(all.iter().map(|at| Json::Text(at.to_string())).collect());
        let failed: Vec<TopicPartition> = failed.iter().map(|(at, _)| at.clone()).collect();
        let item = vec![("elected", names(&done)), ("needless", names(&needless)), ("failed", names(&failed))];
        json(streams, &Json::Object(item))?;
    } else {
        if !done.is_empty() {
            let all = separated(&done, ", ");
            writeln!(streams.out, "Successfully completed leader election ({}) for partitions {all}", name(election))?;
        }
        // Of all partitions only those that changed are news.
        if !needless.is_empty() && wanted.is_some() {
            let all = separated(&needless, ", ");
            writeln!(streams.out, "Valid replica already elected for partitions {all}")?;
        }
        for (at, error) in &failed {
            let why = error.with_exception();
            writeln!(streams.out, "Error completing leader election ({}) for partition: {at}: {why}", name(election))?;
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(ToolError::Failed(format!("{} replica(s) could not be elected", failed.len()))),
    }
}

fn name(election: i8) -> &'static str {
    if election == 0 { "PREFERRED" } else { "UNCLEAN" }
}

/// The partitions; `None` is all.
fn wanted(arguments: &Arguments) -> Result<Option<BTreeSet<TopicPartition>>, ToolError> {
    if let (Some(topic), Some(partition)) = (&arguments.topic, arguments.partition) {
        return Ok(Some([TopicPartition::new(topic.as_str(), partition)].into()));
    }
    let Some(file) = &arguments.path_to_json_file else { return Ok(None) };
    let told = |why: &str| ToolError::Failed(format!("{}: {why}", file.display()));
    let bytes = fs::read(file).map_err(|e| told(&e.to_string()))?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|_| told("Replica election data is empty or no JSON"))?;
    let list = json.get("partitions").and_then(Value::as_array).ok_or_else(|| told("Missing partitions field"))?;
    let one = |entry: &Value| {
        let partition = entry.get("partition")?.as_i64().and_then(|index| i32::try_from(index).ok())?;
        Some(TopicPartition::new(entry.get("topic")?.as_str()?, partition))
    };
    let all: Option<BTreeSet<_>> = list.iter().map(one).collect();
    all.map(Some).ok_or_else(|| told("topic and partition are needed"))
}
