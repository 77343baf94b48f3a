//! Step 2 of appending, a turn's worth at a time.
//!
//! Requests that are read in one turn of the loop enqueue their batches and mark their partitions.
//! The flusher runs after them and carries what each partition collected to its file in one
//! vectored write. Where the write completes at once (a plain write into the page cache) nothing is
//! spawned; where it waits, the flusher goes on with the next partition.

use super::Shard;
use crate::base::Instant;
use crate::partition::Partition;
use crate::ring::runtime;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

/// How often producers' deadlines are looked at while any producer waits.
const ACK_SWEEP: Duration = Duration::from_millis(200);

impl Shard {
    /// `partition` accepted something: it is written once what is runnable now has run.
    pub(super) fn mark_dirty(&self, partition: &Rc<Partition>) {
        if partition.set_dirty(true) {
            return;
        }
        let mut dirty = self.dirty.borrow_mut();
        dirty.push(partition.clone());
        if dirty.len() == 1 {
            self.dirty_event.notify();
        }
    }

    /// Writes what partitions accept, for as long as the core lives.
    pub async fn flush_dirty(self: Rc<Self>) {
        loop {
            let listener = self.dirty_event.listen();
            if self.dirty.borrow().is_empty() {
                listener.await;
                continue;
            }
            // Requests that were read in the same turn, or arrived since, go with these: fewer writes, fuller answers.
            runtime::let_others_run().await;
            let dirty = std::mem::take(&mut *self.dirty.borrow_mut());
            for partition in dirty {
                self.write_begins().await;
                partition.set_dirty(false);
                self.write(partition).await;
            }
        }
    }

    async fn write(self: &Rc<Self>, partition: Rc<Partition>) {
        let shard = self.clone();
        let mut writing = Box::pin(async move {
            shard.stats.writes.set(shard.stats.writes.get() + 1);
            let written = partition.clone().write_accepted().await;
            shard.holds_files(&partition);
            shard.write_ended();
            if let Err(e) = written {
                shard.disk_failed(&partition, &e);
            } else {
                shard.flush_as_asked(&partition);
                shard.care_if_full(&partition);
            }
        });
        let done = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_ready())).await;
        if !done {
            runtime::spawn(writing).detach();
            self.sweep_acks();
        }
    }

    /// After a write: a flush where acknowledgements wait for it (`flush.messages`), one in the background where a
    /// segment was closed, one planned where `flush.ms` ask for it.
    pub(super) fn flush_as_asked(self: &Rc<Self>, partition: &Rc<Partition>) {
        let rolled = partition.take_flush_due();
        if rolled && partition.with_log(|log| log.config().compact) {
            self.wake_cleaner();
        }
        if partition.must_flush() {
            runtime::spawn(self.clone().flush(partition.clone())).detach();
            self.sweep_acks();
        } else if rolled {
            runtime::spawn_background(self.clone().flush(partition.clone())).detach();
        } else {
            self.plan_flush(partition);
        }
    }

    async fn flush(self: Rc<Self>, partition: Rc<Partition>) {
        let count = || self.stats.flushes.set(self.stats.flushes.get() + 1);
        match partition.clone().flush_written(count).await {
            Ok(true) => self.checkpoint_soon(&partition),
            Ok(false) => {}
            Err(e) => self.disk_failed(&partition, &e),
        }
    }

    /// What is written now is flushed in `flush.ms`, if it was not before. A log that is idle has no timer.
    fn plan_flush(self: &Rc<Self>, partition: &Rc<Partition>) {
        let after = partition.with_log(|log| {
            let unflushed = log.flushed_offset() < log.written_offset();
            Some(log.config().flush_ms).filter(|ms| unflushed && *ms < i64::MAX)
        });
        if let Some(ms) = after {
            self.flush_at(partition, self.now().mono.plus_ms(ms));
        }
    }

    /// Plans a flush for `due`, unless one is planned.
    pub(super) fn flush_at(self: &Rc<Self>, partition: &Rc<Partition>, due: Instant) {
        if !partition.plan_timed_flush(due) {
            return;
        }
        // Whoever closes or deletes the partition does not wait for the timer.
        let (shard, partition) = (self.clone(), Rc::downgrade(partition));
        runtime::spawn_background(async move {
            runtime::sleep_until(due).await;
            if let Some(partition) = Weak::upgrade(&partition) {
                partition.flush_timer_fired();
                shard.flush(partition).await;
            }
        })
        .detach();
    }

    /// Starts the sweep of producers' deadlines, unless it runs. It ends when nobody waits, so an
    /// idle broker has no timer.
    fn sweep_acks(self: &Rc<Self>) {
        if self.sweeping.replace(true) {
            return;
        }
        let shard = self.clone();
        runtime::spawn(async move {
            loop {
                runtime::sleep(ACK_SWEEP).await;
                let waiting: Vec<_> =
                    shard.partitions.borrow().values().filter(|p| p.has_waiting_acks()).cloned().collect();
                let now = shard.now().mono;
                waiting.iter().for_each(|p| p.expire_acks(now));
                if waiting.is_empty() {
                    shard.sweeping.set(false);
                    return;
                }
            }
        })
        .detach();
    }
}
