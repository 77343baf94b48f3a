//! Producers waiting for their batch to be committed.

use crate::base::local::{self, Receiver, Sender};
use crate::base::{ErrorCode, Instant, Offset};
use std::collections::VecDeque;

/// What a waiting producer is told.
pub type AckResult = Result<(), ErrorCode>;

struct Waiting {
    required: Offset,
    deadline: Instant,
    answer: Sender<AckResult>,
}

/// The waiting producers of one partition, in the order of their batches.
#[derive(Default)]
pub struct Acks {
    waiting: VecDeque<Waiting>,
}

impl Acks {
    /// Waits until the log is committed up to `required` (exclusive), at most until `deadline`.
    pub fn wait_for(&mut self, required: Offset, deadline: Instant) -> Receiver<AckResult> {
        let (answer, receiver) = local::oneshot();
        // Duplicates of batches still in flight may ask for less than those before them.
        let place = self.waiting.iter().rposition(|w| w.required <= required).map_or(0, |i| i + 1);
        self.waiting.insert(place, Waiting { required, deadline, answer });
        receiver
    }

    /// Everything below `committed` is done: tells those who waited for it `verdict`.
    pub fn complete(&mut self, committed: Offset, verdict: AckResult) {
        while self.waiting.front().is_some_and(|w| w.required <= committed) {
            if let Some(done) = self.waiting.pop_front() {
                done.answer.send(verdict);
            }
        }
    }

    /// Tells everyone `error`: the log failed, the leader changed or the partition goes.
    pub fn fail_all(&mut self, error: ErrorCode) {
        for waiting in self.waiting.drain(..) {
            waiting.answer.send(Err(error));
        }
    }

    /// Answers REQUEST_TIMED_OUT where the deadline has passed; the data stays and may commit.
    pub fn expire(&mut self, now: Instant) {
        let (late, kept): (VecDeque<_>, VecDeque<_>) = self.waiting.drain(..).partition(|w| w.deadline <= now);
        self.waiting = kept;
        for waiting in late {
            waiting.answer.send(Err(ErrorCode::RequestTimedOut));
        }
    }

    /// True when nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_answers_exactly_those_below_the_committed_offset() {
        let mut acks = Acks::default();
        let far = Instant(1_000);
        let first = acks.wait_for(Offset(5), far);
        let second = acks.wait_for(Offset(9), far);
        let duplicate = acks.wait_for(Offset(5), far);
        acks.complete(Offset(5), Ok(()));
        assert_eq!(first.try_take(), Some(Ok(())));
        assert_eq!(duplicate.try_take(), Some(Ok(())));
        assert_eq!(second.try_take(), None);
        acks.fail_all(ErrorCode::KafkaStorageError);
        assert_eq!(second.try_take(), Some(Err(ErrorCode::KafkaStorageError)));
        assert!(acks.is_empty());
    }

    #[test]
    fn only_the_late_ones_time_out() {
        let mut acks = Acks::default();
        let late = acks.wait_for(Offset(1), Instant(10));
        let patient = acks.wait_for(Offset(2), Instant(20));
        acks.expire(Instant(10));
        assert_eq!(late.try_take(), Some(Err(ErrorCode::RequestTimedOut)));
        assert_eq!(patient.try_take(), None);
    }
}
