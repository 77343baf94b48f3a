//! Closing the logs of a stop, so many at a time in each directory (`num.recovery.threads.per.data.dir`). Blocking.

use super::close::{Closed, Loose};
use super::core::Log;
use super::dir::{CheckpointEntry, LogDir};
use super::dirs::LogDirs;
use crate::base::{Offset, TopicPartition};
use crate::ring::parallel;
use std::io;

/// With more files than this to sync, the whole file system is synced instead: it costs one journal commit.
const SYNCS_ONE_BY_ONE_MAX: usize = 200;

/// An open log and its high watermark.
type Open = (Log, Offset);

impl LogDirs {
    /// Closes logs cleanly, each with its high watermark, and notes their offsets. A directory of which any could not
    /// be closed will not be marked as cleanly closed.
    pub fn close_all(&self, logs: Vec<Open>, threads: usize) {
        let mut by_dir: Vec<(&LogDir, Vec<Open>)> = self.dirs().iter().map(|dir| (dir, Vec::new())).collect();
        for (log, high_watermark) in logs {
            let of_dir = by_dir.iter_mut().find(|(dir, _)| log.dir().parent() == Some(dir.path()));
            if let Some((_, of_dir)) = of_dir {
                of_dir.push((log, high_watermark));
            }
        }
        parallel::for_each(by_dir.len(), by_dir, |(dir, logs)| {
            let finished = parallel::for_each(threads, logs, |log| finish(dir, log));
            let (entries, loose): (Vec<_>, Vec<_>) = finished.into_iter().flatten().unzip();
            match sync(dir, loose, threads) {
                Ok(()) => entries.into_iter().for_each(|entry| dir.set_checkpoint(entry)),
                Err(e) => {
                    tracing::error!("log dir {}: syncing the closed logs failed: {e}", dir.path().display());
                    dir.leave_unclean();
                }
            }
        });
    }
}

fn finish(dir: &LogDir, (log, high_watermark): Open) -> Option<(CheckpointEntry, Loose)> {
    let name: TopicPartition = log.partition().clone();
    match log.finish() {
        Ok((Closed { recovery_point, start_offset }, loose)) => {
            let entry = CheckpointEntry { partition: name, recovery_point, log_start: start_offset, high_watermark };
            Some((entry, loose))
        }
        Err(e) => {
            tracing::error!("{name}: closing the log failed: {e}");
            dir.leave_unclean();
            None
        }
    }
}

fn sync(dir: &LogDir, loose: Vec<Loose>, threads: usize) -> io::Result<()> {
    if loose.iter().map(Loose::count).sum::<usize>() > SYNCS_ONE_BY_ONE_MAX {
        return dir.sync_file_system();
    }
    parallel::for_each(threads, loose, |one| one.sync()).into_iter().collect()
}
