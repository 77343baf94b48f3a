//! Retention on one core: each log is looked at every `log.retention.check.interval.ms`; what may go is renamed to
//! `.deleted` at once and removed after `file.delete.delay.ms`. Nothing is read on the core, and no partition is held
//! up while another waits for its disk.

use super::Shard;
use crate::log::deleted::{Snapshots, delete_segments};
use crate::partition::Partition;
use crate::ring::{errno, runtime};
use std::io;
use std::rc::Rc;
use std::time::Duration;

impl Shard {
    /// Deletes old segments of this core's logs, again and again, until the broker stops. For a background task.
    pub async fn enforce_retention(self: Rc<Self>) {
        let config = self.shared.config.log.clone();
        let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
        runtime::sleep(millis(config.initial_task_delay_ms)).await;
        while !self.is_stopping() {
            self.clone().delete_all_old().await;
            self.shorten_metadata_log().await;
            runtime::sleep(millis(config.retention_check_interval_ms)).await;
        }
    }

    /// Deletes old segments of this core's logs.
    pub(super) async fn delete_all_old(self: Rc<Self>) {
        // By id: a partition that is deleted meanwhile must not be held.
        let ids: Vec<_> = self.open_partitions().iter().map(|partition| partition.id).collect();
        for id in ids {
            if let Some(partition) = self.partition(&id).filter(|_| !self.is_stopping()) {
                self.delete_old_segments(&partition).await;
            }
            runtime::yield_now().await;
        }
    }

    async fn delete_old_segments(self: &Rc<Self>, partition: &Rc<Partition>) {
        let looked = self.look_at_ages(partition).await;
        let deleted = match looked {
            Ok(()) => self.delete_expired(partition).await,
            // The files were replaced while we looked, or there was no descriptor: the next check finds them in order.
            Err(e) if e.kind() == io::ErrorKind::NotFound || errno::is_out_of_descriptors(&e) => Ok(()),
            Err(e) => Err(e),
        };
        if let Err(e) = deleted {
            self.disk_failed(partition, &e);
        }
    }

    async fn look_at_ages(&self, partition: &Partition) -> io::Result<()> {
        let now = self.now();
        let Some(look) = partition.with_log(|log| log.look_at_ages(now)) else { return Ok(()) };
        let ages = runtime::blocking(move || look.run()).await?;
        partition.with_log(|log| log.note_ages(&ages));
        Ok(())
    }

    async fn delete_expired(self: &Rc<Self>, partition: &Rc<Partition>) -> io::Result<()> {
        let now = self.now();
        let Some(expired) = partition.expired(now) else { return Ok(()) };
        if expired.all {
            partition.with_log(|log| log.roll(now));
            partition.clone().write_accepted().await?;
            self.flush_as_asked(partition);
            self.care_if_full(partition);
        }
        let Some(expired) = partition.expired(now) else { return Ok(()) };
        let (dir, bases, delay) = partition.with_log(|log| {
            // A full disk cannot wait.
            let delay = if log.health().is_full() { 0 } else { log.config().file_delete_delay_ms.unsigned_abs() };
            let delay = Duration::from_millis(delay);
            (log.shared_dir(), log.remove_oldest(expired.segments), delay)
        });
        if bases.is_empty() {
            return Ok(());
        }
        let start = partition.start_offset();
        tracing::info!("{}: {} segments go, the log begins at {start}: {}", partition.name, bases.len(), expired.why);
        delete_segments(dir, bases, Snapshots::Go, delay).await?;
        self.checkpoint_soon(partition);
        Ok(())
    }
}
