//! Opening a log: what is on disk becomes a [`Log`]. Blocking, for the recovery threads. Before recovery there is only
//! an [`UnrecoveredLog`], which can neither be read nor appended to.

use super::config::LogConfig;
use super::core::{Log, Unsynced};
use super::epochs::Epochs;
use super::files::{self, FileKind, LEADER_EPOCH_CHECKPOINT};
use super::found::{Found, FoundSegment, find};
use super::health::DirHealth;
use super::mend::Suspects;
use super::read::Hints;
use super::rebuild::{Cut, check_segment, load_active, replay_producers};
use super::segment::{Segment, TxnIndexState};
use super::txn_rebuild;
use crate::base::{Now, Offset, TimestampMs, TopicPartition, Uuid};
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// A partition's directory with its leftovers put right, not yet checked.
#[derive(Debug)]
pub struct UnrecoveredLog {
    partition: TopicPartition,
    dir: PathBuf,
    config: LogConfig,
    topic_id: Option<Uuid>,
    found: Found,
    created: bool,
}

/// What the checkpoints say of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The directory was closed cleanly: nothing needs to be scanned.
    pub clean: bool,
    /// Everything before is on the device (`recovery-point-offset-checkpoint`); 0 when unknown.
    pub recovery_point: Offset,
    /// The log start offset (`log-start-offset-checkpoint`); 0 when unknown.
    pub log_start: Offset,
}

impl UnrecoveredLog {
    /// Looks into the directory of a partition; creates it when it is not there (its parent is).
    pub fn open(dir: PathBuf, partition: TopicPartition, config: LogConfig) -> io::Result<Self> {
        let created = fs::create_dir(&dir)?;
        let found = if created { Found::default() } else { find(&dir)? };
        let topic_id = if created { None } else { files::read_partition_metadata(&dir)? };
        Ok(Self { partition, dir, config, topic_id, found, created })
    }

    /// The topic id in `partition.metadata`; `None`: the directory is a stray, or of a time before ids.
    pub fn topic_id(&self) -> Option<Uuid> {
        self.topic_id
    }

    /// True when there is no segment: a new directory, or one whose creation was interrupted.
    pub fn is_blank(&self) -> bool {
        self.found.segments.is_empty()
    }

    /// The partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// Bytes of the segments that [`Self::recover`] will read, all of them.
    pub fn bytes_to_check(&self, recovery: Recovery) -> u64 {
        let nexts = self.found.segments.keys().skip(1).map(Some).chain([None]);
        let unflushed = |next: Option<&Offset>| recovery.is_unflushed(next.copied());
        self.found.segments.values().zip(nexts).filter(|(_, next)| unflushed(*next)).map(|(s, _)| s.size).sum()
    }

    /// Checks and repairs what has to be, and gives the log.
    pub fn recover(self, recovery: Recovery, now: Now) -> io::Result<Log> {
        self.recover_telling(recovery, now, &|_| ())
    }

    /// [`Self::recover`]; `checked` is told of bytes as they are read, a piece at a time.
    pub fn recover_telling(self, recovery: Recovery, now: Now, checked: &dyn Fn(u64)) -> io::Result<Log> {
        let on_disk = load_epochs(&self.dir);
        let mut epochs = on_disk.clone();
        let mut segments = self.load_segments(recovery, &mut epochs, now, checked)?;
        let mut start = recovery.log_start.max(segments.front().map_or(Offset::ZERO, |s| s.base));
        if segments.back().is_some_and(|s| s.written.next < start) {
            tracing::warn!("{}: the log ends before its start offset {start}: it begins anew there", self.partition);
            for segment in segments.drain(..) {
                delete_segment(&self.dir, segment.base)?;
            }
            epochs.clear();
        }
        if segments.is_empty() {
            segments.push_back(Segment::new(start, now.wall));
            start = start.max(Offset::ZERO);
        }
        let end = segments.back().map_or(start, |s| s.written.next);
        epochs.truncate_from_end(end);
        epochs.truncate_from_start(start);
        let snapshots = self.sort_snapshots(&segments, end)?;
        let producers = replay_producers(&self.dir, segments.make_contiguous(), &snapshots, end)?;
        txn_rebuild::restore(&self.dir, segments.make_contiguous(), &snapshots)?;
        // Its directory was not made durable either: nobody wrote to it before the last stop, or the broker was killed.
        let never_flushed = recovery.recovery_point == Offset::ZERO && (end == Offset::ZERO || !recovery.clean);
        let flushed = if recovery.clean { end } else { recovery.recovery_point.clamp(start, end) };
        let active = segments.back().map_or_else(|| Segment::new(start, now.wall), Segment::clone);
        let mut log = Log {
            partition: self.partition,
            dir: self.dir.into(),
            config: self.config,
            segments,
            start,
            flushed,
            accepted_base: active.base,
            accepted: active.written,
            queue: VecDeque::new(),
            writing: false,
            flushing: false,
            epochs_unwritten: says_otherwise(on_disk, &epochs, end),
            epoch_begun: false,
            replacing: false,
            generation: 0,
            epochs,
            unsynced: Unsynced { created: self.created || never_flushed, ..Unsynced::default() },
            producers,
            hints: Hints::default(),
            suspects: Suspects::default(),
            used: false,
            offline: false,
            health: DirHealth::default(),
        };
        log.check_order();
        log.flush_recovered()?;
        Ok(log)
    }

