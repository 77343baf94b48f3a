//! The metadata log does not grow for ever: snapshots by bytes and by time, and what they make needless goes. On the
//! first core only, in the background; no timer runs while nothing changed since the last snapshot.

use super::Shard;
use crate::log::deleted::remove_after;
use crate::metadata::store::{MetadataLog, SnapshotJob};
use crate::ring::runtime;
use std::rc::Rc;
use std::time::Duration;

/// How long files stay after they are renamed (`ServerLogConfigs.LOG_DELETE_DELAY_MS_DEFAULT`).
const DELETE_DELAY: Duration = Duration::from_secs(60);

impl Shard {
    /// Begins a snapshot where one is due after a change, else sees to it that it comes when its time is.
    pub(super) fn snapshot_when_due(self: &Rc<Self>, log: &mut MetadataLog) {
        let now = self.now();
        if let Some(job) = log.due_snapshot(now) {
            runtime::spawn_background(self.clone().write_snapshot(job)).detach();
        } else if let Some(wait) = log.until_snapshot(now).filter(|_| !self.writer.snapshot_awaited.replace(true)) {
            let shard = self.clone();
            runtime::spawn_background(async move {
                runtime::sleep(wait).await;
                shard.writer.snapshot_awaited.set(false);
                let again = shard.clone();
                shard.with_metadata_log(move |log| again.snapshot_when_due(log)).await;
            })
            .detach();
        }
    }

    async fn write_snapshot(self: Rc<Self>, job: SnapshotJob) {
        let outcome = runtime::blocking(move || job.run()).await;
        self.with_metadata_log(|log| log.snapshot_ended(outcome)).await;
        self.shorten_metadata_log().await;
    }

    /// Deletes snapshots and segments of the metadata log that are past `metadata.max.retention.bytes` or `.ms`.
    pub(super) async fn shorten_metadata_log(self: &Rc<Self>) {
        let now = self.now();
        let Some(Some(shortening)) = self.with_metadata_log(|log| log.shorten(now)).await else { return };
        match runtime::blocking(move || shortening.run()).await {
            Ok(renamed) => remove_after(renamed, DELETE_DELAY),
            Err(e) => tracing::warn!("old files of the metadata log remain until the next start: {e}"),
        }
    }

    /// Does something with the metadata log between two changes; `None` on other cores, and while the broker stops.
    async fn with_metadata_log<R>(&self, act: impl FnOnce(&mut MetadataLog) -> R) -> Option<R> {
        let _turn = self.writer.turn.lock().await;
        let mut log = self.writer.log.borrow_mut().take()?;
        let result = act(&mut log);
        *self.writer.log.borrow_mut() = Some(log);
        Some(result)
    }
}
