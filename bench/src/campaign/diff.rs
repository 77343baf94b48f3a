//! Two files of runs: what got better or worse beyond noise.

use super::result::{self, Run, Series, Spread};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A change of the median below this share is noise, whatever the runs say.
const NOISE: f64 = 0.05;

/// Arguments of `diff`.
#[derive(clap::Args)]
pub struct DiffArgs {
    /// The runs before (JSON lines of `campaign`).
    before: PathBuf,
    /// The runs after.
    after: PathBuf,
    /// Ends with status 1 where a median is worse by more than this factor beyond noise.
    #[arg(long)]
    worse_by: Option<f64>,
}

/// What became of one figure. Smaller is better in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    Same,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::Same => "the same within noise",
        })
    }
}

/// Beyond noise: the medians differ by more than [`NOISE`], and no run of one lies among the runs of the other.
fn verdict(before: Spread, after: Spread) -> Verdict {
    let change = after.median / before.median - 1.0;
    if change > NOISE && after.min > before.max {
        Verdict::Worse
    } else if change < -NOISE && after.max < before.min {
        Verdict::Better
    } else {
        Verdict::Same
    }
}

type Figure = (&'static str, fn(&Run) -> f64);
const FIGURES: &[Figure] = &[
    ("CPU", Run::cost),
    ("p50", |run| run.latency(50.0)),
    ("p99", |run| run.latency(99.0)),
    ("p99.9", |run| run.latency(99.9)),
    ("RSS", Run::rss_mb),
];

/// `diff`: prints each figure that both files have.
pub fn run(args: &DiffArgs) -> io::Result<()> {
    let (before, after) = (result::read(&args.before)?, result::read(&args.after)?);
    if before[0].machine != after[0].machine {
        println!("not the same machine or settings: only ratios between servers of one file mean something");
    }
    let (before, after) = (result::series(&before), result::series(&after));
    let mut far_off = Vec::new();
    for old in &before {
        let same = |new: &&Series<'_>| new.workload == old.workload && new.server == old.server;
        let Some(new) = after.iter().find(same) else {
            println!("{} on {}: only in the first file", old.workload, old.server);
            continue;
        };
        for (name, figure) in FIGURES {
            let (then, now) = (old.spread(figure), new.spread(figure));
            let verdict = verdict(then, now);
            let ratio = now.median / then.median;
            println!(
                "{} on {}, {name}: {:.4} -> {:.4} ({ratio:.2} x) {verdict}",
                old.workload, old.server, then.median, now.median
            );
            if verdict == Verdict::Worse && args.worse_by.is_some_and(|limit| ratio > limit) {
                far_off.push(format!("{} on {}, {name}: {ratio:.2} x", old.workload, old.server));
            }
        }
    }
    if far_off.is_empty() { Ok(()) } else { Err(io::Error::other(format!("worse: {}", far_off.join("; ")))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_beyond_noise_is_called_a_change() {
        let spread = |min, median, max| Spread { median, min, max };
        let before = spread(0.9, 1.0, 1.1);
        assert_eq!(verdict(before, spread(1.05, 1.2, 1.3)), Verdict::Same, "runs overlap");
        assert_eq!(verdict(before, spread(1.15, 1.2, 1.3)), Verdict::Worse);
        assert_eq!(verdict(before, spread(0.7, 0.8, 0.85)), Verdict::Better);
        assert_eq!(verdict(spread(1.0, 1.0, 1.0), spread(1.04, 1.04, 1.04)), Verdict::Same, "too little");
        assert_eq!(verdict(spread(f64::NAN, f64::NAN, f64::NAN), before), Verdict::Same);
    }
}
