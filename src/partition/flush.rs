//! Making a partition durable: one flush at a time, and what is written while it runs shares the next one.

use super::Partition;
use crate::base::{ErrorCode, Instant};
use std::io;
use std::rc::Rc;

impl Partition {
    /// True when acknowledgements wait for a flush, or `flush.messages` ask for one, and none is under way.
    pub fn must_flush(&self) -> bool {
        !self.flushing.get() && self.state.borrow().log.must_flush()
    }

    /// Puts all that is written on the device, and goes on as long as `flush.messages` ask for more: everybody who
    /// waits is told after one fdatasync that they share, of which `flushed` is told each time. Where a flush is under way already this returns at once, and
    /// that one is followed by another. True when closed segments were among it: the recovery point is worth a
    /// checkpoint.
    ///
    /// # Errors
    /// The disk's. The log takes no more appends, everybody who waits was told, and the log dir must go offline.
    pub async fn flush_written(self: Rc<Self>, flushed: impl Fn()) -> Result<bool, io::Error> {
        if self.flushing.replace(true) {
            self.flush_wanted.set(true);
            return Ok(false);
        }
        let result = self.flush_all(flushed).await;
        self.flushing.set(false);
        if result.is_err() {
            self.close(ErrorCode::KafkaStorageError);
        }
        result
    }

    async fn flush_all(&self, flushed: impl Fn()) -> Result<bool, io::Error> {
        let mut closed = false;
        loop {
            self.flush_wanted.set(false);
            let job = self.state.borrow_mut().log.begin_flush();
            let Some(job) = job else { return Ok(closed) };
            let result = job.run().await;
            closed |= job.closes_segments();
            self.state.borrow_mut().log.complete_flush(job, result)?;
            flushed();
            self.committed();
            if !self.flush_wanted.get() && !self.state.borrow().log.must_flush() {
                return Ok(closed);
            }
        }
    }

    /// When what was written first and is not flushed yet has to be, by `flush.ms`; `None` where nothing is planned.
    pub fn timed_flush(&self) -> Option<Instant> {
        self.flush_at.get()
    }

    /// True once, until [`Self::flush_timer_fired`]: a flush by `flush.ms` is to be planned, for `due`.
    pub fn plan_timed_flush(&self, due: Instant) -> bool {
        let is_first = self.flush_at.get().is_none();
        if is_first {
            self.flush_at.set(Some(due));
        }
        is_first
    }

    /// The planned time has come.
    pub fn flush_timer_fired(&self) {
        self.flush_at.set(None);
    }
}
