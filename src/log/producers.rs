//! What a log knows of its idempotent producers (`ProducerStateManager`): sequence checks, duplicates, open
//! transactions. Pure: time is an argument, the snapshot file is written elsewhere.

use super::append::AppendOrigin;
use super::error::AppendError;
use super::verification::{Guard, Seen, Verification, Verifications};
use crate::base::{Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::record::BatchHeader;
use crate::record::control::EndTxnMarker;
use crate::record::header::sequence_plus;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How many of a producer's last batches are kept to recognise repeats.
pub const BATCHES_KEPT: usize = 5;

/// One batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// The sequence number of its last record.
    pub last_sequence: i32,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Last offset minus first.
    pub offset_delta: i32,
    /// Its largest timestamp.
    pub timestamp: TimestampMs,
}

impl ProducerBatch {
    /// The sequence number of its first record, before which the numbers may have wrapped.
    pub fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        if first >= 0 { first as i32 } else { (first + i64::from(i32::MAX) + 1) as i32 }
    }

    /// The offset of its first record.
    pub fn first_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

/// What is known of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    /// The newest epoch seen.
    pub epoch: ProducerEpoch,
    /// The last batches of that epoch, oldest first; at most [`BATCHES_KEPT`].
    pub batches: VecDeque<ProducerBatch>,
    /// The epoch of the transaction coordinator that wrote the last marker; -1 before one.
    pub coordinator_epoch: i32,
    /// The timestamp of the last batch or marker.
    pub last_timestamp: TimestampMs,
    /// Where the open transaction begins.
    pub txn_first_offset: Option<Offset>,
}

impl ProducerEntry {
    fn empty() -> Self {
        Self {
            epoch: ProducerEpoch(-1),
            batches: VecDeque::new(),
            coordinator_epoch: -1,
            last_timestamp: TimestampMs::NONE,
            txn_first_offset: None,
        }
    }

    /// The last sequence number; -1 when none is known.
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |b| b.last_sequence)
    }

    fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batches.clear();
            self.epoch = epoch;
        }
    }

    fn add(&mut self, batch: ProducerBatch) {
        if self.batches.len() == BATCHES_KEPT {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }
}

/// A transaction that a marker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    /// Whose.
    pub producer: ProducerId,
    /// Its first offset.
    pub first: Offset,
    /// The marker's offset.
    pub last: Offset,
    /// True when it was aborted.
    pub aborted: bool,
}

/// What to restore when a batch that was accepted could not be written.
#[derive(Clone, Debug)]
pub struct Undo {
    producer: ProducerId,
    before: Option<ProducerEntry>,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Append it.
    Fresh,
    /// It is in the log already; this is what it got then.
    Duplicate(ProducerBatch),
}

/// All producers of one log. Owned by the partition's shard.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    entries: HashMap<i64, ProducerEntry>,
    /// First offsets of open transactions.
    open: BTreeMap<i64, i64>,
    /// First and last offsets of ended transactions that the high watermark has not passed.
    ended: BTreeMap<i64, i64>,
    verifying: Verifications,
}

