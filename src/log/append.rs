//! Step one of an append: check, assign offsets, queue. Nothing is written here and nothing blocks.

use super::check::{Checked, check};
use super::config::TimestampType;
use super::core::Log;
use super::effort::Effort;
use super::error::AppendError;
use super::producers::{self, ProducerBatch, Producers, Undo};
use super::segment::{BatchMeta, Tail};
use super::snapshot;
use super::txn_index::AbortedTxn;
use super::validate::{Refusal, Stamp, Terms, Validated};
use super::verification::{Guard, Seen, Verification};
use super::write::{Queued, QueuedBatch};
use crate::base::{LeaderEpoch, Now, Offset, TimestampMs};
use crate::record::control::EndTxnMarker;
use crate::record::header::PATCHED_HEAD_LEN;
use crate::record::{BatchError, BatchHeader, BatchView, HEADER_LEN, batches};
use bytes::Bytes;
use zerocopy::{FromBytes, IntoBytes};

/// Who appends (`AppendOrigin`): it decides what is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer: everything is checked.
    Client,
    /// A group, transaction or share coordinator, transaction markers too.
    Coordinator,
    /// The metadata quorum's leader: batches carry offsets and epoch already.
    RaftLeader,
    /// A transaction marker whose epoch is above that of the transaction's data (`transaction.version` 2).
    RaisedMarker,
    /// A leader's bytes on a follower: taken as they are.
    Replication,
}

/// What an append got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    /// The first record's offset (of the original append when it is a repeat).
    pub first_offset: Offset,
    /// The last record's offset.
    pub last_offset: Offset,
    /// The broker's time in the batch: NONE unless the topic has LogAppendTime. A repeat carries the original's
    /// largest timestamp.
    pub log_append_time: TimestampMs,
    /// The log start offset.
    pub log_start_offset: Offset,
    /// A repeat of one of the producer's last five batches: nothing was appended.
    pub duplicate: bool,
    /// Bytes appended.
    pub bytes: u32,
}

/// One checked batch.
pub(super) struct Incoming {
    /// As it came.
    pub bytes: Bytes,
    /// As it will stand in the log, but for offset, epoch and stamp.
    pub header: BatchHeader,
    pub validated: Validated,
    pub marker: Option<(EndTxnMarker, TimestampMs)>,
}

impl Incoming {
    /// Bytes it will take in the log.
    pub(super) fn size(&self) -> usize {
        self.validated.rebuilt.as_ref().map_or(self.bytes.len(), |(_, body)| HEADER_LEN + body.len())
    }

    /// What is written: a patched head, and the rest as it came where it stays so.
    fn into_parts(mut self, base: Offset, epoch: LeaderEpoch) -> (BatchHeader, Bytes, Bytes) {
        self.header.assign(base, epoch);
        if let Some((_, body)) = self.validated.rebuilt {
            return (self.header, Bytes::copy_from_slice(self.header.as_bytes()), body);
        }
        let Some(stamp) = self.validated.stamp else {
            let head = Bytes::copy_from_slice(&self.header.as_bytes()[..PATCHED_HEAD_LEN]);
            return (self.header, head, self.bytes.slice(PATCHED_HEAD_LEN..));
        };
        match stamp {
            Stamp::AppendTime(time) => self.header.stamp(true, time),
            Stamp::MaxTimestamp(max) => self.header.stamp(false, max),
        }
        let rest = self.bytes.slice(HEADER_LEN..);
        self.header.seal(&rest);
        (self.header, Bytes::copy_from_slice(self.header.as_bytes()), rest)
    }
}

impl Log {
    /// Accepts records as the partition's leader in `epoch`: exactly one batch from a client, one or more
    /// otherwise. Offsets follow the log's end; base offset and epoch are patched in front of the received bytes,
    /// which are not copied.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing changed then.
    pub fn append_as_leader(
        &mut self,
        records: Bytes,
        origin: AppendOrigin,
        epoch: LeaderEpoch,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        self.append_verified(records, origin, Verification::Off, epoch, now)
    }

    /// The same for records that may be part of a transaction, as sure as `verification` says.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing changed then.
    pub fn append_verified(
        &mut self,
        records: Bytes,
        origin: AppendOrigin,
        verification: Verification,
        epoch: LeaderEpoch,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        if self.is_offline() {
            return Err(AppendError::Offline);
        }
        if self.health.is_full() {
            return Err(AppendError::DiskFull);
        }
        let terms = Terms { origin, epoch, now: now.wall, effort: Effort::Full };
        match check(records, terms, &self.config) {
            Ok(checked) => self.append_checked(checked.verified(verification), epoch, now),
            Err(Refusal::Append(error)) => Err(error),
            Err(Refusal::TooMuch) => Err(AppendError::Unexpected("the check was given up".into())),
        }
    }

