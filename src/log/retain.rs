//! Retention: which of the oldest segments may go, by the log start offset, by size and by time
//! (`UnifiedLog.deleteOldSegments`). The decision is pure; what it needs of files that nobody has looked into since the
//! start is read beforehand, off the shard.

use super::core::Log;
use super::files::FileKind;
use super::index::{Entry, TimeEntry};
use crate::base::{Now, Offset, TimestampMs};
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Why segments go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// All their records lie before the log start offset.
    StartOffset,
    /// The log is larger than `retention.bytes` without them.
    Size,
    /// Their youngest record is older than `retention.ms`.
    Time,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::StartOffset => "the log start offset has passed them",
            Self::Size => "retention.bytes",
            Self::Time => "retention.ms",
        })
    }
}

/// What retention may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// So many of the oldest segments.
    pub segments: usize,
    /// The active one is among them: the log has to roll first.
    pub all: bool,
    /// The last reason that applied.
    pub why: Breach,
}

/// How old a segment is: by its largest timestamp, or, where its records have none, by when its file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    base: Offset,
    largest: Option<TimeEntry>,
    modified: TimestampMs,
}

/// Ages to be read from files. Borrows nothing of the log.
#[derive(Debug)]
pub struct AgeLook {
    dir: Arc<Path>,
    /// Base offset and how many entries the time index file has, oldest first.
    segments: Vec<(Offset, u32)>,
    /// A segment that is not older than this ends the search.
    oldest_kept: TimestampMs,
}

impl AgeLook {
    /// Reads them, as far as they matter. Blocking.
    pub fn run(self) -> io::Result<Vec<Age>> {
        let mut ages = Vec::new();
        for (base, entries) in self.segments {
            let largest = last_time(&FileKind::TimeIndex.path(&self.dir, base), entries, base)?;
            let modified = TimestampMs(fs::mtime_ms(&FileKind::Log.path(&self.dir, base))?);
            let age = Age { base, largest, modified };
            ages.push(age);
            if age.time() >= self.oldest_kept {
                break;
            }
        }
        Ok(ages)
    }
}

impl Age {
    fn time(&self) -> TimestampMs {
        self.largest.map_or(self.modified, |entry| entry.timestamp)
    }
}

/// The last entry of a time index; none where it has no entry with a timestamp.
fn last_time(path: &Path, entries: u32, base: Offset) -> io::Result<Option<TimeEntry>> {
    let Some(last) = entries.checked_sub(1) else { return Ok(None) };
    let mut bytes = [0; TimeEntry::SIZE];
    let read = File::open(path, OpenMode::Read)?.read_at(&mut bytes, u64::from(last) * TimeEntry::SIZE as u64)?;
    let whole = (read == TimeEntry::SIZE).then(|| TimeEntry::parse(&bytes, base));
    Ok(whole.filter(|entry| entry.timestamp.0 >= 0))
}

impl Log {
    /// What has to be read before [`Self::expired`] can judge by time; `None` where all it needs is known.
    pub fn look_at_ages(&self, now: Now) -> Option<AgeLook> {
        let limit = self.retention_ms()?;
        let oldest_kept = TimestampMs(now.wall.0.saturating_sub(limit));
        let active = self.segments.len() - 1;
        let known = |at: usize| if at == active { self.segments[at].largest_time() } else { self.segments[at].age() };
        let old = (0..=active).take_while(|at| known(*at).is_none_or(|time| time < oldest_kept));
        // A closed segment without a record was compacted: it goes by when its file was written.
        let unknown = old.filter(|at| known(*at).is_none() && (self.segments[*at].written.size > 0 || *at != active));
        let segments: Vec<_> =
            unknown.map(|at| (self.segments[at].base, self.segments[at].time_index.entries_on_disk())).collect();
        (!segments.is_empty()).then(|| AgeLook { dir: self.dir.clone(), segments, oldest_kept })
    }

    /// Takes what was read.
    pub fn note_ages(&mut self, ages: &[Age]) {
        for segment in &mut self.segments {
            if let Some(age) = ages.iter().find(|age| age.base == segment.base) {
                segment.modified = Some(age.modified);
                if let (Some(largest), true) = (age.largest, segment.largest_time().is_none()) {
                    segment.written.max_time = largest;
                }
            }
        }
    }

    /// The oldest segments that may go, at most up to the high watermark. `None`: nothing to do.
    pub fn expired(&self, high_watermark: Offset, now: Now) -> Option<Expired> {
        let mut found = None;
        let mut segments = 0;
        for why in [Breach::StartOffset, Breach::Size, Breach::Time] {
            let more = self.expired_after(segments, why, high_watermark, now);
            if more > segments {
                (segments, found) = (more, Some(why));
            }
        }
        found.map(|why| Expired { segments, all: segments == self.segments.len(), why })
    }

    /// How many may go when `gone` go already.
    fn expired_after(&self, gone: usize, why: Breach, high_watermark: Offset, now: Now) -> usize {
        let config = &self.config;
        let sizes = |range| self.segments.range(range).map(|s| u64::from(s.written.size)).sum::<u64>();
        let mut excess = match why {
            Breach::Size if !config.delete || config.retention_bytes < 0 => return gone,
            Breach::Size => sizes(gone..self.segments.len()).saturating_sub(config.retention_bytes.unsigned_abs()),
            Breach::StartOffset | Breach::Time => 0,
        };
        let last = self.segments.len() - 1;
        let mut count = gone;
        for (at, segment) in self.segments.iter().enumerate().skip(gone) {
            let next = self.segments.get(at + 1).map(|s| s.base);
            let size = u64::from(segment.written.size);
            let goes = match why {
                Breach::StartOffset => next.is_some_and(|next| next <= self.start),
                Breach::Size => excess >= size,
                Breach::Time => self
                    .retention_ms()
                    .is_some_and(|limit| segment.age().is_some_and(|age| now.wall.0.saturating_sub(age.0) > limit)),
            };
            let empty_end = at == last && (size == 0 || !self.queue.is_empty() || self.writing);
            if !goes || empty_end || high_watermark < next.unwrap_or(self.end_offset()) {
                break;
            }
            excess = excess.saturating_sub(size);
            count = at + 1;
        }
        count
    }

    /// `retention.ms` where it acts.
    fn retention_ms(&self) -> Option<i64> {
        (self.config.delete && self.config.retention_ms >= 0).then_some(self.config.retention_ms)
    }

    /// Queues the roll of the active segment, so that it can go too. Nothing may be queued or out.
    pub fn roll(&mut self, now: Now) {
        if self.queue.is_empty() && !self.writing && self.active().written.size > 0 {
            self.accept_roll(self.end_offset(), now.wall);
        }
    }

    /// Takes the oldest `count` segments, never the active one, out of the log, which begins after them then. Gives
    /// their base offsets, for [`delete_segments`](super::deleted::delete_segments); none while compacted segments take
    /// the place of others.
    pub fn remove_oldest(&mut self, count: usize) -> Vec<Offset> {
        if self.is_replacing() {
            return Vec::new();
        }
        let count = count.min(self.segments.len() - 1);
        let removed: Vec<Offset> = self.segments.drain(..count).map(|s| s.base).collect();
        if let (false, Some(first)) = (removed.is_empty(), self.segments.front()) {
            let start = first.base;
            self.hints.forget_before(start);
            self.increment_start_offset(start);
        }
        removed
    }
}
