//! When a disk fails, and how the broker ends.

use super::{CONTROLLER, Shard, ShardIndex};
use crate::base::ErrorCode;
use crate::controller::change_log_dirs;
use crate::partition::Partition;
use crate::ring::runtime;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Why the broker ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to (SIGINT, SIGTERM).
    Asked,
    /// It cannot go on, for this reason.
    Failed(String),
}

impl Shard {
    /// Makes the broker end; the first reason counts.
    pub fn end(&self, why: Ending) {
        self.post(CONTROLLER, move |first| {
            if let Ending::Failed(reason) = &why {
                tracing::error!("corelog ends: {reason}");
            }
            first.ending.borrow_mut().get_or_insert(why);
            first.ended.notify();
        });
    }

    /// On the first core: waits until the broker has to end.
    pub async fn until_end(&self) -> Ending {
        loop {
            let ended = self.ended.listen();
            let ending = self.ending.borrow().clone();
            if let Some(why) = ending {
                return why;
            }
            ended.await;
        }
    }

    /// A write or fsync failed: the log dir goes offline for good, on all cores. fsync may report
    /// success the second time over lost pages, so nothing is tried again.
    pub fn disk_failed(&self, partition: &Rc<Partition>, error: &io::Error) {
        let Some(dir) = dir_of(partition) else { return };
        self.dir_failed(&dir, &partition.name.to_string(), error);
    }

    /// The same, with a word for what could not be written.
    pub(super) fn dir_failed(&self, dir: &Path, what: &str, error: &io::Error) {
        let mut known = self.shared.log_dirs.dirs().iter().filter(|one| one.path() == dir);
        if known.any(|one| !one.health().fails_first()) {
            return;
        }
        tracing::error!("log dir {} failed and goes offline: {what}: {error}", dir.display());
        if self.shared.config.metadata_log_dir == dir {
            self.end(Ending::Failed(format!(
                "the log dir {}, which holds the metadata, failed: {error}",
                dir.display()
            )));
        } else if self.shared.log_dirs.online_ids().is_empty() {
            self.end(Ending::Failed(format!("all log dirs have failed, {} as the last: {error}", dir.display())));
        } else {
            self.post(CONTROLLER, |first| first.tell_online_dirs());
        }
        for core in (0..self.shard_count()).map(ShardIndex) {
            let dir = dir.to_path_buf();
            self.post(core, move |shard| shard.take_dir_offline(&dir));
        }
    }

    /// On the first core: new partitions go to the directories that are left.
    fn tell_online_dirs(self: &Rc<Self>) {
        let (node, online) = (self.shared.identity.node_id, self.shared.log_dirs.online_ids());
        let telling = self.change_metadata(move |image, _| change_log_dirs(image, node, online));
        runtime::spawn(async move { _ = telling.await }).detach();
    }

    pub(super) fn take_dir_offline(self: &Rc<Self>, dir: &PathBuf) {
        for partition in self.open_partitions() {
            let inside = partition.with_log(|log| log.dir().parent() == Some(dir));
            if inside {
                partition.with_log(|log| log.set_offline());
                self.partitions.borrow_mut().remove(&partition.id);
                self.offline.borrow_mut().insert(partition.id);
                partition.close(ErrorCode::KafkaStorageError);
            }
        }
        self.follow_leadership();
    }
}

/// The log dir that a partition is in.
pub(super) fn dir_of(partition: &Partition) -> Option<PathBuf> {
    partition.with_log(|log| log.dir().parent().map(Path::to_path_buf))
}
