//! `cold`: the tail beside cold readers: a producer at a fixed rate and a consumer that waits at the end, with and
//! without somebody who reads old data, in a memory group smaller than that data (`--memory`).

use super::tail::{Connection, Tail, compared, nice};
use super::{Ground, Measured, Unit, Work};
use crate::kafka;
use crate::load::Gate;
use crate::schedule::Share;
use crate::target::Target;
use corelog::protocol::ApiKey;
use corelog::protocol::messages::FetchResponse;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Flags of `cold`.
#[derive(clap::Args, Clone, Debug)]
pub struct Cold {
    /// Records a second at the tail, each a request of its own.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Bytes of a record.
    #[arg(long, default_value_t = 1000)]
    record: usize,
    /// Seconds of each phase: alone, then beside the readers.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Old data, in MB.
    #[arg(long, default_value_t = 1500)]
    data: u64,
    /// At most so many MB a second are read cold; 0: as much as comes.
    #[arg(long, default_value_t = 0)]
    cold_rate: u64,
    /// Cold readers.
    #[arg(long, default_value_t = 1)]
    readers: usize,
}

impl Work for Cold {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let old = kafka::fresh_topic("old");
        kafka::create_topic(on.address, &old, 1)?;
        fill(on.address, &old, self.data << 20)?;
        Ok(Ground { topics: vec![old] })
    }

    fn load(&self, on: &Target, ground: &Ground, _: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let tail = Tail { rate: self.rate, record: self.record, time: Duration::from_secs_f64(self.seconds) };
        gate.connected()?;
        let alone = tail.phase(on.address)?;
        let cold = Arc::new(AtomicU64::new(0));
        gate.measuring()?;
        let readers = Readers::start(self, on.address, &ground.topics[0], &cold);
        let beside = tail.phase(on.address);
        readers.stop()?;
        let beside = beside?;
        let megabytes = cold.load(Ordering::Relaxed) as f64 / 1e6;
        let measured = compared(&alone, &beside, beside.measured(self.record));
        Ok(measured.with("read cold MB/s", megabytes / beside.elapsed.as_secs_f64()))
    }

    fn unit(&self) -> Unit {
        Unit::Time
    }

    fn open_loop(&self) -> bool {
        true
    }
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
    fn start(args: &Cold, address: SocketAddr, old: &str, cold: &Arc<AtomicU64>) -> Self {
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
