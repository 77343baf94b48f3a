//! One partition on its owning core: leader state over a [`Log`](crate::log::Log), the high
//! watermark, waiting acknowledgements and waiting fetches.
//!
//! Cursors, checked after every change (a replica's names beside):
//!
//! ```text
//! log start <= last stable offset <= high watermark <= written <= accepted
//! ```
//!
//! In the sync class (`flush.messages=1`) the high watermark is moved by flushes, and does not pass what is flushed.

mod acks;
mod append;
mod ask;
mod askers;
mod checks;
mod clean;
mod counts;
mod error;
mod facts;
mod flush;
mod lookup;
mod read;
mod retain;
mod state;
mod swap;
#[cfg(test)]
mod tests;
mod unreadable;
mod watch;

pub use acks::AckResult;
pub use append::Appending;
pub use ask::{AppendAsk, AppendOutcome, Fetched, ReadAsk, Reader, RequiredAcks};
pub use askers::Askers;
pub use checks::{CheckStep, QueuedAppend};
pub use counts::Counts;
pub use error::append_code;
pub use facts::PartitionFacts;
pub use lookup::{EpochAnswer, OffsetAnswer, OffsetAsk};
pub use watch::{Watch, Watches};

use crate::base::local::Event;
use crate::base::{ErrorCode, Instant, LeaderEpoch, Offset, TopicIdPartition, TopicPartition};
use crate::log::{Guard, Log, LogConfig, Seen};
use crate::metadata::PartitionRegistration;
use state::State;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A partition this core owns. Shared by the tasks of its core, never held across an await inside.
pub struct Partition {
    /// Topic id and index.
    pub id: TopicIdPartition,
    /// Topic name and index, for directories and messages.
    pub name: TopicPartition,
    /// Fetches waiting for something to read.
    pub watches: Watches,
    /// What was produced to it since it was opened.
    pub counts: Counts,
    /// Whose connections ask it.
    pub askers: Askers,
    state: RefCell<State>,
    checks: checks::Checks,
    writing: Cell<bool>,
    dirty: Cell<bool>,
    /// Nothing accepted is written meanwhile.
    held: Cell<bool>,
    counted: Cell<bool>,
    flush_due: Cell<bool>,
    /// A flush is under way.
    flushing: Cell<bool>,
    /// Somebody asked for another meanwhile.
    flush_wanted: Cell<bool>,
    /// For when a flush by `flush.ms` is planned.
    flush_at: Cell<Option<Instant>>,
    unreadable: unreadable::Unreadable,
    /// A compacted segment took the place of others, or failed to.
    replaced: Event,
}

impl Partition {
    /// Takes over an open log; [`apply`](Self::apply) makes it a leader. `counts` go on, where it was open on another core.
    pub fn new(
        id: TopicIdPartition,
        name: TopicPartition,
        log: Log,
        min_isr: i32,
        (counts, askers): (Counts, Askers),
    ) -> Self {
        Self {
            counts,
            askers,
            id,
            name,
            watches: Watches::default(),
            state: RefCell::new(State::new(log, min_isr)),
            checks: checks::Checks::default(),
            writing: Cell::new(false),
            dirty: Cell::new(false),
            held: Cell::new(false),
            counted: Cell::new(false),
            flush_due: Cell::new(false),
            flushing: Cell::new(false),
            flush_wanted: Cell::new(false),
            flush_at: Cell::new(None),
            unreadable: unreadable::Unreadable::default(),
            replaced: Event::default(),
        }
    }

    /// Takes the topic's new settings; they hold from the next append on.
    pub fn reconfigure(&self, config: LogConfig, min_isr: i32) {
        let mut state = self.state.borrow_mut();
        state.log.set_config(config);
        state.min_isr = min_isr;
    }

    /// Notes whether the partition waits for its turn to be written; says whether it did.
    pub fn set_dirty(&self, dirty: bool) -> bool {
        self.dirty.replace(dirty)
    }

    /// Notes whether the core watches the files this partition holds open; says whether it did.
    pub fn set_counted(&self, counted: bool) -> bool {
        self.counted.replace(counted)
    }

    /// True once after a segment was closed: it is flushed in the background, so that the recovery
    /// point moves with each roll.
    pub fn take_flush_due(&self) -> bool {
        self.flush_due.take()
    }

    /// Follows the metadata: leader epoch, in-sync replicas. A registration with a partition epoch
    /// below the current one is old news and ignored.
    pub fn apply(&self, registration: Arc<PartitionRegistration>, node: crate::base::BrokerId) {
        let mut state = self.state.borrow_mut();
        if state.apply(registration, node) {
            state.acks.fail_all(ErrorCode::NotLeaderOrFollower);
        }
        drop(state);
        self.watches.fire();
    }

    /// The epoch under which this node leads the partition; `None` where it does not.
    pub fn leads(&self) -> Option<LeaderEpoch> {
        let state = self.state.borrow();
        state.check_leader(LeaderEpoch::UNKNOWN).ok().map(|()| state.leader_epoch())
    }

    /// Below this, records are committed and visible to consumers.
    pub fn high_watermark(&self) -> Offset {
        self.state.borrow().high_watermark
    }

    /// Where the next record goes.
    pub fn end_offset(&self) -> Offset {
        self.state.borrow().log.end_offset()
    }

    /// The segment file that holds `offset`, for messages.
    pub fn file_of(&self, offset: Offset) -> std::path::PathBuf {
        self.state.borrow().log.file_of(offset)
    }

    /// Begins to make sure of a transaction whose offsets or records are about to come: the guard to ask its
    /// coordinator under; none where it is open here.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER, INVALID_PRODUCER_EPOCH.
    pub fn begin_verification(&self, seen: Seen) -> Result<Option<Guard>, ErrorCode> {
        let mut state = self.state.borrow_mut();
        state.check_leader(LeaderEpoch::UNKNOWN)?;
        state.log.begin_verification(seen).map_err(|error| error::append_code(&error))
    }

    /// The first offset there still is.
    pub fn start_offset(&self) -> Offset {
        self.state.borrow().log.start_offset()
    }

    /// Looks at the log; `look` must not wait.
    pub fn with_log<R>(&self, look: impl FnOnce(&mut Log) -> R) -> R {
        look(&mut self.state.borrow_mut().log)
    }

    /// True while producers wait for this partition.
    pub fn has_waiting_acks(&self) -> bool {
        !self.state.borrow().acks.is_empty()
    }

    /// Answers REQUEST_TIMED_OUT to producers whose time is over.
    pub fn expire_acks(&self, now: Instant) {
        self.state.borrow_mut().acks.expire(now);
    }

    /// True when nothing is under way and nobody waits for an acknowledgement: all that was accepted is committed.
    pub fn is_at_rest(&self) -> bool {
        let state = self.state.borrow();
        let busy = self.dirty.get() || self.writing.get() || self.held.get() || self.flushing.get();
        let committed = state.high_watermark == state.log.end_offset() && state.acks.is_empty();
        !busy && committed && !self.has_queued_appends() && state.log.is_idle() && !state.log.is_offline()
    }

    /// For another core the log and what was counted; and who waits for something to read.
    pub fn into_parts(self) -> (Log, Counts, Watches) {
        (self.state.into_inner().log, self.counts, self.watches)
    }

    /// The log, at the partition's end.
    pub fn into_log(self) -> Log {
        self.state.into_inner().log
    }

    /// The partition goes away (deleted, moved, its disk failed): everyone waiting is told `error`.
    pub fn close(&self, error: ErrorCode) {
        self.state.borrow_mut().acks.fail_all(error);
        self.watches.fire();
    }
}
