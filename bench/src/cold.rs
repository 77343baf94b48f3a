//! A cold reader beside the tail: producers at a fixed rate and consumers that wait at the end of their logs, with and
//! without somebody who reads old data, in a memory group smaller than that data.

use crate::broker::fresh_topic;
use crate::cgroup::MemoryGroup;
use crate::kafka;
use crate::server::{Kind, Server, Servers, Setup};
use crate::tail::{Connection, Tail, nice, report};
use corelog::protocol::ApiKey;
use corelog::protocol::messages::FetchResponse;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(clap::Args, Clone)]
pub struct Args {
    #[command(flatten)]
    servers: Servers,
    /// Memory of corelog's group, page cache included, in MB.
    #[arg(long, default_value_t = 256)]
    memory: u64,
    /// The same of Apache Kafka, which keeps 1 GB of heap besides.
    #[arg(long, default_value_t = 1280)]
    kafka_memory: u64,
    /// Old data, in MB.
    #[arg(long, default_value_t = 1500)]
    data: u64,
    #[command(flatten)]
    tail: Tail,
    /// At most so many MB a second are read cold; 0: as much as comes.
    #[arg(long, default_value_t = 0)]
    cold_rate: u64,
    /// Cold readers.
    #[arg(long, default_value_t = 1)]
    readers: usize,
}

/// `cold`: prints percentiles of both, and their ratio, for each server.
pub fn run(args: &Args) -> io::Result<()> {
    args.servers.kinds().iter().try_for_each(|kind| {
        let memory = match kind {
            Kind::Corelog(_) => args.memory,
            Kind::Kafka(_) => args.kafka_memory,
        };
        one(args, kind, memory)
    })
}

fn one(args: &Args, kind: &Kind, memory: u64) -> io::Result<()> {
    let group = MemoryGroup::new(memory << 20)?;
    let setup = Setup { group: Some(group.entrance()), core: Some(0), properties: Vec::new() };
    let server = Server::start_in(kind, &args.servers.dir, &setup)?;
    // The broker has the other core; what the kernel does for it may come here too.
    core_affinity::set_for_current(core_affinity::CoreId { id: 1 });
    let old = fresh_topic("old");
    kafka::create_topic(server.address, &old, 1)?;
    fill(server.address, &old, args.data << 20)?;
    println!(
        "{}: {} MB of old data, {memory} MB of memory ({} MB in use), {} records of {} bytes a second at the tail",
        kind.name(),
        args.data,
        group.used()? >> 20,
        args.tail.rate,
        args.tail.record
    );
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let cold = Arc::new(AtomicU64::new(0));
    for round in 0..=args.tail.rounds {
        let quiet = args.tail.phase(server.address)?;
        let readers = Readers::start(args, server.address, &old, &cold);
        let loud = args.tail.phase(server.address);
        readers.stop()?;
        // The first round only warms up.
        if round > 0 {
            alone.push(quiet);
            beside.push(loud?);
        } else {
            cold.store(0, Ordering::Relaxed);
        }
    }
    let seconds: f64 = beside.iter().map(|phase| phase.elapsed.as_secs_f64()).sum();
    println!("  read cold: {:.0} MB/s", cold.load(Ordering::Relaxed) as f64 / 1e6 / seconds);
    report(&alone, &beside, "the cold reader", 1.5)
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

struct Readers {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<io::Result<()>>>,
}

impl Readers {
    fn start(args: &Args, address: SocketAddr, old: &str, cold: &Arc<AtomicU64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..args.readers).map(|_| {
            let (stop, cold, old, rate) = (stop.clone(), cold.clone(), old.to_owned(), args.cold_rate);
            thread::spawn(move || {
                nice(19);
                read_cold(address, &old, rate, &stop, &cold)
            })
        });
        Self { threads: threads.collect(), stop }
    }

    fn stop(self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter().map(|one| one.join());
        ended.into_iter().try_for_each(|one| one.map_err(|_| io::Error::other("a cold reader panicked"))?)
    }
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
