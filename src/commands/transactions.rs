//! `corelog transactions` (`org.apache.kafka.tools.TransactionsCommand`).

mod hanging;

use super::print::{json, table};
use super::{Connect, Streams, Tool, ToolError};
use crate::base::{ErrorCode, TopicPartition};
use crate::client::cluster::{At, Coordinates};
use crate::client::{ClientError, Cluster};
use crate::protocol::json::Json;
use crate::protocol::messages::describe_producers_request::TopicRequest;
use crate::protocol::messages::describe_producers_response::ProducerState;
use crate::protocol::messages::describe_transactions_response::TransactionState as Description;
use crate::protocol::messages::list_transactions_response::TransactionState as Listing;
use crate::protocol::messages::{DescribeProducersRequest, DescribeTransactionsRequest, ListTransactionsRequest};
use crate::ring::clock;
use clap::{Args, FromArgMatches, Subcommand};

pub const TOOL: Tool = Tool {
    name: "transactions",
    script: "kafka-transactions.sh",
    about: "Lists and describes transactions and producers, finds hanging transactions and aborts them",
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
    /// Lists transactions
    List(List),
    /// Describes the transaction of a transactional id
    Describe(Describe),
    /// Describes the producers of a partition
    DescribeProducers(DescribeProducers),
    /// Finds transactions that no coordinator knows any more
    FindHanging(hanging::Find),
    /// Aborts a hanging transaction
    Abort(hanging::Abort),
}

#[derive(Debug, Args)]
struct List {
    /// Only those that have been running for longer, ms; all when below 0
    #[arg(long, value_name = "ms")]
    duration_filter: Option<i64>,
    /// Only transactional ids that match this regular expression
    #[arg(long, value_name = "regex")]
    transactional_id_pattern: Option<String>,
}

#[derive(Debug, Args)]
struct Describe {
    /// The transactional id
    #[arg(long, required = true)]
    transactional_id: Option<String>,
}

#[derive(Debug, Args)]
struct DescribeProducers {
    /// A broker, to ask this replica; the leader when absent
    #[arg(long)]
    broker_id: Option<i32>,
    /// The topic
    #[arg(long, required = true)]
    topic: Option<String>,
    /// The partition
    #[arg(long, required = true)]
    partition: Option<i32>,
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let Some(action) = &arguments.command else {
        return Err(ToolError::Usage(
            "a command is needed: list, describe, describe-producers, find-hanging or abort".into(),
        ));
    };
    let mut cluster = arguments.connect.cluster("adminclient-1")?;
    let as_json = arguments.connect.json;
    match action {
        Action::List(list) => list_all(&mut cluster, list, as_json, streams),
        Action::Describe(describe) => describe_one(&mut cluster, describe, as_json, streams),
        Action::DescribeProducers(describe) => describe_producers(&mut cluster, describe, as_json, streams),
        Action::FindHanging(find) => hanging::find(&mut cluster, find, as_json, streams),
        Action::Abort(abort) => hanging::abort(&mut cluster, abort),
    }
}

/// Kafka's sentence for a call that failed.
fn failed(what: &str) -> impl Fn(ClientError) -> ToolError + '_ {
    move |error| ToolError::Failed(format!("{what}: {error}"))
}

/// A table, or a line of JSON: `columns` are the names in both.
fn tell<const N: usize>(
    columns: [(&'static str, &'static str); N],
    rows: Vec<[String; N]>,
    as_json: bool,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    if !as_json {
        return Ok(table(streams, columns.map(|(head, _)| head), &rows)?);
    }
    // Numbers are numbers, and `None` is null.
    let value = |text: String| match text.parse::<i64>() {
        Ok(number) => Json::Int(number),
        Err(_) if text == "None" => Json::Null,
        Err(_) => Json::Text(text),
    };
    let row = |row: [String; N]| Json::Object(columns.map(|(_, name)| name).into_iter().zip(row.map(value)).collect());
    Ok(json(streams, &Json::Array(rows.into_iter().map(row).collect()))?)
}

/// Of all brokers, each with those it coordinates.
fn listings(cluster: &mut Cluster, request: &ListTransactionsRequest) -> Result<Vec<(i32, Listing)>, ClientError> {
    cluster.call(|cluster| {
        cluster.metadata(Some(&[]))?;
        let brokers: Vec<i32> = cluster.brokers().keys().copied().collect();
        let mut all = Vec::new();
        for id in brokers {
            let answer = cluster.ask(At::Broker(id), request)?;
            ClientError::check(answer.error_code, None)?;
            all.extend(answer.transaction_states.into_iter().map(|listing| (id, listing)));
        }
        Ok(all)
    })
}

fn list_all(cluster: &mut Cluster, list: &List, as_json: bool, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let request = ListTransactionsRequest {
        duration_filter: list.duration_filter.unwrap_or(-1),
        transactional_id_pattern: list.transactional_id_pattern.as_deref().map(Into::into),
        ..Default::default()
    };
    let mut all = listings(cluster, &request).map_err(failed("Failed to list transactions"))?;
    all.sort_by(|a, b| (a.0, &a.1.transactional_id).cmp(&(b.0, &b.1.transactional_id)));
    let row = |(broker, it): (i32, Listing)| {
        let (id, state) = (it.transactional_id.to_string(), it.transaction_state.to_string());
        [id, broker.to_string(), it.producer_id.to_string(), state]
    };
    let columns = [
        ("TransactionalId", "transactionalId"),
        ("Coordinator", "coordinator"),
        ("ProducerId", "producerId"),
        ("TransactionState", "transactionState"),
    ];
    tell(columns, all.into_iter().map(row).collect(), as_json, streams)
}