    /// Every segment, those that may be damaged checked. What follows a cut is deleted.
    fn load_segments(
        &self,
        recovery: Recovery,
        epochs: &mut Epochs,
        now: Now,
        checked: &dyn Fn(u64),
    ) -> io::Result<VecDeque<Segment>> {
        let mut segments: VecDeque<Segment> = VecDeque::new();
        let bases: Vec<Offset> = self.found.segments.keys().copied().collect();
        let mut cut = false;
        for (i, (base, found)) in self.found.segments.iter().enumerate() {
            if cut {
                delete_segment(&self.dir, *base)?;
                continue;
            }
            let next_base = bases.get(i + 1).copied();
            let unflushed = recovery.is_unflushed(next_base);
            let sound = if unflushed || !index_files_sound(found) {
                None
            } else if let Some(next) = next_base {
                Some(closed_segment(*base, found, next))
            } else {
                load_active(&self.dir, *base, found, now.wall)?
            };
            let segment = match sound {
                Some(segment) => segment,
                None => {
                    let exact = next_base.is_none() && !self.config.compact;
                    let (segment, cut_at) =
                        check_segment(&self.dir, *base, found, &self.config, epochs, exact, now.wall, checked)?;
                    if let Some(Cut { bytes, why }) = cut_at {
                        tracing::warn!(
                            "{}: cut {bytes} bytes off segment {base}, which now ends at offset {}: {why}",
                            self.partition,
                            segment.written.next
                        );
                        cut = unflushed;
                    } else if unflushed && !self.config.compact && next_base.is_some_and(|n| n > segment.written.next) {
                        // What reached the device of a file may end where a batch ends, and later files be whole.
                        tracing::warn!(
                            "{}: segment {base} ends at offset {}: what follows its lost end is deleted",
                            self.partition,
                            segment.written.next
                        );
                        cut = true;
                    }
                    segment
                }
            };
            segments.push_back(segment);
        }
        Ok(segments)
    }

    /// Deletes the producer snapshots that no start would use; gives the others, ascending.
    fn sort_snapshots(&self, segments: &VecDeque<Segment>, end: Offset) -> io::Result<Vec<Offset>> {
        let newest = self.found.snapshots.iter().rev().find(|s| **s <= end).copied();
        let mut kept = Vec::new();
        for offset in &self.found.snapshots {
            let at_base = segments.iter().any(|s| s.base == *offset);
            if *offset <= end && (at_base || Some(*offset) == newest) {
                kept.push(*offset);
            } else {
                fs::remove_file(&FileKind::Snapshot.path(&self.dir, *offset))?;
            }
        }
        Ok(kept)
    }
}

impl Recovery {
    /// Whether a segment may not be on the device: one that ends, where the `next` begins, after the recovery point.
    fn is_unflushed(&self, next: Option<Offset>) -> bool {
        !self.clean && next.is_none_or(|next| next > self.recovery_point)
    }
}

/// Whether the epoch file must be written anew. Epochs in it that begin at the log's end or later do no harm: the next
/// start drops them too.
fn says_otherwise(mut on_disk: Epochs, epochs: &Epochs, end: Offset) -> bool {
    on_disk.truncate_from_end(end);
    on_disk != *epochs
}

/// Both index files are there, and hold whole entries.
fn index_files_sound(found: &FoundSegment) -> bool {
    let whole = |len: Option<u64>, entry: u64| len.is_some_and(|l| l % entry == 0);
    // A segment that was never written to needs none.
    (whole(found.offset_index, 8) && whole(found.time_index, 12)) || (found.size == 0 && found.offset_index.is_none())
}

/// A segment that nothing is appended to any more, taken as it is.
fn closed_segment(base: Offset, found: &FoundSegment, next: Offset) -> Segment {
    let mut segment = Segment::new(base, TimestampMs(found.mtime_ms));
    let entries = ((found.offset_index.unwrap_or(0) / 8) as u32, (found.time_index.unwrap_or(0) / 12) as u32);
    segment.txn_index = match found.txn_index {
        None | Some(0) => TxnIndexState::Entries(0),
        Some(_) => TxnIndexState::AsFound,
    };
    segment.written = segment.written.found(found.size as u32, next, entries, None);
    segment.offset_index = super::index::Index::on_disk(entries.0);
    segment.time_index = super::index::Index::on_disk(entries.1);
    segment.synced = true;
    segment
}

/// The epoch file; empty when there is none or it is malformed (the batches themselves say the epochs then).
fn load_epochs(dir: &Path) -> Epochs {
    let Ok(bytes) = fs::read(&dir.join(LEADER_EPOCH_CHECKPOINT)) else { return Epochs::default() };
    Epochs::decode(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|| {
        tracing::warn!("{} is malformed and is left aside", dir.join(LEADER_EPOCH_CHECKPOINT).display());
        Epochs::default()
    })
}

/// Deletes all files of a segment; its producer snapshot stays, others may need it.
pub(super) fn delete_segment(dir: &Path, base: Offset) -> io::Result<()> {
    for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex] {
        fs::remove_file(&kind.path(dir, base))?;
    }
    Ok(())
}

/// Creates the file of an empty segment, so that the next start finds where the log begins.
pub(super) fn create_segment_file(dir: &Path, base: Offset) -> io::Result<File> {
    let file = File::open(&FileKind::Log.path(dir, base), OpenMode::Create)?;
    file.set_len(0)?;
    Ok(file)
}
