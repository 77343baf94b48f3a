//! What a coordinator logs of transactions that could not go on because their record was not written. Kafka logs each
//! (`TransactionCoordinator`: info where the client is told, warn where the coordinator itself wanted it); a full disk
//! fails all of them, so here one line now and then says how many there were.

use super::in_flight::After;
use crate::base::{ErrorCode, Instant};
use std::time::Duration;

/// Between two lines of a coordinator.
const PAUSE: Duration = Duration::from_secs(10);

/// Owned by the machine.
#[derive(Debug, Default)]
pub struct Complaints {
    last: Option<Instant>,
    /// What was passed over since.
    untold: u64,
}

impl Complaints {
    /// The change of `id` that `after` names was not written; true where a line was logged.
    pub fn not_written(&mut self, id: &str, after: &After, error: ErrorCode, now: Instant) -> bool {
        if self.last.is_some_and(|last| now.since(last) < PAUSE) {
            self.untold += 1;
            return false;
        }
        self.last = Some(now);
        let untold = std::mem::take(&mut self.untold);
        let what = match after {
            After::Begun(_) => "InitProducerId is refused",
            After::Ended(_) => "EndTxn is refused",
            After::Added(..) => "partitions are refused to a transaction",
            After::Fenced(_) => "a producer's epoch was raised and could not be written: nobody is told it",
            After::TimedOut => "a transaction that was open for too long could not be aborted yet",
            After::Completed => "the end of a transaction could not be written yet",
        };
        match after {
            After::Begun(_) | After::Ended(_) | After::Added(..) => {
                tracing::info!(transactional_id = id, ?error, untold, "{what}");
            }
            After::Fenced(_) | After::TimedOut | After::Completed => {
                tracing::warn!(transactional_id = id, ?error, untold, "{what}");
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::machine::Token;

    #[test]
    fn a_disk_that_fails_them_all_makes_one_line_now_and_then() {
        let mut complaints = Complaints::default();
        let mut told = |ms: i64| {
            let now = Instant(1).plus_ms(ms);
            complaints.not_written("id", &After::Ended(Token(1)), ErrorCode::NotCoordinator, now)
        };
        assert_eq!([0, 1, 9_999, 10_000, 10_001, 20_000].map(&mut told), [true, false, false, true, false, true]);
    }
}
