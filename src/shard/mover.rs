//! Moving logs from one directory to another while they serve (AlterReplicaLogDirs, `ReplicaAlterLogDirsThread`).
//!
//! A background task on the owner copies what is written, batch by batch, into a log in a `-future` directory of the
//! target. When little is left the copy is made durable and gets the partition's name; then writes are held (accepted
//! batches wait) for the last bytes, and the copy takes the log's place in one step. The old directory is renamed to be
//! deleted only when the copy is on the device. How many logs move at once, and how fast, is [`super::move_limits`]'; the
//! owner's requests go first.

use super::move_limits::MoveLimits;
use super::{Shard, ShardIndex};
use crate::base::local::Event;
use crate::base::{ErrorCode, Offset, TopicIdPartition};
use crate::controller::assign_directory;
use crate::log::close::delete_dir;
use crate::log::future::FutureOf;
use crate::log::{Log, Read, ReadError, WriteError};
use crate::partition::Partition;
use crate::ring::{errno, runtime};
use futures_lite::future::or;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// What is read and written at once.
const CHUNK_BYTES: u32 = 1 << 20;
/// With less than this to copy, the copy is made durable; writes are held only for what comes after that.
const NEARLY: i64 = 10_000;
/// Writes are not held longer at a time.
const HOLD_TRIES: u32 = 200;
const HOLD_PAUSE: Duration = Duration::from_millis(1);
/// A log that is being compacted is waited for.
const CLEANER_PAUSE: Duration = Duration::from_millis(50);

/// One core's moves.
#[derive(Default)]
pub struct Mover {
    moves: RefCell<HashMap<TopicIdPartition, Rc<Move>>>,
    /// A move elsewhere has ended: one that waits may begin.
    freed: Event,
}

/// A log on its way to another directory.
pub struct Move {
    /// The number of the directory it moves to.
    pub target: usize,
    /// Where the copy ends.
    pub end: Cell<Offset>,
    /// Bytes of the copy.
    pub bytes: Cell<u64>,
    /// Bytes that were copied, those of a copy that was begun anew too.
    copied: Cell<u64>,
    cancelled: Cell<bool>,
}

/// Why a move ended before its time.
enum Ended {
    /// The partition, or the broker, goes away: the copy is kept for the next start.
    Gone,
    /// Somebody wants it elsewhere: the copy goes.
    Cancelled,
    /// The log, or a disk, does not let itself be copied.
    Failed(String),
    /// The target directory failed.
    Target(io::Error),
}

impl Shard {
    /// The move of a partition that is under way.
    pub fn move_of(&self, id: &TopicIdPartition) -> Option<Rc<Move>> {
        self.mover.moves.borrow().get(id).cloned()
    }

    /// Begins to move the log of a partition of this core to the directory with the number `target`; a move to another
    /// one is given up.
    ///
    /// # Errors
    /// As `ReplicaManager.alterReplicaLogDirs`: 56 when a directory is offline, 9 when the partition is not here.
    pub fn move_log(self: &Rc<Self>, id: TopicIdPartition, target: usize) -> Result<(), ErrorCode> {
        let dirs = &self.shared.log_dirs;
        let Some(partition) = self.partition(&id) else {
            let offline = self.why_absent(&id) == ErrorCode::KafkaStorageError;
            return Err(if offline { ErrorCode::KafkaStorageError } else { ErrorCode::ReplicaNotAvailable });
        };
        if let Some(running) = self.move_of(&id) {
            if running.target == target {
                return Ok(());
            }
            running.cancelled.set(true);
            self.mover.moves.borrow_mut().remove(&id);
        }
        if dirs.number_of_partition(&partition.name) == Some(target) {
            return Ok(());
        }
        if !dirs.are_all_online() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let one = Rc::new(Move {
            target,
            end: Cell::new(partition.start_offset()),
            bytes: Cell::new(0),
            copied: Cell::new(0),
            cancelled: Cell::new(false),
        });
        self.mover.moves.borrow_mut().insert(id, one.clone());
        let partition = Rc::downgrade(&partition);
        runtime::spawn_background(self.clone().run_move(id, partition, one)).detach();
        Ok(())
    }

