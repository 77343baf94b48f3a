//! `corelog metadata-quorum describe` (`org.apache.kafka.tools.MetadataQuorumCommand`).

use super::print::{json, separated, table};
use super::{Connect, Streams, Tool, ToolError};
use crate::client::ClientError;
use crate::client::cluster::At;
use crate::protocol::json::Json;
use crate::protocol::messages::describe_quorum_request as ask;
use crate::protocol::messages::describe_quorum_response::{DescribeQuorumResponse, PartitionData, ReplicaState};
use crate::protocol::messages::{DescribeQuorumRequest, MetadataResponse};
use clap::{Args, FromArgMatches, Subcommand};

pub const TOOL: Tool = Tool {
    name: "metadata-quorum",
    script: "kafka-metadata-quorum.sh",
    about: "Tells of the quorum that keeps the cluster's metadata",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    #[command(subcommand)]
    command: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Describes the quorum
    Describe(Describe),
}

#[derive(Debug, Args)]
struct Describe {
    /// A summary
    #[arg(long)]
    status: bool,
    /// How far each node has come
    #[arg(long)]
    replication: bool,
    /// With --replication: times as so long ago
    #[arg(long)]
    human_readable: bool,
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let Some(Action::Describe(describe)) = &arguments.command else {
        return Err(ToolError::Usage("describe is needed".into()));
    };
    if describe.status == describe.replication {
        let why = "One of --status or --replication must be specified with describe sub-command";
        return Err(ToolError::Failed(why.into()));
    }
    let mut cluster = arguments.connect.cluster("adminclient-1")?;
    let partition = ask::PartitionData { partition_index: 0 };
    let topic = ask::TopicData { topic_name: "__cluster_metadata".into(), partitions: vec![partition] };
    let request = DescribeQuorumRequest { topics: vec![topic] };
    let (metadata, answer) = cluster.call(|cluster| {
        let metadata = cluster.metadata(Some(&[]))?;
        let answer = cluster.ask(At::Any, &request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())?;
        Ok((metadata, answer))
    })?;
    let none = || ToolError::Failed("the answer holds no quorum".into());
    let quorum = answer.topics.first().and_then(|topic| topic.partitions.first()).ok_or_else(none)?;
    ClientError::check(quorum.error_code, quorum.error_message.as_deref())?;
    let leader = quorum.current_voters.iter().find(|voter| voter.replica_id == quorum.leader_id).ok_or_else(none)?;
    match (arguments.connect.json, describe.status) {
        (true, _) => json(streams, &item(&metadata, quorum))?,
        (false, true) => status(&metadata, &answer, quorum, leader, streams)?,
        (false, false) => replication(quorum, leader, describe.human_readable, streams)?,
    }
    Ok(())
}

fn status(
    metadata: &MetadataResponse,
    answer: &DescribeQuorumResponse,
    quorum: &PartitionData,
    leader: &ReplicaState,
    streams: &mut Streams<'_>,
) -> std::io::Result<()> {
    let behind = quorum.current_voters.iter().min_by_key(|voter| voter.log_end_offset).unwrap_or(leader);
    let lag_ms = match () {
        () if behind == leader => 0,
        () if leader.last_caught_up_timestamp >= 0 && behind.last_caught_up_timestamp >= 0 => {
            leader.last_caught_up_timestamp - behind.last_caught_up_timestamp
        }
        () => -1,
    };
    let node = |replica: &ReplicaState| {
        let mut text = format!("{{\"id\": {}", replica.replica_id);
        if !replica.replica_directory_id.is_zero() {
            text += &format!(", \"directoryId\": \"{}\"", replica.replica_directory_id);
        }
        let listeners =
            answer.nodes.iter().filter(|node| node.node_id == replica.replica_id).flat_map(|node| &node.listeners);
        let listeners: Vec<String> =
            listeners.map(|listener| format!("\"{}://{}:{}\"", listener.name, listener.host, listener.port)).collect();
        if !listeners.is_empty() {
            text += &format!(", \"endpoints\": [{}]", listeners.join(", "));
        }
        text + "}"
    };
    writeln!(
        streams.out,
        "ClusterId:              {}\nLeaderId:               {}\nLeaderEpoch:            {}\nHighWatermark:          \
         {}\nMaxFollowerLag:         {}\nMaxFollowerLagTimeMs:   {lag_ms}\nCurrentVoters:          \
         [{}]\nCurrentObservers:       [{}]",
        metadata.cluster_id.as_deref().unwrap_or("null"),
        quorum.leader_id,
        quorum.leader_epoch,
        quorum.high_watermark,
        leader.log_end_offset - behind.log_end_offset,
        separated(quorum.current_voters.iter().map(node), ", "),
        separated(quorum.observers.iter().map(node), ", "),
    )
}

fn replication(
    quorum: &PartitionData,
    leader: &ReplicaState,
    human: bool,
    streams: &mut Streams<'_>,
) -> std::io::Result<()> {
    let now = crate::ring::clock::now().wall.0;
    let time = |ms: i64| match (ms, human) {
        (..0, _) => "-1".to_owned(),
        (ms, true) => format!("{} ms ago", (now - ms).max(0)),
        (ms, false) => ms.to_string(),
    };
    let row = |replica: &ReplicaState, status: &str| {
        [
            replica.replica_id.to_string(),
            replica.replica_directory_id.to_string(),
            replica.log_end_offset.to_string(),
            (leader.log_end_offset - replica.log_end_offset).to_string(),
            time(replica.last_fetch_timestamp),
            time(replica.last_caught_up_timestamp),
            status.to_owned(),
        ]
    };
    let head =
        ["NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status"];
    let mut rows = vec![row(leader, "Leader")];
    let followers = quorum.current_voters.iter().filter(|voter| voter.replica_id != quorum.leader_id);
    rows.extend(followers.map(|voter| row(voter, "Follower")));
    rows.extend(quorum.observers.iter().map(|observer| row(observer, "Observer")));
    table(streams, head, &rows)
}

fn item(metadata: &MetadataResponse, quorum: &PartitionData) -> Json {
    let replica = |replica: &ReplicaState| {
        Json::Object(vec![
            ("id", Json::Int(replica.replica_id.into())),
            ("directoryId", Json::Text(replica.replica_directory_id.to_string())),
            ("logEndOffset", Json::Int(replica.log_end_offset)),
        ])
    };
    Json::Object(vec![
        ("clusterId", super::print::text(metadata.cluster_id.as_deref())),
        ("leaderId", Json::Int(quorum.leader_id.into())),
        ("leaderEpoch", Json::Int(quorum.leader_epoch.into())),
        ("highWatermark", Json::Int(quorum.high_watermark)),
        ("voters", Json::Array(quorum.current_voters.iter().map(replica).collect())),
        ("observers", Json::Array(quorum.observers.iter().map(replica).collect())),
    ])
}
