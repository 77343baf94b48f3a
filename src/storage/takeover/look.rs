//! What lies in the log directories of a stopped node. Nothing is changed.

use super::report::Report;
use crate::base::{Offset, TopicPartition, Uuid};
use crate::config::meta_properties::{AnyMeta, META_PROPERTIES};
use crate::log::checkpoint::{OffsetCheckpoint, RECOVERY_POINTS};
use crate::log::dir::CLEAN_SHUTDOWN;
use crate::log::files::{FileKind, read_partition_metadata};
use crate::log::names::{self, DirKind};
use crate::record::header::{MAGIC_AT, MAGIC_V2};
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All log directories.
#[derive(Debug, Default)]
pub struct Look {
    /// In the order of `log.dirs`.
    pub dirs: Vec<DirLook>,
}

/// One log directory.
#[derive(Debug)]
pub struct DirLook {
    /// Where it is.
    pub path: PathBuf,
    /// What its `meta.properties` says.
    pub meta: Option<AnyMeta>,
    /// It was stopped cleanly.
    pub clean: bool,
    /// The partitions in it.
    pub partitions: Vec<PartitionLook>,
    /// Bytes of segments behind the recovery points.
    pub unflushed_bytes: u64,
}

/// One partition's directory.
#[derive(Debug)]
pub struct PartitionLook {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: DirKind,
    /// The partition.
    pub partition: TopicPartition,
    /// Its topic's id, if it has one.
    pub topic_id: Option<Uuid>,
}

impl Look {
    /// All partitions.
    pub fn partitions(&self) -> impl Iterator<Item = &PartitionLook> {
        self.dirs.iter().flat_map(|dir| &dir.partitions)
    }
}

impl DirLook {
    /// Its `meta.properties` is of version 0.
    pub fn is_zookeeper_era(&self) -> bool {
        matches!(self.meta, Some(AnyMeta::ZooKeeper(_)))
    }
}

/// Looks at the directories; what is odd is told.
pub fn look(dirs: &[PathBuf], report: &mut Report) -> Look {
    let mut look = Look::default();
    for path in dirs {
        match look_at(path, report) {
            Ok(dir) => look.dirs.push(dir),
            Err(error) => report.against(format!("{}: {error}", path.display())),
        }
    }
    look
}

fn look_at(path: &Path, report: &mut Report) -> io::Result<DirLook> {
    let shown = path.display();
    if fs::is_locked(&path.join(".lock"))? {
        report.against(format!("{shown} is in use by a running broker (its .lock is held): stop it first"));
    }
    let mut dir = DirLook {
        path: path.to_owned(),
        meta: meta_of(path, report)?,
        clean: fs::exists(&path.join(CLEAN_SHUTDOWN)),
        partitions: Vec::new(),
        unflushed_bytes: 0,
    };
    let recovery_points = OffsetCheckpoint::read(path, RECOVERY_POINTS)?;
    let mut old = Old::default();
    for entry in fs::read_dir(path)?.into_iter().filter(|entry| entry.is_dir) {
        let Some((kind, partition)) = names::parse(&entry.name) else { continue };
        let path = path.join(&entry.name);
        match kind {
            DirKind::Delete => report.plan(format!("{} was deleted and is removed", path.display())),
            DirKind::Stray => report.fact(format!("{} is a stray: it is kept and not served", path.display())),
            DirKind::Future => report.plan(format!("{} was being moved here: the move goes on", path.display())),
            DirKind::Live => {
                let from = recovery_points.get(&partition).unwrap_or(Offset::ZERO);
                dir.unflushed_bytes += segments(&path, from, &mut old)?;
            }
        }
        let topic_id = read_partition_metadata(&path).unwrap_or_else(|error| {
            report.against(error.to_string());
            None
        });
        dir.partitions.push(PartitionLook { path, kind, partition, topic_id });
    }
    old.tell(report);
    Ok(dir)
}

fn meta_of(path: &Path, report: &mut Report) -> io::Result<Option<AnyMeta>> {
    let file = path.join(META_PROPERTIES);
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.against(format!("{} is missing: whose the directory is is not known", file.display()));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let meta = AnyMeta::parse(&bytes);
    match &meta {
        Ok(AnyMeta::KRaft(meta)) => report.fact(format!("{}: {meta}", path.display())),
        Ok(AnyMeta::ZooKeeper(meta)) => report.fact(format!(
            "{}: of the time of ZooKeeper (version 0), broker {}, cluster {}",
            path.display(),
            meta.broker_id.map_or_else(|| "unknown".to_owned(), |id| id.to_string()),
            meta.cluster_id.as_deref().unwrap_or("unknown"),
        )),
        Err(why) => report.against(format!("{}: {why}", file.display())),
    }
    Ok(meta.ok())
}

/// Segments that begin in the formats 0 or 1.
#[derive(Default)]
struct Old {
    segments: u64,
    first: Option<PathBuf>,
}

impl Old {
    fn tell(&self, report: &mut Report) {
        let Some(first) = &self.first else { return };
        report.fact(format!(
            "{} segments begin with batches of message format 0 or 1, the first is {}: they are served as they are, and \
             not compacted; only how each segment begins was looked at",
            self.segments,
            first.display()
        ));
    }
}

/// Looks at how each segment begins; gives the bytes of those that reach beyond `recovery_point`.
fn segments(dir: &Path, recovery_point: Offset, old: &mut Old) -> io::Result<u64> {
    let mut segments: Vec<(Offset, u64)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        if let Some((FileKind::Log, base)) = FileKind::parse(&entry.name) {
            segments.push((base, entry.len));
        }
    }
    segments.sort();
    let mut unflushed = 0;
    for (at, (base, len)) in segments.iter().enumerate() {
        if segments.get(at + 1).is_none_or(|(next, _)| *next > recovery_point) {
            unflushed += len;
        }
        let path = FileKind::Log.path(dir, *base);
        let mut head = [0; MAGIC_AT + 1];
        let read = File::open(&path, OpenMode::Read)?.read_at(&mut head, 0)?;
        if read == head.len() && (head[MAGIC_AT] as i8) < MAGIC_V2 {
            old.segments += 1;
            old.first.get_or_insert(path);
        }
    }
    Ok(unflushed)
}
