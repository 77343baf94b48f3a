//! A share fetch on the owner: the log is read, records are acquired, the bytes leave from the file
//! (`DelayedShareFetch`, `ShareFetchUtils`).

use super::batches::{Placed, aborted_batches, batches_in};
use super::queue::Queue;
use super::session::SessionId;
use super::{Shard, ShareError};
use crate::base::{ErrorCode, LeaderEpoch, Offset, TopicIdPartition};
use crate::config::ShareGroupSettings;
use crate::coordinator::share::Key;
use crate::log::FileRange;
use crate::partition::{Fetched, Partition, ReadAsk, Reader, Watch};
use crate::share::{AcquireAsk, AcquireMode, Acquired, Limits, LogBatch};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Who fetches, and how.
#[derive(Clone, Debug)]
pub struct ShareAsk {
    /// The group.
    pub group: Arc<str>,
    /// The member.
    pub member: Arc<str>,
    /// Its session.
    pub session: SessionId,
    /// How exactly the number of records is kept.
    pub mode: AcquireMode,
    /// Records per acknowledgement, at least.
    pub batch_size: i64,
}

/// What is left of a fetch's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareBudget {
    /// Records.
    pub records: i64,
    /// Bytes; the first batch may be larger.
    pub bytes: u32,
}

/// What a share consumer is told of one partition.
#[derive(Clone, Debug, Default)]
pub struct ShareFetched {
    /// Why nothing was acquired, where that is an error.
    pub error: Option<ShareError>,
    /// The bytes of the batches that hold the acquired records.
    pub records: Option<FileRange>,
    /// What was acquired.
    pub acquired: Vec<Acquired>,
}

impl ShareFetched {
    /// Nothing acquired, because of `error`.
    pub fn failed(error: impl Into<ShareError>) -> Self {
        Self { error: Some(error.into()), ..Self::default() }
    }

    /// True where the answer need not wait.
    pub fn is_something(&self) -> bool {
        self.error.is_some() || !self.acquired.is_empty()
    }
}

/// The group's numbers as share partitions take them.
pub fn limits(settings: &ShareGroupSettings) -> Limits {
    Limits {
        delivery_count_max: i16::try_from(settings.delivery_count_limit).unwrap_or(i16::MAX),
        record_locks_max: i64::from(settings.partition_max_record_locks),
        lock_duration: Duration::from_millis(u64::try_from(settings.record_lock_duration_ms).unwrap_or(0)),
        renews: settings.renew_enabled,
    }
}

impl Shard {
    /// One round over partitions of this core, in order, within `budget`; what is left of it comes back. `watch` is told
    /// when another round may find more.
    pub async fn share_fetch(
        self: Rc<Self>,
        ask: ShareAsk,
        items: Vec<(usize, TopicIdPartition)>,
        mut budget: ShareBudget,
        watch: Option<Rc<Watch>>,
    ) -> (Vec<(usize, ShareFetched)>, ShareBudget) {
        let settings = self.share_settings(&ask.group);
        // What is here when the call comes does not change its core before it is answered.
        let _here: Vec<_> = items.iter().filter_map(|(_, id)| self.partition(id)).collect();
        let mut answers = Vec::new();
        let changed = watch.as_ref().filter(|watch| watch.was_read()).map(|watch| watch.take_changed());
        for (slot, id) in items {
            // In later rounds only what changed is looked at.
            if changed.as_ref().is_some_and(|changed| !changed.contains(&slot)) {
                continue;
            }
            if budget.records <= 0 || budget.bytes == 0 {
                break;
            }
            let fetched = match self.share_fetch_one(&ask, &settings, id, budget, watch.as_ref(), slot).await {
                Ok(fetched) => fetched,
                Err(error) => ShareFetched::failed(error),
            };
            budget.records -= fetched.acquired.iter().map(Acquired::count).sum::<i64>();
            budget.bytes = budget.bytes.saturating_sub(fetched.records.as_ref().map_or(0, |range| range.len));
            if fetched.is_something() {
                answers.push((slot, fetched));
            }
        }
        if let Some(watch) = &watch {
            watch.set_read();
        }
        (answers, budget)
    }

