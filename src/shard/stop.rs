//! A core's part of stopping: no more requests, everything accepted written, logs closed.

use super::Shard;
use crate::base::ErrorCode;
use crate::base::local::join_all;
use crate::log::Log;
use crate::partition::Partition;
use crate::ring::runtime;
use std::rc::Rc;
use std::time::Duration;

impl Shard {
    /// Remembers what to call when the core stops serving.
    pub fn keep_closing(&self, close: impl FnOnce() + 'static) {
        self.closers.borrow_mut().push(Box::new(close));
    }

    /// True once the broker has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Completes when the broker begins to stop.
    pub async fn until_stopping(&self) {
        let begun = self.stop_begun.listen();
        if !self.is_stopping() {
            begun.await;
        }
    }

    /// No more connections, no more requests.
    pub fn stop_serving(&self) {
        self.stopping.set(true);
        self.stop_begun.notify();
        // Members that wait in a JoinGroup or SyncGroup learn that they have to look elsewhere.
        self.resign_coordinators();
        let closers = std::mem::take(&mut *self.closers.borrow_mut());
        closers.into_iter().for_each(|close| close());
    }

    /// Writes, flushes and closes every log of this core, side by side on the blocking pool. True
    /// when all are closed cleanly.
    pub async fn close_partitions(self: &Rc<Self>) -> bool {
        let partitions: Vec<Rc<Partition>> = self.partitions.borrow_mut().drain().map(|(_, p)| p).collect();
        let closing = partitions.into_iter().map(|partition| Box::pin(close(self.clone(), partition)));
        join_all(closing.collect()).await.into_iter().all(|clean| clean)
    }

    /// Lets this core's thread end.
    pub fn leave(&self) {
        self.gone.set(true);
        self.left.notify();
    }

    /// Waits until [`leave`](Self::leave) is called.
    pub async fn until_left(&self) {
        let left = self.left.listen();
        if !self.gone.get() {
            left.await;
        }
    }
}

async fn close(shard: Rc<Shard>, partition: Rc<Partition>) -> bool {
    if let Err(e) = partition.clone().write_accepted().await {
        shard.disk_failed(&partition, &e);
    }
    partition.close(ErrorCode::NotLeaderOrFollower);
    let high_watermark = partition.high_watermark();
    let Some(log) = into_log(partition).await else { return false };
    let name = log.partition().clone();
    let dirs = shard.shared.log_dirs.clone();
    let closed = runtime::blocking(move || dirs.close(log, high_watermark)).await;
    closed.map_err(|e| tracing::error!("{name}: closing the log failed: {e}")).is_ok()
}

/// How often, and how long, a partition is waited for that a task still uses.
const RELEASE_TRIES: u32 = 5_000;
const RELEASE_PAUSE: Duration = Duration::from_millis(1);

/// The partition's log once no job is out and no reader holds the partition. `None` (and a word)
/// where one never lets go.
pub(super) async fn into_log(mut partition: Rc<Partition>) -> Option<Log> {
    for _ in 0..RELEASE_TRIES {
        if partition.with_log(|log| log.is_idle()) {
            match Rc::try_unwrap(partition) {
                Ok(alone) => return Some(alone.into_log()),
                Err(shared) => partition = shared,
            }
        }
        runtime::sleep(RELEASE_PAUSE).await;
    }
    tracing::error!("{}: still in use, its log is left as after a crash", partition.name);
    None
}
