//! One segment: its file, how far it is written, its indexes.

use super::config::LogConfig;
use super::files::FileKind;
use super::index::{Entry, Index, OffsetEntry, TimeEntry};
use crate::base::{Offset, TimestampMs};
use crate::ring::file::File;
use std::path::{Path, PathBuf};

/// What the log keeps of a batch between accepting and having written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMeta {
    /// Its first offset.
    pub base: Offset,
    /// Its last offset.
    pub last: Offset,
    /// Its size in bytes.
    pub size: u32,
    /// Its largest timestamp.
    pub max_timestamp: TimestampMs,
}

/// How far a segment has come: once as accepted, once as written. Both move by [`Tail::advance`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Bytes.
    pub size: u32,
    /// The offset after the last batch.
    pub next: Offset,
    /// Bytes since the last index entry.
    since_entry: u32,
    /// Entries of the offset index.
    offset_entries: u32,
    /// Entries of the time index.
    time_entries: u32,
    /// The timestamp of the last time index entry.
    last_time_entry: TimestampMs,
    /// The largest timestamp, with the last offset of the first batch that had it.
    pub max_time: TimeEntry,
    /// The largest timestamp of the first batch: what a roll by time counts from.
    pub first_timestamp: TimestampMs,
    /// When the segment was created or opened, for rolls by time without timestamps.
    pub created: TimestampMs,
}

/// The index entries a batch brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewEntries {
    /// For the offset index.
    pub offset: Option<OffsetEntry>,
    /// For the time index.
    pub time: Option<TimeEntry>,
}

impl Tail {
    /// An empty segment that begins at `base`.
    pub fn empty(base: Offset, created: TimestampMs) -> Self {
        Self {
            size: 0,
            next: base,
            since_entry: 0,
            offset_entries: 0,
            time_entries: 0,
            last_time_entry: TimestampMs::NONE,
            max_time: TimeEntry { timestamp: TimestampMs::NONE, offset: base },
            first_timestamp: TimestampMs::NONE,
            created,
        }
    }

    /// A segment found on disk, with `entries` (offset, time) in its index files and the last time entry.
    pub fn found(mut self, size: u32, next: Offset, entries: (u32, u32), max: Option<TimeEntry>) -> Self {
        self.size = size;
        self.next = next;
        (self.offset_entries, self.time_entries) = entries;
        if let Some(max) = max {
            self.max_time = max;
            self.last_time_entry = max.timestamp;
        }
        self
    }

    /// Goes past one batch (`LogSegment.append`): an entry is due once more than `interval` bytes went by.
    pub fn advance(&mut self, batch: &BatchMeta, interval: u32) -> NewEntries {
        let mut new = NewEntries::default();
        if self.size == 0 {
            self.first_timestamp = batch.max_timestamp;
        }
        if batch.max_timestamp > self.max_time.timestamp {
            self.max_time = TimeEntry { timestamp: batch.max_timestamp, offset: batch.last };
        }
        if self.since_entry > interval {
            new.offset = Some(OffsetEntry { offset: batch.last, position: self.size });
            self.offset_entries += 1;
            new.time = self.time_entry_due();
            self.since_entry = 0;
        }
        self.since_entry += batch.size;
        self.size += batch.size;
        self.next = batch.last.plus(1);
        new
    }

    /// The time index entry that is due when the segment is closed, or beside an offset entry.
    pub fn time_entry_due(&mut self) -> Option<TimeEntry> {
        let due = self.max_time.timestamp > self.last_time_entry;
        if due {
            self.last_time_entry = self.max_time.timestamp;
            self.time_entries += 1;
        }
        due.then_some(self.max_time)
    }

    /// `LogSegment.shouldRoll`: whether a batch of `size` bytes with these timestamps and last offset must begin a
    /// new segment. `base` is where this one begins.
    pub fn should_roll(&self, base: Offset, batch: &BatchMeta, config: &LogConfig, now: TimestampMs) -> bool {
        let waited = if self.first_timestamp.0 >= 0 {
            batch.max_timestamp.0.saturating_sub(self.first_timestamp.0)
        } else {
            now.0.saturating_sub(self.created.0)
        };
        let too_old = waited > config.segment_ms.saturating_sub(config.jitter_of(base));
        let too_big = u64::from(self.size) + u64::from(batch.size) > u64::from(config.segment_bytes);
        let index_full = self.offset_entries >= config.segment_index_bytes / OffsetEntry::SIZE as u32
            || self.time_entries >= (config.segment_index_bytes / TimeEntry::SIZE as u32).saturating_sub(1);
        let overflow = batch.last.since(base) > i64::from(i32::MAX);
        // An empty segment takes the batch whatever its size: another one would begin at the same offset.
        (self.size > 0 && (too_big || too_old || index_full)) || overflow
    }
}

/// What is known of a segment's transaction index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnIndexState {
    /// It is taken as it is; nobody looked yet.
    AsFound,
    /// The file has so many entries.
    Entries(u32),
    /// The segment holds markers, and the file may not know them.
    Stale,
}

