//! Producing: batches for each partition, sent to their leaders, in order, again where that helps.

mod batch;
mod config;
pub mod partitioner;

pub use config::ProducerConfig;

use super::cluster::{At, Cluster};
use super::error::ClientError;
use crate::base::{ErrorCode, Instant, ProducerEpoch, ProducerId, TimestampMs, TopicPartition};
use crate::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::protocol::messages::produce_response::PartitionProduceResponse;
use crate::protocol::messages::{InitProducerIdRequest, ProduceRequest};
use crate::ring::clock;
use crate::ring::plain::{Input, Socket, Woken, wait, wait_for_sockets};
use batch::{Batch, Queue};
use partitioner::Sticky;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Decides the partition.
    pub key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Records that could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where they should have gone.
    pub at: TopicPartition,
    /// How many.
    pub records: usize,
    /// Why not.
    pub error: ClientError,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// How many records.
    pub records: usize,
    /// Their bytes, unpacked.
    pub bytes: usize,
    /// When the first of them was handed over.
    pub since: Instant,
}

/// A topic's partitions: leaders by index.
type Leaders = Vec<Option<i32>>;

/// Requests in flight to one broker: which batches each carries.
type InFlight = VecDeque<(Instant, ProduceRequest, Vec<(TopicPartition, Batch)>)>;

/// A producer of one thread: nothing happens but inside its functions.
#[derive(Debug)]
pub struct Producer {
    cluster: Cluster,
    config: ProducerConfig,
    id: Option<(ProducerId, ProducerEpoch)>,
    sticky: Sticky,
    topics: HashMap<String, Leaders>,
    queues: BTreeMap<TopicPartition, Queue>,
    in_flight: HashMap<i32, InFlight>,
    /// After an error that passes, nothing is sent before this.
    pause_until: Instant,
    stale: bool,
    failures: Vec<Failure>,
    written: Vec<Written>,
}

impl Producer {
    /// Nothing is connected yet. `seed` is random.
    pub fn new(cluster: Cluster, config: ProducerConfig, seed: u64) -> Self {
        let sticky = Sticky::new(config.batch_size, seed);
        Self {
            cluster,
            config,
            id: None,
            sticky,
            topics: HashMap::new(),
            queues: BTreeMap::new(),
            in_flight: HashMap::new(),
            pause_until: Instant::default(),
            stale: false,
            failures: Vec::new(),
            written: Vec::new(),
        }
    }

    /// Takes a record; it is sent with others, when its batch is full or `linger.ms` is over.
    ///
    /// # Errors
    /// The topic is not there, or the record is too large.
    pub fn send(&mut self, topic: &str, record: &NewRecord, now: TimestampMs) -> Result<(), ClientError> {
        let size = batch::size_of(record);
        if size > self.config.max_request_size {
            let bound = self.config.max_request_size;
            return Err(ClientError::Broker(
                ErrorCode::MessageTooLarge,
                Some(format!("The record takes {size} bytes, more than max.request.size, which is {bound}")),
            ));
        }
        self.learn(topic)?;
        let leaders = self.topics.get(topic).map(Vec::as_slice).unwrap_or_default();
        let partition = match &record.key {
            Some(key) => partitioner::of_key(key, leaders.len()),
            None => {
                let led: Vec<usize> =
                    (0..leaders.len()).filter(|at| leaders.get(*at).is_some_and(Option::is_some)).collect();
                let all: Vec<usize> = (0..leaders.len()).collect();
                let available = if led.is_empty() { &all } else { &led };
                self.sticky.next(topic, size, available).unwrap_or(0)
            }
        };
        let at = TopicPartition::new(topic, partition as i32);
        let mono = clock::mono();
        let limits = (self.config.batch_size, mono.plus(self.config.linger));
        self.queues.entry(at).or_default().append(record, now, mono, limits);
        Ok(())
    }

