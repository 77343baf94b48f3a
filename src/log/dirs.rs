//! All log directories of a node: which partition is where, opening and creating logs. Blocking, shared by all cores.

use super::config::LogConfig;
use super::core::Log;
use super::dir::{CheckpointEntry, LogDir, random_id};
use super::names::DirKind;
use super::progress::Progress;
use crate::base::{Offset, TopicIdPartition, TopicPartition, Uuid};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log to open, as the metadata knows it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Topic id and partition.
    pub id: TopicIdPartition,
    /// Topic name and partition.
    pub name: TopicPartition,
    /// The directory the metadata assigned; zero or a reserved id: none.
    pub directory: Uuid,
    /// Nobody wrote to it yet: where it is not there, it may be created although directories are offline.
    pub is_new: bool,
    /// The settings.
    pub config: LogConfig,
}

/// The log directories of this node.
#[derive(Debug)]
pub struct LogDirs {
    dirs: Vec<LogDir>,
    /// Configured, and not usable since the start.
    offline: Vec<PathBuf>,
    /// In which directory each partition is. Partitions that are being opened are in it too.
    places: Mutex<HashMap<TopicPartition, usize>>,
    /// Unfinished copies found at the start (`-future`), and in which directory.
    pub(super) futures: Mutex<HashMap<TopicPartition, (usize, PathBuf)>>,
    /// The other directories of partitions that are in two: the longer log counts.
    pub(super) doubles: Mutex<HashMap<TopicPartition, usize>>,
    /// How far the recovery of this start has come.
    pub(super) recovery: Mutex<Option<Arc<Progress>>>,
    /// Logs opened ahead of their being asked for.
    pub(super) ready: Mutex<HashMap<TopicIdPartition, Log>>,
    /// Where logs ended that a start found after a crash, with their topics' ids.
    pub(super) crash_ends: Mutex<HashMap<TopicPartition, (Uuid, Offset)>>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogDirs {
    /// Lists what is in the directories; `offline` ones cannot be used.
    pub fn new(dirs: Vec<LogDir>, offline: Vec<PathBuf>) -> io::Result<Self> {
        let (mut places, mut futures, mut doubles) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (i, dir) in dirs.iter().enumerate() {
            for found in dir.partitions()? {
                match found.kind {
                    DirKind::Live if places.contains_key(&found.partition) => {
                        doubles.insert(found.partition, i);
                    }
                    DirKind::Live => drop(places.insert(found.partition, i)),
                    DirKind::Future => drop(futures.insert(found.partition, (i, found.path))),
                    DirKind::Delete | DirKind::Stray => {}
                }
            }
        }
        Ok(Self {
            dirs,
            offline,
            places: Mutex::new(places),
            futures: Mutex::new(futures),
            doubles: Mutex::new(doubles),
            recovery: Mutex::default(),
            ready: Mutex::default(),
            crash_ends: Mutex::default(),
        })
    }

    /// Logs and bytes that this start has left to recover; zeroes before and after.
    pub fn left_to_recover(&self) -> (usize, u64) {
        locked(&self.recovery).as_ref().map_or((0, 0), |progress| progress.left())
    }

    /// The directories.
    pub fn dirs(&self) -> &[LogDir] {
        &self.dirs
    }

    /// The directories that could not be used at the start.
    pub fn offline(&self) -> &[PathBuf] {
        &self.offline
    }

    /// True while every configured directory can be used.
    pub fn are_all_online(&self) -> bool {
        self.offline.is_empty() && !self.dirs.iter().any(|dir| dir.health().has_failed())
    }

    /// The ids of the directories that can be used.
    pub fn online_ids(&self) -> Vec<Uuid> {
        let online = self.dirs.iter().filter(|dir| !dir.health().has_failed());
        online.filter_map(|dir| dir.meta().directory_id).collect()
    }

    /// The directory in which `path`, of a partition, lies.
    pub fn dir_of(&self, path: &Path) -> Option<&LogDir> {
        let parent = path.parent()?;
        self.dirs.iter().find(|d| d.path() == parent)
    }

    /// The id of the directory that holds a partition.
    pub fn directory_id(&self, partition: &TopicPartition) -> Option<Uuid> {
        self.of_partition(partition)?.meta().directory_id
    }

    pub(super) fn places(&self) -> MutexGuard<'_, HashMap<TopicPartition, usize>> {
        locked(&self.places)
    }

    /// The number of the directory that holds a partition.
    pub(super) fn place_of(&self, partition: &TopicPartition) -> Option<usize> {
        locked(&self.places).get(partition).copied()
    }

    /// Where the log of a partition ended when this start found it after a crash, with its topic's id. `None` after a
    /// clean stop, and for logs made since.
    pub fn end_after_crash(&self, partition: &TopicPartition) -> Option<(Uuid, Offset)> {
        locked(&self.crash_ends).get(partition).copied()
    }

    /// The partitions on disk.
    pub fn on_disk(&self) -> Vec<TopicPartition> {
        locked(&self.places).keys().cloned().collect()
    }

    /// Where a partition is or shall be. `None`: it must not be created, as it may be in a directory that is offline.
    pub(super) fn place(&self, wanted: &Wanted) -> Option<usize> {
        let mut places = locked(&self.places);
        if let Some(at) = places.get(&wanted.name) {
            return Some(*at);
        }
        let online = |at: &usize| !self.dirs[*at].health().has_failed();
        let assigned = self.dirs.iter().position(|d| d.meta().directory_id == Some(wanted.directory));
        let at = match assigned {
            Some(at) => Some(at).filter(online),
            None if !wanted.is_new && !self.are_all_online() => None,
            None => {
                let mut counts = vec![0usize; self.dirs.len()];
                places.values().for_each(|at| counts[*at] += 1);
                let open = |at: &usize| !self.dirs[*at].is_cordoned();
                let least = (0..counts.len()).filter(online).filter(open).min_by_key(|at| counts[*at]);
                // Where all are cordoned the first has to do.
                least.or_else(|| (0..counts.len()).find(|at| online(at)))
            }
        }?;
        places.insert(wanted.name.clone(), at);
        Some(at)
    }

    /// Takes newer offsets of an open log, to be written with the next [`LogDir::write_checkpoints`].
    pub fn set_checkpoint(&self, log: &Log, high_watermark: Offset) {
        if let Some(dir) = self.dir_of(log.dir()) {
            dir.set_checkpoint(CheckpointEntry {
                partition: log.partition().clone(),
                recovery_point: log.flushed_offset(),
                log_start: log.start_offset(),
                high_watermark,
            });
        }
    }

    /// The directory that holds a partition.
    pub fn of_partition(&self, partition: &TopicPartition) -> Option<&LogDir> {
        self.dirs.get(self.place_of(partition)?)
    }

    /// Deletes a partition: its directory is renamed at once, removed by [`super::close::delete_dir`] when the
    /// caller sees fit (file.delete.delay.ms), and its checkpoints are forgotten; they have to be written before a
    /// partition of its name may come.
    pub fn delete(&self, log: Log) -> io::Result<std::path::PathBuf> {
        let (partition, path) = (log.partition().clone(), log.dir().to_owned());
        let renamed = log.rename_for_delete(random_id())?;
        locked(&self.places).remove(&partition);
        if let Some(dir) = self.dir_of(&path) {
            dir.forget(&partition);
        }
        Ok(renamed)
    }
}
