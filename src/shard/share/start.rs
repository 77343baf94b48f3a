//! The beginning of a queue: its state is read, and where there is none yet the group's configuration says where to
//! begin (`SharePartition.maybeInitialize`). Then its locks are watched.

use super::Shard;
use super::persist::mapped;
use super::queue::Queue;
use crate::base::{ErrorCode, Offset};
use crate::config::ShareOffsetReset;
use crate::coordinator::share::{Answer, Request};
use crate::partition::{OffsetAsk, Partition, Reader};
use crate::ring::runtime;
use crate::share::SharePartition;
use std::rc::Rc;
use std::time::Duration;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// How often a state is asked for while its coordinator is on its way, and the first pause; each is twice the last.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

impl Shard {
    pub(super) fn start_queue(self: &Rc<Self>, queue: Rc<Queue>, partition: &Rc<Partition>) {
        let (shard, partition) = (self.clone(), Rc::downgrade(partition));
        runtime::spawn(async move {
            let state = shard.read_state(&queue).await;
            let Some(partition) = partition.upgrade() else {
                return shard.drop_queue(&queue, ErrorCode::NotLeaderOrFollower);
            };
            let begun = match state {
                Ok(state) => shard.begin_at(&queue, &partition, state).await,
                Err(error) => Err(error),
            };
            drop(partition);
            match begun {
                Ok(begun) => {
                    queue.activate(begun);
                    shard.watch_locks(queue).await;
                }
                // The next fetch tells it, and the one after begins anew.
                Err(error) => queue.end(error),
            }
        })
        .detach();
    }

    /// The state, asked for again while the coordinator is loading or its topic is being created.
    async fn read_state(self: &Rc<Self>, queue: &Queue) -> Result<Answer, ErrorCode> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let answer = self.ask_share_state(&queue.key, Request::Read(queue.key.clone(), queue.epoch.0)).await;
            match answer {
                Answer::Refused(refusal) if is_passing(refusal.error) && attempt < ATTEMPTS => {
                    runtime::sleep(pause).await;
                    pause *= 2;
                }
                Answer::Refused(refusal) => return Err(mapped(refusal.error)),
                answer => return Ok(answer),
            }
        }
        Err(ErrorCode::CoordinatorNotAvailable)
    }

    async fn begin_at(&self, queue: &Queue, partition: &Partition, state: Answer) -> Result<SharePartition, ErrorCode> {
        let Answer::State(state_epoch, start, batches) = state else { return Err(ErrorCode::UnknownServerError) };
        queue.state_epoch.set(state_epoch);
        let settings = self.share_settings(&queue.key.group);
        let start = if start == -1 { self.first_offset(partition, settings.auto_offset_reset).await? } else { start };
        let limits = super::fetch::limits(&settings);
        SharePartition::new(limits, Offset(start), &batches).ok_or_else(|| {
            tracing::error!(group = &*queue.key.group, partition = %partition.name, start, "the state of a share partition contradicts itself");
            ErrorCode::UnknownServerError
        })
    }

    /// Where consumption begins.
    async fn first_offset(&self, partition: &Partition, reset: ShareOffsetReset) -> Result<i64, ErrorCode> {
        let timestamp = match reset {
            ShareOffsetReset::Latest => LATEST,
            ShareOffsetReset::Earliest => EARLIEST,
            ShareOffsetReset::ByDuration(ms) => (self.now().wall.0 - ms).max(0),
        };
        let found = lookup(partition, timestamp).await?;
        // Nothing is that young: what comes is.
        if found == -1 { lookup(partition, LATEST).await } else { Ok(found) }
    }

    /// Frees what is held too long, until the queue ends.
    async fn watch_locks(self: &Rc<Self>, queue: Rc<Queue>) {
        while queue.ended().is_none() {
            let listener = queue.timer.listen();
            let now = self.now().mono;
            match queue.next_deadline() {
                Some(at) if at <= now => {
                    if let Some(write) = queue.with(|partition| partition.expire(now)).flatten() {
                        let records = write.batches.iter().map(|batch| batch.last.0.abs_diff(batch.first.0) + 1);
                        self.stats.share.timed_out(records.sum());
                        drop(self.persist(&queue, write));
                        queue.watches.fire();
                    }
                }
                Some(at) => futures_lite::future::or(runtime::sleep_until(at), listener).await,
                None => listener.await,
            }
        }
    }
}

async fn lookup(partition: &Partition, timestamp: i64) -> Result<i64, ErrorCode> {
    let ask =
        OffsetAsk { timestamp, current_leader_epoch: crate::base::LeaderEpoch::UNKNOWN, reader: Reader::Consumer };
    let answer = partition.list_offset(ask).await;
    if answer.error == ErrorCode::None { Ok(answer.offset) } else { Err(answer.error) }
}

fn is_passing(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable
    )
}