    /// Goes on with the moves that the last end of the process cut off.
    pub fn resume_moves(self: &Rc<Self>) {
        for (name, target) in self.shared.log_dirs.unfinished_moves() {
            let image = self.image();
            let Some(topic) = image.topic_by_name(&name.topic) else { continue };
            let id = TopicIdPartition { topic_id: topic.id, partition: name.partition };
            if self.owner_of(&id) == self.index && self.partition(&id).is_some() {
                tracing::info!("{name}: its move to another log dir goes on");
                if let Err(e) = self.move_log(id, target) {
                    tracing::warn!("{name}: its move to another log dir cannot go on: {e:?}");
                }
            }
        }
    }

    async fn run_move(self: Rc<Self>, id: TopicIdPartition, partition: Weak<Partition>, one: Rc<Move>) {
        if !self.take_place(&one).await {
            return self.finish_move(id, &partition, &one);
        }
        while !self.keep_from_cleaner(id) && !self.is_stopping() {
            runtime::sleep(CLEANER_PAUSE).await;
        }
        let ended = self.copy_and_swap(id, &partition, &one).await;
        self.leave_to_cleaner(id);
        self.give_place_back();
        self.finish_move(id, &partition, &one);
        let name = partition.upgrade().map_or_else(|| format!("{id:?}"), |p| p.name.to_string());
        match ended {
            Ok(()) => tracing::info!("{name} was moved to another log dir"),
            Err(Ended::Gone | Ended::Cancelled) => {}
            Err(Ended::Failed(why)) => tracing::error!("{name} cannot be moved to another log dir: {why}"),
            Err(Ended::Target(e)) => match self.shared.log_dirs.dirs().get(one.target) {
                Some(dir) => self.dir_failed(dir.path(), &format!("the move of {name}"), &e),
                None => tracing::error!("{name} cannot be moved: {e}"),
            },
        }
    }

    /// Waits until fewer moves run than may. False: it is not to run any more.
    async fn take_place(&self, one: &Move) -> bool {
        loop {
            let freed = self.mover.freed.listen();
            if one.cancelled.get() || self.is_stopping() {
                return false;
            }
            if self.shared.moves.begin(self.live().log_dirs.moves_max) {
                return true;
            }
            or(freed, self.until_stopping()).await;
        }
    }

    fn give_place_back(&self) {
        self.shared.moves.end();
        for core in (0..self.shard_count()).map(ShardIndex) {
            self.post(core, |shard| shard.mover.freed.notify());
        }
    }

    fn finish_move(self: &Rc<Self>, id: TopicIdPartition, partition: &Weak<Partition>, one: &Rc<Move>) {
        let mut moves = self.mover.moves.borrow_mut();
        if moves.get(&id).is_some_and(|current| Rc::ptr_eq(current, one)) {
            moves.remove(&id);
        }
        drop(moves);
        if let Some(partition) = partition.upgrade() {
            partition.hold_writes(false);
            self.mark_dirty(&partition);
        }
    }

    async fn copy_and_swap(
        self: &Rc<Self>,
        id: TopicIdPartition,
        partition: &Weak<Partition>,
        one: &Move,
    ) -> Result<(), Ended> {
        let mut copy = self.open_copy(partition, one).await?;
        let mut promoted = false;
        let outcome = async {
            while self.copy_throttled(partition, one, &mut copy).await? > NEARLY {}
            flush(&mut copy).await?;
            let dirs = self.shared.log_dirs.clone();
            let mut log = copy.take().ok_or(Ended::Gone)?;
            let (log, renamed) = runtime::blocking(move || {
                let renamed = dirs.promote(&mut log);
                (log, renamed)
            })
            .await;
            copy = Some(log);
            renamed.map_err(Ended::Target)?;
            promoted = true;
            loop {
                while self.copy_throttled(partition, one, &mut copy).await? > 0 {}
                if let Some(old) = self.swap_held(partition, one, &mut copy).await? {
                    return Ok(old);
                }
            }
        }
        .await;
        match outcome {
            Ok(old) => self.retire(id, partition, one, old).await,
            Err(ended) => {
                self.give_up(copy, promoted, matches!(ended, Ended::Gone)).await;
                Err(ended)
            }
        }
    }

