//! `compaction`: the tail beside compaction: producers and consumers of other topics, while logs full of old values of few
//! keys are cleaned. And what cleaning costs.

use super::tail::{Connection, Tail, compared};
use super::{Ground, Measured, Unit, Work};
use crate::kafka;
use crate::load::Gate;
use crate::schedule::Share;
use crate::target::Target;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Records of a batch, and bytes of a value.
const BATCH: (u64, usize) = (64, 1000);
/// Keys of a log.
const KEYS: u64 = 16_000;

/// Flags of `compaction`.
#[derive(clap::Args, Clone, Debug)]
pub struct Compaction {
    /// Records a second at the tail, each a request of its own.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Bytes of a record there.
    #[arg(long, default_value_t = 1000)]
    record: usize,
    /// Seconds of each phase: alone, then beside the cleaner.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Logs that are cleaned.
    #[arg(long, default_value_t = 2)]
    logs: usize,
    /// MB in each, all old but for the last value of each key.
    #[arg(long, default_value_t = 1000)]
    data: u64,
}

impl Work for Compaction {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let topics: Vec<_> = (0..self.logs).map(|n| kafka::fresh_topic(&format!("old{n}"))).collect();
        topics.iter().try_for_each(|log| fill(on.address, log, self.data << 20))?;
        Ok(Ground { topics })
    }

    fn load(&self, on: &Target, ground: &Ground, _: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let data = on.data.clone().ok_or_else(|| io::Error::other("compaction only on a server of our own"))?;
        let tail = Tail { rate: self.rate, record: self.record, time: Duration::from_secs_f64(self.seconds) };
        gate.connected()?;
        let before = on.gauge.read()?;
        let alone = tail.phase(on.address)?;
        let tail_alone = on.gauge.read()?.since(before).cpu.unwrap_or(f64::NAN);
        gate.measuring()?;
        let before = on.gauge.read()?;
        let watch = Watch::start(data, ground.topics.clone());
        kafka::set_topic_config(on.address, &ground.topics, "cleanup.policy", "compact")?;
        let beside = tail.phase(on.address)?;
        let took = watch.join()?;
        let together = on.gauge.read()?.since(before).cpu.unwrap_or(f64::NAN);
        let gigabytes = (self.data << 20) as f64 / 1e9 * self.logs as f64;
        Ok(compared(&alone, &beside, beside.measured(self.record))
            .with("cleaned GB", gigabytes)
            .with("cleaning s", took.as_secs_f64())
            .with("cleaning CPU s/GB", (together - tail_alone).max(0.0) / gigabytes))
    }

    fn properties(&self) -> Vec<(&'static str, &'static str)> {
        // Apache Kafka's cleaner looks for work only so often.
        vec![("log.cleaner.backoff.ms", "100")]
    }

    fn unit(&self) -> Unit {
        Unit::Time
    }

    fn open_loop(&self) -> bool {
        true
    }
}

/// A log whose segments are closed, but for the last.
fn fill(address: SocketAddr, log: &str, bytes: u64) -> io::Result<()> {
    let segment = (bytes / 4).clamp(1 << 20, 100 << 20);
    kafka::create_topic_with(address, log, 1, &[("segment.bytes", &segment.to_string())])?;
    let frames: Vec<_> = (0..KEYS / BATCH.0)
        .map(|n| kafka::produce(log, 0, -1, kafka::keyed_from(n * BATCH.0, KEYS, BATCH.0 as usize, BATCH.1)))
        .collect::<io::Result<_>>()?;
    let mut connection = Connection::open(address)?;
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
