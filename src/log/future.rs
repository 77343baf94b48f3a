//! Copies of logs that become the logs: `-future` directories of AlterReplicaLogDirs (`LogManager.replaceCurrentWithFutureLog`).
//! Blocking.

use super::config::LogConfig;
use super::core::Log;
use super::dir::random_id;
use super::dirs::{LogDirs, locked};
use super::files::write_partition_metadata;
use super::names::{self, FUTURE};
use super::recover::{Recovery, UnrecoveredLog};
use crate::base::{Now, Offset, TopicPartition, Uuid};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a future log is a copy of.
#[derive(Clone, Debug)]
pub struct FutureOf {
    /// The partition.
    pub name: TopicPartition,
    /// Its topic.
    pub topic_id: Uuid,
    /// Its settings.
    pub config: LogConfig,
    /// Where its log begins.
    pub start: Offset,
    /// Where it ends now.
    pub end: Offset,
}

impl LogDirs {
    /// The number of the directory at `path`, if it is one of `log.dirs` that can be used.
    pub fn number_of(&self, path: &Path) -> Option<usize> {
        let found = self.dirs().iter().position(|dir| fs::absolute(dir.path()) == path);
        found.filter(|at| self.dirs().get(*at).is_some_and(|dir| !dir.health().has_failed()))
    }

    /// The number of the directory that holds a partition.
    pub fn number_of_partition(&self, name: &TopicPartition) -> Option<usize> {
        self.place_of(name)
    }

    /// Partitions of which an unfinished copy was found at the start, each with the number of its directory.
    pub fn unfinished_moves(&self) -> Vec<(TopicPartition, usize)> {
        locked(&self.futures).iter().map(|(name, (at, _))| (name.clone(), *at)).collect()
    }

    /// Opens the future log in directory `at`: one left over from before, unless it does not fit, or a new one. A left-over
    /// one is read from its beginning: no checkpoint vouches for it.
    pub fn open_future(&self, at: usize, of: &FutureOf, now: Now) -> io::Result<Log> {
        let dir = self.dirs().get(at).ok_or_else(|| io::Error::other("there is no such log directory"))?;
        let left_over = locked(&self.futures).remove(&of.name);
        let path = match left_over {
            Some((place, path)) if place == at => path,
            Some((_, other)) => {
                super::close::delete_dir(&other)?;
                dir.path().join(names::suffixed(&of.name, random_id(), FUTURE))
            }
            None => dir.path().join(names::suffixed(&of.name, random_id(), FUTURE)),
        };
        let open = || UnrecoveredLog::open(path.clone(), of.name.clone(), of.config.clone());
        let mut unrecovered = open()?;
        if unrecovered.topic_id().is_some_and(|id| id != of.topic_id) {
            super::close::delete_dir(&path)?;
            unrecovered = open()?;
        }
        if unrecovered.topic_id().is_none() {
            write_partition_metadata(&path, of.topic_id)?;
        }
        let recovery = Recovery { clean: false, recovery_point: Offset::ZERO, log_start: Offset::ZERO };
        let mut log = unrecovered.recover(recovery, now)?;
        if log.end_offset() < of.start || log.end_offset() > of.end || log.start_offset() > of.start {
            log.truncate_fully_and_start_at(of.start)?;
        }
        log.belongs_to(dir.health());
        Ok(log)
    }

    /// Gives the future log, which is complete on the device, the name of its partition. Until [`Self::retire`] there are
    /// two directories of that name; a start takes the longer one.
    pub fn promote(&self, log: &mut Log) -> io::Result<()> {
        let parent = log.dir().parent().map(Path::to_path_buf).unwrap_or_default();
        let path = parent.join(log.partition().to_string());
        fs::rename(log.dir(), &path)?;
        log.dir = path.into();
        Ok(())
    }

    /// Takes back [`Self::promote`].
    pub fn demote(&self, log: &mut Log) -> io::Result<()> {
        let parent = log.dir().parent().map(Path::to_path_buf).unwrap_or_default();
        let path = parent.join(names::suffixed(log.partition(), random_id(), FUTURE));
        fs::rename(log.dir(), &path)?;
        log.dir = path.into();
        Ok(())
    }

    /// The partition lies in directory `at` from now on.
    pub fn set_place(&self, name: &TopicPartition, at: usize) {
        self.places().insert(name.clone(), at);
    }

    /// Renames the log that was replaced, to be deleted; gives the new path. Its checkpoints are forgotten.
    pub fn retire(&self, old: Log) -> io::Result<PathBuf> {
        let (name, path) = (old.partition().clone(), old.dir().to_owned());
        let renamed = old.rename_for_delete(random_id())?;
        if let Some(dir) = self.dir_of(&path) {
            dir.forget(&name);
            dir.write_checkpoints()?;
        }
        Ok(renamed)
    }
}
