//! Recovery of one log after an unclean stop, from the page cache: bytes a second on one core.

use clap::Args as ClapArgs;
use corelog::base::{Instant, Now, Offset, TimestampMs, TopicPartition};
use corelog::log::{LogConfig, Recovery, UnrecoveredLog};
use corelog::record::BatchBuilder;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to recover.
#[derive(ClapArgs)]
pub struct Args {
    /// A directory for the log; it is removed afterwards.
    #[arg(long, default_value = "/tmp/corelog-bench-recovery")]
    dir: PathBuf,
    /// Bytes of the segment.
    #[arg(long, default_value_t = 1_000_000_000)]
    bytes: u64,
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 1000)]
    value: usize,
    /// Records in a batch.
    #[arg(long, default_value_t = 16)]
    records: usize,
    /// How often it is recovered; the first time warms up.
    #[arg(long, default_value_t = 4)]
    runs: usize,
}

/// Writes the segment, recovers it, prints the rate of each run.
pub fn run(args: &Args) -> io::Result<()> {
    let log = args.dir.join("t-0");
    let _ = fs::remove_dir_all(&args.dir);
    fs::create_dir_all(&log)?;
    let (bytes, end) = write_segment(&log.join(format!("{:020}.log", 0)), args)?;
    for run in 0..args.runs {
        let begun = std::time::Instant::now();
        let now = Now { mono: Instant(0), wall: TimestampMs(0) };
        let recovery = Recovery { clean: false, recovery_point: Offset::ZERO, log_start: Offset::ZERO };
        let config = LogConfig { segment_bytes: u32::MAX / 2, ..LogConfig::default() };
        let recovered =
            UnrecoveredLog::open(log.clone(), TopicPartition::new("t", 0), config)?.recover(recovery, now)?;
        let took = begun.elapsed().as_secs_f64();
        if recovered.end_offset() != end {
            return Err(io::Error::other(format!("it ends at {}, not {end}", recovered.end_offset())));
        }
        if run > 0 {
            println!(
                "recovery: {:.2} GB/s on one core ({bytes} bytes in {took:.3} s; goal: 1)",
                bytes as f64 / took / 1e9
            );
        }
    }
    fs::remove_dir_all(&args.dir)
}

fn write_segment(path: &Path, args: &Args) -> io::Result<(u64, Offset)> {
    let mut file = io::BufWriter::new(fs::File::create(path)?);
    let (mut written, mut next) = (0, Offset::ZERO);
    let value = vec![b'v'; args.value];
    while written < args.bytes {
        let mut builder = BatchBuilder::new(next);
        for _ in 0..args.records.max(1) {
            builder.append(TimestampMs(1), None, Some(&value), &[]);
        }
        let batch = builder.build();
        file.write_all(&batch)?;
        written += batch.len() as u64;
        next = next.plus(args.records.max(1) as i64);
    }
    file.into_inner()?.sync_all()?;
    Ok((written, next))
}
