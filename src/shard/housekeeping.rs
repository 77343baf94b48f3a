//! What a core does beside requests: recovery points and start offsets are checkpointed,
//! silent producers are forgotten. All of it waits for a reason or a long timer: an idle broker stays idle.

use super::Shard;
use crate::partition::Partition;
use crate::ring::{errno, runtime};
use std::rc::Rc;
use std::time::Duration;

/// Rolls within this time share one writing of the checkpoint files.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);
/// `producer.id.expiration.check.interval.ms`.
const EXPIRY_EVERY: Duration = Duration::from_secs(600);

impl Shard {
    /// The log's recovery point or start offset moved: it stands in the checkpoint files soon, at the latest after
    /// `log.flush.offset.checkpoint.interval.ms` and `log.flush.start.offset.checkpoint.interval.ms`.
    pub fn checkpoint_soon(self: &Rc<Self>, partition: &Rc<Partition>) {
        let high_watermark = partition.high_watermark();
        partition.with_log(|log| self.shared.log_dirs.set_checkpoint(log, high_watermark));
        if self.checkpointing.replace(true) {
            return;
        }
        let log = &self.shared.config.log;
        let interval = log.recovery_point_checkpoint_interval_ms.min(log.log_start_checkpoint_interval_ms);
        let after = CHECKPOINT_AFTER.min(Duration::from_millis(interval.unsigned_abs()));
        let shard = self.clone();
        runtime::spawn_background(async move {
            runtime::sleep(after).await;
            shard.checkpointing.set(false);
            shard.write_checkpoints().await;
        })
        .detach();
    }

    /// Writes the checkpoint files of all log dirs, as far as they changed.
    pub(super) async fn write_checkpoints(&self) {
        let dirs = self.shared.log_dirs.clone();
        let write = runtime::blocking(move || {
            let written = dirs.dirs().iter().map(|dir| (dir.path().to_path_buf(), dir.write_checkpoints()));
            written.filter_map(|(path, written)| written.err().map(|e| (path, e))).collect::<Vec<_>>()
        });
        for (dir, e) in write.await {
            if errno::is_disk_full(&e) || errno::is_out_of_descriptors(&e) {
                // Until there is space the next start only reads more than it had to.
                self.shared.log_limits.warn("checkpoint", &format!("checkpoints: {e}"), self.now().mono);
            } else {
                self.dir_failed(&dir, "its checkpoints", &e);
            }
        }
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
