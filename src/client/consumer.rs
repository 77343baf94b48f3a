//! Consuming: fetches from all leaders at once, records in order.

mod assignor;
mod either;
mod fetched;
mod heartbeats;
pub mod member;

pub use either::Member;
pub use fetched::ConsumedRecord;

use super::cluster::Cluster;
use super::error::ClientError;
use super::offsets::{EARLIEST, LATEST};
use crate::base::{ErrorCode, Instant, TopicPartition};
use crate::protocol::Records;
use crate::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use crate::protocol::messages::fetch_response::PartitionData;
use crate::protocol::messages::{FetchRequest, FetchResponse};
use crate::ring::clock;
use crate::ring::plain::wait;
use fetched::Chunk;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// What to do where there is no offset, or one outside of the partition (`auto.offset.reset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// From the beginning.
    Earliest,
    /// From the end.
    Latest,
    /// An error.
    None,
}

/// What holds for a consumer.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// `isolation.level=read_committed`.
    pub read_committed: bool,
    /// `auto.offset.reset`.
    pub reset: Reset,
    /// `fetch.min.bytes`.
    pub min_bytes: i32,
    /// `fetch.max.bytes`.
    pub max_bytes: i32,
    /// `max.partition.fetch.bytes`.
    pub max_partition_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub max_wait: Duration,
    /// `check.crcs`.
    pub check_crcs: bool,
}

/// Where a partition is read.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// The next offset to fetch; `None`: not known yet.
    fetch: Option<i64>,
    /// The next offset to hand out: what may be committed.
    consumed: Option<i64>,
    leader: Option<i32>,
}

/// A fetch in flight: the request and when its answer must have come.
type InFlight = (FetchRequest, Instant);

/// A consumer of one thread: nothing happens but inside its functions.
#[derive(Debug)]
pub struct Consumer {
    /// The brokers; a group's member asks through it too.
    pub cluster: Cluster,
    config: ConsumerConfig,
    positions: BTreeMap<TopicPartition, Position>,
    in_flight: HashMap<i32, InFlight>,
    chunks: VecDeque<Chunk>,
    /// Leaders are to be asked for.
    stale: bool,
    pause_until: Instant,
}

impl Consumer {
    /// Reads nothing yet.
    pub fn new(cluster: Cluster, config: ConsumerConfig) -> Self {
        Self {
            cluster,
            config,
            positions: BTreeMap::new(),
            in_flight: HashMap::new(),
            chunks: VecDeque::new(),
            stale: true,
            pause_until: Instant::default(),
        }
    }

    /// Reads these partitions from now on, each from its offset; where none is given, as `auto.offset.reset` says.
    /// Those read before go on where they are.
    pub fn assign(&mut self, partitions: BTreeMap<TopicPartition, Option<i64>>) {
        self.positions.retain(|at, _| partitions.contains_key(at));
        self.chunks.retain(|chunk| partitions.contains_key(&chunk.at));
        for (at, offset) in partitions {
            let position = Position { fetch: offset, consumed: offset, leader: None };
            self.positions.entry(at).or_insert(position);
        }
        self.stale = true;
    }