    async fn open_copy(&self, partition: &Weak<Partition>, one: &Move) -> Result<Option<Log>, Ended> {
        let (dirs, now, target) = (self.shared.log_dirs.clone(), self.now(), one.target);
        let of = partition.upgrade().ok_or(Ended::Gone)?;
        let of = of.with_log(|log| FutureOf {
            name: log.partition().clone(),
            topic_id: of.id.topic_id,
            config: log.config().clone(),
            start: log.start_offset(),
            end: log.written_offset(),
        });
        let opened = runtime::blocking(move || dirs.open_future(target, &of, now)).await;
        opened.map(Some).map_err(Ended::Target)
    }

    /// Copies one chunk when the rate allows it. How many offsets were left before it.
    async fn copy_throttled(
        &self,
        partition: &Weak<Partition>,
        one: &Move,
        copy: &mut Option<Log>,
    ) -> Result<i64, Ended> {
        let rate = || self.live().log_dirs.move_bytes_per_second;
        loop {
            let pause = self.shared.moves.pause(rate(), self.now().mono);
            if pause.is_zero() {
                break;
            }
            if one.cancelled.get() {
                return Err(Ended::Cancelled);
            }
            if self.is_stopping() || partition.strong_count() == 0 {
                return Err(Ended::Gone);
            }
            or(runtime::sleep(pause), self.until_stopping()).await;
        }
        let before = one.copied.get();
        let left = self.copy_some(partition, one, copy, MoveLimits::chunk(rate(), CHUNK_BYTES)).await?;
        self.shared.moves.copied(one.copied.get() - before, rate(), self.now().mono);
        Ok(left)
    }

    /// Copies one chunk of `most` bytes, one batch at least. How many offsets were left before it.
    async fn copy_some(
        &self,
        partition: &Weak<Partition>,
        one: &Move,
        copy: &mut Option<Log>,
        most: u32,
    ) -> Result<i64, Ended> {
        if one.cancelled.get() {
            return Err(Ended::Cancelled);
        }
        let from = copy.as_ref().ok_or(Ended::Gone)?.end_offset();
        let (read, start, end) = {
            let partition = partition.upgrade().filter(|_| !self.is_stopping()).ok_or(Ended::Gone)?;
            partition.with_log(|log| {
                let end = log.written_offset();
                (log.read(from, most, end, true), log.start_offset(), end)
            })
        };
        if from < start {
            // Retention was faster.
            let log = copy.take().ok_or(Ended::Gone)?;
            *copy = Some(begin_at(log, start).await?);
            return Ok(end.since(start) + 1);
        }
        let plan = match read.map_err(|e| failed_read(&e))? {
            Read::Ready(plan) => plan,
            Read::Lookup(lookup) => lookup.run().await.map_err(|e| failed_read(&e))?,
        };
        let Some(range) = plan.range else { return Ok(0) };
        let read = range.file.read(range.position, range.len as usize).await;
        let bytes = read.map_err(|e| Ended::Failed(e.to_string()))?;
        one.copied.set(one.copied.get() + bytes.len() as u64);
        let log = copy.as_mut().ok_or(Ended::Gone)?;
        log.append_as_follower(bytes, self.now()).map_err(|e| Ended::Failed(format!("{e:?}")))?;
        write(log).await?;
        one.end.set(log.end_offset());
        one.bytes.set(log.size_bytes());
        runtime::yield_now().await;
        Ok(end.since(from))
    }

    /// Holds writes until the copy is complete, and swaps. `None`: it took too long, writes go on.
    async fn swap_held(
        self: &Rc<Self>,
        partition: &Weak<Partition>,
        one: &Move,
        copy: &mut Option<Log>,
    ) -> Result<Option<Log>, Ended> {
        for _ in 0..HOLD_TRIES {
            partition.upgrade().ok_or(Ended::Gone)?.hold_writes(true);
            if self.copy_some(partition, one, copy, CHUNK_BYTES).await? > 0 {
                continue;
            }
            let held = partition.upgrade().ok_or(Ended::Gone)?;
            let log = copy.take().ok_or(Ended::Gone)?;
            match held.swap_log(log, self.now()) {
                Ok(Ok(old)) => {
                    self.shared.log_dirs.set_place(&held.name, one.target);
                    held.hold_writes(false);
                    self.mark_dirty(&held);
                    return Ok(Some(old));
                }
                Ok(Err(log)) => *copy = Some(log),
                Err(e) => return Err(Ended::Failed(format!("what was accepted does not fit: {e:?}"))),
            }
            drop(held);
            runtime::sleep(HOLD_PAUSE).await;
        }
        let partition = partition.upgrade().ok_or(Ended::Gone)?;
        partition.hold_writes(false);
        self.mark_dirty(&partition);
        Ok(None)
    }

