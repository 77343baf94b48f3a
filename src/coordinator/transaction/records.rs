//! Records of `__transaction_state` in Kafka's bytes (`TransactionLog`): key version 0; value version 0, or 1 with
//! tagged fields where `transaction.version` is at least 1.

use super::metadata::{Metadata, NO_EPOCH};
use super::state::TxnState;
use crate::base::{ProducerEpoch, ProducerId, TimestampMs, TopicPartition};
use crate::coordinator::codec::{prefixed, read_value};
use crate::coordinator::machine::Record;
use crate::protocol::messages::transaction_log_value::PartitionsSchema;
use crate::protocol::messages::{TransactionLogKey, TransactionLogValue};
use crate::protocol::{DecodeError, Decoder, Message, Str};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The only type of key.
const TRANSACTION: i16 = 0;
/// The newest version of a value.
const VALUE_VERSION_MAX: i16 = 1;

/// A record as the state machine reads it.
#[derive(Debug, PartialEq)]
pub enum Replayed {
    /// A transactional id, or its end.
    Transaction(Arc<str>, Option<Metadata>),
    /// Of a type or version that came after this one.
    Unknown,
}

/// Why a record cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// Its bytes.
    Bytes(DecodeError),
    /// A state nobody knows.
    State(i8),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(error) => error.fmt(f),
            Self::State(state) => write!(f, "unknown transaction status {state}"),
        }
    }
}

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Self {
        Self::Bytes(error)
    }
}

fn key(id: &str) -> Bytes {
    prefixed(TRANSACTION, &TransactionLogKey { transactional_id: Str::from(id) }, 0)
}

/// A transactional id as it is at `transaction_version`.
pub fn transaction(id: &str, metadata: &Metadata, transaction_version: i16) -> Record {
    let version = transaction_version.clamp(0, VALUE_VERSION_MAX);
    let value = TransactionLogValue {
        producer_id: metadata.producer.0,
        // Fields of version 1; the encoder refuses what a version cannot say.
        previous_producer_id: if version >= 1 { metadata.previous_producer.0 } else { -1 },
        next_producer_id: if version >= 1 { metadata.next_producer.0 } else { -1 },
        producer_epoch: metadata.epoch.0,
        transaction_timeout_ms: metadata.timeout_ms,
        transaction_status: metadata.state.id(),
        transaction_partitions: (metadata.state != TxnState::Empty).then(|| by_topic(&metadata.partitions)),
        transaction_last_update_timestamp_ms: metadata.updated.0,
        transaction_start_timestamp_ms: metadata.started.0,
        client_transaction_version: if version >= 1 { metadata.client_version } else { 0 },
        ..Default::default()
    };
    Record { key: key(id), value: Some(prefixed(version, &value, version)) }
}

fn by_topic(partitions: &BTreeSet<TopicPartition>) -> Vec<PartitionsSchema> {
    let mut topics: Vec<PartitionsSchema> = Vec::new();
    for TopicPartition { topic, partition } in partitions {
        match topics.last_mut().filter(|last| *last.topic == **topic) {
            Some(last) => last.partition_ids.push(*partition),
            None => topics.push(PartitionsSchema { topic: Str::from(&**topic), partition_ids: vec![*partition] }),
        }
    }
    topics
}

/// The end of a transactional id.
pub fn tombstone(id: &str) -> Record {
    Record { key: key(id), value: None }
}

/// Reads a record's key and value.
pub fn read(key: &Bytes, value: Option<&Bytes>) -> Result<Replayed, Unreadable> {
    let mut decoder = Decoder::new(key.clone());
    if decoder.i16()? != TRANSACTION {
        return Ok(Replayed::Unknown);
    }
    let id = Arc::from(&*TransactionLogKey::decode(&mut decoder, 0)?.transactional_id);
    let Some(value) = value else { return Ok(Replayed::Transaction(id, None)) };
    let version = Decoder::new(value.clone()).i16()?;
    if !(0..=VALUE_VERSION_MAX).contains(&version) {
        return Ok(Replayed::Unknown);
    }
    let value: TransactionLogValue = read_value(value)?;
    let state = TxnState::from_id(value.transaction_status).ok_or(Unreadable::State(value.transaction_status))?;
    let mut partitions = BTreeSet::new();
    for topic in value.transaction_partitions.iter().flatten().filter(|_| state != TxnState::Empty) {
        let name: Arc<str> = Arc::from(&*topic.topic);
        partitions.extend(topic.partition_ids.iter().map(|&partition| TopicPartition::new(name.clone(), partition)));
    }
    let metadata = Metadata {
        producer: ProducerId(value.producer_id),
        previous_producer: ProducerId(value.previous_producer_id),
        next_producer: ProducerId(value.next_producer_id),
        epoch: ProducerEpoch(value.producer_epoch),
        last_epoch: NO_EPOCH,
        timeout_ms: value.transaction_timeout_ms,
        state,
        partitions,
        started: TimestampMs(value.transaction_start_timestamp_ms),
        updated: TimestampMs(value.transaction_last_update_timestamp_ms),
        client_version: value.client_transaction_version,
    };
    Ok(Replayed::Transaction(id, Some(metadata)))
}
