//! Damaged indexes of closed segments are written anew in the background, once a look-up has met one.

use super::Shard;
use crate::base::TopicIdPartition;
use crate::partition::Partition;
use crate::ring::{errno, runtime};
use std::io;
use std::rc::Rc;

impl Shard {
    /// After a look-up: sees to indexes that it found wrong.
    pub fn mend_if_damaged(self: &Rc<Self>, partition: &Rc<Partition>) {
        if partition.with_log(|log| log.has_suspects()) && self.keep_from_cleaner(partition.id) {
            runtime::spawn_background(self.clone().mend(partition.id)).detach();
        }
    }

    async fn mend(self: Rc<Self>, id: TopicIdPartition) {
        while self.mend_one(id).await {}
        self.leave_to_cleaner(id);
    }

    /// Writes one segment's indexes anew. True when there may be more to do.
    async fn mend_one(self: &Rc<Self>, id: TopicIdPartition) -> bool {
        let open = || self.partition(&id).filter(|_| !self.is_stopping());
        let Some(job) = open().and_then(|partition| partition.with_log(|log| log.begin_mend())) else { return false };
        // The partition is not held meanwhile: it may be closed or deleted.
        let (job, done) = runtime::blocking_in_background(move || {
            let done = job.run();
            (job, done)
        })
        .await;
        let Some(partition) = open() else { return false };
        let (name, base) = (partition.name.clone(), job.base());
        let (mended, failed) = match done {
            Ok(mended) => (Some(mended), None),
            Err(e) => (None, Some(e)),
        };
        let void = partition.with_log(|log| log.complete_mend(job, mended));
        match failed {
            None if void.is_none() => tracing::info!("{name}: the indexes of segment {base} were written anew"),
            None => {}
            Some(e) if e.kind() == io::ErrorKind::InvalidData => {
                tracing::error!("{name}: the indexes of segment {base} cannot be made: {e}");
            }
            Some(e) if e.kind() == io::ErrorKind::NotFound => {}
            Some(e) if errno::is_disk_full(&e) || errno::is_out_of_descriptors(&e) => {
                let text = format!("{name}: the indexes of segment {base} cannot be written now: {e}");
                self.shared.log_limits.warn("mender", &text, self.now().mono);
            }
            Some(e) => self.disk_failed(&partition, &e),
        }
        if let Some(job) = void
            && let Err(e) = runtime::blocking(move || job.remove()).await
        {
            tracing::debug!("{name}: indexes of a segment that is gone remain until the next start: {e}");
        }
        true
    }
}
