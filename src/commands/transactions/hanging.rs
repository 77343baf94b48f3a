//! Transactions that hold up readers and that no coordinator will end: finding them, and ending one by its marker.

use super::{description, failed, listings, producers, tell};
use crate::base::{ErrorCode, TopicPartition};
use crate::client::cluster::At;
use crate::client::{ClientError, Cluster};
use crate::commands::{Streams, ToolError};
use crate::protocol::messages::describe_producers_response::ProducerState;
use crate::protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use crate::protocol::messages::{ListTransactionsRequest, WriteTxnMarkersRequest};
use crate::ring::clock;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Args)]
pub struct Find {
    /// Only partitions with a replica on this broker
    #[arg(long)]
    broker_id: Option<i32>,
    /// Transactions that have been silent for longer than so many minutes
    #[arg(long, default_value_t = 15, value_name = "minutes")]
    max_transaction_timeout: i64,
    /// Only this topic
    #[arg(long)]
    topic: Option<String>,
    /// Only this partition of the topic
    #[arg(long)]
    partition: Option<i32>,
}

#[derive(Debug, Args)]
pub struct Abort {
    /// The topic
    #[arg(long, required = true)]
    topic: Option<String>,
    /// The partition
    #[arg(long, required = true)]
    partition: Option<i32>,
    /// Where the transaction begins, as find-hanging tells it
    #[arg(long)]
    start_offset: Option<i64>,
    /// The producer's id, where the brokers are older than 3.0
    #[arg(long)]
    producer_id: Option<i64>,
    /// Its epoch, with --producer-id
    #[arg(long)]
    producer_epoch: Option<i16>,
    /// The coordinator's epoch, with --producer-id
    #[arg(long)]
    coordinator_epoch: Option<i32>,
}

/// A transaction that has been silent for long.
struct Open {
    at: TopicPartition,
    producer: ProducerState,
}

pub fn find(cluster: &mut Cluster, find: &Find, as_json: bool, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    if find.topic.is_none() && find.broker_id.is_none() {
        let why = "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search";
        return Err(ToolError::Failed(why.into()));
    }
    if find.partition.is_some() && find.topic.is_none() {
        return Err(ToolError::Failed("The --partition argument requires --topic to be provided".into()));
    }
    let now = clock::now().wall.0;
    let silent_ms = find.max_transaction_timeout.saturating_mul(60_000);
    let mut candidates = Vec::new();
    for at in partitions(cluster, find)? {
        let what = format!("Failed to describe producers for partition {at}");
        let active = producers(cluster, &at, find.broker_id).map_err(failed(&what))?;
        let open = active.into_iter().filter(|producer| {
            producer.current_txn_start_offset >= 0 && now.saturating_sub(producer.last_timestamp) > silent_ms
        });
        candidates.extend(open.map(|producer| Open { at: at.clone(), producer }));
    }
    let hanging = if candidates.is_empty() { candidates } else { unknown_to_coordinators(cluster, candidates)? };
    let columns = [
        ("Topic", "topic"),
        ("Partition", "partition"),
        ("ProducerId", "producerId"),
        ("ProducerEpoch", "producerEpoch"),
        ("CoordinatorEpoch", "coordinatorEpoch"),
        ("StartOffset", "startOffset"),
        ("LastTimestamp", "lastTimestamp"),
        ("Duration(min)", "durationMin"),
    ];
    let row = |Open { at, producer }: &Open| {
        [
            at.topic.to_string(),
            at.partition.to_string(),
            producer.producer_id.to_string(),
            producer.producer_epoch.to_string(),
            producer.coordinator_epoch.max(-1).to_string(),
            producer.current_txn_start_offset.to_string(),
            producer.last_timestamp.to_string(),
            (now.saturating_sub(producer.last_timestamp) / 60_000).to_string(),
        ]
    };
    tell(columns, hanging.iter().map(row).collect(), as_json, streams)
}

/// The partitions to look at.
fn partitions(cluster: &mut Cluster, find: &Find) -> Result<BTreeSet<TopicPartition>, ToolError> {
    if let (Some(topic), Some(partition)) = (&find.topic, find.partition) {
        return Ok([TopicPartition::new(topic.as_str(), partition)].into());
    }
    let names: Option<Vec<&str>> = find.topic.as_deref().map(|topic| vec![topic]);
    let metadata = cluster.call(|cluster| {
        let metadata = cluster.metadata(names.as_deref())?;
        metadata.topics.iter().try_for_each(|topic| ClientError::check(topic.error_code, None))?;
        Ok(metadata)
    });
    let metadata = metadata.map_err(failed("Failed to describe topics"))?;
    let mut all = BTreeSet::new();
    for topic in &metadata.topics {
        let wanted =
            topic.partitions.iter().filter(|it| find.broker_id.is_none_or(|id| it.replica_nodes.contains(&id)));
        let name = topic.name.as_deref().unwrap_or_default();
        all.extend(wanted.map(|partition| TopicPartition::new(name, partition.partition_index)));
    }
    Ok(all)
}

