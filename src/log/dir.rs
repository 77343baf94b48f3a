//! A log directory: whose it is, that nobody else uses it, whether it was closed cleanly, what is in it. Blocking.

use super::checkpoint::{CLEANED, HIGH_WATERMARKS, LOG_STARTS, OffsetCheckpoint, RECOVERY_POINTS};
use super::close::delete_dir;
use super::health::DirHealth;
use super::names::{self, DirKind};
use crate::base::topic::CLUSTER_METADATA_TOPIC;
use crate::base::{Offset, TopicPartition, Uuid};
use crate::config::meta_properties::{META_PROPERTIES, MetaProperties};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held while a broker uses the directory.
const LOCK: &str = ".lock";
/// There after a clean shutdown, until the next start.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// Why a log directory cannot be used. Each is one sentence for the operator.
#[derive(Debug)]
pub enum LogDirError {
    /// Another process holds `.lock`.
    Locked(PathBuf),
    /// There is no `meta.properties`.
    NotFormatted(PathBuf),
    /// `meta.properties` cannot be understood.
    BadMetaProperties(PathBuf, String),
    /// The directory holds topics but no `meta.properties`: it is never formatted.
    HoldsTopics(PathBuf),
    /// The disk.
    Io(PathBuf, io::Error),
}

impl std::fmt::Display for LogDirError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Locked(path) => {
                write!(f, "the log directory {} is in use by another process (its .lock is held)", path.display())
            }
            Self::NotFormatted(path) => {
                write!(f, "the log directory {} is not formatted: it has no {META_PROPERTIES}", path.display())
            }
            Self::BadMetaProperties(path, why) => write!(f, "{}: {why}", path.join(META_PROPERTIES).display()),
            Self::HoldsTopics(path) => write!(
                f,
                "the log directory {} holds topic directories but no {META_PROPERTIES}; it is not formatted over them",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "the log directory {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for LogDirError {}

/// One partition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDir {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: DirKind,
    /// The partition.
    pub partition: TopicPartition,
}

/// The three offsets that are checkpointed for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointEntry {
    /// The partition.
    pub partition: TopicPartition,
    /// Up to where it is on the device.
    pub recovery_point: Offset,
    /// Where it begins.
    pub log_start: Offset,
    /// Its high watermark.
    pub high_watermark: Offset,
}

/// One checkpoint file.
#[derive(Debug)]
struct Checkpoint {
    name: &'static str,
    offsets: OffsetCheckpoint,
    /// What the file says is older.
    changed: bool,
}

impl Checkpoint {
    fn read(dir: &Path, name: &'static str) -> io::Result<Self> {
        // Kafka writes all of them at its stop: the first writing makes those that are not there.
        let changed = !fs::exists(&dir.join(name));
        Ok(Self { name, offsets: OffsetCheckpoint::read(dir, name)?, changed })
    }

    fn get(&self, partition: &TopicPartition) -> Offset {
        self.offsets.get(partition).unwrap_or(Offset::ZERO)
    }

    fn set(&mut self, partition: &TopicPartition, offset: Offset) {
        if self.offsets.get(partition) != Some(offset) {
            self.offsets.set(partition.clone(), offset);
            self.changed = true;
        }
    }

    fn remove(&mut self, partition: &TopicPartition) {
        self.changed |= self.offsets.get(partition).is_some();
        self.offsets.remove(partition);
    }
}

#[derive(Debug)]
struct Checkpoints {
    recovery_points: Checkpoint,
    log_starts: Checkpoint,
    high_watermarks: Checkpoint,
    cleaned: Checkpoint,
}

impl Checkpoints {
    fn all(&mut self) -> [&mut Checkpoint; 4] {
        [&mut self.recovery_points, &mut self.log_starts, &mut self.high_watermarks, &mut self.cleaned]
    }
}

/// A log directory in use by this process. Shared between threads.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
    meta: MetaProperties,
    /// The broker epoch of the last clean shutdown; `None` after an unclean one.
    clean: Option<i64>,
    checkpoints: Mutex<Checkpoints>,
    health: DirHealth,
    /// Held while the files are written, so that an older state does not follow a newer one.
    writing: Mutex<()>,
    /// Nothing new comes into it (`cordoned.log.dirs`).
    cordoned: AtomicBool,
    /// A log in it was not closed cleanly.
    unclean: AtomicBool,
    lock: fs::Lock,
}

