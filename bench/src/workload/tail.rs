//! The tail of a log: a producer at a fixed rate and a consumer that waits at the end, alone or beside something.
//!
//! Latency is open-loop: a record counts from when it was due. The producer's ends with the acknowledgement, the
//! consumer's with the record's arrival.

use super::Measured;
use crate::load::histogram;
use crate::{interrupt, kafka};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What runs at the tail.
#[derive(Clone, Copy)]
pub struct Tail {
    /// Records a second, each a request of its own.
    pub rate: u64,
    /// Bytes of a record.
    pub record: usize,
    /// How long.
    pub time: Duration,
}

/// Latencies of one phase.
pub struct Phase {
    /// From when a record was due to its acknowledgement.
    pub produce: Histogram<u64>,
    /// From when it was due to its arrival.
    pub consume: Histogram<u64>,
    /// How long it took, from when the first record was due.
    pub elapsed: Duration,
}

/// When the records of a phase are due.
#[derive(Clone, Copy)]
struct Schedule {
    first: Instant,
    every: Duration,
    count: u64,
}

impl Schedule {
    fn due(&self, record: u64) -> Instant {
        self.first + self.every * record as u32
    }
}

/// A connection on which frames go out and replies come in, in order.
pub struct Connection(TcpStream);

impl Connection {
    /// Opens one.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self(socket))
    }

    fn reply(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let mut size = [0; 4];
        self.0.read_exact(&mut size)?;
        into.resize(u32::from_be_bytes(size) as usize, 0);
        self.0.read_exact(into)
    }

    /// Sends a frame and waits for the reply, which is left in `into`.
    pub fn call(&mut self, frame: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        self.0.write_all(frame)?;
        self.reply(into)
    }
}

/// The calling thread gives way, or takes precedence.
pub fn nice(by: i32) {
    // SAFETY: takes a number. Who may not be nicer stays as he is.
    unsafe { libc::nice(by) };
}

impl Tail {
    /// One phase, on a topic of its own.
    pub fn phase(&self, address: SocketAddr) -> io::Result<Phase> {
        let topic = kafka::fresh_topic("tail");
        kafka::create_topic(address, &topic, 1)?;
        let first = Instant::now() + Duration::from_millis(200);
        let schedule = Schedule {
            first,
            every: Duration::from_nanos(1_000_000_000 / self.rate.max(1)),
            count: (self.rate as f64 * self.time.as_secs_f64()).ceil() as u64,
        };
        let consumer = {
            let topic = topic.clone();
            thread::spawn(move || consume(address, &topic, schedule))
        };
        let produce = self.produce(address, &topic, schedule);
        let consume = consumer.join().map_err(|_| io::Error::other("the consumer panicked"))?;
        let elapsed = first.elapsed();
        let _ = kafka::delete_topic(address, &topic);
        Ok(Phase { produce: produce?, consume: consume?, elapsed })
    }

    /// One record a request, each sent when it is due, whatever became of the ones before.
    fn produce(&self, address: SocketAddr, topic: &str, schedule: Schedule) -> io::Result<Histogram<u64>> {
        nice(-10);
        let frame = kafka::produce(topic, 0, -1, kafka::batch(1, self.record))?;
        let mut writing = Connection::open(address)?;
        let mut reading = Connection(writing.0.try_clone()?);
        let answers = thread::spawn(move || {
            nice(-10);
            let (mut latency, mut reply) = (histogram()?, Vec::new());
            for n in 0..schedule.count {
                reading.reply(&mut reply)?;
                let _ = latency.record(schedule.due(n).elapsed().as_nanos() as u64);
            }
            kafka::check_produced(&reply)?;
            Ok::<_, io::Error>(latency)
        });
        for n in 0..schedule.count {
            interrupt::check()?;
            thread::sleep(schedule.due(n).saturating_duration_since(Instant::now()));
            writing.0.write_all(&frame)?;
        }
        answers.join().map_err(|_| io::Error::other("the producer panicked"))?
    }
}

/// Waits at the log's end. All records are of one size: how many came is known by the bytes.
fn consume(address: SocketAddr, topic: &str, schedule: Schedule) -> io::Result<Histogram<u64>> {
    nice(-10);
    let mut connection = Connection::open(address)?;
    let (mut latency, mut reply, mut next) = (histogram()?, Vec::new(), 0_u64);
    while next < schedule.count {
        connection.call(&kafka::fetch(topic, 0, next as i64, 1 << 20)?, &mut reply)?;
        let end = kafka::end_of_fetched(&reply)?.unwrap_or(next as i64) as u64;
        let now = Instant::now();
        for n in next..end.min(schedule.count) {
            let _ = latency.record(now.saturating_duration_since(schedule.due(n)).as_nanos() as u64);
        }
        next = end;
    }
    Ok(latency)
}

/// What the load beside the tail did to it: percentiles alone, and how much greater they are beside.
pub fn compared(alone: &Phase, beside: &Phase, mut measured: Measured) -> Measured {
    for (name, of) in [("produce", (|p| &p.produce) as fn(&Phase) -> &Histogram<u64>), ("consume", |p| &p.consume)] {
        for (percentile, digits) in [(50.0, "p50"), (99.0, "p99"), (99.9, "p99.9")] {
            let at = |phase: &Phase| of(phase).value_at_percentile(percentile) as f64 / 1e3;
            measured = measured
                .with(&format!("{name} {digits} alone us"), at(alone).round())
                .with(&format!("{name} {digits} beside / alone"), at(beside) / at(alone));
        }
    }
    measured
}

impl Phase {
    /// One more, at the same time.
    ///
    /// # Errors
    /// None: the histograms are alike.
    pub fn add(&mut self, other: &Self) -> io::Result<()> {
        self.elapsed = self.elapsed.max(other.elapsed);
        self.produce.add(&other.produce).map_err(io::Error::other)?;
        self.consume.add(&other.consume).map_err(io::Error::other)
    }

    /// As what was measured: the latency is the consumer's.
    pub fn measured(&self, record: usize) -> Measured {
        let records = self.consume.len();
        let seconds = self.elapsed.as_secs_f64();
        let (requests, bytes, latency) = (records, records * record as u64, self.consume.clone());
        let measured = Measured { requests, records, bytes, seconds, latency, figures: BTreeMap::new() };
        let acknowledged = |percentile| self.produce.value_at_percentile(percentile) as f64 / 1e3;
        measured.with("acknowledged p50 us", acknowledged(50.0)).with("acknowledged p99 us", acknowledged(99.0))
    }
}
