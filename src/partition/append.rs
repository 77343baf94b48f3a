//! Producing in two steps: accept in order, answer when written or committed.

use super::Partition;
use super::acks::AckResult;
use super::ask::{AppendAsk, AppendOutcome, RequiredAcks};
use super::error::append_outcome;
use super::state::State;
use crate::base::local::Receiver;
use crate::base::{ErrorCode, Now, Offset};
use crate::log::{AppendInfo, AppendOrigin, Checked, Verification, WriteError};
use crate::record::{BatchHeader, Compression};
use crate::ring::errno;
use bytes::Bytes;
use std::rc::Rc;

/// An append that is accepted or refused; [`finish`](Self::finish) waits for its acknowledgement.
pub struct Appending {
    outcome: AppendOutcome,
    waiting: Option<Receiver<AckResult>>,
    /// It waits for its turn to be checked; then this is what counts.
    queued: Option<Receiver<Appending>>,
}

impl Appending {
    /// Refused before anything was appended.
    pub fn failed(outcome: AppendOutcome) -> Self {
        Self { outcome, waiting: None, queued: None }
    }

    /// Not decided yet: `told` will be.
    pub(super) fn queued(told: Receiver<Appending>) -> Self {
        Self { queued: Some(told), ..Self::failed(AppendOutcome::failed(ErrorCode::NotLeaderOrFollower)) }
    }

    /// True where something was queued for writing.
    pub fn is_accepted(&self) -> bool {
        self.outcome.error == ErrorCode::None
    }

    /// Where it goes; below zero where it was refused.
    pub fn base_offset(&self) -> Offset {
        Offset(self.outcome.base_offset)
    }

    /// True where it waits for its turn to be checked.
    pub fn is_queued(&self) -> bool {
        self.queued.is_some()
    }

    /// True where the coordinator of its transaction has to be asked first.
    pub fn is_unsure(&self) -> bool {
        self.outcome.guard.is_some()
    }

    /// The answer, once it is due.
    pub async fn finish(mut self) -> AppendOutcome {
        match self.queued.take() {
            None => self.acknowledged().await,
            Some(told) => match told.await {
                Ok(appending) => appending.acknowledged().await,
                Err(_) => self.outcome,
            },
        }
    }

    async fn acknowledged(self) -> AppendOutcome {
        let Some(waiting) = self.waiting else { return self.outcome };
        match waiting.await {
            Ok(Ok(())) => self.outcome,
            Ok(Err(error)) => AppendOutcome::failed(error),
            Err(_) => AppendOutcome::failed(ErrorCode::NotLeaderOrFollower),
        }
    }
}

impl Partition {
    /// Step 1 for a client's batch. One that takes long to check waits, and so do those behind it: see
    /// [`take_check_due`](Self::take_check_due).
    pub fn append(&self, ask: AppendAsk, now: Now) -> Appending {
        if self.has_queued_appends() {
            return self.queue_append(ask, false);
        }
        match self.begin_append(&ask, now) {
            Some(appending) => appending,
            None => self.queue_append(ask, true),
        }
    }

    /// What stands against an append whatever its records are.
    pub(super) fn may_append_ask(&self, ask: &AppendAsk) -> Result<(), Appending> {
        let state = self.state.borrow();
        if let Err(error) = self.may_append(&state, ask.acks) {
            let current_leader = state.current_leader(error);
            // Too few replicas are found in sync only when the partition is there to look at.
            let log_start_offset = if error == ErrorCode::NotEnoughReplicas { state.log.start_offset().0 } else { -1 };
            let refused = AppendOutcome { current_leader, log_start_offset, ..AppendOutcome::failed(error) };
            return Err(Appending::failed(refused));
        }
        if ask.version < ZSTD_FROM && is_zstd(&ask.records) {
            return Err(Appending::failed(AppendOutcome::failed(ErrorCode::UnsupportedCompressionType)));
        }
        Ok(())
    }

    /// Appends what was checked; nothing may stand against it ([`may_append_ask`](Self::may_append_ask)).
    pub(super) fn append_checked(&self, ask: &AppendAsk, checked: Checked, now: Now) -> Appending {
        let mut state = self.state.borrow_mut();
        let epoch = state.leader_epoch();
        match state.log.append_checked(checked.verified(ask.verification), epoch, now) {
            Ok(info) => {
                let required = info.last_offset.plus(1);
                let outcome = outcome(&info);
                let waiting = match ask.acks {
                    RequiredAcks::None => None,
                    _ => Some(wait(&mut state, required, ask.deadline, ask.acks)),
                };
                Appending { outcome, waiting: waiting.flatten(), queued: None }
            }
            Err(error) => Appending::failed(append_outcome(&error, &self.name, state.log.start_offset())),
        }
    }

