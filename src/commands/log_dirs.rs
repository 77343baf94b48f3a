//! `corelog log-dirs` (`org.apache.kafka.tools.LogDirsCommand`).

use super::print::joined;
use super::{Connect, Streams, Tool, ToolError};
use crate::client::ClientError;
use crate::client::cluster::At;
use crate::protocol::json::Json;
use crate::protocol::messages::DescribeLogDirsRequest;
use crate::protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use clap::{Args, FromArgMatches};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub const TOOL: Tool = Tool {
    name: "log-dirs",
    script: "kafka-log-dirs.sh",
    about: "Tells what lies in the log directories of brokers, as JSON",
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
    /// Describe the log directories
    #[arg(long)]
    describe: bool,
    /// Only these topics
    #[arg(long, value_name = "topic,...", value_delimiter = ',')]
    topic_list: Vec<String>,
    /// Only the brokers with these ids
    #[arg(long, value_name = "id,...", value_delimiter = ',')]
    broker_list: Vec<String>,
    /// Print the JSON alone
    #[arg(long)]
    json: bool,
    /// Print the release of Kafka whose tool this is, and our own
    #[arg(long)]
    version: bool,
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    if !arguments.describe {
        return Err(ToolError::Usage("Missing required argument \"[describe]\"".into()));
    }
    let connect = Connect {
        bootstrap_server: arguments.bootstrap_server.clone(),
        command_config: arguments.command_config.clone(),
        zookeeper: None,
        json: arguments.json,
        version: false,
    };
    let ids: Result<BTreeSet<i32>, _> =
        arguments.broker_list.iter().filter(|id| !id.is_empty()).map(|id| id.trim().parse::<i32>()).collect();
    let ids = ids.map_err(|_| ToolError::Usage("--broker-list takes ids of brokers: 1,2".into()))?;
    let mut cluster = connect.cluster("log-dirs-tool")?;
    cluster.call(|cluster| cluster.metadata(Some(&[])))?;
    let known: BTreeSet<i32> = cluster.brokers().keys().copied().collect();
    let absent: Vec<i32> = ids.difference(&known).copied().collect();
    if !absent.is_empty() {
        return Err(ToolError::Failed(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            joined(absent),
            joined(known)
        )));
    }
    let asked = if ids.is_empty() { known } else { ids };
    if !arguments.json {
        writeln!(streams.out, "Querying brokers for log directories information")?;
        streams.out.flush()?;
    }
    let topics: BTreeSet<&str> =
        arguments.topic_list.iter().map(String::as_str).filter(|topic| !topic.is_empty()).collect();
    let mut brokers = Vec::new();
    for id in &asked {
        let answer = cluster.call(|cluster| {
            let answer = cluster.ask(At::Broker(*id), &DescribeLogDirsRequest { topics: None })?;
            ClientError::check(answer.error_code, None).map(|()| answer)
        })?;
        let dirs = answer.results.iter().map(|dir| log_dir(dir, &topics)).collect();
        brokers.push(Json::Object(vec![("broker", Json::Int((*id).into())), ("logDirs", Json::Array(dirs))]));
    }
    if !arguments.json {
        writeln!(streams.out, "Received log directory information from brokers {}", joined(asked))?;
    }
    let all = Json::Object(vec![("brokers", Json::Array(brokers)), ("version", Json::Int(1))]);
    Ok(writeln!(streams.out, "{all}")?)
}

/// One directory; its members stand in the order in which Kafka's tool prints them.
fn log_dir(dir: &DescribeLogDirsResult, topics: &BTreeSet<&str>) -> Json {
    let mut partitions = Vec::new();
    for topic in dir.topics.iter().filter(|topic| topics.is_empty() || topics.contains(&*topic.name)) {
        for partition in &topic.partitions {
            partitions.push(Json::Object(vec![
                ("partition", Json::Text(format!("{}-{}", topic.name, partition.partition_index))),
                ("size", Json::Int(partition.partition_size)),
                ("offsetLag", Json::Int(partition.offset_lag)),
                ("isFuture", Json::Bool(partition.is_future_key)),
            ]));
        }
    }
    let error = ClientError::of(dir.error_code, None).map_or(Json::Null, |error| Json::Text(error.exception()));
    Json::Object(vec![
        ("partitions", Json::Array(partitions)),
        ("error", error),
        ("logDir", Json::Text(dir.log_dir.to_string())),
    ])
}
