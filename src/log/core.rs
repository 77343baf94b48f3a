//! The log itself: its segments, its cursors, what is queued.

use super::config::LogConfig;
use super::epochs::{EpochEnd, Epochs};
use super::files::FileKind;
use super::health::DirHealth;
use super::mend::Suspects;
use super::producers::Producers;
use super::read::Hints;
use super::segment::{Segment, Tail};
use super::write::{Queued, QueuedBatch};
use crate::base::{LeaderEpoch, Now, Offset, TimestampMs, TopicPartition};
use bytes::Bytes;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One partition's log. Owned by the partition's shard; nothing in it blocks unless its name's doc says so.
#[derive(Debug)]
pub struct Log {
    pub(super) partition: TopicPartition,
    pub(super) dir: Arc<Path>,
    pub(super) config: LogConfig,
    /// Ascending by base offset, never empty; the last is the active one.
    pub(super) segments: VecDeque<Segment>,
    /// The log start offset.
    pub(super) start: Offset,
    /// On the device up to here.
    pub(super) flushed: Offset,
    /// The segment that the next accepted batch goes to: the active one, or one whose roll is queued.
    pub(super) accepted_base: Offset,
    /// How far that segment is accepted.
    pub(super) accepted: Tail,
    /// Accepted and not yet handed to a write job.
    pub(super) queue: VecDeque<Queued>,
    /// A write job is out.
    pub(super) writing: bool,
    /// A flush job is out.
    pub(super) flushing: bool,
    /// Segments' files are changing their names for compacted ones.
    pub(super) replacing: bool,
    /// How often they did.
    pub(super) generation: u64,
    pub(super) epochs: Epochs,
    /// What the epoch file says differs from `epochs`.
    pub(super) epochs_unwritten: bool,
    /// It differs by an epoch in which nothing was appended yet: written with its first batch, else never.
    pub(super) epoch_begun: bool,
    /// Small files and directory entries that were written but not synced.
    pub(super) unsynced: Unsynced,
    pub(super) producers: Producers,
    pub(super) hints: Hints,
    /// Segments whose indexes are to be written anew.
    pub(super) suspects: Suspects,
    /// Files were used since [`Log::take_used`] was last called.
    pub(super) used: bool,
    /// The log's directory failed: nothing is appended any more.
    pub(super) offline: bool,
    /// The same, known to all logs of the directory at once.
    pub(super) health: DirHealth,
}

/// What the next flush has to sync beside the segments' data.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsynced {
    /// The directory itself is new, and `partition.metadata` with it.
    pub created: bool,
    /// Files were created or renamed in the partition's directory.
    pub dir: bool,
    /// The epoch file was written.
    pub epochs: bool,
    /// Producer snapshots that were written.
    pub snapshots: Vec<Offset>,
}

impl Log {
    /// The partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The partition's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same, for a task that outlives a look at the log.
    pub fn shared_dir(&self) -> Arc<Path> {
        self.dir.clone()
    }

    /// The settings.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Takes new settings; they hold from the next append on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The log start offset: the first that may be read.
    pub fn start_offset(&self) -> Offset {
        self.start
    }

    /// The offset up to which everything is on the device. Never moves back but by truncation.
    pub fn flushed_offset(&self) -> Offset {
        self.flushed
    }

    /// The offset up to which everything is written (in the page cache) and may be read.
    pub fn written_offset(&self) -> Offset {
        self.active().written.next
    }

    /// The log end offset: what the next record gets. Everything before it is accepted.
    pub fn end_offset(&self) -> Offset {
        self.accepted.next
    }

