//! A cold reader beside the tail: producers at a fixed rate and consumers that wait at the end of their logs, with and
//! without somebody who reads old data, in a memory group smaller than that data.
//!
//! Latency is open-loop: a record counts from when it was due. The producer's ends with the acknowledgement, the
//! consumer's with the record's arrival.

use crate::broker::{Broker, BrokerSetup, fresh_topic};
use crate::cgroup::MemoryGroup;
use crate::kafka;
use corelog::protocol::ApiKey;
use corelog::protocol::messages::FetchResponse;
use hdrhistogram::Histogram;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// The broker.
    #[arg(long, default_value = "target/release/corelog")]
    binary: PathBuf,
    /// Where its log dir shall lie.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// A broker that runs already, instead, in a group of `memory` MB that somebody else made.
    #[arg(long)]
    address: Option<SocketAddr>,
    /// Memory of the broker's group, in MB.
    #[arg(long, default_value_t = 256)]
    memory: u64,
    /// Old data, in MB.
    #[arg(long, default_value_t = 1500)]
    data: u64,
    /// Records a second at the tail, each a request of its own.
    #[arg(long, default_value_t = 2000)]
    rate: u64,
    /// Bytes of a record.
    #[arg(long, default_value_t = 1000)]
    record: usize,
    /// Seconds of each phase.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Phases with and without the cold reader, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// At most so many MB a second are read cold; 0: as much as comes.
    #[arg(long, default_value_t = 0)]
    cold_rate: u64,
    /// Cold readers.
    #[arg(long, default_value_t = 1)]
    readers: usize,
}

/// Latencies of one phase.
struct Phase {
    produce: Histogram<u64>,
    consume: Histogram<u64>,
    /// Bytes read cold.
    cold: u64,
    elapsed: Duration,
}

struct Connection(TcpStream);

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
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

    fn call(&mut self, frame: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        self.0.write_all(frame)?;
        self.reply(into)
    }
}

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new(3).map_err(io::Error::other)
}

/// `cold`: prints percentiles of both, and their ratio.
pub fn run(args: &Args) -> io::Result<()> {
    let group = match args.address {
        None => Some(MemoryGroup::new(args.memory << 20)?),
        Some(_) => None,
    };
    let broker = match &group {
        Some(group) => {
            Some(Broker::start_with(&args.binary, &args.dir, &BrokerSetup { group: Some(group.entrance()) })?)
        }
        None => None,
    };
    let address = match (&broker, args.address) {
        (Some(broker), _) => broker.address,
        (None, Some(address)) => address,
        (None, None) => return Err(io::Error::other("no broker")),
    };
    // The broker has the other core; what the kernel does for it may come here too.
    core_affinity::set_for_current(core_affinity::CoreId { id: 1 });
    let old = fresh_topic("old");
    kafka::create_topic(address, &old, 1)?;
    fill(address, &old, args.data << 20)?;
    println!(
        "{} MB of old data, {} MB of memory{}, {} records of {} bytes a second at the tail",
        args.data,
        args.memory,
        group.as_ref().map_or(String::new(), |g| format!(" ({} MB in use)", g.used().unwrap_or(0) >> 20)),
        args.rate,
        args.record
    );
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..=args.rounds {
        let quiet = phase(args, address, &old, 0)?;
        let beside = phase(args, address, &old, args.readers)?;
        // The first round only warms up.
        if round > 0 {
            without.push(quiet);
            with.push(beside);
        }
    }
    report(&without, &with)
}

/// Old data, in batches of about 64 KiB.
fn fill(address: SocketAddr, topic: &str, bytes: u64) -> io::Result<()> {
    let batch = kafka::batch(64, 1000);
    let frame = kafka::produce(topic, 0, -1, batch.clone())?;
    let mut connection = Connection::open(address)?;
    let mut reply = Vec::new();
    for _ in 0..bytes / batch.len() as u64 {
        connection.call(&frame, &mut reply)?;
    }
    kafka::check_produced(&reply)
}

fn phase(args: &Args, address: SocketAddr, old: &str, readers: usize) -> io::Result<Phase> {
    let topic = fresh_topic("tail");
    kafka::create_topic(address, &topic, 1)?;
    let stop = Arc::new(AtomicBool::new(false));
    let cold = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..readers)
        .map(|_| {
            let (stop, cold, old, rate) = (stop.clone(), cold.clone(), old.to_owned(), args.cold_rate);
            thread::spawn(move || {
                nice(19);
                read_cold(address, &old, rate, &stop, &cold)
            })
        })
        .collect();
    let begun = Instant::now();
    let first_due = begun + Duration::from_millis(200);
    let count = args.rate * args.seconds;
    let every = Duration::from_nanos(1_000_000_000 / args.rate.max(1));
    let consumer = {
        let topic = topic.clone();
        thread::spawn(move || consume(address, &topic, count, first_due, every))
    };
    let produce = produce(args, address, &topic, count, first_due, every);
    let consume = consumer.join().map_err(|_| io::Error::other("the consumer panicked"))?;
    let elapsed = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().map_err(|_| io::Error::other("a cold reader panicked"))??;
    }
    let _ = kafka::delete_topic(address, &topic);
    Ok(Phase { produce: produce?, consume: consume?, cold: cold.load(Ordering::Relaxed), elapsed })
}