    /// A topic's partitions, asked for once and after errors.
    fn learn(&mut self, topic: &str) -> Result<(), ClientError> {
        if self.topics.contains_key(topic) && !self.stale {
            return Ok(());
        }
        let mut names: Vec<String> = self.topics.keys().cloned().collect();
        if !self.topics.contains_key(topic) {
            names.push(topic.to_owned());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let answer = self.cluster.call(|cluster| {
            let answer = cluster.metadata_or_create(Some(&names), true)?;
            for topic in &answer.topics {
                match ClientError::check(topic.error_code, None) {
                    // The broker may be creating it.
                    Err(ClientError::Broker(ErrorCode::UnknownTopicOrPartition, _)) => {
                        let name = topic.name.as_deref().unwrap_or_default();
                        return Err(ClientError::Network(format!("Topic {name} not present in metadata")));
                    }
                    checked => checked?,
                }
            }
            Ok(answer)
        })?;
        for topic in &answer.topics {
            let mut leaders = vec![None; topic.partitions.len()];
            for partition in &topic.partitions {
                let slot = usize::try_from(partition.partition_index).ok().and_then(|at| leaders.get_mut(at));
                if let Some(slot) = slot {
                    *slot = (partition.leader_id >= 0).then_some(partition.leader_id);
                }
            }
            self.topics.insert(topic.name.as_deref().unwrap_or_default().to_owned(), leaders);
        }
        self.stale = false;
        Ok(())
    }

    /// The id that lets brokers drop duplicates; asked for before the first batch.
    fn identify(&mut self) -> Result<(), ClientError> {
        if self.id.is_some() || !self.config.idempotence {
            return Ok(());
        }
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 60_000, ..Default::default() };
        let answer = self.cluster.call(|cluster| {
            let answer = cluster.ask(At::Any, &request)?;
            ClientError::check(answer.error_code, None).map(|()| answer)
        });
        match answer {
            Ok(answer) => self.id = Some((ProducerId(answer.producer_id), ProducerEpoch(answer.producer_epoch))),
            // Brokers before 0.11 know no such ids.
            Err(ClientError::Unsupported(_)) => self.config.idempotence = false,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends what is ready and takes the answers that have arrived, without waiting.
    ///
    /// # Errors
    /// Of the producer as a whole: no id, no metadata.
    pub fn turn(&mut self, flush: bool) -> Result<(), ClientError> {
        self.receive();
        let now = clock::mono();
        self.expire(now);
        if self.queues.values().all(Queue::is_empty) || now < self.pause_until {
            return Ok(());
        }
        self.identify()?;
        if self.stale {
            let topic = self.topics.keys().next().cloned();
            topic.map_or(Ok(()), |topic| self.learn(&topic))?;
        }
        let mut by_leader: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
        let mut bytes: BTreeMap<i32, usize> = BTreeMap::new();
        for (at, queue) in &self.queues {
            let leaders = self.topics.get(&*at.topic);
            let leader = leaders.and_then(|leaders| *leaders.get(usize::try_from(at.partition).ok()?)?);
            let Some(size) = queue.ready(now, flush) else { continue };
            match leader {
                None => self.stale = true,
                Some(leader) => {
                    let sum = bytes.entry(leader).or_default();
                    if *sum == 0 || *sum + size <= self.config.max_request_size {
                        *sum += size;
                        by_leader.entry(leader).or_default().push(at.clone());
                    }
                }
            }
        }
        for (leader, partitions) in by_leader {
            if self.in_flight.get(&leader).map_or(0, VecDeque::len) < self.config.in_flight_max {
                self.send_to(leader, &partitions)?;
            }
        }
        if self.stale {
            self.pause_until = now.plus(self.config.retry_backoff);
        }
        Ok(())
    }

    fn send_to(&mut self, leader: i32, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let mut batches = Vec::new();
        let mut topics: BTreeMap<&str, Vec<PartitionProduceData>> = BTreeMap::new();
        for at in partitions {
            let Some(batch) = self.queues.get_mut(at).and_then(|queue| queue.take(self.id)) else { continue };
            let records = batch.packed(self.config.packing)?;
            topics
                .entry(&at.topic)
                .or_default()
                .push(PartitionProduceData { index: at.partition, records: Some(records) });
            batches.push((at.clone(), batch));
        }
        let topic = |(name, partitions): (&str, Vec<PartitionProduceData>)| TopicProduceData {
            name: name.into(),
            partition_data: partitions.into(),
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: self.config.acks,
            timeout_ms: i32::try_from(self.config.request_timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data: topics.into_iter().map(topic).collect::<Vec<_>>().into(),
            ..ProduceRequest::default()
        };
        let until = clock::mono().plus(self.config.request_timeout);
        let sent = self.cluster.connection(Some(leader), until).and_then(|connection| match self.config.acks {
            0 => connection.send_unanswered(&request, until),
            _ => connection.send(&request, until),
        });
        match sent {
            Ok(()) if self.config.acks == 0 => {
                for (at, batch) in batches {
                    self.settle(&at, batch, Ok(()));
                }
            }
            Ok(()) => self.in_flight.entry(leader).or_default().push_back((until, request, batches)),
            Err(error) => {
                self.give_up(leader, &error);
                for (at, batch) in batches {
                    self.settle(&at, batch, Err(error.clone()));
                }
            }
        }
        Ok(())
    }

    /// Takes the answers that have arrived.
    fn receive(&mut self) {
        let now = clock::mono();
        let leaders: Vec<i32> = self.in_flight.iter().filter(|(_, sent)| !sent.is_empty()).map(|(id, _)| *id).collect();
        for leader in leaders {
            loop {
                let arrived = match self.cluster.connections().get_mut(&leader) {
                    Some(connection) => connection.receive(),
                    None => Err(ClientError::Network(format!("broker {leader} has left"))),
                };
                let answer = match arrived {
                    Ok(None) => {
                        let oldest = self.in_flight.get(&leader).and_then(VecDeque::front).map(|(until, ..)| *until);
                        if oldest.is_some_and(|until| until <= now) {
                            self.give_up(
                                leader,
                                &ClientError::Network(format!("broker {leader} did not answer in time")),
                            );
                        }
                        break;
                    }
                    Ok(Some(answer)) => answer,
                    Err(error) => {
                        self.give_up(leader, &error);
                        break;
                    }
                };
                let Some((_, request, batches)) = self.in_flight.get_mut(&leader).and_then(VecDeque::pop_front) else {
                    break;
                };
                match answer.read(&request) {
                    Ok(answer) => {
                        for (at, batch) in batches {
                            let topic = answer.responses.iter().find(|topic| *topic.name == *at.topic);
                            let mut partitions = topic.iter().flat_map(|topic| &topic.partition_responses);
                            let result = partitions.find(|partition| partition.index == at.partition);
                            self.settle(&at, batch, outcome(result));
                        }
                    }
                    Err(error) => {
                        for (at, batch) in batches {
                            self.settle(&at, batch, Err(error.clone()));
                        }
                    }
                }
            }
        }
    }

    /// A connection broke: what was in flight on it is tried again elsewhere.
    fn give_up(&mut self, leader: i32, error: &ClientError) {
        self.cluster.close(Some(leader));
        self.stale = true;
        for (_, _, batches) in self.in_flight.remove(&leader).unwrap_or_default() {
            for (at, batch) in batches {
                self.settle(&at, batch, Err(error.clone()));
            }
        }
    }

    /// Notes a batch's fate: written, to be sent again, or failed.
    fn settle(&mut self, at: &TopicPartition, mut batch: Batch, result: Result<(), ClientError>) {
        let queue = self.queues.entry(at.clone()).or_default();
        queue.answered();
        match result {
            // It was written by an earlier try.
            Ok(()) | Err(ClientError::Broker(ErrorCode::DuplicateSequenceNumber, _)) => {
                self.written.push(Written { records: batch.count(), bytes: batch.size(), since: batch.since() });
            }
            Err(error) => {
                let unordered =
                    error.code() == Some(ErrorCode::OutOfOrderSequenceNumber) && queue.waits_for_earlier(&batch);
                let unknown = error.code() == Some(ErrorCode::UnknownTopicOrPartition);
                let again = error.is_retriable() || unordered || unknown;
                self.stale |= again;
                if again && batch.try_again(self.config.retries) {
                    self.pause_until = clock::mono().plus(self.config.retry_backoff);
                    queue.put_back(batch);
                    return;
                }
                self.failures.push(Failure { at: at.clone(), records: batch.count(), error });
                // A gap in the sequence: a new epoch begins a new one.
                if let Some((_, epoch)) = &mut self.id {
                    if !queue.begins_anew() {
                        epoch.0 = epoch.0.wrapping_add(1).max(0);
                        queue.begin_sequence_anew();
                    }
                }
            }
        }
    }

    /// Gives up what `delivery.timeout.ms` has passed over.
    fn expire(&mut self, now: Instant) {
        let timeout = self.config.delivery_timeout;
        for (at, queue) in &mut self.queues {
            for batch in queue.expired(now, timeout) {
                let ms = timeout.as_millis();
                let error =
                    ClientError::Timeout(format!("Expiring {} record(s) for {at}: {ms} ms has passed", batch.count()));
                self.failures.push(Failure { at: at.clone(), records: batch.count(), error });
            }
        }
    }

    /// What failed since the last call.
    pub fn failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }

    /// What was written since the last call.
    pub fn written(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.written)
    }

    /// Bytes that wait or are in flight.
    pub fn buffered(&self) -> usize {
        let in_flight = self.in_flight.values().flatten().flat_map(|(_, _, batches)| batches);
        let sent: usize = in_flight.map(|(_, batch)| batch.size()).sum();
        sent + self.queues.values().map(Queue::size).sum::<usize>()
    }

    /// The bound of [`Self::buffered`]: `buffer.memory`.
    pub fn buffer_memory(&self) -> usize {
        self.config.buffer_memory
    }

    /// Waits until an answer arrives, the next batch is due, `input` can be read, or a signal comes.
    ///
    /// # Errors
    /// Of waiting.
    pub fn wait(&mut self, input: Option<&Input>, until: Instant) -> Result<Woken, ClientError> {
        let (sockets, until) = self.waiting(until);
        wait(sockets.into_iter(), input, until).map_err(|e| ClientError::Network(e.to_string()))
    }

    /// The sockets where answers will come, and when there is something to do without one.
    fn waiting(&mut self, until: Instant) -> (Vec<&Socket>, Instant) {
        let now = clock::mono();
        let busy = self.in_flight.values().any(|sent| !sent.is_empty());
        // What is due and was not sent waits for an answer, unless none is to come.
        let due = self.queues.values().filter_map(Queue::due).min().map(|due| due.max(self.pause_until));
        let mut until = due.filter(|due| !busy || *due > now).map_or(until, |due| until.min(due));
        let mut sockets = Vec::new();
        let in_flight = &self.in_flight;
        for (id, connection) in self.cluster.connections().iter() {
            if let Some((late, ..)) = in_flight.get(id).and_then(VecDeque::front) {
                until = until.min(*late);
                sockets.push(connection.socket());
            }
        }
        (sockets, until)
    }

    /// Sends everything and waits until it is written or has failed.
    ///
    /// # Errors
    /// Of the producer as a whole.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        loop {
            self.turn(true)?;
            let idle = self.in_flight.values().all(VecDeque::is_empty);
            if idle && self.queues.values().all(Queue::is_empty) {
                return Ok(());
            }
            // Also after a signal: what was taken is written before the end.
            let now = clock::mono();
            let (sockets, until) = self.waiting(now.plus_ms(1000));
            // A batch that could not be sent is due at once: the pause keeps this from spinning.
            let until = if idle { now.plus_ms(10).max(until) } else { until };
            wait_for_sockets(sockets.into_iter(), until).map_err(|e| ClientError::Network(e.to_string()))?;
        }
    }
}

fn outcome(result: Option<&PartitionProduceResponse>) -> Result<(), ClientError> {
    let Some(result) = result else {
        return Err(ClientError::Malformed("a produce answer without the partition".into()));
    };
    let of_record = result.record_errors.iter().find_map(|error| error.batch_index_error_message.as_deref());
    ClientError::check(result.error_code, result.error_message.as_deref().or(of_record))
}