    async fn share_fetch_one(
        self: &Rc<Self>,
        ask: &ShareAsk,
        settings: &ShareGroupSettings,
        id: TopicIdPartition,
        budget: ShareBudget,
        watch: Option<&Rc<Watch>>,
        slot: usize,
    ) -> Result<ShareFetched, ShareError> {
        let (queue, partition) = self.share_queue(&Key::new(&ask.group, id))?;
        queue.join(&ask.member, ask.session);
        if let Some(watch) = watch {
            queue.watches.add(watch, slot);
            partition.watches.add(watch, slot);
        }
        if let Some(error) = queue.ended() {
            self.drop_queue(&queue, error);
            return Err(error.into());
        }
        let Some(_turn) = queue.take_turn() else {
            if let Some(watch) = watch {
                queue.turned_away.add(watch, slot);
            }
            return Ok(ShareFetched::default());
        };
        let mut before = None;
        loop {
            let from = self.next_to_read(&queue, &partition, settings);
            // What was read and is for nobody (aborted, not in the log) is passed over.
            let Some(from) = from.filter(|from| before.is_none_or(|before| *from > before)) else {
                return Ok(ShareFetched::default());
            };
            before = Some(from);
            let fetched = self.share_read(&partition, settings, from, budget.bytes).await;
            let empty = fetched.is_empty();
            let acquired = match fetched.error {
                ErrorCode::None => self.share_acquire(ask, &queue, &partition, from, budget, fetched).await?,
                // The log was shortened meanwhile: the next round looks at its new start.
                ErrorCode::OffsetOutOfRange => ShareFetched::default(),
                error => return Err(error.into()),
            };
            if empty || acquired.is_something() {
                return Ok(acquired);
            }
        }
    }

    /// Where the log is to be read, unless nothing could be acquired.
    fn next_to_read(&self, queue: &Queue, partition: &Partition, settings: &ShareGroupSettings) -> Option<Offset> {
        let start = partition.start_offset();
        let from = queue.with(|share| {
            share.set_limits(limits(settings));
            share.log_start_moved(start);
            share.can_acquire().then(|| share.next_fetch_offset())
        });
        from.flatten()
    }

    async fn share_read(
        self: &Rc<Self>,
        partition: &Rc<Partition>,
        settings: &ShareGroupSettings,
        offset: Offset,
        max_bytes: u32,
    ) -> Fetched {
        let reader = if settings.read_committed { Reader::CommittedConsumer } else { Reader::Consumer };
        let unknown = LeaderEpoch::UNKNOWN;
        let ask = ReadAsk { offset, max_bytes, current_leader_epoch: unknown, last_fetched_epoch: unknown, reader };
        let fetched = partition.read(ask, true).await;
        self.holds_files(partition);
        fetched
    }

    async fn share_acquire(
        self: &Rc<Self>,
        ask: &ShareAsk,
        queue: &Rc<Queue>,
        partition: &Partition,
        from: Offset,
        budget: ShareBudget,
        fetched: Fetched,
    ) -> Result<ShareFetched, ShareError> {
        let Some(range) = fetched.records.filter(|range| range.len > 0) else { return Ok(ShareFetched::default()) };
        // Between `from` and what is new there may be records that others hold.
        let Some(new_from) = queue.with(|share| share.end_offset()) else { return Ok(ShareFetched::default()) };
        let placed = batches_in(&range, from.max(new_from).plus(budget.records)).await.map_err(|error| {
            tracing::error!(partition = %partition.name, %error, "a segment cannot be read");
            ErrorCode::KafkaStorageError
        })?;
        let aborted = aborted_batches(&placed, fetched.aborted.as_deref().unwrap_or_default());
        let batches: Vec<LogBatch> = placed.iter().map(|placed| placed.batch).collect();
        let now = self.now().mono;
        if !queue.is_user(&ask.member, ask.session) {
            // The session ended while the log was read: nobody would release what it acquired now.
            return Ok(ShareFetched::default());
        }
        let acquired = queue.with(|share| {
            let ask = AcquireAsk {
                member: &ask.member,
                mode: ask.mode,
                batch_size: ask.batch_size,
                records_max: budget.records,
                fetch_offset: from,
                batches: &batches,
                aborted: &aborted,
            };
            share.acquire(ask, now)
        });
        let acquired = acquired.unwrap_or_default();
        let records = around(range, &placed, &acquired);
        Ok(ShareFetched { error: None, records, acquired })
    }
}

/// The part of `range` with the batches from the first acquired record to the last.
fn around(range: FileRange, placed: &[Placed], acquired: &[Acquired]) -> Option<FileRange> {
    let (first, last) = (acquired.first()?.first, acquired.last()?.last);
    let begin = placed.iter().find(|p| p.batch.last >= first)?.at;
    let end = placed.iter().rev().find(|p| p.batch.base <= last)?.end;
    let len = end.checked_sub(begin)?;
    Some(FileRange { file: range.file, position: range.position + u64::from(begin), len })
}