/// A coordinator that still has the partition in a transaction of the producer will write its marker; the others hang.
fn unknown_to_coordinators(cluster: &mut Cluster, candidates: Vec<Open>) -> Result<Vec<Open>, ToolError> {
    let producer_ids: BTreeSet<i64> = candidates.iter().map(|open| open.producer.producer_id).collect();
    let request = ListTransactionsRequest {
        producer_id_filters: producer_ids.into_iter().collect(),
        duration_filter: -1,
        ..Default::default()
    };
    let listed = listings(cluster, &request).map_err(failed("Failed to list transactions"))?;
    let mut known: BTreeMap<i64, BTreeSet<TopicPartition>> = BTreeMap::new();
    for (_, listing) in &listed {
        let described = match description(cluster, &listing.transactional_id) {
            Err(ClientError::Broker(ErrorCode::TransactionalIdNotFound, _)) => continue,
            described => described.map_err(failed("Failed to describe transactions"))?.1,
        };
        // The id may have gone on to another producer meanwhile.
        let partitions = known.entry(described.producer_id).or_default();
        for topic in &described.topics {
            partitions.extend(topic.partitions.iter().map(|partition| TopicPartition::new(&*topic.topic, *partition)));
        }
    }
    let hangs =
        |open: &Open| !known.get(&open.producer.producer_id).is_some_and(|partitions| partitions.contains(&open.at));
    Ok(candidates.into_iter().filter(hangs).collect())
}

pub fn abort(cluster: &mut Cluster, abort: &Abort) -> Result<(), ToolError> {
    let at = TopicPartition::new(abort.topic.as_deref().unwrap_or_default(), abort.partition.unwrap_or_default());
    let missing = |what: &str| ToolError::Failed(format!("Missing required argument {what}"));
    let (producer_id, producer_epoch, coordinator_epoch) = match (abort.start_offset, abort.producer_id) {
        (Some(start), _) => of_transaction(cluster, &at, start)?,
        (None, Some(id)) => {
            let epoch = abort.producer_epoch.ok_or_else(|| missing("--producer-epoch"))?;
            (id, epoch, abort.coordinator_epoch.ok_or_else(|| missing("--coordinator-epoch"))?)
        }
        (None, None) => {
            let why = "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or \
                       above) or with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)";
            return Err(ToolError::Failed(why.into()));
        }
    };
    let topic = WritableTxnMarkerTopic { name: (&*at.topic).into(), partition_indexes: vec![at.partition] };
    let marker = WritableTxnMarker {
        producer_id,
        producer_epoch,
        // -1 is of a transaction that never ended: no coordinator's epoch is below 0.
        coordinator_epoch: coordinator_epoch.max(0),
        transaction_result: false,
        topics: vec![topic],
        ..Default::default()
    };
    let request = WriteTxnMarkersRequest { markers: vec![marker] };
    let written = cluster.call(|cluster| {
        let metadata = cluster.metadata(Some(&[&*at.topic]))?;
        let partitions = metadata.topics.iter().flat_map(|topic| &topic.partitions);
        let leader = partitions.filter(|it| it.partition_index == at.partition && it.leader_id >= 0).next();
        let leader = leader.ok_or(ClientError::Broker(ErrorCode::UnknownTopicOrPartition, None))?.leader_id;
        let answer = cluster.ask(At::Broker(leader), &request)?;
        let results = answer.markers.iter().flat_map(|marker| &marker.topics).flat_map(|topic| &topic.partitions);
        results.map(|result| ClientError::check(result.error_code, None)).collect::<Result<Vec<()>, _>>()
    });
    let what = format!("Failed to abort transaction of producer {producer_id} (epoch {producer_epoch}) in {at}");
    written.map(|_| ()).map_err(failed(&what))
}

/// Producer id and epoch, and the coordinator's, of the transaction that begins at `start`.
fn of_transaction(cluster: &mut Cluster, at: &TopicPartition, start: i64) -> Result<(i64, i16, i32), ToolError> {
    let what = format!("Failed to validate producer state for partition {at}");
    let active = producers(cluster, at, None).map_err(failed(&what))?;
    let found = active.iter().find(|producer| producer.current_txn_start_offset == start && start >= 0);
    let none = || {
        let why = format!("Could not find any open transactions starting at offset {start} on partition {at}");
        ToolError::Failed(why)
    };
    let producer = found.ok_or_else(none)?;
    let epoch = i16::try_from(producer.producer_epoch);
    let epoch = epoch.map_err(|_| ToolError::Failed(format!("{} is no producer epoch", producer.producer_epoch)))?;
    Ok((producer.producer_id, epoch, producer.coordinator_epoch))
}
