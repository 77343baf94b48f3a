//! When and where logs are compacted (`LogCleaner`, `LogCleanerManager`).
//!
//! `log.cleaner.threads` tasks on the first core ask all cores for their dirtiest log, and have the owner of the dirtiest
//! of all clean it: never more than so many logs at once, the most urgent first, whatever core it is on. A round runs in
//! bounded steps on background threads, which give way to the cores. With nothing to clean the tasks sleep until a
//! compacted log closes a segment, or a compaction lag is over: an idle broker has no timer for them.

use super::{CONTROLLER, Shard, ShardIndex};
use crate::base::local::{Event, join_all};
use crate::base::{Offset, TimestampMs, TopicIdPartition, TopicPartition};
use crate::log::cleaner::range::{Cleanable, cleanable};
use crate::log::cleaner::{CleanError, FileTimes, Round, RoundPlan, RoundStats, RoundStep, Throttle};
use crate::log::deleted::remove_after;
use crate::partition::Partition;
use crate::ring::{errno, runtime};
use futures_lite::future::or;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What one step reads and writes at most: a few milliseconds of a background thread.
const STEP_BYTES: u64 = 1 << 20;

/// One core's part.
#[derive(Default)]
pub struct Cleaner {
    /// Logs under a round.
    busy: RefCell<HashSet<TopicIdPartition>>,
    /// Logs whose cleaning failed: left alone until the next start (`uncleanable-partitions-count`).
    uncleanable: RefCell<HashSet<TopicIdPartition>>,
    /// On the first core: something may have become cleanable.
    woken: Event,
    pending: Cell<bool>,
    /// On the first core: cleaning tasks there are.
    workers: Cell<usize>,
}

/// A core's most urgent log, and when it has to be asked again.
struct Survey {
    dirtiest: Option<(f64, TopicIdPartition)>,
    look_again: Option<TimestampMs>,
}

impl Shard {
    /// Something may have become cleanable: a compacted log closed a segment, or settings changed.
    pub(super) fn wake_cleaner(&self) {
        if self.shared.config.cleaner.enable {
            self.post(CONTROLLER, |first| {
                first.cleaner.pending.set(true);
                first.cleaner.woken.notify();
                first.hire_cleaners();
            });
        }
    }

    /// On the first core, once the partitions are open and whenever settings may have changed: as many cleaning tasks
    /// as `log.cleaner.threads` says. What is too many ends by itself.
    pub fn hire_cleaners(self: &Rc<Self>) {
        let wanted = self.live().cleaner.clone();
        while wanted.enable && self.cleaner.workers.get() < wanted.threads && !self.is_stopping() {
            let worker = self.cleaner.workers.get();
            self.cleaner.workers.set(worker + 1);
            runtime::spawn_background(self.clone().clean_logs(worker)).detach();
        }
    }

    /// Cleans the dirtiest log, and the next, until the broker stops or there are enough other tasks.
    async fn clean_logs(self: Rc<Self>, worker: usize) {
        while !self.is_stopping() {
            let config = self.live().cleaner.clone();
            if worker >= config.threads && worker + 1 == self.cleaner.workers.get() {
                self.cleaner.workers.set(worker);
                return;
            }
            self.cleaner.pending.set(false);
            let (dirtiest, look_again) = self.survey_all().await;
            let cleaned = match dirtiest {
                Some((core, id)) => self.call(core, move |owner| owner.clean(id)).await.unwrap_or(false),
                None => false,
            };
            if !cleaned {
                let backoff = Duration::from_millis(config.backoff_ms.unsigned_abs());
                or(runtime::sleep(backoff), self.until_stopping()).await;
                self.until_pending(look_again).await;
            }
        }
    }

    /// Waits for a reason to look again.
    async fn until_pending(&self, look_again: Option<TimestampMs>) {
        let woken = self.cleaner.woken.listen();
        if self.cleaner.pending.get() || self.is_stopping() {
            return;
        }
        let wake = or(woken, self.until_stopping());
        match look_again {
            Some(at) => {
                let wait = at.0.saturating_sub(self.now().wall.0).clamp(0, i64::from(i32::MAX));
                or(wake, runtime::sleep(Duration::from_millis(wait.unsigned_abs()))).await;
            }
            None => wake.await,
        }
    }

    /// The dirtiest log of all cores that is due.
    async fn survey_all(self: &Rc<Self>) -> (Option<(ShardIndex, TopicIdPartition)>, Option<TimestampMs>) {
        let cores = (0..self.shard_count()).map(ShardIndex);
        let surveys = cores.map(|core| self.call(core, |shard| shard.survey()));
        let surveys = join_all(surveys.collect()).await;
        let mut dirtiest: Option<(f64, ShardIndex, TopicIdPartition)> = None;
        let mut look_again: Option<TimestampMs> = None;
        for (core, survey) in surveys.into_iter().enumerate().filter_map(|(i, s)| Some((ShardIndex(i), s.ok()?))) {
            if let Some((ratio, id)) = survey.dirtiest.filter(|d| dirtiest.is_none_or(|(ratio, ..)| d.0 > ratio)) {
                dirtiest = Some((ratio, core, id));
            }
            look_again = earlier(look_again, survey.look_again);
        }
        (dirtiest.map(|(_, core, id)| (core, id)), look_again)
    }

