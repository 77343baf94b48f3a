//! Step 2 of appending, a turn's worth at a time.
//!
//! Requests that are read in one turn of the loop enqueue their batches and mark their partitions.
//! The flusher runs after them and carries what each partition collected to its file in one
//! vectored write. Where the write completes at once (a plain write into the page cache) nothing is
//! spawned; where it waits, the flusher goes on with the next partition.

use super::Shard;
use crate::partition::Partition;
use crate::ring::runtime;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// How often producers' deadlines are looked at while any producer waits.
const ACK_SWEEP: Duration = Duration::from_millis(200);

impl Shard {
    /// `partition` accepted something: it is written before this turn of the loop ends.
    pub(super) fn mark_dirty(&self, partition: &Rc<Partition>) {
        let mut dirty = self.dirty.borrow_mut();
        if !dirty.iter().any(|p| Rc::ptr_eq(p, partition)) {
            dirty.push(partition.clone());
        }
        if dirty.len() == 1 {
            self.dirty_event.notify();
        }
    }

    /// Writes what partitions accept, for as long as the core lives.
    pub async fn flush_dirty(self: Rc<Self>) {
        loop {
            let listener = self.dirty_event.listen();
            let dirty = std::mem::take(&mut *self.dirty.borrow_mut());
            if dirty.is_empty() {
                listener.await;
                continue;
            }
            for partition in dirty {
                self.write(partition).await;
            }
        }
    }

    async fn write(self: &Rc<Self>, partition: Rc<Partition>) {
        let shard = self.clone();
        let mut writing = Box::pin(async move {
            shard.stats.writes.set(shard.stats.writes.get() + 1);
            if let Err(e) = partition.clone().write_accepted().await {
                shard.disk_failed(&partition, &e);
            } else if partition.take_flush_due() {
                shard.flush_in_background(partition);
            }
        });
        let done = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_ready())).await;
        if !done {
            runtime::spawn(writing).detach();
            self.sweep_acks();
        }
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
