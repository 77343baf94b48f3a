//! The broker dies at every step of the exchange of files: a start finishes it or undoes it, and nothing is lost.

use super::support::*;
use crate::base::{Offset, TimestampMs};
use crate::log::Recovery;
use crate::log::cleaner::{Round, RoundStep};
use crate::log::files::FileKind;
use crate::log::replace::Replacement;
use crate::record::BatchBuilder;
use std::path::Path;

/// A log of several segments in `dir`, and the replacement of the first of them, ready to be swapped in.
fn prepared(dir: &Path) -> (crate::log::Log, Replacement, Round) {
    let mut log = open(dir, &config(4000), CLEAN);
    for i in 0..120 {
        let mut builder = BatchBuilder::new(Offset(0));
        for key in 0..3 {
            let (key, value) = (format!("k{}", (i + key) % 7), format!("value {i}"));
            builder.append(TimestampMs(NOW_MS + i), Some(key.as_bytes()), Some(value.as_bytes()), &[]);
        }
        append(&mut log, builder.build());
    }
    flush(&mut log);
    // The first round makes segments small, the second merges them.
    let cleaned = clean(&mut log, None, NOW_MS);
    for i in 0..30 {
        append(&mut log, batch(1, 200, 100 + i));
    }
    flush(&mut log);
    let mut round = Round::new(plan(&log, Some(cleaned), NOW_MS));
    loop {
        if let RoundStep::Swap(replacement) = round.step(1 << 20).unwrap() {
            assert!(replacement.old.len() > 1, "several become one");
            return (log, *replacement, round);
        }
    }
}

#[test]
fn a_crash_at_any_step_of_the_swap_loses_nothing() {
    let (before, after, steps) = {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, replacement, _) = prepared(dir.path());
        let (before, steps) = (told(&mut log), replacement.steps().len());
        assert!(log.begin_replace(&replacement));
        replacement.swap().unwrap();
        log.complete_replace(replacement);
        (before, told(&mut log), steps)
    };
    assert_ne!(before, after);
    let mut finished = 0;
    for done in 0..=steps {
        let dir = tempfile::tempdir().unwrap();
        let (log, replacement, _) = prepared(dir.path());
        replacement.steps().iter().take(done).for_each(|step| step.perform().unwrap());
        let recovery_point = log.flushed_offset();
        let end = log.end_offset();
        drop(log);
        for start in 0..2 {
            let recovery = Recovery { clean: false, recovery_point, log_start: Offset(0) };
            let mut log = open(dir.path(), &config(4000), recovery);
            let found = told(&mut log);
            assert!(found == before || found == after, "{done} steps, start {start}: {found:?}");
            finished += usize::from(start == 0 && found == after);
            assert_eq!(log.end_offset(), end, "{done} steps");
            let left: Vec<_> = names(log.dir());
            let odd = |n: &String| [".cleaned", ".swap", ".deleted"].iter().any(|suffix| n.ends_with(suffix));
            assert!(!left.iter().any(odd), "{done} steps: {left:?}");
            let logs = left.iter().filter(|n| n.ends_with(".log")).count();
            assert_eq!(logs, log.segment_count(), "{done} steps: no segment is there twice");
        }
    }
    assert!(
        finished > 5 && finished < steps,
        "undone before the new files are named .swap, finished after: {finished}"
    );
}

#[test]
fn a_crash_while_the_new_segment_is_written_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, replacement, _) = prepared(dir.path());
    let before = told(&mut log);
    let cleaned = crate::log::replace::with_suffix(
        FileKind::Log.path(log.dir(), replacement.old[0].base),
        crate::log::files::CLEANED_SUFFIX,
    );
    let half = std::fs::read(&cleaned).unwrap();
    std::fs::write(&cleaned, &half[..half.len() / 2]).unwrap();
    drop(log);
    let mut log = open(dir.path(), &config(4000), UNCLEAN);
    assert_eq!(told(&mut log), before);
    assert!(!cleaned.exists());
    let upto = clean(&mut log, None, NOW_MS);
    assert_eq!(upto, log.active_base(), "and the next round does it all");
}