    /// The copy serves. Once it is on the device the old log goes, and the metadata learn the new place.
    async fn retire(
        self: &Rc<Self>,
        id: TopicIdPartition,
        partition: &Weak<Partition>,
        one: &Move,
        old: Log,
    ) -> Result<(), Ended> {
        let delay = old.config().file_delete_delay_ms.max(0).unsigned_abs();
        if let Some(partition) = partition.upgrade() {
            partition.clone().flush_written(|| {}).await.map_err(Ended::Target)?;
            let high_watermark = partition.high_watermark();
            partition.with_log(|log| self.shared.log_dirs.set_checkpoint(log, high_watermark));
        }
        let dirs = self.shared.log_dirs.clone();
        let target = one.target;
        let retired = runtime::blocking(move || {
            if let Some(dir) = dirs.dirs().get(target) {
                // What is clean stays so (`LogCleanerManager.alterCheckpointDir`).
                match dirs.dir_of(old.dir()).and_then(|from| from.cleaned(old.partition())) {
                    Some(upto) => dir.set_cleaned(old.partition(), upto)?,
                    None => dir.write_checkpoints()?,
                }
            }
            dirs.retire(old)
        });
        let path = retired.await.map_err(|e| Ended::Failed(format!("its old directory remains: {e}")))?;
        runtime::spawn_background(async move {
            runtime::sleep(Duration::from_millis(delay)).await;
            if let Err(e) = runtime::blocking(move || delete_dir(&path)).await {
                tracing::warn!("the files of a log that was moved remain: {e}");
            }
        })
        .detach();
        let directory = self.shared.log_dirs.dirs().get(one.target).and_then(|dir| dir.meta().directory_id);
        if let Some(directory) = directory {
            let node = self.shared.identity.node_id;
            let told = self.change_metadata(move |image, _| assign_directory(image, id, node, directory));
            told.await.map_err(|e| Ended::Failed(format!("its new directory could not be noted: {e:?}")))?;
        }
        Ok(())
    }

    /// The move is over before its time: the copy is kept under its `-future` name, or goes.
    async fn give_up(&self, copy: Option<Log>, promoted: bool, keep: bool) {
        let Some(mut log) = copy else { return };
        let dirs = self.shared.log_dirs.clone();
        let gone = self.is_stopping();
        let undone = runtime::blocking(move || {
            if promoted {
                dirs.demote(&mut log)?;
            }
            let path = log.dir().to_owned();
            drop(log);
            if keep && gone { Ok(()) } else { delete_dir(&path) }
        });
        if let Err(e) = undone.await {
            tracing::warn!("what a move left behind cannot be removed: {e}");
        }
    }
}

async fn begin_at(mut log: Log, start: Offset) -> Result<Log, Ended> {
    let (log, cut) = runtime::blocking(move || {
        let cut = log.truncate_fully_and_start_at(start);
        (log, cut)
    })
    .await;
    cut.map(|()| log).map_err(Ended::Target)
}

async fn write(log: &mut Log) -> Result<(), Ended> {
    while let Some(mut job) = log.take_write() {
        let outcome = job.run().await;
        match log.complete_write(job, outcome).failed {
            None => {}
            Some(WriteError::DiskFull(e)) => {
                return Err(Ended::Failed(format!("the log dir it moves to is full: {e}")));
            }
            Some(WriteError::Failed(e)) => return Err(Ended::Target(e)),
        }
    }
    Ok(())
}

async fn flush(copy: &mut Option<Log>) -> Result<(), Ended> {
    let log = copy.as_mut().ok_or(Ended::Gone)?;
    while let Some(job) = log.begin_flush() {
        let outcome = job.run().await;
        log.complete_flush(job, outcome).map_err(Ended::Target)?;
    }
    Ok(())
}

fn failed_read(error: &ReadError) -> Ended {
    match error {
        ReadError::Offline => Ended::Gone,
        ReadError::Io(e) if errno::is_out_of_descriptors(e) => Ended::Failed("no file descriptor is left".into()),
        other => Ended::Failed(other.to_string()),
    }
}
