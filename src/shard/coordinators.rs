//! The coordinators of this core: one for each partition of `__consumer_offsets` it leads. They
//! start and stop with the leadership and load from the partition's log.

use super::Shard;
use crate::base::local::{self, Receiver};
use crate::base::topic::GROUP_METADATA_TOPIC;
use crate::base::{ErrorCode, Instant, LeaderEpoch, Now, Offset, TopicIdPartition, Uuid};
use crate::coordinator::group::{Answer, GroupConfig, Request};
use crate::coordinator::{Coordinator, CoordinatorConfig, CoordinatorLog, Pending, Phase};
use crate::metadata::MetadataDelta;
use crate::partition::{Partition, ReadAsk, Reader};
use crate::ring::{process, runtime};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How much of a partition one read of loading takes.
const LOAD_BYTES: u32 = 1 << 20;

/// See the module.
#[derive(Default)]
pub struct Coordinators {
    groups: RefCell<HashMap<TopicIdPartition, (LeaderEpoch, Rc<Coordinator>)>>,
}

/// A partition as its coordinator sees it.
struct PartitionLog {
    shard: Weak<Shard>,
    /// Weak: a partition that is closed must not be kept by its coordinator.
    partition: Weak<Partition>,
    id: TopicIdPartition,
}

impl CoordinatorLog for PartitionLog {
    fn append(&self, batch: Bytes) -> Pending<Result<Offset, ErrorCode>> {
        let Some(shard) = self.shard.upgrade() else {
            return Box::pin(std::future::ready(Err(ErrorCode::NotLeaderOrFollower)));
        };
        // Without a deadline: what may still be committed must not be given up.
        let appending = shard.append_internal(&self.id, batch, Instant(u64::MAX));
        Box::pin(async move {
            let outcome = appending.finish().await;
            if outcome.error == ErrorCode::None { Ok(Offset(outcome.base_offset)) } else { Err(outcome.error) }
        })
    }

    fn start_offset(&self) -> Offset {
        self.partition.upgrade().map_or(Offset(0), |partition| partition.start_offset())
    }

    fn read(&self, from: Offset) -> Pending<Result<Bytes, ErrorCode>> {
        let partition = self.partition.clone();
        let shard = self.shard.clone();
        let node = self.shard.upgrade().map(|shard| shard.shared.identity.node_id);
        Box::pin(async move {
            let id = node.ok_or(ErrorCode::NotLeaderOrFollower)?;
            let partition = partition.upgrade().ok_or(ErrorCode::NotLeaderOrFollower)?;
            let ask = ReadAsk {
                offset: from,
                max_bytes: LOAD_BYTES,
                current_leader_epoch: LeaderEpoch::UNKNOWN,
                last_fetched_epoch: LeaderEpoch::UNKNOWN,
                // To the log's end, as one of its replicas.
                reader: Reader::Replica { id, epoch: -1 },
            };
            let fetched = partition.read(ask, true).await;
            shard.upgrade().into_iter().for_each(|shard| shard.holds_files(&partition));
            if fetched.error != ErrorCode::None {
                return Err(fetched.error);
            }
            let Some(range) = fetched.records else { return Ok(Bytes::new()) };
            range.file.read(range.position, range.len as usize).await.map_err(|error| {
                tracing::error!(partition = %partition.name, %error, "a coordinator's log cannot be read");
                ErrorCode::KafkaStorageError
            })
        })
    }
}

impl Shard {
    /// Starts the coordinators of partitions this core has come to lead, stops those of partitions
    /// it leads no longer or under another epoch.
    pub(super) fn follow_leadership(self: &Rc<Self>) {
        let led: HashMap<TopicIdPartition, (LeaderEpoch, Rc<Partition>)> = self
            .open_partitions()
            .into_iter()
            .filter(|p| &*p.name.topic == GROUP_METADATA_TOPIC)
            .filter_map(|p| Some((p.id, (p.leads()?, p))))
            .collect();
        let now = self.now();
        self.coordinators.groups.borrow_mut().retain(|id, (epoch, coordinator)| {
            let current = led.get(id).map(|(current, _)| *current);
            // A new epoch fails the appends under way although they may stay in the log: what is
            // active reads the log again. What is still reading has nothing under way.
            let kept = current == Some(*epoch) || (current.is_some() && coordinator.phase() == Phase::Loading);
            match current.filter(|_| kept) {
                Some(current) => *epoch = current,
                None => coordinator.resign(now),
            }
            kept
        });
        for (id, (epoch, partition)) in led {
            if !self.coordinators.groups.borrow().contains_key(&id) {
                let coordinator = self.start_coordinator(partition);
                self.coordinators.groups.borrow_mut().insert(id, (epoch, coordinator));
            }
        }
    }

    fn start_coordinator(self: &Rc<Self>, partition: Rc<Partition>) -> Rc<Coordinator> {
        let settings = &self.shared.config.groups;
        let config = CoordinatorConfig {
            name: partition.name.to_string(),
            groups: GroupConfig::from(settings),
            commit_timeout: Duration::from_millis(u64::try_from(settings.offsets_commit_timeout_ms).unwrap_or(0)),
            random,
        };
        let id = partition.id;
        let log = PartitionLog { shard: Rc::downgrade(self), partition: Rc::downgrade(&partition), id };
        let coordinator = Coordinator::new(config, Box::new(log));
        runtime::spawn(coordinator.clone().run()).detach();
        coordinator
    }

    /// Tells the coordinators which topics are gone.
    pub(super) fn forget_offsets(&self, delta: &MetadataDelta) {
        let topics: Vec<(String, Uuid)> = delta.deleted_topics().map(|(id, name)| (name.to_string(), id)).collect();
        if topics.is_empty() {
            return;
        }
        let now = self.now();
        for (_, coordinator) in self.coordinators.groups.borrow().values() {
            coordinator.topics_deleted(&topics, now);
        }
    }

    /// Stops all coordinators: the broker stops.
    pub fn resign_coordinators(&self) {
        let now = self.now();
        for (_, (_, coordinator)) in self.coordinators.groups.borrow_mut().drain() {
            coordinator.resign(now);
        }
    }

    /// Asks the coordinator of partition `id`, which this core should lead; 16 where it does not.
    /// The request is taken before this returns.
    pub fn ask_coordinator(&self, id: &TopicIdPartition, request: Request, now: Now) -> Receiver<Answer> {
        if let Some((_, coordinator)) = self.coordinators.groups.borrow().get(id) {
            return coordinator.ask(request, now);
        }
        let (sender, receiver) = local::oneshot();
        sender.send(request.refuse(ErrorCode::NotCoordinator));
        receiver
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    process::random_bytes(&mut bytes);
    bytes
}