impl Producers {
    /// The entry of one producer.
    pub fn get(&self, producer: ProducerId) -> Option<&ProducerEntry> {
        self.entries.get(&producer.0)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerEntry)> {
        self.entries.iter().map(|(id, entry)| (ProducerId(*id), entry))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets an entry, as read from a snapshot.
    pub fn load(&mut self, producer: ProducerId, entry: ProducerEntry) {
        if let Some(first) = entry.txn_first_offset {
            self.open.insert(first.0, producer.0);
        }
        self.entries.insert(producer.0, entry);
    }

    /// True where a client's batch repeats one of the last ones.
    pub fn is_repeat(&self, header: &BatchHeader) -> bool {
        self.entries.get(&header.producer_id().0).is_some_and(|entry| repeat_of(entry, header).is_some())
    }

    /// True where `producer` has a transaction open here in `epoch`; with a newer one it may have ended since.
    pub fn has_open(&self, producer: ProducerId, epoch: ProducerEpoch) -> bool {
        self.entries.get(&producer.0).is_some_and(|e| e.txn_first_offset.is_some() && e.epoch == epoch)
    }

    /// Begins to make sure of a transaction that has nothing here yet (`UnifiedLog.maybeStartTransactionVerification`):
    /// the guard to ask the coordinator under; none where it is open here.
    ///
    /// # Errors
    /// INVALID_PRODUCER_EPOCH.
    pub fn begin_verification(&mut self, seen: Seen) -> Result<Option<Guard>, AppendError> {
        self.check_epoch(seen.producer, seen.epoch, AppendOrigin::Client)?;
        let open = self.has_open(seen.producer, seen.epoch);
        Ok((!open).then(|| self.verifying.begin(seen)))
    }

    /// A batch of a transaction that is not open here needs the guard under which the coordinator was asked. Repeats of
    /// what is in the log do not come here.
    ///
    /// # Errors
    /// [`AppendError::Unverified`] with the guard to ask under; INVALID_PRODUCER_EPOCH; INVALID_TXN_STATE.
    pub fn check_verified(
        &mut self,
        header: &BatchHeader,
        verification: Verification,
        at: TimestampMs,
    ) -> Result<(), AppendError> {
        let (producer, epoch) = (header.producer_id(), header.producer_epoch());
        if !header.is_transactional() || self.has_open(producer, epoch) {
            return Ok(());
        }
        match verification {
            Verification::Off => Ok(()),
            Verification::Wanted { raises_epochs } => {
                let sequence = header.base_sequence();
                let guard = self.begin_verification(Seen { producer, epoch, sequence, at, raises_epochs })?;
                guard.map_or(Ok(()), |guard| Err(AppendError::Unverified(guard)))
            }
            Verification::Given(guard) => {
                self.check_epoch(producer, epoch, AppendOrigin::Client)?;
                let holds = self.verifying.holds(producer, guard);
                if holds { Ok(()) } else { Err(AppendError::InvalidTxnState(producer)) }
            }
        }
    }

    /// Whether a data batch may be appended (`ProducerAppendInfo.maybeValidateDataBatch`). Changes nothing.
    pub fn check(&self, header: &BatchHeader, origin: AppendOrigin) -> Result<Checked, AppendError> {
        let producer = header.producer_id();
        let entry = self.entries.get(&producer.0);
        if origin == AppendOrigin::Client
            && let Some(batch) = entry.and_then(|entry| repeat_of(entry, header))
        {
            return Ok(Checked::Duplicate(batch));
        }
        self.check_epoch(producer, header.producer_epoch(), origin)?;
        if origin == AppendOrigin::Client {
            self.verifying.check_sequence(header, entry)?;
        }
        let Some(entry) = entry else { return Ok(Checked::Fresh) };
        if origin == AppendOrigin::Client {
            check_sequence(entry, header)?;
        }
        if entry.txn_first_offset.is_some() && !header.is_transactional() && !header.is_control() {
            return Err(AppendError::InvalidTxnState(producer));
        }
        Ok(Checked::Fresh)
    }

    fn check_epoch(
        &self,
        producer: ProducerId,
        incoming: ProducerEpoch,
        origin: AppendOrigin,
    ) -> Result<(), AppendError> {
        match self.entries.get(&producer.0) {
            Some(entry) if incoming < entry.epoch && origin != AppendOrigin::Replication => {
                Err(AppendError::InvalidProducerEpoch { producer, incoming, current: entry.epoch })
            }
            _ => Ok(()),
        }
    }

    /// Whether a marker may be appended: neither its producer epoch nor its coordinator epoch is an old one.
    pub fn check_marker(
        &self,
        header: &BatchHeader,
        marker: EndTxnMarker,
        origin: AppendOrigin,
    ) -> Result<(), AppendError> {
        let producer = header.producer_id();
        self.check_epoch(producer, header.producer_epoch(), origin)?;
        self.check_raised(header, origin)?;
        let current = self.entries.get(&producer.0).map_or(-1, |e| e.coordinator_epoch);
        if current > marker.coordinator_epoch && origin != AppendOrigin::Replication {
            return Err(AppendError::TransactionCoordinatorFenced { incoming: marker.coordinator_epoch, current });
        }
        Ok(())
    }

    /// The marker of a transaction whose end raises the epoch has an epoch above that of its data. An equal one is the
    /// same marker again, which does no harm where nothing is open, and would end the next transaction where it is.
    fn check_raised(&self, header: &BatchHeader, origin: AppendOrigin) -> Result<(), AppendError> {
        let (producer, incoming) = (header.producer_id(), header.producer_epoch());
        match self.entries.get(&producer.0) {
            Some(entry)
                if origin == AppendOrigin::RaisedMarker
                    && entry.epoch == incoming
                    && entry.txn_first_offset.is_some()
                    && incoming.0 != i16::MAX =>
            {
                Err(AppendError::InvalidProducerEpoch { producer, incoming, current: entry.epoch })
            }
            _ => Ok(()),
        }
    }

    /// Takes note of a data batch at `base`. `timestamp` is its largest.
    pub fn append(&mut self, header: &BatchHeader, base: Offset, timestamp: TimestampMs) -> Undo {
        let producer = header.producer_id();
        let before = self.entries.get(&producer.0).cloned();
        let entry = self.entries.entry(producer.0).or_insert_with(ProducerEntry::empty);
        entry.set_epoch(header.producer_epoch());
        entry.add(ProducerBatch {
            last_sequence: header.last_sequence(),
            last_offset: base.plus(i64::from(header.last_offset_delta())),
            offset_delta: header.last_offset_delta(),
            timestamp,
        });
        entry.last_timestamp = timestamp;
        if header.is_transactional() {
            self.verifying.written(header);
        }
        if header.is_transactional() && entry.txn_first_offset.is_none() {
            entry.txn_first_offset = Some(base);
            self.open.insert(base.0, producer.0);
        }
        Undo { producer, before }
    }

    /// Takes note of the marker at `offset`; gives the transaction it ended, if it had any records here.
    pub fn append_marker(
        &mut self,
        header: &BatchHeader,
        marker: EndTxnMarker,
        offset: Offset,
        timestamp: TimestampMs,
    ) -> (Undo, Option<CompletedTxn>) {
        let producer = header.producer_id();
        let before = self.entries.get(&producer.0).cloned();
        self.verifying.written(header);
        let entry = self.entries.entry(producer.0).or_insert_with(ProducerEntry::empty);
        entry.set_epoch(header.producer_epoch());
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = timestamp;
        let completed = entry.txn_first_offset.take().map(|first| {
            self.open.remove(&first.0);
            self.ended.insert(first.0, offset.0);
            CompletedTxn { producer, first, last: offset, aborted: !marker.commit }
        });
        (Undo { producer, before }, completed)
    }

    /// Takes back an append; the newest goes first.
    pub fn undo(&mut self, undo: Undo) {
        let now = self.entries.get(&undo.producer.0).and_then(|e| e.txn_first_offset);
        let then = undo.before.as_ref().and_then(|e| e.txn_first_offset);
        if let Some(first) = now {
            self.open.remove(&first.0);
        }
        if let Some(first) = then {
            self.ended.remove(&first.0);
            self.open.insert(first.0, undo.producer.0);
        }
        match undo.before {
            Some(entry) => self.entries.insert(undo.producer.0, entry),
            None => self.entries.remove(&undo.producer.0),
        };
    }

    /// The first offset that read_committed may not pass while the high watermark is `high_watermark`: of the
    /// oldest transaction that is open, or whose marker the high watermark has not passed.
    pub fn first_unstable(&self, high_watermark: Offset) -> Option<Offset> {
        let open = self.open.keys().next();
        let ended = self.ended.iter().find(|(_, last)| **last >= high_watermark.0).map(|(first, _)| first);
        open.into_iter().chain(ended).min().map(|first| Offset(*first))
    }

    /// Where the oldest open transaction begins.
    pub fn first_open(&self) -> Option<Offset> {
        self.open.keys().next().map(|first| Offset(*first))
    }

    /// Forgets ended transactions that the high watermark has passed.
    pub fn high_watermark_passed(&mut self, high_watermark: Offset) {
        self.ended.retain(|_, last| *last >= high_watermark.0);
    }

    /// Forgets producers that were silent for `expiration_ms` and have no transaction open.
    pub fn expire(&mut self, now: TimestampMs, expiration_ms: i64) {
        self.entries
            .retain(|_, e| e.txn_first_offset.is_some() || now.0.saturating_sub(e.last_timestamp.0) < expiration_ms);
        self.verifying.expire(now, expiration_ms);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.open.clear();
        self.ended.clear();
        self.verifying.clear();
    }
}

/// The batch among the last ones that `header` repeats.
fn repeat_of(entry: &ProducerEntry, header: &BatchHeader) -> Option<ProducerBatch> {
    let (first, last) = (header.base_sequence(), header.last_sequence());
    let same = |b: &&ProducerBatch| b.last_sequence == last && b.first_sequence() == first;
    entry.batches.iter().find(same).filter(|_| header.producer_epoch() == entry.epoch).copied()
}

/// `ProducerAppendInfo.checkSequence` for a producer that is known.
fn check_sequence(entry: &ProducerEntry, header: &BatchHeader) -> Result<(), AppendError> {
    let incoming = header.base_sequence();
    let last = entry.last_sequence();
    let in_order = if entry.epoch.0 == -1 {
        true
    } else if header.producer_epoch() != entry.epoch {
        incoming == 0
    } else {
        // After a marker nothing of this epoch is kept: -1, and the next is 0.
        incoming == if last == -1 { 0 } else { sequence_plus(last, 1) }
    };
    if in_order {
        Ok(())
    } else {
        Err(AppendError::OutOfOrderSequence { producer: header.producer_id(), incoming, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BatchBuilder;

    fn batch(id: i64, epoch: i16, sequence: i32, count: i32) -> bytes::Bytes {
        let mut b = BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(epoch), sequence);
        for _ in 0..count {
            b.append(TimestampMs(1), None, Some(b"v"), &[]);
        }
        b.build()
    }

    fn send(p: &mut Producers, at: i64, epoch: i16, sequence: i32, count: i32) -> Result<Checked, AppendError> {
        let bytes = batch(7, epoch, sequence, count);
        let header = BatchHeader::of(&bytes).unwrap();
        let checked = p.check(header, AppendOrigin::Client)?;
        if checked == Checked::Fresh {
            p.append(header, Offset(at), TimestampMs(1));
        }
        Ok(checked)
    }

    fn out_of_order(incoming: i32, last: i32) -> Result<Checked, AppendError> {
        Err(AppendError::OutOfOrderSequence { producer: ProducerId(7), incoming, last })
    }

    #[test]
    fn without_state_any_sequence_is_taken_then_they_must_follow() {
        let mut p = Producers::default();
        assert_eq!(send(&mut p, 0, 3, 42, 2), Ok(Checked::Fresh));
        assert_eq!(send(&mut p, 2, 3, 45, 1), out_of_order(45, 43));
        assert_eq!(send(&mut p, 2, 3, 44, 1), Ok(Checked::Fresh));
    }

    #[test]
    fn a_repeat_of_one_of_the_last_five_gets_its_first_offset_an_older_one_is_out_of_order() {
        let mut p = Producers::default();
        for i in 0..6 {
            assert_eq!(send(&mut p, 100 + i * 2, 0, i as i32 * 2, 2), Ok(Checked::Fresh));
        }
        for i in 1..6 {
            let Ok(Checked::Duplicate(batch)) = send(&mut p, 500, 0, i * 2, 2) else { panic!("batch {i}") };
            assert_eq!(batch.first_offset(), Offset(100 + i64::from(i) * 2));
        }
        assert_eq!(send(&mut p, 500, 0, 0, 2), out_of_order(0, 11));
        assert_eq!(send(&mut p, 500, 0, 2, 1), out_of_order(2, 11), "half a batch is no repeat");
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_an_old_one_is_fenced() {
        let mut p = Producers::default();
        send(&mut p, 0, 1, 0, 5).unwrap();
        assert_eq!(send(&mut p, 5, 2, 3, 1), out_of_order(3, 4));
        assert_eq!(send(&mut p, 5, 2, 0, 1), Ok(Checked::Fresh));
        assert_eq!(
            send(&mut p, 6, 1, 5, 1),
            Err(AppendError::InvalidProducerEpoch {
                producer: ProducerId(7),
                incoming: ProducerEpoch(1),
                current: ProducerEpoch(2)
            })
        );
    }

    #[test]
    fn sequences_wrap_from_max_to_zero() {
        let mut p = Producers::default();
        send(&mut p, 0, 0, i32::MAX - 1, 1).unwrap();
        assert_eq!(send(&mut p, 1, 0, i32::MAX, 3), Ok(Checked::Fresh), "the batch itself wraps");
        assert!(matches!(send(&mut p, 9, 0, i32::MAX, 3), Ok(Checked::Duplicate(b)) if b.first_offset() == Offset(1)));
        assert_eq!(send(&mut p, 4, 0, 2, 1), Ok(Checked::Fresh));
    }

    #[test]
    fn undo_restores_what_was() {
        let mut p = Producers::default();
        send(&mut p, 0, 0, 0, 1).unwrap();
        let before = p.entries.clone();
        let bytes = batch(7, 0, 1, 1);
        let undo = p.append(BatchHeader::of(&bytes).unwrap(), Offset(1), TimestampMs(1));
        assert_ne!(p.entries, before);
        p.undo(undo);
        assert_eq!(p.entries, before);
    }

    #[test]
    fn silent_producers_expire_but_not_inside_a_transaction() {
        let mut p = Producers::default();
        send(&mut p, 0, 0, 0, 1).unwrap();
        let mut open = p.get(ProducerId(7)).unwrap().clone();
        open.txn_first_offset = Some(Offset(0));
        p.load(ProducerId(8), open);
        p.expire(TimestampMs(1000), 1000);
        assert_eq!(p.len(), 2);
        p.expire(TimestampMs(1001), 1000);
        assert!(p.get(ProducerId(7)).is_none() && p.get(ProducerId(8)).is_some());
    }

    #[test]
    fn the_first_unstable_offset_waits_for_the_marker_to_pass_the_high_watermark() {
        let mut p = Producers::default();
        let mut b = BatchBuilder::new(Offset(0)).producer(ProducerId(7), ProducerEpoch(0), 0).transactional();
        b.append(TimestampMs(1), None, None, &[]);
        let bytes = b.build();
        let header = BatchHeader::of(&bytes).unwrap();
        p.append(header, Offset(10), TimestampMs(1));
        assert_eq!(p.first_unstable(Offset(100)), Some(Offset(10)));
        let marker = EndTxnMarker { commit: false, coordinator_epoch: 4 };
        let (undo, completed) = p.append_marker(header, marker, Offset(20), TimestampMs(2));
        let expected = CompletedTxn { producer: ProducerId(7), first: Offset(10), last: Offset(20), aborted: true };
        assert_eq!(completed, Some(expected));
        assert_eq!(p.first_unstable(Offset(20)), Some(Offset(10)));
        assert_eq!(p.first_unstable(Offset(21)), None);
        p.undo(undo);
        assert_eq!(p.first_unstable(Offset(100)), Some(Offset(10)));
    }
}
