//! Acknowledgements of records a member holds (`SharePartition.acknowledge`).

use super::partition::SharePartition;
use super::state::RecordState;
use super::transition::{TransitionId, Write};
use crate::base::{Instant, Offset};

/// A member's word on a range of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcknowledgementBatch {
    /// The first offset.
    pub first: Offset,
    /// The last offset.
    pub last: Offset,
    /// One type for all, or one for each offset: 0 there is no such record, 1 accept, 2 release, 3 reject, 4 renew.
    pub types: Vec<i8>,
}

/// Why acknowledgements are refused; nothing of the request counts then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcknowledgeError {
    /// INVALID_REQUEST: a type that does not exist, or offsets that were never fetched.
    InvalidRequest(String),
    /// INVALID_RECORD_STATE: records the member does not hold.
    InvalidRecordState(&'static str),
}

/// What one type does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Becomes(RecordState),
    Renew,
}

impl Verdict {
    fn of(kind: i8) -> Option<Self> {
        match kind {
            0 | 3 => Some(Self::Becomes(RecordState::Archived)),
            1 => Some(Self::Becomes(RecordState::Acknowledged)),
            2 => Some(Self::Becomes(RecordState::Available)),
            4 => Some(Self::Renew),
            _ => None,
        }
    }
}

impl AcknowledgementBatch {
    /// The verdict on the offset, given that all types are known.
    fn verdict(&self, offset: Offset) -> Option<Verdict> {
        let at = if self.types.len() > 1 { usize::try_from(offset.0 - self.first.0).ok()? } else { 0 };
        self.types.get(at).copied().and_then(Verdict::of)
    }

    /// Ranges of offsets with one verdict each, from `from` on.
    fn parts(&self, from: Offset) -> Vec<(Offset, Offset, Verdict)> {
        let mut parts: Vec<(Offset, Offset, Verdict)> = Vec::new();
        if self.types.len() <= 1 {
            parts.extend(self.verdict(from).map(|verdict| (from, self.last, verdict)));
            return parts;
        }
        for offset in (from.0..=self.last.0).map(Offset) {
            let Some(verdict) = self.verdict(offset) else { break };
            match parts.last_mut() {
                Some((_, last, same)) if *same == verdict => *last = offset,
                _ => parts.push((offset, offset, verdict)),
            }
        }
        parts
    }
}

const NOT_FOUND: &str = "Batch record not found. The request batch offsets are not found in the cache.";
const NOT_ACQUIRED: &str = "The offset cannot be acknowledged. The offset is not acquired.";
const NOT_OWNER: &str = "Member is not the owner of offset";
const NO_RENEWAL: &str = "Renewing acquisition locks is not enabled for the group.";
const BEING_CHANGED: &str = "The record state is invalid. The acknowledgement of delivery could not be completed.";

impl SharePartition {
    /// Takes the acknowledgements of `member`. What is to be persisted comes back, if anything is; the records are
    /// free (or done with) when that write was [`complete`](Self::complete)d.
    pub fn acknowledge(
        &mut self,
        member: &str,
        batches: &[AcknowledgementBatch],
        now: Instant,
    ) -> Result<Option<Write>, AcknowledgeError> {
        let id = self.begin();
        for batch in batches {
            if let Err(error) = self.acknowledge_batch(id, member, batch, now) {
                self.settle(id, false, Instant(0));
                return Err(error);
            }
        }
        Ok(self.write(id))
    }

    fn acknowledge_batch(
        &mut self,
        id: TransitionId,
        member: &str,
        batch: &AcknowledgementBatch,
        now: Instant,
    ) -> Result<(), AcknowledgeError> {
        if batch.types.iter().any(|kind| Verdict::of(*kind).is_none()) {
            let text = format!("Invalid acknowledge type: {:?}", batch.types);
            return Err(AcknowledgeError::InvalidRequest(text));
        }
        if batch.last < self.start {
            return Ok(()); // archived already
        }
        self.check_known(batch)?;
        for (first, last, verdict) in batch.parts(batch.first.max(self.start)) {
            self.check_held(member, first, last)?;
            if verdict == Verdict::Renew && !self.limits.renews {
                return Err(AcknowledgeError::InvalidRecordState(NO_RENEWAL));
            }
            for key in self.runs.isolate(first, last) {
                match verdict {
                    Verdict::Becomes(state) => self.set_free(id, key, state, false),
                    Verdict::Renew => {
                        let until = now.plus(self.limits.lock_duration);
                        self.runs.change(key, |run| {
                            if let Some(hold) = &mut run.hold {
                                hold.until = until;
                            }
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// The offsets must have been fetched.
    fn check_known(&self, batch: &AcknowledgementBatch) -> Result<(), AcknowledgeError> {
        let from = batch.first.max(self.start);
        let past = |what: &str| {
            let text = format!("Batch record not found. The {what} offset in request is past acquired records.");
            AcknowledgeError::InvalidRequest(text)
        };
        let Some(last) = self.runs.last_offset() else { return Err(AcknowledgeError::InvalidRecordState(NOT_FOUND)) };
        match self.runs.floor(from) {
            None => Err(AcknowledgeError::InvalidRecordState(NOT_FOUND)),
            Some(_) if from > last => Err(past("first")),
            Some(_) if batch.last > last => Err(past("last")),
            Some(_) => Ok(()),
        }
    }

    fn check_held(&self, member: &str, first: Offset, last: Offset) -> Result<(), AcknowledgeError> {
        for key in self.runs.overlapping(first, last) {
            let Some(run) = self.runs.get(key) else { continue };
            let refused = match &run.hold {
                None if run.transition.is_some() => Some(BEING_CHANGED),
                None => Some(NOT_ACQUIRED),
                Some(hold) if *hold.member != *member => Some(NOT_OWNER),
                Some(_) => None,
            };
            if let Some(text) = refused {
                return Err(AcknowledgeError::InvalidRecordState(text));
            }
        }
        Ok(())
    }
}