    /// The rest of [`Self::append_as_leader`], for records whose check is done.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing changed then.
    pub fn append_checked(
        &mut self,
        checked: Checked,
        epoch: LeaderEpoch,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        if self.is_offline() {
            return Err(AppendError::Offline);
        }
        if self.health.is_full() {
            return Err(AppendError::DiskFull);
        }
        let Checked { batches: incoming, origin, verification } = checked;
        let total: usize = incoming.iter().map(Incoming::size).sum();
        if total > self.config.segment_bytes as usize {
            return Err(AppendError::LargerThanSegment { size: total, max: self.config.segment_bytes });
        }
        if verification != Verification::Off {
            check_verified(&mut self.producers, &incoming, verification, now.wall)?;
        }
        if let Some(original) = check_producers(&self.producers, &incoming, origin)? {
            return Ok(self.repeat_of(&original));
        }
        let first_offset = self.end_offset();
        self.epochs_unwritten |= self.epochs.note(epoch, first_offset);
        let mut append_time = TimestampMs::NONE;
        for batch in incoming {
            let (max_timestamp, marker) = (batch.validated.max_timestamp, batch.marker);
            let (header, head, rest) = batch.into_parts(self.end_offset(), epoch);
            if self.config.timestamp_type == TimestampType::LogAppendTime {
                append_time = header.max_timestamp();
            }
            self.accept(&header, (head, rest), max_timestamp, marker, now);
        }
        self.check_order();
        Ok(AppendInfo {
            first_offset,
            last_offset: self.end_offset().plus(-1),
            log_append_time: append_time,
            log_start_offset: self.start,
            duplicate: false,
            bytes: total as u32,
        })
    }

    /// Accepts a leader's batches as they are: offsets must ascend and not begin before the log's end; epochs and
    /// producer state are taken from them. A batch cut off at the end is left out.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing changed then.
    pub fn append_as_follower(&mut self, records: Bytes, now: Now) -> Result<AppendInfo, AppendError> {
        if self.is_offline() {
            return Err(AppendError::Offline);
        }
        let mut incoming = Vec::new();
        let mut expected = self.end_offset();
        for batch in batches(&records) {
            let batch = match batch {
                Err(BatchError::Truncated { .. }) if !incoming.is_empty() => break,
                other => other?,
            };
            batch.check_crc()?;
            let header = *batch.header();
            if header.base_offset() < expected {
                return Err(if incoming.is_empty() {
                    AppendError::UnexpectedOffset { first: header.base_offset(), expected }
                } else {
                    AppendError::OffsetsOutOfOrder
                });
            }
            if header.last_offset_delta() < 0 {
                return Err(AppendError::OffsetsOutOfOrder);
            }
            expected = header.next_offset();
            let bytes = records.slice_ref(batch.bytes());
            let validated = Validated { max_timestamp: header.max_timestamp(), stamp: None, rebuilt: None };
            incoming.push(Incoming { bytes, header, validated, marker: marker_of(&batch) });
        }
        let Some(first) = incoming.first() else { return Err(AppendError::Malformed("no batch to append".into())) };
        let first_offset = first.header.base_offset();
        let total: usize = incoming.iter().map(Incoming::size).sum();
        for batch in incoming {
            self.epochs_unwritten |= self.epochs.note(batch.header.leader_epoch(), batch.header.base_offset());
            self.accept(&batch.header, (batch.bytes, Bytes::new()), batch.validated.max_timestamp, batch.marker, now);
        }
        self.check_order();
        Ok(AppendInfo {
            first_offset,
            last_offset: self.end_offset().plus(-1),
            log_append_time: TimestampMs::NONE,
            log_start_offset: self.start,
            duplicate: false,
            bytes: total as u32,
        })
    }

    /// Begins to make sure of a transaction before its first batch comes: the guard to ask the coordinator under; none
    /// where it is open here.
    ///
    /// # Errors
    /// INVALID_PRODUCER_EPOCH.
    pub fn begin_verification(&mut self, seen: Seen) -> Result<Option<Guard>, AppendError> {
        self.producers.begin_verification(seen)
    }

    fn repeat_of(&self, original: &ProducerBatch) -> AppendInfo {
        AppendInfo {
            first_offset: original.first_offset(),
            last_offset: original.last_offset,
            log_append_time: original.timestamp,
            log_start_offset: self.start,
            duplicate: true,
            bytes: 0,
        }
    }

