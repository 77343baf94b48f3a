//! Opening logs: one by one as partitions come, or all of a start, so many at a time in each directory
//! (`num.recovery.threads.per.data.dir`). Blocking.

use super::core::Log;
use super::dir::{LogDir, random_id};
use super::dirs::{LogDirs, Wanted, locked};
use super::files::{
    PARTITION_METADATA, is_partition_metadata_lost, restore_partition_metadata, write_partition_metadata,
};
use super::health::DirHealth;
use super::names;
use super::progress::Progress;
use super::recover::{Recovery, UnrecoveredLog};
use crate::base::{Instant, Now, Offset, TimestampMs, TopicIdPartition, TopicPartition, Uuid};
use crate::ring::{fs, parallel};
use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Recovery threads report each time they have read so much.
const REPORT_BYTES: u64 = 4 << 20;

/// A log whose directory was looked into.
struct Prepared {
    id: TopicIdPartition,
    log: UnrecoveredLog,
    recovery: Recovery,
    bytes_to_check: u64,
    /// Of its directory.
    health: DirHealth,
}

impl LogDirs {
    /// A log that [`Self::open_ahead`] opened. Not blocking.
    pub fn take_opened(&self, id: &TopicIdPartition) -> Option<Log> {
        locked(&self.ready).remove(id)
    }

    /// Opens and recovers the log of a partition, or creates it: in the directory it is in, else in the assigned
    /// one, else in that with the fewest partitions. A directory of the same name with another topic id, or none,
    /// is renamed to a stray and kept.
    pub fn open_or_create(&self, wanted: &Wanted, now: Now) -> io::Result<Log> {
        let prepared = self.prepare(wanted, false)?;
        let mut log = prepared.log.recover(prepared.recovery, now)?;
        log.belongs_to(&prepared.health);
        Ok(log)
    }

    /// Opens the logs that are there and will be asked for, `threads` at a time in each directory. One that fails is
    /// left to whoever asks for it, who is told why. Tells about the progress of an unclean start by `clock`.
    pub fn open_ahead(&self, wanted: Vec<Wanted>, threads: usize, now: Now, clock: fn() -> Instant) {
        let mut by_dir: Vec<Vec<Wanted>> = self.dirs().iter().map(|_| Vec::new()).collect();
        // A new partition's directory may be lost in a crash with all that it held.
        let may_be_lost = self.are_all_online() && self.dirs().iter().any(|dir| !dir.was_clean());
        self.set_aside_nobodys(&wanted);
        for one in wanted {
            match self.place_of(&one.name).and_then(|at| by_dir.get_mut(at)) {
                Some(of_dir) => of_dir.push(one),
                None if may_be_lost => self.found_after_crash(&one.name, one.id.topic_id, Offset::ZERO),
                None => {}
            }
        }
        let prepared = parallel::for_each(by_dir.len(), by_dir, |of_dir| {
            let found = parallel::for_each(threads, of_dir, |one| self.prepare(&one, true).ok());
            let mut found: Vec<Prepared> = found.into_iter().flatten().collect();
            // The longest first, so that no thread begins one when the others are done.
            found.sort_by_key(|p| std::cmp::Reverse(p.bytes_to_check));
            found
        });
        let bytes = prepared.iter().flatten().map(|p| p.bytes_to_check).sum();
        let progress = Arc::new(Progress::new(prepared.iter().map(Vec::len).sum(), bytes, clock));
        *locked(&self.recovery) = Some(progress.clone());
        parallel::for_each(prepared.len(), prepared, |of_dir| {
            parallel::for_each(threads, of_dir, |one| self.recover_one(one, now, &progress));
        });
        locked(&self.recovery).take();
        if bytes > 0 {
            tracing::info!("recovered: {}", progress.summary());
        }
    }

    fn recover_one(&self, one: Prepared, now: Now, progress: &Progress) {
        let unreported = Cell::new(0);
        let checked = |bytes| {
            unreported.set(unreported.get() + bytes);
            if unreported.get() >= REPORT_BYTES {
                progress.checked(unreported.take());
            }
        };
        if let Ok(mut log) = one.log.recover_telling(one.recovery, now, &checked) {
            log.belongs_to(&one.health);
            if !one.recovery.clean {
                self.found_after_crash(log.partition(), one.id.topic_id, log.end_offset());
            }
            locked(&self.ready).insert(one.id, log);
        }
        progress.checked(unreported.take());
        progress.opened();
    }

    fn found_after_crash(&self, partition: &TopicPartition, topic: Uuid, end: Offset) {
        locked(&self.crash_ends).insert(partition.clone(), (topic, end));
    }

