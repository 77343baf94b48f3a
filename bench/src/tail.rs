//! The tail of a log: producers at a fixed rate and consumers that wait at the end, alone or beside something.
//!
//! Latency is open-loop: a record counts from when it was due. The producer's ends with the acknowledgement, the
//! consumer's with the record's arrival.

use crate::broker::fresh_topic;
use crate::kafka;
use hdrhistogram::Histogram;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What runs at the tail, and how it is compared.
#[derive(clap::Args, Clone)]
pub struct Tail {
    /// Records a second at the tail, each a request of its own.
    #[arg(long, default_value_t = 2000)]
    pub rate: u64,
    /// Bytes of a record.
    #[arg(long, default_value_t = 1000)]
    pub record: usize,
    /// Seconds of each phase.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Phases alone and beside, in turn.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
}

/// Latencies of one phase.
pub struct Phase {
    produce: Histogram<u64>,
    consume: Histogram<u64>,
    /// How long it took.
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

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new(3).map_err(io::Error::other)
}

/// The calling thread gives way, or takes precedence.
pub fn nice(by: i32) {
    // SAFETY: takes a number. Who may not be nicer stays as he is.
    unsafe { libc::nice(by) };
}

impl Tail {
    /// One phase, on a topic of its own.
    pub fn phase(&self, address: SocketAddr) -> io::Result<Phase> {
        let topic = fresh_topic("tail");
        kafka::create_topic(address, &topic, 1)?;
        let begun = Instant::now();
        let schedule = Schedule {
            first: begun + Duration::from_millis(200),
            every: Duration::from_nanos(1_000_000_000 / self.rate.max(1)),
            count: self.rate * self.seconds,
        };
        let consumer = {
            let topic = topic.clone();
            thread::spawn(move || consume(address, &topic, schedule))
        };
        let produce = self.produce(address, &topic, schedule);
        let consume = consumer.join().map_err(|_| io::Error::other("the consumer panicked"))?;
        let elapsed = begun.elapsed();
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

/// Prints percentiles of both, and their ratio.
pub fn report(alone: &[Phase], beside: &[Phase], what: &str, goal: f64) -> io::Result<()> {
    for (name, of) in [("produce", (|p| &p.produce) as fn(&Phase) -> &Histogram<u64>), ("consume", |p| &p.consume)] {
        let (mut quiet, mut loud) = (histogram()?, histogram()?);
        alone.iter().try_for_each(|phase| quiet.add(of(phase))).map_err(io::Error::other)?;
        beside.iter().try_for_each(|phase| loud.add(of(phase))).map_err(io::Error::other)?;
        for percentile in [50.0, 99.0, 99.9] {
            let at = |h: &Histogram<u64>| h.value_at_percentile(percentile) as f64 / 1e3;
            let (quiet, loud) = (at(&quiet), at(&loud));
            let goal = if percentile == 99.0 { format!(" (goal: {goal})") } else { String::new() };
            println!(
                "  {name} p{percentile}: {quiet:.0} us alone, {loud:.0} us beside {what}: {:.2} x{goal}",
                loud / quiet
            );
        }
    }
    Ok(())
}