/// What a path given as a log directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirState {
    /// It does not exist, or is empty: it may be formatted.
    Empty,
    /// It has `meta.properties`.
    Formatted,
    /// It has topic directories but no `meta.properties`: it must not be formatted.
    HoldsTopics,
    /// It has other things, but no topics.
    Unformatted,
}

/// Looks at a path given as a log directory.
pub fn state_of(path: &Path) -> io::Result<DirState> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(DirState::Empty),
        Err(e) => return Err(e),
    };
    if entries.iter().any(|e| e.name == META_PROPERTIES) {
        return Ok(DirState::Formatted);
    }
    if entries.iter().any(|e| e.is_dir && names::parse(&e.name).is_some()) {
        return Ok(DirState::HoldsTopics);
    }
    let other = entries.iter().any(|e| e.name != LOCK && e.name != "lost+found");
    Ok(if other { DirState::Unformatted } else { DirState::Empty })
}

/// Writes `meta.properties`, creating the directory. Refused where there is one already, or topics.
pub fn format(path: &Path, meta: &MetaProperties) -> Result<(), LogDirError> {
    let io = |e| LogDirError::Io(path.to_owned(), e);
    fs::create_dir_all(path).map_err(io)?;
    match state_of(path).map_err(io)? {
        DirState::HoldsTopics => return Err(LogDirError::HoldsTopics(path.to_owned())),
        DirState::Formatted => {
            return Err(LogDirError::BadMetaProperties(path.to_owned(), "the directory is already formatted".into()));
        }
        DirState::Empty | DirState::Unformatted => {}
    }
    fs::write_atomic(&path.join(META_PROPERTIES), meta.text().as_bytes()).map_err(io)
}

