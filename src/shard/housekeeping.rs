//! What a core does beside requests: closed segments reach the device, recovery points move,
//! silent producers are forgotten. All of it waits for a reason or a long timer: an idle broker stays idle.

use super::Shard;
use crate::partition::Partition;
use crate::ring::runtime;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// Rolls within this time share one writing of the checkpoint files.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);
/// `producer.id.expiration.check.interval.ms`.
const EXPIRY_EVERY: Duration = Duration::from_secs(600);

impl Shard {
    /// A segment was closed: flushes the log in the background, after which an unclean start need
    /// not read that segment again.
    pub(super) fn flush_in_background(self: &Rc<Self>, partition: Rc<Partition>) {
        let shard = self.clone();
        runtime::spawn_background(async move {
            match flush(&partition).await {
                Ok(()) => shard.checkpoint_soon(&partition),
                Err(e) => shard.disk_failed(&partition, &e),
            }
        })
        .detach();
    }

    fn checkpoint_soon(self: &Rc<Self>, partition: &Rc<Partition>) {
        let high_watermark = partition.high_watermark();
        partition.with_log(|log| self.shared.log_dirs.set_checkpoint(log, high_watermark));
        if self.checkpointing.replace(true) {
            return;
        }
        let shard = self.clone();
        runtime::spawn_background(async move {
            runtime::sleep(CHECKPOINT_AFTER).await;
            shard.checkpointing.set(false);
            let dirs = shard.shared.log_dirs.clone();
            let write = runtime::blocking(move || dirs.dirs().iter().try_for_each(|dir| dir.write_checkpoints()));
            if let Err(e) = write.await {
                // Not fatal: the next start only reads more than it had to.
                shard.shared.log_limits.warn("checkpoint", &format!("checkpoints: {e}"), shard.now().mono);
            }
        })
        .detach();
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`, for ever.
    pub async fn expire_producers(self: Rc<Self>) {
        loop {
            runtime::sleep(EXPIRY_EVERY).await;
            let now = self.now();
            for partition in self.open_partitions() {
                partition.with_log(|log| log.expire_producers(now));
            }
        }
    }
}

async fn flush(partition: &Rc<Partition>) -> io::Result<()> {
    let Some(job) = partition.with_log(|log| log.begin_flush()) else { return Ok(()) };
    let flushed = job.run().await;
    partition.with_log(|log| log.complete_flush(job, flushed)).map(drop)
}
