//! Share partitions of this core: one queue for each share group and partition it owns that somebody fetches from.
//!
//! A queue is a [`SharePartition`](crate::share::SharePartition) with its persister, its lock timer and its ears. It is
//! begun by the first fetch, and ends with the group's last session on it, with the partition's leadership, or when the
//! persister fences it.

mod acknowledge;
mod batches;
mod fetch;
mod persist;
mod queue;
pub mod session;
mod start;
pub mod stats;

pub use acknowledge::Acknowledge;
pub use fetch::{ShareAsk, ShareBudget, ShareFetched};

use super::{Shard, ShardIndex};
use crate::base::{ErrorCode, LeaderEpoch, TopicIdPartition};
use crate::config::ShareGroupSettings;
use crate::coordinator::share::Key;
use crate::metadata::ResourceType;
use crate::partition::Partition;
use queue::Queue;
use session::{SessionId, ShareSessions};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// See the module.
pub struct ShareQueues {
    queues: RefCell<HashMap<Key, Rc<Queue>>>,
    /// Share sessions of connections of this core.
    pub sessions: RefCell<ShareSessions>,
}

impl ShareQueues {
    /// No queue yet, room for `sessions_max` sessions on core `index`.
    pub fn new(index: ShardIndex, sessions_max: usize) -> Self {
        Self { queues: RefCell::default(), sessions: RefCell::new(ShareSessions::new(index, sessions_max)) }
    }
}

/// What a share consumer is refused with: a code, and words where the code says too little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareError {
    /// The code.
    pub error: ErrorCode,
    /// The words.
    pub message: Option<String>,
}

impl From<ErrorCode> for ShareError {
    fn from(error: ErrorCode) -> Self {
        Self { error, message: None }
    }
}

/// Share sessions and share partitions of one core, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareFacts {
    /// Sessions.
    pub sessions: usize,
    /// Partitions in them.
    pub session_partitions: usize,
    /// Share partitions that are being read.
    pub partitions: usize,
    /// Records between their start and end offsets.
    pub in_flight: i64,
}

impl ShareFacts {
    /// Another core's as well.
    pub fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.session_partitions += other.session_partitions;
        self.partitions += other.partitions;
        self.in_flight += other.in_flight;
    }
}

impl Shard {
    /// For the metrics.
    pub fn share_facts(&self) -> ShareFacts {
        let (sessions, session_partitions) = self.share_queues.sessions.borrow().count();
        let queues = self.share_queues.queues.borrow();
        let in_flight = queues.values().filter_map(|queue| queue.with(|partition| partition.in_flight())).sum();
        ShareFacts { sessions, session_partitions, partitions: queues.len(), in_flight }
    }

    /// The numbers of `group`, as they are now.
    pub fn share_settings(&self, group: &str) -> ShareGroupSettings {
        let own = self.image().config(ResourceType::Group, group);
        self.shared.config.share.for_group(&own)
    }

    /// Whether a share group reads a partition of this core.
    pub(super) fn has_share_queue(&self, id: &TopicIdPartition) -> bool {
        self.share_queues.queues.borrow().values().any(|queue| queue.id() == *id)
    }

    /// The queue of `key`, begun where there is none.
    fn share_queue(self: &Rc<Self>, key: &Key) -> Result<(Rc<Queue>, Rc<Partition>), ShareError> {
        let id = TopicIdPartition { topic_id: key.topic_id, partition: key.partition };
        let partition = self.partition(&id).ok_or_else(|| self.why_absent(&id))?;
        let epoch = partition.leads().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let found = self.share_queues.queues.borrow().get(key).filter(|queue| queue.epoch == epoch).cloned();
        let queue = match found {
            Some(queue) => queue,
            None => self.begin_queue(key, epoch, &partition),
        };
        Ok((queue, partition))
    }

    fn begin_queue(self: &Rc<Self>, key: &Key, epoch: LeaderEpoch, partition: &Rc<Partition>) -> Rc<Queue> {
        let queue = Queue::new(key.clone(), epoch);
        let before = self.share_queues.queues.borrow_mut().insert(key.clone(), queue.clone());
        if let Some(before) = before {
            before.end(ErrorCode::NotLeaderOrFollower);
        }
        self.start_queue(queue.clone(), partition);
        queue
    }

    /// Ends `queue`, unless another has its place: the next fetch begins it anew.
    fn drop_queue(&self, queue: &Rc<Queue>, error: ErrorCode) {
        let mut queues = self.share_queues.queues.borrow_mut();
        if queues.get(&queue.key).is_some_and(|current| Rc::ptr_eq(current, queue)) {
            queues.remove(&queue.key);
        }
        drop(queues);
        queue.end(error);
    }

    /// Ends the queues of partitions this core no longer leads, or leads in another epoch.
    pub(super) fn follow_share_partitions(&self) {
        let queues: Vec<Rc<Queue>> = self.share_queues.queues.borrow().values().cloned().collect();
        for queue in queues {
            let leads = self.partition(&queue.id()).and_then(|partition| partition.leads());
            if leads != Some(queue.epoch) {
                self.drop_queue(&queue, ErrorCode::NotLeaderOrFollower);
            }
        }
    }

    /// Ends all queues: the broker stops.
    pub(super) fn end_share_partitions(&self) {
        let queues: Vec<Rc<Queue>> = self.share_queues.queues.borrow_mut().drain().map(|(_, queue)| queue).collect();
        queues.iter().for_each(|queue| queue.end(ErrorCode::NotLeaderOrFollower));
    }

    /// A session is over: on every core what its member holds is free again, and queues nobody uses end.
    pub fn end_share_session(self: &Rc<Self>, group: &Arc<str>, member: &Arc<str>, session: SessionId) {
        for core in (0..self.shard_count()).map(ShardIndex) {
            let (group, member) = (group.clone(), member.clone());
            self.post(core, move |shard| shard.release_share_member(&group, &member, session));
        }
    }

    fn release_share_member(self: &Rc<Self>, group: &str, member: &str, session: SessionId) {
        let queues: Vec<Rc<Queue>> =
            self.share_queues.queues.borrow().values().filter(|queue| *queue.key.group == *group).cloned().collect();
        for queue in queues {
            if !queue.leave(member, session) {
                continue;
            }
            let write = queue.with(|partition| partition.release(member)).flatten();
            let written = write.map(|write| self.persist(&queue, write));
            if queue.is_unused() {
                let shard = self.clone();
                crate::ring::runtime::spawn(async move {
                    if let Some(written) = written {
                        drop(written.await);
                    }
                    if queue.is_unused() {
                        shard.drop_queue(&queue, ErrorCode::NotLeaderOrFollower);
                    }
                })
                .detach();
            }
        }
    }
}
