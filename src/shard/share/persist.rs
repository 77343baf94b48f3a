//! States on their way to the share coordinator and back.

use super::queue::Queue;
use super::{Shard, ShareError};
use crate::base::local::{self, Receiver};
use crate::base::topic::SHARE_GROUP_STATE_TOPIC;
use crate::base::{ErrorCode, TopicIdPartition, java_hash};
use crate::coordinator::share::{Answer, Key, Request, ShareStates, WriteAsk};
use crate::ring::runtime;
use crate::share::Write;
use std::future::Future;
use std::rc::Rc;

/// Whether a state was persisted.
pub type Written = Result<(), ShareError>;

impl Shard {
    /// The partition of `__share_group_state` that keeps `key`; before that topic exists it is created, and there is none.
    fn share_state_partition(self: &Rc<Self>, key: &Key) -> Option<TopicIdPartition> {
        let image = self.image();
        let Some(topic) = image.topic_by_name(SHARE_GROUP_STATE_TOPIC) else {
            self.create_internal_topic(SHARE_GROUP_STATE_TOPIC);
            return None;
        };
        let partition = java_hash::partition_for(&key.coordinator_key(), topic.partition_count());
        Some(TopicIdPartition { topic_id: topic.id, partition })
    }

    /// Asks the share coordinator of `key`. The request is on its way when this returns.
    pub fn ask_share_state(self: &Rc<Self>, key: &Key, request: Request) -> impl Future<Output = Answer> + use<> {
        let now = self.now();
        let asked = self.share_state_partition(key).map(|id| {
            self.call(self.owner_of(&id), move |owner| {
                let answer = owner.ask_coordinator::<ShareStates>(&id, request, now);
                async move { answer.await.ok() }
            })
        });
        async move {
            let refused = Answer::Refused(ErrorCode::CoordinatorNotAvailable.into());
            match asked {
                Some(asked) => asked.await.ok().flatten().unwrap_or(refused),
                None => refused,
            }
        }
    }

    /// Persists new states of `queue` and tells it the outcome, also when nobody waits for the receiver.
    pub(super) fn persist(self: &Rc<Self>, queue: &Rc<Queue>, write: Write) -> Receiver<Written> {
        let (sender, receiver) = local::oneshot();
        let ask = WriteAsk {
            state_epoch: queue.state_epoch.get(),
            leader_epoch: queue.epoch.0,
            start_offset: write.start.0,
            delivery_complete_count: write.delivery_complete_count,
            batches: write.batches,
        };
        let asked = self.ask_share_state(&queue.key, Request::Write(queue.key.clone(), ask));
        let (shard, queue) = (self.clone(), queue.clone());
        runtime::spawn(async move {
            let outcome = match asked.await {
                Answer::Refused(refusal) => {
                    Err(ShareError { error: mapped(refusal.error), message: refusal.message.map(str::to_owned) })
                }
                _ => Ok(()),
            };
            let now = shard.now().mono;
            let freed = queue.with(|partition| partition.complete(write.id, outcome.is_ok(), now));
            if freed == Some(true) {
                queue.watches.fire();
            }
            if let Err(error) = outcome.as_ref().map_err(|e| e.error)
                && is_final(error)
            {
                shard.drop_queue(&queue, error);
            }
            sender.send(outcome);
        })
        .detach();
        receiver
    }
}

/// What clients are told of a persister's refusal (`SharePartition.fetchPersisterError`).
pub fn mapped(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition => error,
        ErrorCode::FencedLeaderEpoch | ErrorCode::FencedStateEpoch => ErrorCode::NotLeaderOrFollower,
        _ => ErrorCode::UnknownServerError,
    }
}

/// True where the queue's state is somebody else's by now: it has to begin anew.
fn is_final(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition)
}
