//! A full disk: writes are refused, reads go on, retention runs at once and as often as there is no space, and writes
//! resume by themselves.

use super::{CONTROLLER, Shard, ShardIndex};
use crate::base::TopicIdPartition;
use crate::base::local::join_all;
use crate::log::dir::LogDir;
use crate::log::reserve;
use crate::partition::Partition;
use crate::ring::{errno, runtime};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// How often a full directory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Shard {
    /// After a write: sees to the directory, if the write found no space in it.
    pub(super) fn care_if_full(self: &Rc<Self>, partition: &Partition) {
        let full = partition.with_log(|log| log.health().takes_care().then(|| log.shared_dir()));
        if let Some(dir) = full.as_deref().and_then(Path::parent) {
            self.care(dir);
        }
    }

    /// The metadata log found no space: what it may need is given up for it.
    pub(super) fn metadata_dir_full(self: &Rc<Self>) {
        let dir = &self.shared.config.metadata_log_dir;
        let known = self.shared.log_dirs.dirs().iter().find(|one| one.path() == dir);
        if let Some(health) = known.map(|one| one.health()) {
            health.set_full();
            if health.takes_care() {
                self.care(dir);
            }
        }
    }

    /// A log could not be made or opened for want of space: it is as soon as there is some.
    pub(super) fn waits_for_space(self: &Rc<Self>, id: TopicIdPartition, dir: &LogDir) {
        self.without_space.borrow_mut().insert(id);
        dir.health().set_full();
        if dir.health().takes_care() {
            self.care(dir.path());
        }
    }

    /// Opens the logs that waited for space, on every core. True when none waits any more.
    async fn reopen_everywhere(self: Rc<Self>) -> bool {
        // No image is taken meanwhile: that opens and deletes logs as well.
        let _turn = self.writer.turn.lock().await;
        let cores = (0..self.shard_count()).map(ShardIndex);
        let reopened = join_all(cores.map(|core| self.call(core, |shard| shard.reopen())).collect()).await;
        reopened.into_iter().all(|done| done.unwrap_or(false))
    }

    fn care(self: &Rc<Self>, dir: &Path) {
        tracing::error!("log dir {} is full: writes are refused until there is space", dir.display());
        let (shard, dir) = (self.clone(), dir.to_path_buf());
        runtime::spawn_background(async move {
            let path = dir.clone();
            let mut released = runtime::blocking(move || reserve::release(&path)).await;
            while released.is_ok() && !shard.is_stopping() {
                for core in (0..shard.shard_count()).map(ShardIndex) {
                    let delete = |shard: &Rc<Self>| runtime::spawn_background(shard.clone().delete_all_old()).detach();
                    shard.post(core, delete);
                }
                runtime::sleep(LOOK_EVERY).await;
                let path = dir.clone();
                match runtime::blocking(move || reserve::hold_proved(&path)).await {
                    Ok(()) if shard.call(CONTROLLER, |first| first.reopen_everywhere()).await.unwrap_or(true) => {
                        return shard.has_space(&dir);
                    }
                    // Inodes may be what is wanting.
                    Ok(()) => {}
                    Err(e) if errno::is_disk_full(&e) || errno::is_out_of_descriptors(&e) => {}
                    Err(e) => released = Err(e),
                }
            }
            if let Err(e) = released {
                shard.dir_failed(&dir, "its reserve", &e);
            }
        })
        .detach();
    }

    fn has_space(&self, dir: &Path) {
        if let Some(known) = self.shared.log_dirs.dirs().iter().find(|one| one.path() == dir) {
            known.health().set_space();
            tracing::info!("log dir {} has space again: it takes writes", dir.display());
        }
    }

    /// At the start: holds a small reserve in each log dir, for the time when it is full.
    pub async fn hold_reserves(self: Rc<Self>) {
        let dirs = self.shared.log_dirs.clone();
        let hold = move || {
            for dir in dirs.dirs().iter().filter(|dir| !dir.health().has_failed()) {
                if let Err(e) = reserve::hold(dir.path()) {
                    tracing::warn!("log dir {} has no room for a reserve: {e}", dir.path().display());
                }
            }
        };
        runtime::blocking(hold).await;
    }

    /// Gives the reserves up: for a start or a stop on a full disk, and for who takes the directories over.
    pub async fn release_reserves(&self) {
        let dirs = self.shared.log_dirs.clone();
        let release = move || dirs.dirs().iter().try_for_each(|dir| reserve::release(dir.path()));
        let released: io::Result<()> = runtime::blocking(release).await;
        if let Err(e) = released {
            tracing::warn!("the reserve of a log dir remains: {e}");
        }
    }
}