    /// Queues one batch whose header is final, rolling first if it does not fit.
    fn accept(
        &mut self,
        header: &BatchHeader,
        parts: (Bytes, Bytes),
        max_timestamp: TimestampMs,
        marker: Option<(EndTxnMarker, TimestampMs)>,
        now: Now,
    ) {
        let size = (parts.0.len() + parts.1.len()) as u32;
        let meta = BatchMeta { base: header.base_offset(), last: header.last_offset(), size, max_timestamp };
        if self.accepted.should_roll(self.accepted_base, &meta, &self.config, now.wall) {
            self.accept_roll(meta.base, now.wall);
        }
        let (undo, aborted) = note_producer(&mut self.producers, header, max_timestamp, marker);
        self.accepted.advance(&meta, self.config.index_interval_bytes);
        self.queue.push_back(Queued::Batch(QueuedBatch { head: parts.0, rest: parts.1, meta, undo, aborted }));
    }

    /// Queues a roll: the next batch begins the segment `base`.
    pub(super) fn accept_roll(&mut self, base: Offset, now: TimestampMs) {
        let snapshot = snapshot::encode(&self.producers);
        self.queue.push_back(Queued::Roll { base, snapshot, created: now });
        self.accepted_base = base;
        self.accepted = Tail::empty(base, now);
    }
}

/// The transaction marker in a control batch, with its timestamp.
pub(super) fn marker_of(batch: &BatchView<'_>) -> Option<(EndTxnMarker, TimestampMs)> {
    let header = batch.header();
    if !header.is_control() || !header.has_producer() {
        return None;
    }
    let record = batch.records().next()?.ok()?;
    let timestamp = TimestampMs(header.base_timestamp().0.wrapping_add(record.timestamp_delta));
    EndTxnMarker::of(&record).map(|marker| (marker, timestamp))
}

/// Checks that the transaction coordinator knows of the batches' transactions.
fn check_verified(
    producers: &mut Producers,
    incoming: &[Incoming],
    verification: Verification,
    now: TimestampMs,
) -> Result<(), AppendError> {
    let data = incoming.iter().filter(|b| b.header.has_producer() && b.marker.is_none());
    for batch in data.filter(|b| b.header.is_transactional()) {
        if !producers.is_repeat(&batch.header) {
            producers.check_verified(&batch.header, verification, now)?;
        }
    }
    Ok(())
}

/// Checks the batches against the state of their producers. A repeat ends the append: `Some` original.
fn check_producers(
    producers: &Producers,
    incoming: &[Incoming],
    origin: AppendOrigin,
) -> Result<Option<ProducerBatch>, AppendError> {
    for batch in incoming.iter().filter(|b| b.header.has_producer()) {
        match batch.marker {
            Some((marker, _)) => producers.check_marker(&batch.header, marker, origin)?,
            None => {
                if let producers::Checked::Duplicate(original) = producers.check(&batch.header, origin)? {
                    return Ok(Some(original));
                }
            }
        }
    }
    Ok(None)
}

/// Takes note of a batch's producer, if it has one. Gives how to take that back, and the transaction that the batch
/// aborted, which belongs in the segment's transaction index.
fn note_producer(
    producers: &mut Producers,
    header: &BatchHeader,
    max_timestamp: TimestampMs,
    marker: Option<(EndTxnMarker, TimestampMs)>,
) -> (Option<Undo>, Option<AbortedTxn>) {
    if !header.has_producer() {
        return (None, None);
    }
    match marker {
        Some((marker, timestamp)) => {
            let (undo, ended) = producers.append_marker(header, marker, header.base_offset(), timestamp);
            let aborted = ended.filter(|txn| txn.aborted).map(|txn| AbortedTxn {
                producer: txn.producer,
                first: txn.first,
                last: txn.last,
                last_stable: producers.first_open().unwrap_or(txn.last.plus(1)),
            });
            (Some(undo), aborted)
        }
        // An empty control batch is what compaction left of a marker.
        None if header.is_control() => (None, None),
        None => (Some(producers.append(header, header.base_offset(), max_timestamp)), None),
    }
}

/// The producer's part of reading a batch back from disk: as [`note_producer`], markers looked up in the batch.
pub(super) fn replay_producer(producers: &mut Producers, batch: &BatchView<'_>) -> Option<AbortedTxn> {
    let header = batch.header();
    note_producer(producers, header, header.max_timestamp(), marker_of(batch)).1
}

/// A header read from bytes that may be anything; the batch it stands in front of is not checked.
pub(super) fn header_of(bytes: &[u8]) -> Option<BatchHeader> {
    BatchHeader::read_from_prefix(bytes).ok().map(|(header, _)| header)
}