impl LogDir {
    /// Takes a directory into use: its lock, its `meta.properties`, its checkpoints, and the clean-shutdown file,
    /// which is deleted: from here on an end without [`Self::write_clean_shutdown`] is an unclean one.
    pub fn open(path: &Path) -> Result<Self, LogDirError> {
        let io = |e| LogDirError::Io(path.to_owned(), e);
        match state_of(path).map_err(io)? {
            DirState::Formatted => {}
            DirState::HoldsTopics => return Err(LogDirError::HoldsTopics(path.to_owned())),
            DirState::Empty | DirState::Unformatted => return Err(LogDirError::NotFormatted(path.to_owned())),
        }
        let lock = fs::lock(&path.join(LOCK)).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => LogDirError::Locked(path.to_owned()),
            _ => io(e),
        })?;
        let meta = fs::read(&path.join(META_PROPERTIES)).map_err(io)?;
        let meta = MetaProperties::parse(&meta).map_err(|why| LogDirError::BadMetaProperties(path.to_owned(), why))?;
        let read = |name| Checkpoint::read(path, name).map_err(io);
        let checkpoints = Checkpoints {
            recovery_points: read(RECOVERY_POINTS)?,
            log_starts: read(LOG_STARTS)?,
            high_watermarks: read(HIGH_WATERMARKS)?,
            cleaned: read(CLEANED)?,
        };
        let clean = take_clean_shutdown(path).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            meta,
            clean,
            checkpoints: Mutex::new(checkpoints),
            health: DirHealth::default(),
            writing: Mutex::default(),
            cordoned: AtomicBool::new(false),
            unclean: AtomicBool::new(false),
            lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has failed.
    pub fn health(&self) -> &DirHealth {
        &self.health
    }

    /// Whose it is.
    pub fn meta(&self) -> &MetaProperties {
        &self.meta
    }

    /// True when it was closed cleanly.
    pub fn was_clean(&self) -> bool {
        self.clean.is_some()
    }

    /// The broker epoch of the last clean shutdown, if the file carried one; -1 where it did not.
    pub fn clean_broker_epoch(&self) -> Option<i64> {
        self.clean
    }

    /// Lets nothing new into the directory, or lets it again.
    pub fn set_cordoned(&self, cordoned: bool) {
        self.cordoned.store(cordoned, Ordering::Relaxed);
    }

    /// True while nothing new may come into the directory.
    pub fn is_cordoned(&self) -> bool {
        self.cordoned.load(Ordering::Relaxed)
    }

    /// A log of the directory cannot be closed: the next start recovers them all.
    pub fn leave_unclean(&self) {
        self.unclean.store(true, Ordering::Relaxed);
    }

    /// True when [`Self::leave_unclean`] was called, or the directory failed: what its logs had written may be lost
    /// although the device works again.
    pub fn is_left_unclean(&self) -> bool {
        self.unclean.load(Ordering::Relaxed) || self.health.has_failed()
    }

    /// Makes everything in the directory (and on its file system) durable. Blocking.
    pub fn sync_file_system(&self) -> io::Result<()> {
        self.lock.sync_file_system()
    }

    /// The partitions' directories, but that of the metadata log. Those of deleted partitions are removed.
    pub fn partitions(&self) -> io::Result<Vec<PartitionDir>> {
        let mut dirs = Vec::new();
        for entry in fs::read_dir(&self.path)?.into_iter().filter(|e| e.is_dir) {
            let Some((kind, partition)) = names::parse(&entry.name) else { continue };
            let path = self.path.join(&entry.name);
            if &*partition.topic == CLUSTER_METADATA_TOPIC {
                continue;
            }
            match kind {
                DirKind::Delete => delete_dir(&path)?,
                DirKind::Live | DirKind::Future | DirKind::Stray => dirs.push(PartitionDir { path, kind, partition }),
            }
        }
        Ok(dirs)
    }

    /// What the checkpoints say of a partition; zeros where they say nothing.
    pub fn checkpoint(&self, partition: &TopicPartition) -> CheckpointEntry {
        let c = self.checkpoints();
        CheckpointEntry {
            partition: partition.clone(),
            recovery_point: c.recovery_points.get(partition),
            log_start: c.log_starts.get(partition),
            high_watermark: c.high_watermarks.get(partition),
        }
    }

    /// Takes newer offsets; they are on disk after [`Self::write_checkpoints`].
    pub fn set_checkpoint(&self, entry: CheckpointEntry) {
        let mut c = self.checkpoints();
        c.recovery_points.set(&entry.partition, entry.recovery_point);
        c.high_watermarks.set(&entry.partition, entry.high_watermark);
        if entry.log_start > Offset::ZERO {
            c.log_starts.set(&entry.partition, entry.log_start);
        }
    }

    /// Up to where a compacted partition is clean (`cleaner-offset-checkpoint`); `None` when it was never cleaned.
    pub fn cleaned(&self, partition: &TopicPartition) -> Option<Offset> {
        self.checkpoints().cleaned.offsets.get(partition)
    }

    /// A partition is clean up to `offset`. Written at once, with what else changed. Blocking.
    pub fn set_cleaned(&self, partition: &TopicPartition, offset: Offset) -> io::Result<()> {
        self.checkpoints().cleaned.set(partition, offset);
        self.write_checkpoints()
    }

    /// Forgets a partition that was deleted. Write the checkpoints before one of its name may come: it must not
    /// begin with these offsets.
    pub fn forget(&self, partition: &TopicPartition) {
        self.checkpoints().all().into_iter().for_each(|checkpoint| checkpoint.remove(partition));
    }

    /// Writes the checkpoint files that changed. Nobody who sets or forgets waits for the disk meanwhile.
    /// Nothing is written to a directory that has failed.
    pub fn write_checkpoints(&self) -> io::Result<()> {
        if self.health.has_failed() {
            return Ok(());
        }
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed: Vec<_> = {
            let mut c = self.checkpoints();
            let changed = c
                .all()
                .into_iter()
                .filter_map(|one| std::mem::take(&mut one.changed).then(|| (one.name, one.offsets.encode())));
            changed.collect()
        };
        for (at, (name, text)) in changed.iter().enumerate() {
            if let Err(e) = fs::write_atomic(&self.path.join(name), text.as_bytes()) {
                let unwritten = |one: &Checkpoint| changed.iter().skip(at).any(|(name, _)| *name == one.name);
                self.checkpoints().all().into_iter().for_each(|one| one.changed |= unwritten(one));
                return Err(e);
            }
        }
        Ok(())
    }

    /// Says that everything was closed: the last thing before the process ends.
    pub fn write_clean_shutdown(&self, broker_epoch: i64) -> io::Result<()> {
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        fs::write_atomic(&self.path.join(CLEAN_SHUTDOWN), text.as_bytes())
    }

    fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and deletes the clean-shutdown file.