    /// Looks at this core's compacted logs.
    async fn survey(self: Rc<Self>) -> Survey {
        let mut survey = Survey { dirtiest: None, look_again: None };
        let ids: Vec<_> = self.open_partitions().iter().map(|p| p.id).collect();
        for id in ids {
            let Some(partition) = self.partition(&id).filter(|_| !self.is_left_alone(&id)) else { continue };
            let due = match self.cleanable(&partition).await {
                Ok(Some(due)) => due,
                Ok(None) => continue,
                // Its files changed under the look: it will be looked at again.
                Err(e) => {
                    tracing::debug!("{}: the cleaner cannot look at it: {e}", partition.name);
                    continue;
                }
            };
            survey.look_again = earlier(survey.look_again, due.look_again);
            let is_due = partition.with_log(|log| due.is_due(log.config()));
            if is_due && survey.dirtiest.is_none_or(|(ratio, _)| due.ratio > ratio) {
                survey.dirtiest = Some((due.ratio, id));
            }
        }
        survey
    }

    /// Keeps a log from being cleaned; false while it is being cleaned.
    pub(super) fn keep_from_cleaner(&self, id: TopicIdPartition) -> bool {
        self.cleaner.busy.borrow_mut().insert(id)
    }

    /// Lets it be cleaned again.
    pub(super) fn leave_to_cleaner(&self, id: TopicIdPartition) {
        self.cleaner.busy.borrow_mut().remove(&id);
        self.wake_cleaner();
    }

    /// How many logs cannot be cleaned until the next start (`uncleanable-partitions-count`).
    pub fn uncleanable_logs(&self) -> usize {
        self.cleaner.uncleanable.borrow().len()
    }

    pub(super) fn is_left_alone(&self, id: &TopicIdPartition) -> bool {
        self.cleaner.busy.borrow().contains(id) || self.cleaner.uncleanable.borrow().contains(id)
    }

    /// What may be cleaned of a log; `None` where it is not compacted or has no closed segments that are dirty.
    async fn cleanable(&self, partition: &Partition) -> io::Result<Option<Cleanable>> {
        let wanted = partition.with_log(|log| {
            (log.config().compact && log.segment_count() > 1 && !log.is_offline())
                .then(|| (log.config().clone(), log.shared_dir()))
        });
        let Some((config, dir)) = wanted else { return Ok(None) };
        let cleaned = self.shared.log_dirs.dir_of(&dir).and_then(|d| d.cleaned(&partition.name));
        let state = partition.cleaner_state(cleaned);
        if state.cleaned.is_some_and(|at| at >= state.active_base && at <= state.end) {
            return Ok(None);
        }
        let now = self.now().wall;
        let by_time = config.min_compaction_lag_ms > 0 || config.max_compaction_lag_ms < i64::MAX;
        let mut found = if by_time {
            runtime::blocking(move || cleanable(&state, &config, &FileTimes(dir), now)).await?
        } else {
            cleanable(&state, &config, &FileTimes(dir), now)?
        };
        let blocked = partition.with_log(|log| found.end < log.active_base()) && found.look_again.is_none();
        if blocked {
            // An open transaction or a high watermark that lags: nothing tells when it is over.
            found.look_again = Some(now);
        }
        Ok(Some(found))
    }

    /// Runs one round over a log of this core. True when it got somewhere.
    async fn clean(self: Rc<Self>, id: TopicIdPartition) -> bool {
        if !self.cleaner.busy.borrow_mut().insert(id) {
            return false;
        }
        let running = &self.stats.cleaned.running;
        running.set(running.get() + 1);
        let outcome = self.run_round(id).await;
        running.set(running.get() - 1);
        self.cleaner.busy.borrow_mut().remove(&id);
        match outcome {
            Ok(done) => done,
            Err(error) => {
                self.round_failed(id, &error);
                false
            }
        }
    }

