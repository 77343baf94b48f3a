//! Acknowledgements on the owner: answered when they are persisted.

use super::persist::Written;
use super::{Shard, ShareError};
use crate::base::local::{self, join_all};
use crate::base::{ErrorCode, TopicIdPartition};
use crate::coordinator::share::Key;
use crate::share::{AcknowledgeError, AcknowledgementBatch};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// Who acknowledges.
#[derive(Clone, Debug)]
pub struct Acknowledge {
    /// The group.
    pub group: Arc<str>,
    /// The member.
    pub member: Arc<str>,
}

impl Shard {
    /// Takes the acknowledgements of partitions of this core at once; their outcomes come when they are persisted.
    pub fn share_acknowledge(
        self: Rc<Self>,
        who: &Acknowledge,
        items: Vec<(usize, TopicIdPartition, Vec<AcknowledgementBatch>)>,
    ) -> impl Future<Output = Vec<(usize, Result<(), ShareError>)>> + use<> {
        let now = self.now().mono;
        let taken: Vec<_> = items
            .into_iter()
            .map(|(slot, id, ask)| {
                let key = Key::new(&who.group, id);
                let queue = self.share_queues.queues.borrow().get(&key).cloned();
                let Some(queue) = queue else { return (slot, Err(ErrorCode::UnknownTopicOrPartition.into())) };
                let settings = self.share_settings(&who.group);
                let taken = queue.with(|share| {
                    share.set_limits(super::fetch::limits(&settings));
                    share.acknowledge(&who.member, &ask, now)
                });
                let outcome = match taken {
                    None => Err(queue.ended().unwrap_or(ErrorCode::LeaderNotAvailable).into()),
                    Some(Err(error)) => Err(refused(error)),
                    Some(Ok(write)) => {
                        self.stats.share.took(&ask);
                        Ok(write.map(|write| self.persist(&queue, write)))
                    }
                };
                (slot, outcome)
            })
            .collect();
        let outcome = |(slot, taken): (usize, Result<Option<_>, ShareError>)| async move {
            let taken: Result<Option<local::Receiver<Written>>, ShareError> = taken;
            let outcome = match taken {
                Ok(Some(written)) => written.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower.into())),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            (slot, outcome)
        };
        join_all(taken.into_iter().map(|taken| Box::pin(outcome(taken))).collect())
    }
}

fn refused(error: AcknowledgeError) -> ShareError {
    match error {
        AcknowledgeError::InvalidRequest(text) => ShareError { error: ErrorCode::InvalidRequest, message: Some(text) },
        AcknowledgeError::InvalidRecordState(text) => {
            ShareError { error: ErrorCode::InvalidRecordState, message: Some(text.to_owned()) }
        }
    }
}