    /// The partitions that are read.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.positions.keys()
    }

    /// How far each partition was handed out: what may be committed.
    pub fn consumed(&self) -> BTreeMap<TopicPartition, i64> {
        self.positions.iter().filter_map(|(at, position)| Some((at.clone(), position.consumed?))).collect()
    }

    /// The next record that has arrived.
    pub fn next(&mut self) -> Option<ConsumedRecord> {
        loop {
            let chunk = self.chunks.front_mut()?;
            let record = chunk.records.pop_front();
            let consumed = match (&record, chunk.records.is_empty()) {
                (_, true) => chunk.next_offset,
                (Some(record), false) => record.offset + 1,
                (None, false) => chunk.next_offset,
            };
            if let Some(position) = self.positions.get_mut(&chunk.at) {
                position.consumed = Some(consumed);
            }
            if chunk.records.is_empty() {
                self.chunks.pop_front();
            }
            if record.is_some() {
                return record;
            }
        }
    }

    /// Fetches, and waits for records until then; also returns early, without any, when a signal comes.
    ///
    /// # Errors
    /// That do not pass by themselves.
    pub fn poll(&mut self, until: Instant) -> Result<(), ClientError> {
        loop {
            self.receive()?;
            if !self.chunks.is_empty() || clock::mono() >= until {
                return Ok(());
            }
            if clock::mono() >= self.pause_until {
                self.locate()?;
                self.fetch();
            }
            let in_flight = &self.in_flight;
            let mut wake = until;
            if self.stale || in_flight.is_empty() {
                wake = wake.min(self.pause_until.max(clock::mono().plus_ms(10)));
            }
            let mut sockets = Vec::new();
            for (id, connection) in self.cluster.connections().iter() {
                if let Some((_, late)) = in_flight.get(id) {
                    wake = wake.min(*late);
                    sockets.push(connection.socket());
                }
            }
            let woken = wait(sockets.into_iter(), None, wake).map_err(|e| ClientError::Network(e.to_string()))?;
            if woken.stop {
                return Ok(());
            }
        }
    }

    /// Finds leaders and first offsets where they are not known.
    fn locate(&mut self) -> Result<(), ClientError> {
        if self.stale && !self.positions.is_empty() {
            let topics: BTreeSet<String> = self.positions.keys().map(|at| at.topic.to_string()).collect();
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            let answer = self.cluster.call(|cluster| cluster.metadata(Some(&names)))?;
            let mut all = true;
            for (at, position) in &mut self.positions {
                let topic = answer.topics.iter().find(|topic| topic.name.as_deref() == Some(&*at.topic));
                if let Some(error) = topic.and_then(|topic| ClientError::of(topic.error_code, None)) {
                    if error.code() != Some(ErrorCode::UnknownTopicOrPartition) && !error.is_retriable() {
                        return Err(error);
                    }
                }
                let mut partitions = topic.iter().flat_map(|topic| &topic.partitions);
                let partition = partitions.find(|partition| partition.partition_index == at.partition);
                position.leader = partition.map(|partition| partition.leader_id).filter(|id| *id >= 0);
                all &= position.leader.is_some();
            }
            self.stale = !all;
            if !all {
                self.pause_until = clock::mono().plus(self.cluster.options().retry_backoff);
            }
        }
        let place = match self.config.reset {
            Reset::Earliest => EARLIEST,
            Reset::Latest => LATEST,
            Reset::None => EARLIEST,
        };
        let lost = self.positions.iter().filter(|(_, position)| position.fetch.is_none() && position.leader.is_some());
        let wanted: BTreeMap<TopicPartition, i64> = lost.map(|(at, _)| (at.clone(), place)).collect();
        if self.config.reset == Reset::None {
            if let Some(at) = wanted.keys().next() {
                let why = format!("Undefined offset with no reset policy for partitions: [{at}]");
                return Err(ClientError::Broker(ErrorCode::OffsetOutOfRange, Some(why)));
            }
        }
        for (at, found) in self.cluster.list_offsets(&wanted, self.config.read_committed)? {
            let offset = found?.offset;
            if let Some(position) = self.positions.get_mut(&at) {
                (position.fetch, position.consumed) = (Some(offset), Some(offset));
            }
        }
        Ok(())
    }

    /// Sends a fetch to each leader that has none in flight.
    fn fetch(&mut self) {
        let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<FetchPartition>>> = BTreeMap::new();
        for (at, position) in &self.positions {
            let (Some(offset), Some(leader)) = (position.fetch, position.leader) else { continue };
            if self.in_flight.contains_key(&leader) {
                continue;
            }
            by_leader.entry(leader).or_default().entry(&at.topic).or_default().push(FetchPartition {
                partition: at.partition,
                fetch_offset: offset,
                partition_max_bytes: self.config.max_partition_bytes,
                ..FetchPartition::default()
            });
        }
        let topic = |(name, partitions): (&str, Vec<FetchPartition>)| FetchTopic {
            topic: name.into(),
            partitions: partitions.into(),
            ..FetchTopic::default()
        };
        let requests: Vec<(i32, FetchRequest)> = by_leader
            .into_iter()
            .map(|(leader, topics)| {
                let request = FetchRequest {
                    max_wait_ms: i32::try_from(self.config.max_wait.as_millis()).unwrap_or(i32::MAX),
                    min_bytes: self.config.min_bytes,
                    max_bytes: self.config.max_bytes,
                    isolation_level: i8::from(self.config.read_committed),
                    topics: topics.into_iter().map(topic).collect::<Vec<_>>().into(),
                    ..FetchRequest::default()
                };
                (leader, request)
            })
            .collect();
        for (leader, request) in requests {
            let until = clock::mono().plus(self.cluster.options().request_timeout);
            let sent =
                self.cluster.connection(Some(leader), until).and_then(|connection| connection.send(&request, until));
            match sent {
                Ok(()) => drop(self.in_flight.insert(leader, (request, until))),
                Err(_) => self.lose(leader),
            }
        }
    }

    /// A broker that cannot be reached: leaders are asked for after a while.
    fn lose(&mut self, leader: i32) {
        self.in_flight.remove(&leader);
        self.cluster.close(Some(leader));
        self.stale = true;
        self.pause_until = clock::mono().plus(self.cluster.options().retry_backoff);
    }

    /// Takes the answers that have arrived.
    fn receive(&mut self) -> Result<(), ClientError> {
        let now = clock::mono();
        for leader in self.in_flight.keys().copied().collect::<Vec<_>>() {
            let arrived = match self.cluster.connections().get_mut(&leader) {
                Some(connection) => connection.receive(),
                None => Err(ClientError::Network(format!("broker {leader} has left"))),
            };
            match arrived {
                Ok(None) => {
                    if self.in_flight.get(&leader).is_some_and(|(_, late)| *late <= now) {
                        self.lose(leader);
                    }
                }
                Ok(Some(answer)) => {
                    if let Some((request, _)) = self.in_flight.remove(&leader) {
                        let answer = answer.read(&request)?;
                        self.take(&answer)?;
                    }
                }
                Err(ClientError::Network(_)) => self.lose(leader),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, answer: &FetchResponse) -> Result<(), ClientError> {
        ClientError::check(answer.error_code, None)?;
        for topic in &answer.responses {
            for partition in &topic.partitions {
                let at = TopicPartition::new(&*topic.topic, partition.partition_index);
                match ClientError::of(partition.error_code, None) {
                    None => self.take_records(at, partition)?,
                    Some(error) => self.fetch_failed(&at, error)?,
                }
            }
        }
        Ok(())
    }

    fn take_records(&mut self, at: TopicPartition, partition: &PartitionData) -> Result<(), ClientError> {
        let Some(position) = self.positions.get_mut(&at) else { return Ok(()) };
        let (Some(offset), Some(Records::Bytes(bytes))) = (position.fetch, &partition.records) else { return Ok(()) };
        let aborted = partition.aborted_transactions.as_deref().filter(|_| self.config.read_committed);
        let chunk = fetched::read(at, bytes, offset, aborted.unwrap_or_default(), self.config.check_crcs)?;
        position.fetch = Some(chunk.next_offset);
        if chunk.next_offset > offset {
            self.chunks.push_back(chunk);
        }
        Ok(())
    }

    fn fetch_failed(&mut self, at: &TopicPartition, error: ClientError) -> Result<(), ClientError> {
        use ErrorCode as E;
        match error.code() {
            Some(E::OffsetOutOfRange) if self.config.reset != Reset::None => {
                if let Some(position) = self.positions.get_mut(at) {
                    position.fetch = None;
                }
                Ok(())
            }
            Some(E::OffsetOutOfRange) => {
                let why = format!("Fetch position is out of range for partition {at}, and no reset policy is defined");
                Err(ClientError::Broker(E::OffsetOutOfRange, Some(why)))
            }
            Some(E::UnknownTopicOrPartition | E::UnknownTopicId | E::NotLeaderOrFollower) => {
                self.stale = true;
                self.pause_until = clock::mono().plus(self.cluster.options().retry_backoff);
                Ok(())
            }
            _ if error.is_retriable() => {
                self.stale = true;
                self.pause_until = clock::mono().plus(self.cluster.options().retry_backoff);
                Ok(())
            }
            _ => Err(error),
        }
    }
}
