//! All log directories of a node: which partition is where, opening and creating logs. Blocking, shared by all cores.

use super::config::LogConfig;
use super::core::Log;
use super::dir::{CheckpointEntry, LogDir, random_id};
use super::names::DirKind;
use crate::base::{Offset, TopicIdPartition, TopicPartition, Uuid};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A log to open, as the metadata knows it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Topic id and partition.
    pub id: TopicIdPartition,
    /// Topic name and partition.
    pub name: TopicPartition,
    /// The directory the metadata assigned; zero or a reserved id: none.
    pub directory: Uuid,
    /// The settings.
    pub config: LogConfig,
}

/// The log directories of this node.
#[derive(Debug)]
pub struct LogDirs {
    dirs: Vec<LogDir>,
    /// In which directory each partition is. Partitions that are being opened are in it too.
    places: Mutex<HashMap<TopicPartition, usize>>,
    /// Logs opened ahead of their being asked for.
    pub(super) ready: Mutex<HashMap<TopicIdPartition, Log>>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogDirs {
    /// Lists what is in the directories. A partition that is in two of them is taken from the first.
    pub fn new(dirs: Vec<LogDir>) -> io::Result<Self> {
        let mut places = HashMap::new();
        for (i, dir) in dirs.iter().enumerate() {
            for found in dir.partitions()?.into_iter().filter(|d| d.kind == DirKind::Live) {
                if let Some(other) = places.insert(found.partition.clone(), i) {
                    places.insert(found.partition.clone(), other);
                    tracing::error!(
                        "{} is in two log directories; {} is left aside",
                        found.partition,
                        found.path.display()
                    );
                }
            }
        }
        Ok(Self { dirs, places: Mutex::new(places), ready: Mutex::default() })
    }

    /// The directories.
    pub fn dirs(&self) -> &[LogDir] {
        &self.dirs
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

    /// The number of the directory that holds a partition.
    pub(super) fn place_of(&self, partition: &TopicPartition) -> Option<usize> {
        locked(&self.places).get(partition).copied()
    }

    /// The partitions on disk.
    pub fn on_disk(&self) -> Vec<TopicPartition> {
        locked(&self.places).keys().cloned().collect()
    }

    /// Where a partition is or shall be.
    pub(super) fn place(&self, wanted: &Wanted) -> usize {
        let mut places = locked(&self.places);
        if let Some(at) = places.get(&wanted.name) {
            return *at;
        }
        let assigned = self.dirs.iter().position(|d| d.meta().directory_id == Some(wanted.directory));
        let at = assigned.unwrap_or_else(|| {
            let mut counts = vec![0usize; self.dirs.len()];
            places.values().for_each(|at| counts[*at] += 1);
            (0..counts.len()).min_by_key(|at| counts[*at]).unwrap_or(0)
        });
        places.insert(wanted.name.clone(), at);
        at
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