    /// A power cut may have left directories that do not say whose they are (`partition.metadata` was not flushed). Where
    /// the metadata does not know their partitions, they must not pass for those of topics that come.
    fn set_aside_nobodys(&self, wanted: &[Wanted]) {
        let known: HashSet<&TopicPartition> = wanted.iter().map(|one| &one.name).collect();
        for name in self.on_disk().into_iter().filter(|name| !known.contains(name)) {
            let Some(dir) = self.of_partition(&name).filter(|dir| !dir.was_clean()) else { continue };
            let path = dir.path().join(name.to_string());
            let done = is_partition_metadata_lost(&path).and_then(|lost| {
                if lost {
                    set_aside(dir, &path, &name, None)?;
                    self.places().remove(&name);
                }
                Ok(())
            });
            if let Err(e) = done {
                tracing::warn!("{} cannot be set aside: {e}", path.display());
            }
        }
    }

    /// Whether a directory without an id is that of the partition nevertheless: it lies where the metadata of this start
    /// says, after a stop that was not clean, and what is lost is what only a flush would have kept. No topic that was
    /// deleted can have left it: its directories are renamed, durably, before another of its name may come.
    fn is_lost_id(dir: &LogDir, path: &Path, wanted: &Wanted) -> io::Result<bool> {
        let assigned = dir.meta().directory_id == Some(wanted.directory);
        Ok(assigned && !dir.was_clean() && is_partition_metadata_lost(path)?)
    }

    /// Looks into the directory of a partition, or creates it.
    fn prepare(&self, wanted: &Wanted, at_start: bool) -> io::Result<Prepared> {
        let double = locked(&self.doubles).remove(&wanted.name);
        if let (Some(other), Some(place)) = (double, self.place_of(&wanted.name)) {
            self.choose(wanted, place, other)?;
        }
        let dir = self.place(wanted).and_then(|at| self.dirs().get(at));
        let dir = dir.ok_or_else(|| io::Error::other("its log directory is offline"))?;
        let path = dir.path().join(wanted.name.to_string());
        let mut log = UnrecoveredLog::open(path.clone(), wanted.name.clone(), wanted.config.clone())?;
        if at_start && log.topic_id().is_none() && Self::is_lost_id(dir, &path, wanted)? {
            tracing::warn!("{}: {PARTITION_METADATA} is empty after a power cut: written anew", path.display());
            restore_partition_metadata(&path, wanted.id.topic_id)?;
        } else if log.topic_id() != Some(wanted.id.topic_id) {
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
        let bytes_to_check = log.bytes_to_check(recovery);
        Ok(Prepared { id: wanted.id, log, recovery, bytes_to_check, health: dir.health().clone() })
    }
}

impl LogDirs {
    /// A move between directories was cut off when both had the partition's name: the longer log is the one to which was
    /// written last. The other is kept as a stray; so is one of another topic, whatever its length.
    fn choose(&self, wanted: &Wanted, first: usize, second: usize) -> io::Result<()> {
        let end_in = |at: usize| {
            let dir = self.dirs().get(at).ok_or_else(|| io::Error::other("its log directory is offline"))?;
            let path = dir.path().join(wanted.name.to_string());
            let log = UnrecoveredLog::open(path.clone(), wanted.name.clone(), wanted.config.clone())?;
            let of_this_topic = log.topic_id() == Some(wanted.id.topic_id);
            let recovery = Recovery { clean: false, recovery_point: Offset::ZERO, log_start: Offset::ZERO };
            let now = Now { mono: Instant(0), wall: TimestampMs::NONE };
            Ok::<_, io::Error>(((of_this_topic, log.recover(recovery, now)?.end_offset()), dir, path))
        };
        let (ours, theirs) = (end_in(first)?, end_in(second)?);
        let (taken, left) = if theirs.0 > ours.0 { (second, ours) } else { (first, theirs) };
        let left_in = left.1.path().display();
        tracing::warn!("{} is in two log directories: that in {left_in} is shorter or of another topic", wanted.name);
        self.places().insert(wanted.name.clone(), taken);
        set_aside(left.1, &left.2, &wanted.name, Some(wanted.id.topic_id))
    }
}

/// Renames a directory that belongs to another topic of the same name.
fn set_aside(dir: &LogDir, path: &Path, partition: &TopicPartition, found: Option<Uuid>) -> io::Result<()> {
    let to = dir.path().join(names::suffixed(partition, random_id(), names::STRAY));
    match found {
        Some(id) => tracing::warn!("{} is of the topic with id {id}: kept as {}", path.display(), to.display()),
        None => tracing::warn!("{} has no topic id in {PARTITION_METADATA}: kept as {}", path.display(), to.display()),
    }
    fs::rename(path, &to)?;
    dir.forget(partition);
    dir.write_checkpoints()
}
