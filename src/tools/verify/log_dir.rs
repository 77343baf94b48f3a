//! A log directory: its own files, then each partition's.

use super::partition;
use super::report::Report;
use crate::base::topic::CLUSTER_METADATA_TOPIC;
use crate::base::{Offset, TopicPartition};
use crate::config::meta_properties::{AnyMeta, META_PROPERTIES};
use crate::log::checkpoint::{CLEANED, HIGH_WATERMARKS, LOG_STARTS, OffsetCheckpoint, RECOVERY_POINTS};
use crate::log::dir::CLEAN_SHUTDOWN;
use crate::log::names::{self, DirKind};
use crate::ring::fs;
use crate::tools::FileError;
use std::collections::HashMap;
use std::path::Path;

/// Where a log begins and ends.
type Ends = HashMap<TopicPartition, (Offset, Offset)>;

/// Looks at everything in `dir`.
pub fn verify(dir: &Path, report: &mut Report<'_>) -> Result<(), FileError> {
    meta_properties(dir, report)?;
    if !report.in_use && !fs::exists(&dir.join(CLEAN_SHUTDOWN)) {
        report.note(format_args!(
            "{} was not stopped cleanly: a start repairs what a torn write left at the logs' ends",
            dir.display()
        ));
    }
    let mut ends = Ends::new();
    for entry in fs::read_dir(dir).map_err(FileError::of(dir))?.into_iter().filter(|entry| entry.is_dir) {
        let path = dir.join(&entry.name);
        let Some((kind, partition)) = names::parse(&entry.name) else { continue };
        match kind {
            DirKind::Delete => report.note(format_args!("{} was deleted and waits to be removed", path.display())),
            DirKind::Stray => report.note(format_args!("{} is a stray: the metadata does not know it", path.display())),
            DirKind::Future => report.note(format_args!("{} was being moved here", path.display())),
            DirKind::Live => {}
        }
        if kind != DirKind::Delete {
            let gaps = partition::may_have_gaps(dir, &partition);
            let found = partition::verify(&path, &partition, gaps, report)?;
            if kind == DirKind::Live {
                ends.extend(found.map(|found| (partition, found)));
            }
        }
    }
    checkpoints(dir, &ends, report)
}

fn meta_properties(dir: &Path, report: &mut Report<'_>) -> Result<(), FileError> {
    let path = dir.join(META_PROPERTIES);
    if !fs::exists(&path) {
        report.finding(&path, "is missing: whose the directory is is not known");
        return Ok(());
    }
    let bytes = fs::read(&path).map_err(FileError::of(&path))?;
    match AnyMeta::parse(&bytes) {
        Ok(AnyMeta::ZooKeeper(_)) => {
            report.note(format_args!("{} is of the time of ZooKeeper (version 0)", path.display()));
        }
        Ok(AnyMeta::KRaft(_)) => {}
        Err(why) => report.finding(&path, why),
    }
    Ok(())
}

fn checkpoints(dir: &Path, ends: &Ends, report: &mut Report<'_>) -> Result<(), FileError> {
    for name in [RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS, CLEANED] {
        let path = dir.join(name);
        if !fs::exists(&path) {
            continue;
        }
        let bytes = fs::read(&path).map_err(FileError::of(&path))?;
        if bytes.is_empty() {
            continue; // as Kafka creates them
        }
        let Some(checkpoint) = OffsetCheckpoint::decode(&String::from_utf8_lossy(&bytes)) else {
            report
                .finding(&path, "is malformed: not version 0, a count, and as many lines of topic, partition, offset");
            continue;
        };
        let mut entries: Vec<_> = checkpoint.iter().collect();
        entries.sort();
        for (partition, offset) in entries {
            // Kafka does not keep the metadata log's offsets here, older ones did.
            if &*partition.topic == CLUSTER_METADATA_TOPIC {
                continue;
            }
            match ends.get(partition) {
                None => report.finding(&path, format_args!("names {partition}, which is not in this directory")),
                Some((_, end)) if offset > *end => {
                    report.finding(&path, format_args!("{partition} stands at {offset}, beyond its log's end {end}"));
                }
                Some(_) if offset < Offset::ZERO => {
                    report.finding(&path, format_args!("{partition} stands at the impossible offset {offset}"));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}