fn take_clean_shutdown(dir: &Path) -> io::Result<Option<i64>> {
    let path = dir.join(CLEAN_SHUTDOWN);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    fs::remove_file(&path)?;
    fs::sync_dir(dir)?;
    let epoch = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    Ok(Some(epoch.and_then(|v| v.get("brokerEpoch")?.as_i64()).unwrap_or(-1)))
}

/// A fresh id for directories that are renamed out of the way.
pub(super) fn random_id() -> Uuid {
    let mut bytes = [0; 16];
    crate::ring::process::random_bytes(&mut bytes);
    Uuid(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> MetaProperties {
        MetaProperties { cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(), node_id: 1, directory_id: Some(Uuid([7; 16])) }
    }

    #[test]
    fn a_directory_is_formatted_once_locked_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        assert!(matches!(LogDir::open(&path), Err(LogDirError::NotFormatted(_))));
        format(&path, &meta()).unwrap();
        assert!(matches!(format(&path, &meta()), Err(LogDirError::BadMetaProperties(..))));
        let open = LogDir::open(&path).unwrap();
        assert_eq!(open.meta(), &meta());
        assert!(!open.was_clean());
        assert!(matches!(LogDir::open(&path), Err(LogDirError::Locked(_))));
        open.write_clean_shutdown(42).unwrap();
        drop(open);
        let open = LogDir::open(&path).unwrap();
        assert_eq!(open.clean_broker_epoch(), Some(42));
        drop(open);
        assert!(!LogDir::open(&path).unwrap().was_clean(), "the file is gone once it was read");
    }

    #[test]
    fn a_directory_with_topics_is_never_formatted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("lost+found")).unwrap();
        assert_eq!(state_of(dir.path()).unwrap(), DirState::Empty);
        std::fs::create_dir(dir.path().join("topic-0")).unwrap();
        assert_eq!(state_of(dir.path()).unwrap(), DirState::HoldsTopics);
        assert!(matches!(format(dir.path(), &meta()), Err(LogDirError::HoldsTopics(_))));
        assert!(matches!(LogDir::open(dir.path()), Err(LogDirError::HoldsTopics(_))));
    }

    #[test]
    fn javas_clean_file_is_read_whatever_it_carries() {
        let dir = tempfile::tempdir().unwrap();
        for (text, epoch) in
            [("{\"version\":0,\"brokerEpoch\":7}", 7), ("{\"version\":0,\"brokerEpoch\":null}", -1), ("", -1)]
        {
            std::fs::write(dir.path().join(CLEAN_SHUTDOWN), text).unwrap();
            assert_eq!(take_clean_shutdown(dir.path()).unwrap(), Some(epoch), "{text}");
        }
        assert_eq!(take_clean_shutdown(dir.path()).unwrap(), None);
    }

    #[test]
    fn checkpoints_survive_and_deleted_directories_go() {
        let dir = tempfile::tempdir().unwrap();
        format(dir.path(), &meta()).unwrap();
        for name in ["t-0", "t-1.0123456789abcdef0123456789abcdef-delete", "__cluster_metadata-0", "notes"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let partition = TopicPartition::new("t", 0);
        let entry = CheckpointEntry {
            partition: partition.clone(),
            recovery_point: Offset(5),
            log_start: Offset(2),
            high_watermark: Offset(4),
        };
        let open = LogDir::open(dir.path()).unwrap();
        assert_eq!(open.partitions().unwrap().iter().map(|d| &d.partition).collect::<Vec<_>>(), [&partition]);
        assert!(!dir.path().join("t-1.0123456789abcdef0123456789abcdef-delete").exists());
        open.set_checkpoint(entry.clone());
        open.write_checkpoints().unwrap();
        drop(open);
        let open = LogDir::open(dir.path()).unwrap();
        assert_eq!(open.checkpoint(&partition), entry);
        let path = dir.path().join(RECOVERY_POINTS);
        std::fs::remove_file(&path).unwrap();
        open.set_checkpoint(entry);
        open.write_checkpoints().unwrap();
        assert!(!path.exists(), "what did not change is not written");
        open.forget(&partition);
        open.write_checkpoints().unwrap();
        assert!(path.exists());
        drop(open);
        assert_eq!(LogDir::open(dir.path()).unwrap().checkpoint(&partition).recovery_point, Offset::ZERO);
    }
}
