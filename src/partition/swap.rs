//! The last step of a move between log directories: a complete copy of the log takes its place.

use super::Partition;
use crate::base::{ErrorCode, Now};
use crate::log::{AppendError, Log};

impl Partition {
    /// While writes are held, batches are accepted and wait; nothing is lost. Mark the partition dirty when they go on.
    pub fn hold_writes(&self, hold: bool) {
        self.held.set(hold);
    }

    /// Lets `copy` take the place of the log, if it ends where the log is written to and no job is out: what was accepted
    /// meanwhile is queued behind it. Gives the log that was replaced; else the copy back.
    ///
    /// # Errors
    /// A batch that was accepted does not go into the copy: nobody can go on with either.
    pub fn swap_log(&self, mut copy: Log, now: Now) -> Result<Result<Log, Log>, AppendError> {
        let mut state = self.state.borrow_mut();
        let ready = state.log.has_no_job() && copy.is_idle() && copy.end_offset() == state.log.written_offset();
        if !ready || copy.is_offline() || state.log.is_offline() {
            return Ok(Err(copy));
        }
        copy.increment_start_offset(state.log.start_offset());
        for batch in state.log.take_queued() {
            if let Err(error) = copy.append_as_follower(batch, now) {
                // What producers were promised is lost to both logs: nothing is acknowledged any more.
                state.log.set_offline();
                state.acks.fail_all(ErrorCode::KafkaStorageError);
                return Err(error);
            }
        }
        copy.take_over(&mut state.log);
        Ok(Ok(std::mem::replace(&mut state.log, copy)))
    }
}
