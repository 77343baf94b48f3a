//! A partition's directory: its segments in order, and the files beside them.

use super::report::Report;
use super::segment::{self, Walk};
use crate::base::topic::CLUSTER_METADATA_TOPIC;
use crate::base::{Offset, TopicPartition};
use crate::log::checkpoint::{CLEANED, OffsetCheckpoint};
use crate::log::epochs::Epochs;
use crate::log::files::{self, CLEANED_SUFFIX, DELETED_SUFFIX, FileKind, LEADER_EPOCH_CHECKPOINT, SWAP_SUFFIX};
use crate::log::snapshot;
use crate::metadata::store::{self, SnapshotId};
use crate::ring::fs::{self, DirEntry};
use crate::tools::FileError;
use std::path::Path;

/// Internal topics that are always compacted.
const COMPACTED: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Whether offsets may be missing inside the log: it is compacted, or was.
pub fn may_have_gaps(log_dir: &Path, partition: &TopicPartition) -> bool {
    COMPACTED.contains(&&*partition.topic)
        || fs::read(&log_dir.join(CLEANED))
            .ok()
            .and_then(|bytes| OffsetCheckpoint::decode(&String::from_utf8_lossy(&bytes)))
            .is_some_and(|cleaned| cleaned.get(partition).is_some())
}

/// Looks at a partition; gives where its log begins and ends, if it has segments.
pub fn verify(
    dir: &Path,
    partition: &TopicPartition,
    gaps: bool,
    report: &mut Report<'_>,
) -> Result<Option<(Offset, Offset)>, FileError> {
    report.summary.partitions += 1;
    let entries = fs::read_dir(dir).map_err(FileError::of(dir))?;
    let of_kind = |wanted: FileKind| -> Vec<Offset> {
        let found = entries.iter().filter_map(|e| FileKind::parse(&e.name)).filter(|(kind, _)| *kind == wanted);
        found.map(|(_, base)| base).collect()
    };
    let segments = of_kind(FileKind::Log);
    leftovers(dir, &entries, &segments, report);
    topic_id(dir, report);
    let epochs = epochs(dir, report);
    let mut walk = Walk::new(epochs, gaps);
    for (at, base) in segments.iter().enumerate() {
        segment::verify(dir, *base, at + 1 == segments.len(), &mut walk, report)?;
    }
    let end = walk.end();
    for offset in of_kind(FileKind::Snapshot) {
        producers(&FileKind::Snapshot.path(dir, offset), offset, end, report)?;
    }
    if &*partition.topic == CLUSTER_METADATA_TOPIC {
        metadata_files(dir, &entries, report)?;
    }
    Ok(segments.first().map(|first| (*first, end.unwrap_or(*first))))
}

fn leftovers(dir: &Path, entries: &[DirEntry], segments: &[Offset], report: &mut Report<'_>) {
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        let path = dir.join(&entry.name);
        let what = match entry.name.as_str() {
            name if name.ends_with(DELETED_SUFFIX) => "waits to be removed",
            name if name.ends_with(CLEANED_SUFFIX) => "an unfinished compaction, which a start removes",
            name if name.ends_with(SWAP_SUFFIX) => "a finished compaction, which a start puts in its place",
            name => {
                let beside =
                    FileKind::parse(name).filter(|(kind, _)| !matches!(kind, FileKind::Log | FileKind::Snapshot));
                if beside.is_some_and(|(_, base)| !segments.contains(&base)) {
                    report.finding(&path, "an index without its segment, which a start removes");
                }
                continue;
            }
        };
        report.note(format_args!("{}: {what}", path.display()));
    }
}

fn topic_id(dir: &Path, report: &mut Report<'_>) {
    let path = dir.join(files::PARTITION_METADATA);
    match files::read_partition_metadata(dir) {
        Ok(Some(_)) => {}
        Ok(None) if fs::exists(&path) => report.finding(&path, "is empty"),
        Ok(None) => report.note(format_args!("{} has no topic id (no {})", dir.display(), files::PARTITION_METADATA)),
        Err(error) => report.finding(&path, format_args!("is not as Kafka writes it: {error}")),
    }
}

fn epochs(dir: &Path, report: &mut Report<'_>) -> Option<Epochs> {
    let path = dir.join(LEADER_EPOCH_CHECKPOINT);
    let bytes = fs::read(&path).ok()?;
    let epochs = Epochs::decode(&String::from_utf8_lossy(&bytes));
    if epochs.is_none() {
        report.finding(&path, "is malformed: not version 0, a count, and as many ascending lines of epoch and offset");
    }
    epochs
}

fn producers(path: &Path, offset: Offset, end: Option<Offset>, report: &mut Report<'_>) -> Result<(), FileError> {
    let bytes = fs::read(path).map_err(FileError::of(path))?;
    let Some(entries) = snapshot::entries(&bytes) else {
        report.finding(path, "its version, checksum or size is wrong: a start leaves it aside");
        return Ok(());
    };
    if end.is_some_and(|end| offset > end) {
        report.finding(path, format_args!("is of an offset beyond the log's end {}", end.unwrap_or_default()));
    }
    for (id, entry) in entries {
        let last = entry.batches.back().map(|batch| batch.last_offset).max(entry.txn_first_offset);
        if last.is_some_and(|last| last >= offset) {
            report.finding(path, format_args!("knows offset {} of producer {id}", last.unwrap_or_default()));
        }
    }
    Ok(())
}

fn metadata_files(dir: &Path, entries: &[DirEntry], report: &mut Report<'_>) -> Result<(), FileError> {
    for entry in entries {
        let path = dir.join(&entry.name);
        let checked = match entry.name.as_str() {
            name if SnapshotId::parse(name).is_some() => {
                store::check_snapshot(&fs::read(&path).map_err(FileError::of(&path))?)
            }
            name if name == store::QUORUM_STATE => {
                store::check_quorum_state(&fs::read(&path).map_err(FileError::of(&path))?)
            }
            _ => Ok(()),
        };
        if let Err(why) = checked {
            report.finding(&path, why);
        }
    }
    Ok(())
}
