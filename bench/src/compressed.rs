//! Compressed batches as the broker takes them: looked into, as Apache Kafka does, and trusted
//! (`corelog.produce.trust.compressed`), in turn, for each codec.

use crate::campaign::workload_of;
use crate::cpu;
use crate::kafka::{self, Codec};
use crate::load::on_last_core;
use crate::schedule::Share;
use crate::server::{Kind, Server, Setup};
use crate::target::Meter;
use clap::ValueEnum;
use std::io;
use std::path::PathBuf;

/// What to measure.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// corelog.
    #[arg(long, default_value = "target/release/corelog")]
    binary: PathBuf,
    /// Where log dirs shall lie.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Bytes of a batch before it is packed.
    #[arg(long, default_value_t = 256 << 10)]
    size: usize,
    /// MB of text, before it is packed, in each run.
    #[arg(long, default_value_t = 250)]
    data: u64,
    /// Runs of each, in turn.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// `compressed`: CPU of the broker for a GB of unpacked text, medians.
pub fn run(args: &Args) -> io::Result<()> {
    on_last_core();
    println!("broker CPU for a GB of text in batches of {} KiB, medians of {}:", args.size >> 10, args.runs);
    for codec in std::iter::once(None).chain(Codec::value_variants().iter().copied().map(Some)) {
        let (mut checked, mut trusted) = (Vec::new(), Vec::new());
        for run in 0..=args.runs {
            let (one, other) = (once(args, codec, false)?, once(args, codec, true)?);
            // The first run only warms up.
            if run > 0 {
                checked.push(one);
                trusted.push(other);
            }
        }
        let (checked, trusted) = (cpu::median(&mut checked), cpu::median(&mut trusted));
        let packed = codec.map(|codec| kafka::packed_text(args.size, 1000, codec)).transpose()?;
        let share = packed.map_or(1.0, |(batch, _)| batch.len() as f64 / args.size as f64);
        println!("  {:<6} packed to {share:.2}: checked {checked:.2} s/GB, trusted {trusted:.2} s/GB", name(codec));
    }
    Ok(())
}

fn once(args: &Args, codec: Option<Codec>, trust: bool) -> io::Result<f64> {
    let properties = vec![("corelog.produce.trust.compressed".into(), trust.to_string())];
    let setup = Setup { cores: Some(1), properties, group: None };
    let server = Server::start_in(&Kind::Corelog(args.binary.clone()), &args.dir, &setup)?;
    let requests = (args.data << 20) / args.size as u64;
    let mut flags = vec!["produce".to_owned(), "--closed".to_owned(), "--in-flight=2".to_owned()];
    flags.extend([format!("--size={}", args.size), format!("--requests={requests}")]);
    flags.extend(codec.map(|codec| format!("--compression={}", name(Some(codec)))));
    let workload = workload_of(&flags).map_err(io::Error::other)?;
    let target = server.target();
    let ground = workload.work().prepare(&target)?;
    let meter = Meter::new(&target.gauge);
    let measured = workload.work().load(&target, &ground, Share::WHOLE, &meter)?;
    Ok(meter.end()?.cpu.unwrap_or(f64::NAN) / (measured.requests * args.size as u64) as f64 * 1e9)
}

fn name(codec: Option<Codec>) -> String {
    codec.map_or("none".to_owned(), |codec| format!("{codec:?}").to_lowercase())
}