    /// Step 1 for a coordinator's batch, or for the marker of a transaction: always waits for the commit.
    pub fn append_internal(
        &self,
        records: Bytes,
        (origin, verification): (AppendOrigin, Verification),
        deadline: crate::base::Instant,
        now: Now,
    ) -> Appending {
        let mut state = self.state.borrow_mut();
        if let Err(error) = self.may_append(&state, RequiredAcks::All) {
            return Appending::failed(AppendOutcome::failed(error));
        }
        let epoch = state.leader_epoch();
        match state.log.append_verified(records, origin, verification, epoch, now) {
            Ok(info) => {
                let waiting = wait(&mut state, info.last_offset.plus(1), deadline, RequiredAcks::All);
                Appending { outcome: outcome(&info), waiting, queued: None }
            }
            Err(error) => Appending::failed(append_outcome(&error, &self.name, state.log.start_offset())),
        }
    }

    fn may_append(&self, state: &State, acks: RequiredAcks) -> Result<(), ErrorCode> {
        state.check_leader(crate::base::LeaderEpoch::UNKNOWN)?;
        if acks == RequiredAcks::All && !state.has_min_isr() {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        Ok(())
    }

    /// Step 2: writes all that is accepted, moves the high watermark, tells who waits. Returns when
    /// nothing is left to write; a second call meanwhile returns at once. The error is a failed
    /// disk: the log dir goes offline.
    pub async fn write_accepted(self: Rc<Self>) -> Result<(), std::io::Error> {
        if self.writing.replace(true) {
            return Ok(());
        }
        let result = self.write_all().await;
        self.writing.set(false);
        result
    }

    async fn write_all(&self) -> Result<(), std::io::Error> {
        loop {
            if self.held.get() {
                return Ok(());
            }
            let job = self.state.borrow_mut().log.take_write();
            let Some(mut job) = job else { return Ok(()) };
            let outcome = job.run().await;
            let written = self.state.borrow_mut().log.complete_write(job, outcome);
            self.flush_due.set(self.flush_due.get() || written.rolled);
            match written.failed {
                None => self.committed(),
                Some(WriteError::DiskFull(e)) => {
                    // Of a full disk whoever sees to it tells, once.
                    if !errno::is_disk_full(&e) {
                        tracing::error!("{}: not written: {e}", self.name);
                    }
                    self.state.borrow_mut().acks.fail_all(ErrorCode::KafkaStorageError);
                }
                Some(WriteError::Failed(e)) => {
                    self.close(ErrorCode::KafkaStorageError);
                    return Err(e);
                }
            }
        }
    }

    /// Written or flushed: moves the high watermark, tells who waited for that.
    pub(super) fn committed(&self) {
        let mut state = self.state.borrow_mut();
        // A failed directory acknowledges nothing, though this write went well.
        if state.log.is_offline() || !state.advance() {
            return;
        }
        let committed = state.high_watermark;
        let verdict = if state.has_min_isr() { Ok(()) } else { Err(ErrorCode::NotEnoughReplicasAfterAppend) };
        state.acks.complete(committed, verdict);
        drop(state);
        self.watches.fire();
    }
}

/// First produce version that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

fn is_zstd(records: &[u8]) -> bool {
    BatchHeader::of(records).is_some_and(|header| header.attributes() & 0x07 == Compression::Zstd as i16)
}

fn wait(
    state: &mut State,
    required: crate::base::Offset,
    deadline: crate::base::Instant,
    acks: RequiredAcks,
) -> Option<Receiver<AckResult>> {
    let done = match acks {
        RequiredAcks::All => state.high_watermark,
        _ => state.log.committable_offset(),
    };
    (required > done).then(|| state.acks.wait_for(required, deadline))
}

fn outcome(info: &AppendInfo) -> AppendOutcome {
    AppendOutcome {
        error: ErrorCode::None,
        base_offset: info.first_offset.0,
        log_append_time_ms: info.log_append_time.0,
        log_start_offset: info.log_start_offset.0,
        record_errors: Vec::new(),
        message: None,
        current_leader: None,
        guard: None,
    }
}
