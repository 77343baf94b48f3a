//! Compaction beside the tail: producers and consumers of other topics, while logs full of old values of few keys are
//! cleaned on the broker's only core. And what cleaning costs.

use crate::broker::fresh_topic;
use crate::server::{Kind, Server, Servers, Setup};
use crate::tail::{Connection, Tail, report};
use crate::{cpu, kafka};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Records of a batch, and bytes of a value.
const BATCH: (u64, usize) = (64, 1000);
/// Keys of a log.
const KEYS: u64 = 16_000;

/// What to measure.
#[derive(clap::Args, Clone)]
pub struct Args {
    #[command(flatten)]
    servers: Servers,
    /// Logs that are cleaned in each phase.
    #[arg(long, default_value_t = 2)]
    logs: usize,
    /// MB in each, all old but for the last value of each key.
    #[arg(long, default_value_t = 1000)]
    data: u64,
    #[command(flatten)]
    tail: Tail,
}

/// `compaction`: percentiles at the tail with and without, and the cleaner's CPU, for each server.
pub fn run(args: &Args) -> io::Result<()> {
    args.servers.kinds().iter().try_for_each(|kind| one(args, kind))
}

fn one(args: &Args, kind: &Kind) -> io::Result<()> {
    // Apache Kafka's cleaner looks for work only so often.
    let properties = vec![("log.cleaner.backoff.ms".into(), "100".to_owned())];
    let server = Server::start_in(kind, &args.servers.dir, &Setup { core: Some(0), properties, group: None })?;
    core_affinity::set_for_current(core_affinity::CoreId { id: 1 });
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let (mut cleaning, mut cleaner) = (Duration::ZERO, Duration::ZERO);
    for round in 0..=args.tail.rounds {
        let logs: Vec<_> = (0..args.logs).map(|n| fresh_topic(&format!("old{n}"))).collect();
        logs.iter().try_for_each(|log| fill(&server, log, args.data << 20))?;
        let before = used(&server)?;
        let quiet = args.tail.phase(server.address)?;
        let tail_alone = used(&server)?.saturating_sub(before);
        let before = used(&server)?;
        let watch = Watch::start(server.data(), logs.clone());
        kafka::set_topic_config(server.address, &logs, "cleanup.policy", "compact")?;
        let loud = args.tail.phase(server.address)?;
        let took = watch.join()?;
        let together = used(&server)?.saturating_sub(before);
        for log in &logs {
            kafka::delete_topic(server.address, log)?;
        }
        // The first round only warms up.
        if round > 0 {
            alone.push(quiet);
            beside.push(loud);
            cleaning += took;
            cleaner += together.saturating_sub(tail_alone);
        }
    }
    let gigabytes = (args.data << 20) as f64 / 1e9 * (args.logs * args.tail.rounds) as f64;
    let phases: f64 = beside.iter().map(|phase| phase.elapsed.as_secs_f64()).sum();
    println!(
        "{}: {:.2} GB cleaned in {:.2} s of the {phases:.1} s beside, {:.2} s of CPU more than alone: {:.2} s/GB",
        kind.name(),
        gigabytes,
        cleaning.as_secs_f64(),
        cleaner.as_secs_f64(),
        cleaner.as_secs_f64() / gigabytes
    );
    report(&alone, &beside, "the cleaner", 1.5)
}

/// CPU of the server so far, of threads that have ended too.
fn used(server: &Server) -> io::Result<Duration> {
    let (user, system) = cpu::user_and_system(server.pid())?;
    Ok(user + system)
}

/// A log whose segments are closed, but for the last.
fn fill(server: &Server, log: &str, bytes: u64) -> io::Result<()> {
    kafka::create_topic_with(server.address, log, 1, &[("segment.bytes", "104857600")])?;
    let frames: Vec<_> = (0..KEYS / BATCH.0)
        .map(|n| kafka::produce(log, 0, -1, kafka::keyed_batch(n * BATCH.0, BATCH.0, BATCH.1)))
        .collect::<io::Result<_>>()?;
    let mut connection = Connection::open(server.address)?;
    let (mut reply, mut written) = (Vec::new(), 0);
    for frame in frames.iter().cycle() {
        connection.call(frame, &mut reply)?;
        kafka::check_produced(&reply)?;
        written += frame.len() as u64;
        if written >= bytes {
            return Ok(());
        }
    }
    Ok(())
}

/// Looks when `cleaner-offset-checkpoint` tells that all logs were cleaned.
struct Watch(std::thread::JoinHandle<io::Result<Duration>>);

impl Watch {
    fn start(data: PathBuf, logs: Vec<String>) -> Self {
        let begun = Instant::now();
        Self(std::thread::spawn(move || {
            while !all_cleaned(&data, &logs) {
                if begun.elapsed() > Duration::from_secs(120) {
                    return Err(io::Error::other("not cleaned within two minutes"));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(begun.elapsed())
        }))
    }

    fn join(self) -> io::Result<Duration> {
        self.0.join().map_err(|_| io::Error::other("the watch panicked"))?
    }
}

fn all_cleaned(data: &Path, logs: &[String]) -> bool {
    let text = std::fs::read_to_string(data.join("cleaner-offset-checkpoint")).unwrap_or_default();
    let cleaned = |log: &String| text.lines().any(|line| line.strip_prefix(log.as_str()).is_some_and(far));
    logs.iter().all(cleaned)
}

/// What stands behind the topic: its partition, and up to where it is clean.
fn far(rest: &str) -> bool {
    rest.split(' ').nth(2).and_then(|offset| offset.parse::<u64>().ok()).is_some_and(|offset| offset > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_cleaned_when_the_checkpoint_has_an_offset_for_each() {
        let dir = std::env::temp_dir().join(format!("bench-compaction-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let logs = ["one".to_owned(), "two".to_owned()];
        assert!(!all_cleaned(&dir, &logs));
        for (lines, cleaned) in [("one 0 12\n", false), ("one 0 12\ntwo 0 0\n", false), ("one 0 12\ntwo 0 7\n", true)] {
            std::fs::write(dir.join("cleaner-offset-checkpoint"), format!("0\n2\n{lines}")).unwrap();
            assert_eq!(all_cleaned(&dir, &logs), cleaned, "{lines}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