    async fn run_round(self: &Rc<Self>, id: TopicIdPartition) -> Result<bool, CleanError> {
        let Some(partition) = self.partition(&id) else { return Ok(false) };
        let Some(range) = self.cleanable(&partition).await.map_err(CleanError::Read)? else { return Ok(false) };
        let config = self.live().cleaner.clone();
        let state = partition.cleaner_state(None);
        let (log_config, dir) = partition.with_log(|log| (log.config().clone(), log.shared_dir()));
        if !range.is_due(&log_config) {
            return Ok(false);
        }
        let (name, delay, first) = (partition.name.clone(), log_config.file_delete_delay_ms, range.first_dirty);
        let plan = RoundPlan {
            dir: dir.clone(),
            config: log_config,
            closed: state.closed,
            active_base: state.active_base,
            range,
            producers: partition.last_records(),
            now: self.now().wall,
            map_bytes: config.map_bytes(),
            load_factor: config.load_factor,
            window_bytes: config.window_bytes(),
            secret: [self.random_u64(), self.random_u64()],
        };
        drop(partition);
        let begun = self.now().mono;
        let mut round = Round::new(plan);
        let mut throttle = Throttle::new(config.io_max_bytes_per_second / config.threads.max(1) as f64);
        let upto = loop {
            let most = throttle.step_bytes(STEP_BYTES);
            let (back, step) = runtime::blocking_in_background(move || {
                let step = round.step(most);
                (round, step)
            })
            .await;
            round = back;
            let partition = self.partition(&id).filter(|_| !self.is_stopping());
            match (step, partition) {
                (Ok(RoundStep::Worked(bytes)), Some(_)) => {
                    self.stats.cleaned.bytes.set(self.stats.cleaned.bytes.get() + bytes);
                    let pause = throttle.pause(bytes, self.now().mono);
                    if !pause.is_zero() {
                        or(runtime::sleep(pause), self.until_stopping()).await;
                    }
                }
                (Ok(RoundStep::Swap(replacement)), Some(partition)) => {
                    let swapped = partition.replace_segments(*replacement).await.map_err(CleanError::Write)?;
                    let Some(removable) = swapped else {
                        abandon(round).await;
                        return Ok(false);
                    };
                    remove_after(removable, Duration::from_millis(delay.unsigned_abs()));
                }
                (Ok(RoundStep::Done(upto)), Some(_)) => break upto,
                // Stopping, or the partition is gone: the next start removes what is left, if this cannot.
                (Ok(RoundStep::Swap(replacement)), None) => {
                    runtime::blocking(move || drop(replacement.discard())).await;
                    return Ok(false);
                }
                (Ok(_), None) => {
                    abandon(round).await;
                    return Ok(false);
                }
                (Err(error), _) => {
                    abandon(round).await;
                    return Err(error);
                }
            }
        };
        let (dirs, partition) = (self.shared.log_dirs.clone(), name.clone());
        runtime::blocking(move || dirs.dir_of(&dir).map_or(Ok(()), |d| d.set_cleaned(&partition, upto)))
            .await
            .map_err(CleanError::Write)?;
        let (cleaned, stats) = (&self.stats.cleaned, round.stats());
        cleaned.rounds.set(cleaned.rounds.get() + 1);
        let freed = stats.bytes_before.saturating_sub(stats.bytes_after);
        cleaned.bytes_freed.set(cleaned.bytes_freed.get() + freed);
        tell(&name, (first, upto), stats, self.now().mono.since(begun));
        Ok(true)
    }

    /// A round ended early: the log is left alone if it is the log's fault, its directory goes offline if that failed.
    fn round_failed(self: &Rc<Self>, id: TopicIdPartition, error: &CleanError) {
        let Some(partition) = self.partition(&id) else { return };
        match error {
            // Deleted or replaced meanwhile: the next round sees what is there.
            CleanError::Read(e) | CleanError::Write(e) if e.kind() == io::ErrorKind::NotFound => {
                tracing::info!("{}: its cleaning was given up, segments went meanwhile", partition.name);
            }
            CleanError::Write(e) if errno::is_disk_full(e) || errno::is_out_of_descriptors(e) => {
                let text = format!("{}: its cleaning was given up and will be tried again: {e}", partition.name);
                self.shared.log_limits.warn("cleaner", &text, self.now().mono);
            }
            CleanError::Write(e) => self.disk_failed(&partition, e),
            CleanError::Read(_) | CleanError::Uncleanable { .. } => {
                self.cleaner.uncleanable.borrow_mut().insert(id);
                tracing::error!(
                    "{} is uncleanable and will not be compacted until the next start: {error}",
                    partition.name
                );
            }
        }
    }
}

async fn abandon(round: Round) {
    if let Err(e) = runtime::blocking(move || round.abandon()).await {
        tracing::debug!("the cleaner's unfinished files remain until the next start: {e}");
    }
}

fn earlier(one: Option<TimestampMs>, other: Option<TimestampMs>) -> Option<TimestampMs> {
    one.into_iter().chain(other).min()
}

fn tell(name: &TopicPartition, (from, to): (Offset, Offset), stats: RoundStats, took: Duration) {
    let RoundStats { mapped_bytes, keys, bytes_before, bytes_after, records_before, records_after, keyless } = stats;
    tracing::info!(
        "cleaned {name}, dirty from {from} to {to}, in {:.1} s: {mapped_bytes} bytes with {keys} keys mapped; \
         {records_before} records in {bytes_before} bytes became {records_after} in {bytes_after}",
        took.as_secs_f64()
    );
    if keyless > 0 {
        tracing::warn!("{name}: {keyless} records without a key were dropped: a compacted log cannot keep them");
    }
}
