//! `end-to-end`.

use super::tail::{Phase, Tail};
use super::{Ground, Measured, Unit, Work};
use crate::load::Gate;
use crate::schedule::Share;
use crate::target::Target;
use std::io;
use std::time::Duration;

/// Flags of `end-to-end`.
#[derive(clap::Args, Clone, Debug)]
pub struct EndToEnd {
    /// Records a second in all, each a request of its own.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Bytes of a record.
    #[arg(long, default_value_t = 1000)]
    record: usize,
    /// Pairs of a producer and a consumer, each with a topic of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pairs: u64,
    /// Seconds that are measured; a quarter more before them warms up.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

impl EndToEnd {
    /// All pairs at once.
    fn phase(&self, on: &Target, pairs: u64, rate: u64, seconds: f64) -> io::Result<Phase> {
        let tail = Tail {
            rate: (rate / pairs.max(1)).max(1),
            record: self.record,
            time: Duration::from_secs_f64(seconds.max(0.1)),
        };
        let address = on.address;
        let threads: Vec<_> = (0..pairs.max(1)).map(|_| std::thread::spawn(move || tail.phase(address))).collect();
        let mut all: Option<Phase> = None;
        for thread in threads {
            let phase = thread.join().map_err(|_| io::Error::other("a pair panicked"))??;
            match &mut all {
                None => all = Some(phase),
                Some(all) => all.add(&phase)?,
            }
        }
        all.ok_or_else(|| io::Error::other("no pair"))
    }
}

impl Work for EndToEnd {
    fn load(&self, on: &Target, _: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let ((_, pairs), (_, rate)) = (share.part(self.pairs), share.part(self.rate));
        gate.connected()?;
        self.phase(on, pairs, rate, self.seconds / 4.0)?;
        gate.measuring()?;
        Ok(self.phase(on, pairs, rate, self.seconds)?.measured(self.record))
    }

    fn unit(&self) -> Unit {
        Unit::Requests
    }

    fn divides(&self) -> bool {
        true
    }

    fn open_loop(&self) -> bool {
        true
    }
}
