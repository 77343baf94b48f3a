//! `transactions`: producers that write to some partitions and commit, by transactions of version 2 (KIP-890): the first
//! produce request to a partition adds it, and each end of a transaction raises the producer's epoch.

use super::{Ground, Measured, Unit, Work};
use crate::load::{Gate, histogram};
use crate::ready::{self, TRANSACTION};
use crate::schedule::Share;
use crate::target::Target;
use crate::wire::Connection;
use crate::{interrupt, kafka};
use corelog::protocol::ApiKey;
use corelog::protocol::messages::{
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse, ProduceResponse,
};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const INIT: i16 = 4;
const PRODUCE: i16 = 12;
const END: i16 = 5;
/// The transaction before is still being completed.
const CONCURRENT_TRANSACTIONS: i16 = 51;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Flags of `transactions`.
#[derive(clap::Args, Clone, Debug)]
pub struct Transactions {
    /// Transactions a second in all, by a schedule that does not wait for answers.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Closed loop instead: each producer begins a transaction when the one before is committed.
    #[arg(long)]
    closed: bool,
    /// Producers, each with a transactional id, a connection and a thread.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=512))]
    producers: u64,
    /// Partitions each transaction writes to.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,
    /// Records for each partition, in one batch.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 100)]
    record: usize,
    /// Aborts instead of commits.
    #[arg(long)]
    abort: bool,
    /// Seconds that are measured; a quarter more before them warms up.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// A producer in the course of its transactions.
struct Producer<'a> {
    flags: &'a Transactions,
    topic: &'a str,
    id: String,
    connection: Connection,
    producer_id: i64,
    epoch: i16,
}

impl Producer<'_> {
    fn init(&mut self) -> io::Result<()> {
        ready::find(&mut self.connection, TRANSACTION, &self.id)?;
        let began = Instant::now();
        loop {
            let request = InitProducerIdRequest {
                transactional_id: Some(self.id.as_str().into()),
                transaction_timeout_ms: 60_000,
                ..Default::default()
            };
            self.connection.send(ApiKey::InitProducerId, INIT, &request)?;
            let reply: InitProducerIdResponse = self.connection.receive()?.parse()?;
            match reply.error_code {
                0 => {
                    (self.producer_id, self.epoch) = (reply.producer_id, reply.producer_epoch);
                    return Ok(());
                }
                CONCURRENT_TRANSACTIONS => {}
                code => ready::not_yet(began, "InitProducerId", code)?,
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// One transaction, from its first record to the answer to its end.
    fn transaction(&mut self) -> io::Result<()> {
        for partition in 0..self.flags.partitions as i32 {
            let of = (self.producer_id, self.epoch);
            let batch = kafka::transactional_batch(of, self.flags.records as usize, self.flags.record);
            let request = kafka::produce_request(self.topic, partition, -1, Some(&self.id), batch);
            self.until_free("Produce", |connection| {
                connection.send(ApiKey::Produce, PRODUCE, &request)?;
                let reply: ProduceResponse = connection.receive()?.parse()?;
                let codes = reply.responses.iter().flat_map(|topic| &topic.partition_responses);
                Ok((codes.map(|partition| partition.error_code).find(|code| *code != 0).unwrap_or(0), ()))
            })?;
        }
        let request = EndTxnRequest {
            transactional_id: self.id.as_str().into(),
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            committed: !self.flags.abort,
        };
        (self.producer_id, self.epoch) = self.until_free("EndTxn", |connection| {
            connection.send(ApiKey::EndTxn, END, &request)?;
            let reply: EndTxnResponse = connection.receive()?.parse()?;
            Ok((reply.error_code, (reply.producer_id, reply.producer_epoch)))
        })?;
        Ok(())
    }

    /// Asks again while the transaction before is being completed, as clients do.
    fn until_free<T>(&mut self, what: &str, ask: impl Fn(&mut Connection) -> io::Result<(i16, T)>) -> io::Result<T> {
        let began = Instant::now();
        loop {
            match ask(&mut self.connection)? {
                (0, answer) => return Ok(answer),
                (CONCURRENT_TRANSACTIONS, _) if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
                (code, _) => return Err(io::Error::other(format!("{what} was answered with error {code}"))),
            }
        }
    }

    /// Transactions for so long, `every` so often, or one after the other; latencies from when each was due.
    fn run(&mut self, every: Option<Duration>, time: Duration) -> io::Result<Histogram<u64>> {
        let (first, mut latency) = (Instant::now(), histogram()?);
        for number in 0.. {
            interrupt::check()?;
            let due = every.map_or_else(Instant::now, |every| first + every * number);
            if due >= first + time {
                break;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.transaction()?;
            let _ = latency.record(due.elapsed().as_nanos() as u64);
        }
        Ok(latency)
    }
}

impl Work for Transactions {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let topic = kafka::fresh_topic("transactions");
        kafka::create_topic(on.address, &topic, self.partitions as i32)?;
        Ok(Ground { topics: vec![topic] })
    }

    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let ((first, count), (_, rate)) = (share.part(self.producers), share.part(self.rate));
        let topic = &ground.topics[0];
        let mut producers = Vec::new();
        for number in first..first + count {
            let connection = Connection::open(on.address)?;
            let id = format!("{topic}-{number}");
            let mut producer = Producer { flags: self, topic, id, connection, producer_id: -1, epoch: -1 };
            producer.init()?;
            producers.push(producer);
        }
        gate.connected()?;
        let every = (!self.closed).then(|| Duration::from_secs_f64(count as f64 / rate.max(1) as f64));
        let time = Duration::from_secs_f64(self.seconds.max(0.1));
        all(&mut producers, every, time / 4)?;
        gate.measuring()?;
        let began = Instant::now();
        let latency = all(&mut producers, every, time)?;
        let (requests, seconds) = (latency.len(), began.elapsed().as_secs_f64());
        let records = requests * u64::from(self.partitions) * u64::from(self.records);
        let bytes = records * self.record as u64;
        Ok(Measured { requests, records, bytes, seconds, latency, figures: BTreeMap::new() })
    }

    fn unit(&self) -> Unit {
        Unit::Requests
    }

    fn divides(&self) -> bool {
        true
    }

    fn open_loop(&self) -> bool {
        !self.closed
    }
}

/// All producers at once, their transactions spread evenly over the time.
fn all(producers: &mut [Producer<'_>], every: Option<Duration>, time: Duration) -> io::Result<Histogram<u64>> {
    let count = producers.len().max(1) as u32;
    let barrier = Barrier::new(producers.len());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(producers.iter_mut())
            .map(|(number, producer)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    thread::sleep(every.map_or(Duration::ZERO, |every| every * number / count));
                    producer.run(every, time)
                })
            })
            .collect();
        let mut sum = histogram()?;
        for thread in threads {
            let one = thread.join().map_err(|_| io::Error::other("a producer panicked"))??;
            sum.add(one).map_err(io::Error::other)?;
        }
        Ok(sum)
    })
}
