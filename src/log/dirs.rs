//! All log directories of a node: which partition is where, opening and creating logs. Blocking, shared by all cores.

use super::config::LogConfig;
use super::core::Log;
use super::dir::{CheckpointEntry, LogDir, random_id};
use super::files::write_partition_metadata;
use super::names::{self, DirKind};
use super::recover::{Recovery, UnrecoveredLog};
use crate::base::{Now, Offset, TopicIdPartition, TopicPartition, Uuid};
use crate::ring::fs;
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
    /// Logs recovered ahead of their being asked for.
    ready: Mutex<HashMap<TopicIdPartition, Log>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
        let at = *locked(&self.places).get(partition)?;
        self.dirs.get(at)?.meta().directory_id
    }

    /// The partitions on disk.
    pub fn on_disk(&self) -> Vec<TopicPartition> {
        locked(&self.places).keys().cloned().collect()
    }

    /// Opens and recovers the log of a partition, or creates it: in the directory it is in, else in the assigned
    /// one, else in that with the fewest partitions. A directory of the same name with another topic id, or none,
    /// is renamed to a stray and kept.
    pub fn open_or_create(&self, wanted: &Wanted, now: Now) -> io::Result<Log> {
        if let Some(log) = locked(&self.ready).remove(&wanted.id) {
            return Ok(log);
        }
        self.open(wanted, now)
    }

    /// Recovers logs that will be asked for, `threads` at a time per directory (num.recovery.threads.per.data.dir).
    /// Gives those that failed.
    pub fn recover_ahead(&self, wanted: Vec<Wanted>, threads: usize, now: Now) -> Vec<(TopicPartition, io::Error)> {
        let mut by_dir: HashMap<usize, Vec<Wanted>> = HashMap::new();
        for one in wanted {
            let place = locked(&self.places).get(&one.name).copied();
            if let Some(at) = place {
                by_dir.entry(at).or_default().push(one);
            }
        }
        let failed = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for work in by_dir.into_values() {
                let work = std::sync::Arc::new(Mutex::new(work));
                for _ in 0..threads.max(1) {
                    let (work, failed) = (work.clone(), &failed);
                    scope.spawn(move || {
                        loop {
                            let next = locked(&work).pop();
                            let Some(one) = next else { break };
                            match self.open(&one, now) {
                                Ok(log) => drop(locked(&self.ready).insert(one.id, log)),
                                Err(e) => locked(failed).push((one.name, e)),
                            }
                        }
                    });
                }
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, wanted: &Wanted, now: Now) -> io::Result<Log> {
        let at = self.place(wanted);
        let dir = self.dirs.get(at).ok_or_else(|| io::Error::other("there is no log directory in use"))?;
        let path = dir.path().join(wanted.name.to_string());
        let mut log = UnrecoveredLog::open(path.clone(), wanted.name.clone(), wanted.config.clone())?;
        if log.topic_id() != Some(wanted.id.topic_id) {
            // A directory without id and data is one whose creation was interrupted.
            if log.topic_id().is_some() || !log.is_blank() {
                set_aside(dir, &path, &wanted.name, log.topic_id())?;
                log = UnrecoveredLog::open(path.clone(), wanted.name.clone(), wanted.config.clone())?;
            }
            write_partition_metadata(&path, wanted.id.topic_id)?;
        }
        let known = dir.checkpoint(&wanted.name);
        let recovery =
            Recovery { clean: dir.was_clean(), recovery_point: known.recovery_point, log_start: known.log_start };
        log.recover(recovery, now)
    }

    /// Where a partition is or shall be.
    fn place(&self, wanted: &Wanted) -> usize {
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

    /// Closes a log cleanly and notes its offsets.
    pub fn close(&self, log: Log, high_watermark: Offset) -> io::Result<()> {
        let (partition, path) = (log.partition().clone(), log.dir().to_owned());
        let closed = log.close()?;
        if let Some(dir) = self.dir_of(&path) {
            dir.set_checkpoint(CheckpointEntry {
                partition,
                recovery_point: closed.recovery_point,
                log_start: closed.start_offset,
                high_watermark,
            });
        }
        Ok(())
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

/// Renames a directory that belongs to another topic of the same name.
fn set_aside(dir: &LogDir, path: &Path, partition: &TopicPartition, found: Option<Uuid>) -> io::Result<()> {
    let to = dir.path().join(names::suffixed(partition, random_id(), names::STRAY));
    match found {
        Some(id) => tracing::warn!("{} is of the topic with id {id}: kept as {}", path.display(), to.display()),
        None => tracing::warn!("{} has no topic id: kept as {}", path.display(), to.display()),
    }
    fs::rename(path, &to)?;
    dir.forget(partition);
    dir.write_checkpoints()
}
