//! Which old snapshots and segments of the metadata log go (`KafkaMetadataLog.maybeClean`): as long as log and
//! snapshots are too large, or the oldest snapshot is too old, the log begins at the end of the next one. The newest
//! snapshot always stays.

use super::snapshots::{DELETED_SUFFIX, SnapshotFile};
use super::{MetadataLog, SnapshotId};
use crate::base::{Now, Offset, TimestampMs};
use crate::log::deleted::{Snapshots, rename_segments};
use crate::ring::fs;
use std::io;
use std::path::PathBuf;

/// What goes, already out of the log's and the snapshots' lists.
#[derive(Debug)]
pub struct Shortening {
    dir: PathBuf,
    segments: Vec<Offset>,
    snapshots: Vec<SnapshotId>,
}

impl Shortening {
    /// Renames the files; gives their new names, to be removed after a delay. Blocking.
    pub fn run(self) -> io::Result<Vec<PathBuf>> {
        let mut renamed = rename_segments(&self.dir, &self.segments, Snapshots::Go)?;
        for id in self.snapshots {
            let (from, to) = (self.dir.join(id.file_name()), self.dir.join(id.file_name() + DELETED_SUFFIX));
            match fs::rename_unsynced(&from, &to) {
                Ok(()) => renamed.push(to),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(renamed)
    }
}

impl MetadataLog {
    /// Lets the log begin later where its bounds ask for it.
    pub fn shorten(&mut self, now: Now) -> Option<Shortening> {
        let limits = Limits { bytes: self.config.retention_bytes, ms: self.config.retention_ms };
        let segments: Vec<_> = self.log.segment_sizes().collect();
        let start = new_start(&self.snapshots, &segments, self.log.start_offset(), limits, now.wall)?;
        self.log.increment_start_offset(start);
        let whole = self.log.expired(self.log.end_offset(), now).map_or(0, |expired| expired.segments);
        let segments = self.log.remove_oldest(whole);
        let (old, kept) = std::mem::take(&mut self.snapshots).into_iter().partition(|s| s.id.end_offset < start);
        self.snapshots = kept;
        let old: Vec<SnapshotFile> = old;
        let snapshots: Vec<_> = old.into_iter().map(|snapshot| snapshot.id).collect();
        tracing::info!(
            "the metadata log begins at offset {start} now: {} segments and {} snapshots go",
            segments.len(),
            snapshots.len()
        );
        Some(Shortening { dir: self.dir.clone(), segments, snapshots })
    }
}

/// `metadata.max.retention.*`; negative for no limit.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: i64,
    ms: i64,
}

/// Where the log begins when old snapshots go; `None` where none has to. `segments` are base offsets and sizes.
fn new_start(
    snapshots: &[SnapshotFile],
    segments: &[(Offset, u64)],
    start: Offset,
    limits: Limits,
    now: TimestampMs,
) -> Option<Offset> {
    let log_size = |start: Offset| -> u64 {
        let ends = segments.iter().skip(1).map(|(base, _)| *base).chain([Offset(i64::MAX)]);
        segments.iter().zip(ends).filter(|(_, end)| *end > start).map(|((_, size), _)| size).sum()
    };
    let mut at = start;
    let mut left = snapshots;
    while let [oldest, rest @ ..] = left {
        let Some(next) = rest.first().filter(|next| next.id.end_offset > at) else { break };
        let bytes = left.iter().map(|snapshot| snapshot.bytes).sum::<u64>() + log_size(at);
        let too_large = u64::try_from(limits.bytes).is_ok_and(|limit| bytes > limit);
        let too_old = limits.ms >= 0 && now.0.saturating_sub(oldest.last_timestamp.0) > limits.ms;
        if !too_large && !too_old {
            break;
        }
        (at, left) = (next.id.end_offset, rest);
    }
    (at > start).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LeaderEpoch;

    fn snapshot(end: i64, at_ms: i64) -> SnapshotFile {
        let id = SnapshotId { end_offset: Offset(end), epoch: LeaderEpoch(1) };
        SnapshotFile { id, bytes: 10, last_timestamp: TimestampMs(at_ms) }
    }

    #[test]
    fn the_log_begins_at_the_oldest_snapshot_that_size_and_age_allow() {
        let snapshots = [snapshot(100, 1), snapshot(200, 2), snapshot(300, 3)];
        let segments = [(Offset(0), 1000), (Offset(150), 1000), (Offset(250), 1000)];
        let start =
            |bytes, ms, now| new_start(&snapshots, &segments, Offset(0), Limits { bytes, ms }, TimestampMs(now));
        assert_eq!(start(-1, -1, 1_000_000), None);
        assert_eq!(start(3030, -1, 0), None, "just as large as allowed");
        // Without the first snapshot and the segments below 200: 20 + 2000.
        assert_eq!(start(3029, -1, 0), Some(Offset(200)));
        assert_eq!(start(2020, -1, 0), Some(Offset(200)));
        assert_eq!(start(2019, -1, 0), Some(Offset(300)));
        assert_eq!(start(0, -1, 0), Some(Offset(300)), "the newest snapshot stays");
        assert_eq!(start(-1, 10, 11), None);
        assert_eq!(start(-1, 10, 12), Some(Offset(200)));
        assert_eq!(start(-1, 10, 1000), Some(Offset(300)));
        assert_eq!(start(2020, 10, 13), Some(Offset(300)), "size first, then age");
    }

    #[test]
    fn a_log_with_one_snapshot_stays_whole() {
        let limits = Limits { bytes: 0, ms: 0 };
        let one = [snapshot(100, 1)];
        assert_eq!(new_start(&one, &[(Offset(0), 1000)], Offset(0), limits, TimestampMs(9)), None);
        assert_eq!(new_start(&[], &[(Offset(0), 1000)], Offset(0), limits, TimestampMs(9)), None);
        let two = [snapshot(50, 1), snapshot(100, 1)];
        assert_eq!(new_start(&two, &[(Offset(100), 9)], Offset(100), limits, TimestampMs(9)), None, "it begins there");
    }
}
