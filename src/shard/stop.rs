//! A core's part of stopping: no more requests, everything accepted written, logs closed.

use super::Shard;
use crate::base::{ErrorCode, Offset, TopicPartition};
use crate::log::Log;
use crate::log::dir::LogDir;
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

    /// Writes what every log of this core accepted and gives the logs, with their high watermarks, to be closed. The
    /// directory of one that is not let go of is left unclean.
    pub async fn release_logs(self: &Rc<Self>) -> Vec<(Log, Offset)> {
        let partitions: Vec<Rc<Partition>> = self.partitions.borrow_mut().drain().map(|(_, p)| p).collect();
        // Their files were not looked at.
        for id in self.without_space.take() {
            let image = self.image();
            let topic = image.topic_by_id(&id.topic_id);
            let name = topic.map(|topic| TopicPartition::new(topic.name.clone(), id.partition));
            let dir = name.and_then(|name| self.shared.log_dirs.of_partition(&name));
            dir.into_iter().for_each(LogDir::leave_unclean);
        }
        let mut logs = Vec::with_capacity(partitions.len());
        let mut tries = RELEASE_TRIES;
        for partition in partitions {
            partition.hold_writes(false);
            if let Err(e) = partition.clone().write_accepted().await {
                self.disk_failed(&partition, &e);
            }
            partition.close(ErrorCode::NotLeaderOrFollower);
            let (name, high_watermark) = (partition.name.clone(), partition.high_watermark());
            match into_log(partition, &mut tries).await {
                Some(log) => logs.push((log, high_watermark)),
                None => self.shared.log_dirs.of_partition(&name).into_iter().for_each(|dir| dir.leave_unclean()),
            }
        }
        logs
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

/// How often, and how long, partitions are waited for that a task still uses.
pub(super) const RELEASE_TRIES: u32 = 5_000;
const RELEASE_PAUSE: Duration = Duration::from_millis(1);

/// The partition's log once no job is out and no reader holds the partition. `None` (and a word)
/// where one never lets go. Each wait takes one of `tries`.
pub(super) async fn into_log(mut partition: Rc<Partition>, tries: &mut u32) -> Option<Log> {
    loop {
        if partition.with_log(|log| log.is_idle()) {
            match Rc::try_unwrap(partition) {
                Ok(alone) => return Some(alone.into_log()),
                Err(shared) => partition = shared,
            }
        }
        let Some(left) = tries.checked_sub(1) else { break };
        *tries = left;
        runtime::sleep(RELEASE_PAUSE).await;
    }
    tracing::error!("{}: still in use, its log is left as after a crash", partition.name);
    None
}
