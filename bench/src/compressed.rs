//! Compressed batches as the broker takes them: looked into, as Apache Kafka does, and trusted
//! (`corelog.produce.trust.compressed`), in turn, for each codec.

use crate::broker::{self, LoadArgs};
use crate::cpu;
use crate::kafka::{self, Codec};
use crate::server::{Kind, Server, Setup};
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
    let batches: Vec<_> = Codec::value_variants()
        .iter()
        .map(|codec| Ok((Some(*codec), kafka::packed_text(args.size, *codec)?)))
        .collect::<io::Result<_>>()?;
    let plain = (None, broker::batch_of(args.size));
    println!("broker CPU for a GB of text in batches of {} KiB, medians of {}:", args.size >> 10, args.runs);
    for (codec, batch) in std::iter::once(&plain).chain(&batches) {
        let (mut checked, mut trusted) = (Vec::new(), Vec::new());
        for run in 0..=args.runs {
            let (one, other) = (once(args, batch, false)?, once(args, batch, true)?);
            // The first run only warms up.
            if run > 0 {
                checked.push(one);
                trusted.push(other);
            }
        }
        let (checked, trusted) = (cpu::median(&mut checked), cpu::median(&mut trusted));
        let name = codec.map_or("none".to_owned(), |codec| format!("{codec:?}").to_lowercase());
        let share = batch.len() as f64 / args.size as f64;
        println!("  {name:<6} packed to {share:.2}: checked {checked:.2} s/GB, trusted {trusted:.2} s/GB");
    }
    Ok(())
}

fn once(args: &Args, batch: &bytes::Bytes, trust: bool) -> io::Result<f64> {
    let properties = vec![("corelog.produce.trust.compressed".into(), trust.to_string())];
    let server = Server::start_in(
        &Kind::Corelog(args.binary.clone()),
        &args.dir,
        &Setup { core: Some(0), properties, group: None },
    )?;
    let requests = (args.data << 20) / args.size as u64;
    let load = LoadArgs::closed_loop(server.address, server.pid(), args.size, requests);
    let figure = load.produce(4, batch)?;
    Ok(figure.cpu.as_secs_f64() / (requests * args.size as u64) as f64 * 1e9)
}
