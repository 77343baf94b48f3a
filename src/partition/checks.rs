//! Batches whose check takes longer than a shard may be held up, and all that came after them.
//!
//! The order in which a partition's batches came is the order in which they are appended: while one is checked on
//! another thread, the next ones wait behind it. Their bytes are charged to the connections that sent them.

use super::Partition;
use super::append::Appending;
use super::ask::AppendAsk;
use super::error::append_outcome;
use crate::base::Now;
use crate::base::local::{self, Sender};
use crate::log::{AppendError, Check, Checked, Refusal};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Appends that wait for a check, theirs or another's.
#[derive(Default)]
pub(super) struct Checks {
    queue: RefCell<VecDeque<QueuedAppend>>,
    running: Cell<bool>,
    due: Cell<bool>,
}

/// An append that waits.
pub struct QueuedAppend {
    ask: AppendAsk,
    tell: Sender<Appending>,
    /// It is known to take long.
    long: bool,
}

/// What becomes of a queued append when its turn comes.
pub enum CheckStep {
    /// Accepted or refused.
    Done(Appending),
    /// To be run on another thread, then [`Partition::finish_check`].
    Elsewhere(Check),
}

impl QueuedAppend {
    /// Bytes of its batches.
    pub fn bytes(&self) -> usize {
        self.ask.records.len()
    }

    /// Hands the append back to who waits for it.
    pub fn tell(self, appending: Appending) {
        self.tell.send(appending);
    }
}

impl Partition {
    /// Whether an append has to wait behind others.
    pub(super) fn has_queued_appends(&self) -> bool {
        self.checks.running.get()
    }

    /// Lets an append wait for its turn.
    pub(super) fn queue_append(&self, ask: AppendAsk, long: bool) -> Appending {
        let (tell, told) = local::oneshot();
        self.checks.queue.borrow_mut().push_back(QueuedAppend { ask, tell, long });
        if !self.checks.running.replace(true) {
            self.checks.due.set(true);
        }
        Appending::queued(told)
    }

    /// True once after an append began to wait: somebody has to go through the queue with
    /// [`next_queued`](Self::next_queued).
    pub fn take_check_due(&self) -> bool {
        self.checks.due.take()
    }

    /// The append whose turn it is. `None` ends the queue: later appends do not wait.
    pub fn next_queued(&self) -> Option<QueuedAppend> {
        let next = self.checks.queue.borrow_mut().pop_front();
        self.checks.running.set(next.is_some());
        next
    }

    /// Begins with a queued append: what is quickly checked is done at once.
    pub fn begin_check(&self, queued: &QueuedAppend, now: Now) -> CheckStep {
        let quick = if queued.long { None } else { self.begin_append(&queued.ask, now) };
        quick.map_or_else(
            || {
                let records = queued.ask.records.clone();
                CheckStep::Elsewhere(self.with_log(|log| log.check_elsewhere(records, now.wall)))
            },
            CheckStep::Done,
        )
    }

    /// Appends what was checked elsewhere.
    pub fn finish_check(&self, queued: &QueuedAppend, checked: Result<Checked, AppendError>, now: Now) -> Appending {
        match checked {
            // The check took its time: whether this node leads is asked again.
            Ok(checked) => match self.may_append_ask(&queued.ask) {
                Ok(()) => self.append_checked(&queued.ask, checked, now),
                Err(refused) => refused,
            },
            Err(error) => self.refused(&error),
        }
    }

    fn refused(&self, error: &AppendError) -> Appending {
        let log_start = self.with_log(|log| log.start_offset());
        Appending::failed(append_outcome(error, &self.name, log_start))
    }

    /// Checks what is quickly checked and appends it; `None` where the check takes longer.
    pub(super) fn begin_append(&self, ask: &AppendAsk, now: Now) -> Option<Appending> {
        if let Err(refused) = self.may_append_ask(ask) {
            return Some(refused);
        }
        let checked = self.with_log(|log| log.check(ask.records.clone(), now.wall));
        match checked {
            Ok(checked) => Some(self.append_checked(ask, checked, now)),
            Err(Refusal::Append(error)) => Some(self.refused(&error)),
            Err(Refusal::TooMuch) => None,
        }
    }
}