/// What the coordinator says of a transactional id, and which broker that is.
fn description(cluster: &mut Cluster, id: &str) -> Result<(i32, Description), ClientError> {
    let request = DescribeTransactionsRequest { transactional_ids: vec![id.into()] };
    cluster.call(|cluster| {
        let broker = cluster.coordinator(Coordinates::Transaction, id)?;
        let mut answer = cluster.ask(At::Broker(broker), &request)?;
        let none = || ClientError::Malformed("DescribeTransactions was answered without a transaction".into());
        let state = answer.transaction_states.pop().ok_or_else(none)?;
        ClientError::check(state.error_code, None).map(|()| (broker, state))
    })
}

fn describe_one(
    cluster: &mut Cluster,
    describe: &Describe,
    as_json: bool,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let id = describe.transactional_id.as_deref().unwrap_or_default();
    let what = format!("Failed to describe transaction state of transactional-id `{id}`");
    let (broker, it) = description(cluster, id).map_err(failed(&what))?;
    let began = (it.transaction_start_time_ms >= 0).then_some(it.transaction_start_time_ms);
    let told = |ms: Option<i64>| ms.map_or("None".to_owned(), |ms| ms.to_string());
    let mut partitions: Vec<TopicPartition> = Vec::new();
    for topic in &it.topics {
        partitions.extend(topic.partitions.iter().map(|partition| TopicPartition::new(&*topic.topic, *partition)));
    }
    partitions.sort();
    let columns = [
        ("CoordinatorId", "coordinatorId"),
        ("TransactionalId", "transactionalId"),
        ("ProducerId", "producerId"),
        ("ProducerEpoch", "producerEpoch"),
        ("TransactionState", "transactionState"),
        ("TransactionTimeoutMs", "transactionTimeoutMs"),
        ("CurrentTransactionStartTimeMs", "currentTransactionStartTimeMs"),
        ("TransactionDurationMs", "transactionDurationMs"),
        ("TopicPartitions", "topicPartitions"),
    ];
    let row = [
        broker.to_string(),
        id.to_owned(),
        it.producer_id.to_string(),
        it.producer_epoch.to_string(),
        it.transaction_state.to_string(),
        it.transaction_timeout_ms.to_string(),
        told(began),
        told(began.map(|ms| clock::now().wall.0 - ms)),
        super::print::joined(partitions),
    ];
    tell(columns, vec![row], as_json, streams)
}

/// The producers of a partition, as its leader or one replica knows them.
fn producers(
    cluster: &mut Cluster,
    at: &TopicPartition,
    broker: Option<i32>,
) -> Result<Vec<ProducerState>, ClientError> {
    let topic = TopicRequest { name: (&*at.topic).into(), partition_indexes: vec![at.partition] };
    let request = DescribeProducersRequest { topics: vec![topic] };
    cluster.call(|cluster| {
        let metadata = cluster.metadata(Some(&[&*at.topic]))?;
        let topic = metadata.topics.first().ok_or(ClientError::Broker(ErrorCode::UnknownTopicOrPartition, None))?;
        ClientError::check(topic.error_code, None)?;
        let found = topic.partitions.iter().find(|partition| partition.partition_index == at.partition);
        let found = found.ok_or(ClientError::Broker(ErrorCode::UnknownTopicOrPartition, None))?;
        let leader = Some(found.leader_id).filter(|id| *id >= 0);
        let broker = broker.or(leader).ok_or(ClientError::Broker(ErrorCode::LeaderNotAvailable, None))?;
        let answer = cluster.ask(At::Broker(broker), &request)?;
        let partition = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let none = || ClientError::Malformed("DescribeProducers was answered without the partition".into());
        let partition = partition.ok_or_else(none)?;
        ClientError::check(partition.error_code, partition.error_message.as_deref())?;
        Ok(partition.active_producers)
    })
}

fn describe_producers(
    cluster: &mut Cluster,
    describe: &DescribeProducers,
    as_json: bool,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let at = TopicPartition::new(describe.topic.as_deref().unwrap_or_default(), describe.partition.unwrap_or_default());
    let asked = describe.broker_id.map_or("leader".to_owned(), |id| format!("broker {id}"));
    let what = format!("Failed to describe producers for partition {at} on {asked}");
    let active = producers(cluster, &at, describe.broker_id).map_err(failed(&what))?;
    let columns = [
        ("ProducerId", "producerId"),
        ("ProducerEpoch", "producerEpoch"),
        ("LatestCoordinatorEpoch", "latestCoordinatorEpoch"),
        ("LastSequence", "lastSequence"),
        ("LastTimestamp", "lastTimestamp"),
        ("CurrentTransactionStartOffset", "currentTransactionStartOffset"),
    ];
    let row = |it: &ProducerState| {
        let open = it.current_txn_start_offset;
        [
            it.producer_id.to_string(),
            it.producer_epoch.to_string(),
            it.coordinator_epoch.max(-1).to_string(),
            it.last_sequence.to_string(),
            it.last_timestamp.to_string(),
            if open < 0 { "None".to_owned() } else { open.to_string() },
        ]
    };
    tell(columns, active.iter().map(row).collect(), as_json, streams)
}