    /// Bytes in all segments, as written.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|s| u64::from(s.written.size)).sum()
    }

    /// Base offset and bytes of each segment, oldest first.
    pub fn segment_sizes(&self) -> impl Iterator<Item = (Offset, u64)> {
        self.segments.iter().map(|s| (s.base, u64::from(s.written.size)))
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// True after the log's directory failed.
    pub fn is_offline(&self) -> bool {
        self.offline || self.health.has_failed()
    }

    /// The health of the directory it lies in.
    pub fn health(&self) -> &DirHealth {
        &self.health
    }

    /// Shares the health of the directory it lies in.
    pub fn belongs_to(&mut self, health: &DirHealth) {
        self.health = health.clone();
    }

    /// A write or fsync failed: nothing in the directory is acknowledged any more.
    pub(super) fn fail(&mut self) {
        self.offline = true;
        self.health.fail();
    }

    /// Stops appends for good: the directory failed elsewhere.
    pub fn set_offline(&mut self) {
        self.offline = true;
        self.queue.clear();
    }

    /// Whether files were written or read since the last call.
    pub fn take_used(&mut self) -> bool {
        std::mem::take(&mut self.used)
    }

    /// True while the log holds files open.
    pub fn holds_files(&self) -> bool {
        self.segments.iter().any(|s| s.file.is_some()) || self.hints.holds_files()
    }

    /// Lets go of open files; they are opened again when they are needed. One that is being written or read meanwhile
    /// stays open until that is done.
    pub fn close_files(&mut self) {
        self.segments.iter_mut().for_each(|s| s.file = None);
        self.hints.close_files();
    }

    /// True when nothing is queued and no job is out: the log may be truncated, closed or deleted.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.writing && !self.flushing && !self.replacing
    }

    /// True when no write, no flush and no compaction is under way; batches may be queued.
    pub fn has_no_job(&self) -> bool {
        !self.writing && !self.flushing && !self.is_replacing()
    }

    /// Takes the batches that were accepted and wait to be written, each with the offsets it got. The log then ends where
    /// it is written to.
    pub fn take_queued(&mut self) -> Vec<Bytes> {
        let whole = |batch: QueuedBatch| match batch.rest.is_empty() {
            true => batch.head,
            false => [batch.head, batch.rest].concat().into(),
        };
        let batches = self.queue.drain(..).filter_map(|queued| match queued {
            Queued::Batch(batch) => Some(whole(batch)),
            Queued::Roll { .. } => None,
        });
        let batches = batches.collect();
        self.reset_accepted();
        batches
    }

    /// Takes over what `other`, of which this is a copy, knows beside its batches: its producers, also those whose batches
    /// are gone, and the newest leader epoch.
    pub fn take_over(&mut self, other: &mut Self) {
        self.producers = std::mem::take(&mut other.producers);
        if let Some(latest) = other.epochs.latest().filter(|e| self.latest_epoch().is_none_or(|own| e.epoch > own)) {
            self.note_epoch(latest.epoch, latest.start.max(self.start));
        }
    }

    /// Takes note that leader `epoch` begins at `start`; call it at become-leader, before the first append.
    /// The file is written with the first batch of the epoch.
    pub fn note_epoch(&mut self, epoch: LeaderEpoch, start: Offset) {
        self.epoch_begun |= self.epochs.note(epoch, start);
    }

    /// The newest leader epoch in the log.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest().map(|e| e.epoch)
    }

    /// The leader epoch of the record at `offset`.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_at(offset)
    }

    /// Where `epoch` ends in this log (OffsetForLeaderEpoch).
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> EpochEnd {
        self.epochs.end_of(epoch, self.end_offset())
    }

    /// The epochs of the log.
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// The idempotent and transactional producers of the log.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: Now) {
        self.producers.expire(now.wall, self.config.producer_id_expiration_ms);
    }

    /// The first offset that read_committed may not pass at this high watermark; `None`: no transaction holds it.
    pub fn first_unstable_offset(&self, high_watermark: Offset) -> Option<Offset> {
        self.producers.first_unstable(high_watermark).map(|first| first.max(self.start))
    }

    /// Moves the log start offset up to `offset` (DeleteRecords, retention), at most to what is written. True when
    /// it moved. Segments before it stay until retention deletes them.
    pub fn increment_start_offset(&mut self, offset: Offset) -> bool {
        let offset = offset.min(self.written_offset());
        if offset <= self.start {
            return false;
        }
        self.start = offset;
        self.flushed = self.flushed.max(offset);
        self.epochs_unwritten |= self.epochs.truncate_from_start(offset);
        self.check_order();
        true
    }

    pub(super) fn active(&self) -> &Segment {
        &self.segments[self.segments.len() - 1]
    }

    pub(super) fn active_mut(&mut self) -> &mut Segment {
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }

    /// The index of the segment that holds `offset`, or would.
    pub(super) fn segment_index(&self, offset: Offset) -> usize {
        self.segments.partition_point(|s| s.base <= offset).saturating_sub(1)
    }

    /// What is accepted goes back to what is written.
    pub(super) fn reset_accepted(&mut self) {
        self.accepted_base = self.active().base;
        self.accepted = self.active().written;
    }

    /// start <= flushed <= written <= accepted, after every change.
    pub(super) fn check_order(&self) {
        assert!(
            self.start <= self.flushed
                && self.flushed <= self.written_offset()
                && self.written_offset() <= self.end_offset(),
            "{}: start {} flushed {} written {} accepted {}",
            self.partition,
            self.start,
            self.flushed,
            self.written_offset(),
            self.end_offset()
        );
    }

    /// The segment file that holds `offset`, or would.
    pub fn file_of(&self, offset: Offset) -> PathBuf {
        let base = self.segments.get(self.segment_index(offset)).map_or(offset, |segment| segment.base);
        self.file_path(FileKind::Log, base)
    }

    /// The path of one of this log's files.
    pub(super) fn file_path(&self, kind: FileKind, offset: Offset) -> PathBuf {
        kind.path(&self.dir, offset)
    }

    /// The largest timestamp in the active segment.
    pub fn active_max_timestamp(&self) -> TimestampMs {
        self.active().written.max_time.timestamp
    }
}