fn nice(by: i32) {
    // SAFETY: takes a number. Who may not be nicer stays as he is.
    unsafe { libc::nice(by) };
}

/// One record a request, each sent when it is due, whatever became of the ones before.
fn produce(
    args: &Args,
    address: SocketAddr,
    topic: &str,
    count: u64,
    first_due: Instant,
    every: Duration,
) -> io::Result<Histogram<u64>> {
    nice(-10);
    let frame = kafka::produce(topic, 0, -1, kafka::batch(1, args.record))?;
    let mut writing = Connection::open(address)?;
    let mut reading = Connection(writing.0.try_clone()?);
    let answers = thread::spawn(move || {
        nice(-10);
        let (mut latency, mut reply) = (histogram()?, Vec::new());
        for n in 0..count {
            reading.reply(&mut reply)?;
            let due = first_due + every * n as u32;
            let _ = latency.record(due.elapsed().as_nanos() as u64);
        }
        kafka::check_produced(&reply)?;
        Ok::<_, io::Error>(latency)
    });
    for n in 0..count {
        let due = first_due + every * n as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        writing.0.write_all(&frame)?;
    }
    answers.join().map_err(|_| io::Error::other("the producer panicked"))?
}

/// Waits at the log's end. All records are of one size: how many came is known by the bytes.
fn consume(
    address: SocketAddr,
    topic: &str,
    count: u64,
    first_due: Instant,
    every: Duration,
) -> io::Result<Histogram<u64>> {
    nice(-10);
    let mut connection = Connection::open(address)?;
    let (mut latency, mut reply, mut next) = (histogram()?, Vec::new(), 0_u64);
    while next < count {
        connection.call(&kafka::fetch(topic, 0, next as i64, 1 << 20)?, &mut reply)?;
        let end = kafka::end_of_fetched(&reply)?.unwrap_or(next as i64) as u64;
        let now = Instant::now();
        for n in next..end.min(count) {
            let due = first_due + every * n as u32;
            let _ = latency.record(now.saturating_duration_since(due).as_nanos() as u64);
        }
        next = end;
    }
    Ok(latency)
}

/// Reads the old topic from its beginning, again and again, one fetch of 1 MiB at a time.
fn read_cold(address: SocketAddr, topic: &str, rate: u64, stop: &AtomicBool, total: &AtomicU64) -> io::Result<()> {
    let mut connection = Connection::open(address)?;
    let (mut reply, mut offset, mut read) = (Vec::new(), 0, 0_u64);
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        connection.call(&kafka::fetch(topic, 0, offset, 1 << 20)?, &mut reply)?;
        let response: FetchResponse = kafka::parse(ApiKey::Fetch, kafka::FETCH_VERSION, &reply)?;
        if let Some(error) = response.responses.iter().flat_map(|t| &t.partitions).find(|p| p.error_code != 0) {
            return Err(io::Error::other(format!("the cold fetch was answered with error {}", error.error_code)));
        }
        offset = kafka::end_of_fetched(&reply)?.unwrap_or(0);
        read += reply.len() as u64;
        total.fetch_add(reply.len() as u64, Ordering::Relaxed);
        if rate > 0 {
            let due = begun + Duration::from_secs_f64(read as f64 / (rate << 20) as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    Ok(())
}

fn report(without: &[Phase], with: &[Phase]) -> io::Result<()> {
    let cold: u64 = with.iter().map(|phase| phase.cold).sum();
    let seconds: f64 = with.iter().map(|phase| phase.elapsed.as_secs_f64()).sum();
    println!("read cold: {:.0} MB/s", cold as f64 / 1e6 / seconds);
    for (name, of) in [("produce", (|p| &p.produce) as fn(&Phase) -> &Histogram<u64>), ("consume", |p| &p.consume)] {
        let (mut quiet, mut beside) = (histogram()?, histogram()?);
        without.iter().try_for_each(|phase| quiet.add(of(phase))).map_err(io::Error::other)?;
        with.iter().try_for_each(|phase| beside.add(of(phase))).map_err(io::Error::other)?;
        for percentile in [50.0, 99.0, 99.9] {
            let at = |h: &Histogram<u64>| h.value_at_percentile(percentile) as f64 / 1e3;
            let (quiet, beside) = (at(&quiet), at(&beside));
            let goal = if percentile == 99.0 { " (goal: 1.5)" } else { "" };
            println!(
                "{name} p{percentile}: {quiet:.0} us alone, {beside:.0} us beside the cold reader: {:.2} x{goal}",
                beside / quiet
            );
        }
    }
    Ok(())
}