/// One segment of a log.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The offset it is named after: none in it is smaller.
    pub base: Offset,
    /// Open once it was written or read; never needed while the log is idle.
    pub file: Option<File>,
    /// How far it is written. All of a closed segment.
    pub written: Tail,
    /// `.index`
    pub offset_index: Index,
    /// `.timeindex`
    pub time_index: Index,
    /// `.txnindex`
    pub txn_index: TxnIndexState,
    /// Its files are on the device, indexes included, and nothing will change them.
    pub synced: bool,
    /// When its file was last written, where retention has looked.
    pub modified: Option<TimestampMs>,
}

impl Segment {
    /// A segment whose file does not exist yet.
    pub fn new(base: Offset, created: TimestampMs) -> Self {
        Self {
            base,
            file: None,
            written: Tail::empty(base, created),
            offset_index: Index::default(),
            time_index: Index::default(),
            txn_index: TxnIndexState::Entries(0),
            synced: false,
            modified: None,
        }
    }

    /// The largest timestamp in it, if it is known and there is one.
    pub fn largest_time(&self) -> Option<TimestampMs> {
        Some(self.written.max_time.timestamp).filter(|time| time.0 >= 0)
    }

    /// What retention by time goes by: the largest timestamp, else when the file was written. `None`: not looked yet.
    pub fn age(&self) -> Option<TimestampMs> {
        self.largest_time().or(self.modified)
    }

    /// The path of its log file.
    pub fn path(&self, dir: &Path) -> PathBuf {
        FileKind::Log.path(dir, self.base)
    }

    /// Takes note of a batch that was written.
    pub fn batch_written(&mut self, batch: &BatchMeta, interval: u32) {
        let new = self.written.advance(batch, interval);
        if let Some(entry) = new.offset {
            self.offset_index.push(entry, self.base);
        }
        if let Some(entry) = new.time {
            self.time_index.push(entry, self.base);
        }
    }

    /// Entries of its transaction index.
    pub fn txn_entries(&self) -> u32 {
        match self.txn_index {
            TxnIndexState::Entries(n) => n,
            TxnIndexState::AsFound | TxnIndexState::Stale => 0,
        }
    }

    /// Adds the time index entry that a segment ends with.
    pub fn finish_time_index(&mut self) {
        if let Some(entry) = self.written.time_entry_due() {
            self.time_index.push(entry, self.base);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base: i64, size: u32, ts: i64) -> BatchMeta {
        BatchMeta { base: Offset(base), last: Offset(base + 9), size, max_timestamp: TimestampMs(ts) }
    }

    #[test]
    fn an_entry_follows_more_than_an_interval_of_bytes() {
        let mut segment = Segment::new(Offset(100), TimestampMs(0));
        for i in 0..5 {
            segment.batch_written(&batch(100 + i * 10, 2048, 1000 - i), 4096);
        }
        // After 0, 2048, 4096 bytes nothing; 6144 > 4096: the batch that begins there gets the entry.
        assert_eq!(segment.offset_index.entries::<OffsetEntry>(), 1);
        let found = segment.offset_index.floor_in_tail::<OffsetEntry>(Offset(10_000), Offset(100)).unwrap();
        assert_eq!(found, OffsetEntry { offset: Offset(139), position: 6144 });
        // Timestamps fall: the first batch has the largest.
        let time = segment.time_index.floor_in_tail::<TimeEntry>(TimestampMs(5000), Offset(100)).unwrap();
        assert_eq!(time, TimeEntry { timestamp: TimestampMs(1000), offset: Offset(109) });
        segment.finish_time_index();
        assert_eq!(segment.time_index.entries::<TimeEntry>(), 1, "nothing new to say");
    }

    #[test]
    fn rolls_by_size_time_index_and_offset() {
        let config =
            LogConfig { segment_bytes: 5000, segment_ms: 100, segment_index_bytes: 80, ..LogConfig::default() };
        let mut tail = Tail::empty(Offset(0), TimestampMs(0));
        let now = TimestampMs(10_000_000);
        assert!(!tail.should_roll(Offset(0), &batch(0, 9000, 50), &config, now), "an empty segment takes any size");
        tail.advance(&batch(0, 3000, 50), 4096);
        assert!(!tail.should_roll(Offset(0), &batch(10, 2000, 150), &config, now));
        assert!(tail.should_roll(Offset(0), &batch(10, 2001, 150), &config, now), "size");
        assert!(tail.should_roll(Offset(0), &batch(10, 1, 151), &config, now), "by the batch's own time");
        assert!(tail.should_roll(Offset(0), &batch(i64::from(i32::MAX) - 8, 1, 60), &config, now), "offset");
        assert!(!tail.should_roll(Offset(0), &batch(i64::from(i32::MAX) - 9, 1, 60), &config, now));
        let mut appended = 1;
        while !tail.should_roll(Offset(0), &batch(10, 0, 60), &config, now) {
            tail.advance(&batch(10, 5000, 50), 4096);
            tail.size = 3000;
            appended += 1;
        }
        assert_eq!((tail.offset_entries, appended), (10, 12), "the offset index is full");
        let tiny = LogConfig { segment_index_bytes: 4, ..config };
        let mut empty = Tail::empty(Offset(0), TimestampMs(0));
        assert!(
            !empty.should_roll(Offset(0), &batch(0, 10, 60), &tiny, now),
            "there is no room in any index, but one batch goes"
        );
        empty.advance(&batch(0, 10, 60), 4096);
        assert!(empty.should_roll(Offset(0), &batch(10, 10, 60), &tiny, now));
    }
}
