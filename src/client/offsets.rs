//! Offsets of partitions by place or time, asked of their leaders.

use super::cluster::{At, Cluster};
use super::error::ClientError;
use crate::base::{ErrorCode, TopicPartition};
use crate::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use crate::protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use std::collections::{BTreeMap, BTreeSet};

/// The end of a partition: its high watermark, or its last stable offset when only committed records count.
pub const LATEST: i64 = -1;
/// The beginning.
pub const EARLIEST: i64 = -2;
/// The record with the highest timestamp.
pub const MAX_TIMESTAMP: i64 = -3;
/// The beginning of what is not in remote storage alone.
pub const EARLIEST_LOCAL: i64 = -4;
/// The end of what is in remote storage.
pub const LATEST_TIERED: i64 = -5;
/// The beginning of what is not in remote storage yet.
pub const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Since which version of ListOffsets a place can be asked for.
fn since(timestamp: i64) -> i16 {
    match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => 1,
    }
}

/// What a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The offset; -1: there is none.
    pub offset: i64,
    /// The record's time; -1 where it does not matter.
    pub timestamp: i64,
    /// The leader's term; -1 where it is not told.
    pub leader_epoch: i32,
}

/// An offset, or why there is none, for each partition.
pub type Offsets = BTreeMap<TopicPartition, Result<Found, ClientError>>;

impl Cluster {
    /// Looks offsets up: each partition at a time in ms since 1970, or at a place such as [`LATEST`].
    ///
    /// # Errors
    /// Of the whole; those of single partitions stand in the result.
    pub fn list_offsets(
        &mut self,
        wanted: &BTreeMap<TopicPartition, i64>,
        read_committed: bool,
    ) -> Result<Offsets, ClientError> {
        let mut found = Offsets::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        let done = self.call(|cluster| {
            let open: BTreeMap<_, _> = wanted.iter().filter(|(at, _)| !found.contains_key(*at)).collect();
            cluster.list_offsets_once(&open, read_committed, &mut found)
        });
        match done {
            // Partitions whose leader did not come back say so themselves.
            Err(ClientError::Timeout(why)) if !found.is_empty() => {
                for at in wanted.keys().filter(|at| !found.contains_key(*at)).collect::<Vec<_>>() {
                    found.insert(at.clone(), Err(ClientError::Timeout(why.clone())));
                }
                Ok(found)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(found),
        }
    }

    /// One round over all leaders. What may succeed later stays open, and its error is the round's.
    fn list_offsets_once(
        &mut self,
        open: &BTreeMap<&TopicPartition, &i64>,
        read_committed: bool,
        found: &mut Offsets,
    ) -> Result<(), ClientError> {
        let topics: BTreeSet<&str> = open.keys().map(|at| &*at.topic).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let metadata = self.metadata(Some(&topics))?;
        let mut by_leader: BTreeMap<i32, Vec<(&TopicPartition, i64)>> = BTreeMap::new();
        let mut again = Ok(());
        for (at, timestamp) in open {
            let topic = metadata.topics.iter().find(|topic| topic.name.as_deref() == Some(&*at.topic));
            let partition = topic.and_then(|t| t.partitions.iter().find(|p| p.partition_index == at.partition));
            match (topic, partition) {
                (_, Some(partition)) if partition.leader_id >= 0 => {
                    by_leader.entry(partition.leader_id).or_default().push((*at, **timestamp));
                }
                (_, Some(_)) => again = Err(ClientError::Broker(ErrorCode::LeaderNotAvailable, None)),
                (topic, None) => {
                    let code = topic.map_or(0, |topic| topic.error_code);
                    let missing = ClientError::Broker(ErrorCode::UnknownTopicOrPartition, None);
                    found.insert((*at).clone(), Err(ClientError::of(code, None).unwrap_or(missing)));
                }
            }
        }
        for (leader, partitions) in by_leader {
            let needed = partitions.iter().map(|(_, timestamp)| since(*timestamp)).max().unwrap_or(1);
            match self.ask_leader(leader, &request(&partitions, read_committed), needed) {
                Ok(answer) => again = take(&answer, found).and(again),
                Err(ClientError::Unsupported(why)) => {
                    for (at, _) in partitions {
                        found.insert(at.clone(), Err(ClientError::Unsupported(why.clone())));
                    }
                }
                Err(error) => again = Err(error),
            }
        }
        again
    }

    /// An older broker would take a place it does not know for a time.
    fn ask_leader(
        &mut self,
        leader: i32,
        request: &ListOffsetsRequest,
        needed: i16,
    ) -> Result<ListOffsetsResponse, ClientError> {
        let until = self.answer_by();
        let connection = self.connection(Some(leader), until)?;
        if connection.version::<ListOffsetsRequest>()? < needed {
            let broker = connection.endpoint();
            return Err(ClientError::Unsupported(format!("The broker {broker} is too old for this kind of offset")));
        }
        self.ask(At::Broker(leader), request)
    }
}

fn request(partitions: &[(&TopicPartition, i64)], read_committed: bool) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for (at, timestamp) in partitions {
        topics.entry(&*at.topic).or_default().push(ListOffsetsPartition {
            partition_index: at.partition,
            timestamp: *timestamp,
            ..ListOffsetsPartition::default()
        });
    }
    let topics = topics.into_iter().map(|(name, partitions)| ListOffsetsTopic { name: name.into(), partitions });
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: i8::from(read_committed),
        topics: topics.collect(),
        ..ListOffsetsRequest::default()
    }
}

/// Notes what is settled; the error of what is not.
fn take(answer: &ListOffsetsResponse, found: &mut Offsets) -> Result<(), ClientError> {
    let mut again = Ok(());
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let at = TopicPartition::new(&*topic.name, partition.partition_index);
            let (offset, timestamp) = (partition.offset, partition.timestamp);
            let settled = match ClientError::check(partition.error_code, None) {
                Ok(()) => Ok(Found { offset, timestamp, leader_epoch: partition.leader_epoch }),
                Err(error) if error.is_retriable() => {
                    again = Err(error);
                    continue;
                }
                Err(error) => Err(error),
            };
            found.insert(at, settled);
        }
    }
    again
}
