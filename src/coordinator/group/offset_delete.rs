//! OffsetDelete (`OffsetMetadataManager.deleteOffsets`; KIP-496): committed offsets go, of topics nobody in the group
//! reads any more.

use super::offsets::Key;
use super::request::Request;
use super::state::State;
use super::{Groups, Step};
use crate::base::ErrorCode;
use crate::protocol::messages::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use crate::protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use std::sync::Arc;

impl Groups {
    pub(super) fn delete_offsets(&mut self, request: OffsetDeleteRequest, step: &mut Step) {
        if let Err(error) = self.may_delete_offsets(&request.group_id) {
            return step.answer(OffsetDeleteResponse { error_code: error.code(), ..Default::default() });
        }
        let group: Arc<str> = Arc::from(&*request.group_id);
        let mut keys = Vec::new();
        let topics = request.topics.iter().map(|topic| self.delete_topic(&group, topic, &mut keys)).collect();
        let response = OffsetDeleteResponse { topics, ..Default::default() };
        if keys.is_empty() {
            return step.answer(response);
        }
        let first = self.next_append();
        self.remove_offsets(keys, step);
        self.answer_after(first, step.token, response, Request::OffsetDelete(request));
    }

    fn may_delete_offsets(&self, id: &str) -> Result<(), ErrorCode> {
        if self.consumers.contains_key(id) || self.streams.contains_key(id) {
            return Ok(());
        }
        let group = self.groups.get(id).ok_or(ErrorCode::GroupIdNotFound)?;
        match group.state() {
            State::Dead => Err(ErrorCode::GroupIdNotFound),
            State::Empty => Ok(()),
            // Whoever is no consumer may read anything.
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                if group.is_consumer_group() {
                    Ok(())
                } else {
                    Err(ErrorCode::NonEmptyGroup)
                }
            }
        }
    }

    fn delete_topic(
        &self,
        group: &Arc<str>,
        topic: &OffsetDeleteRequestTopic,
        keys: &mut Vec<Key>,
    ) -> OffsetDeleteResponseTopic {
        let classic = self.groups.get(group).is_some_and(|group| group.is_subscribed(&topic.name));
        let consumer = self.consumers.get(group).is_some_and(|group| group.is_subscribed(&topic.name));
        let streams = self.streams.get(group).is_some_and(|group| group.is_subscribed(&topic.name));
        let subscribed = classic || consumer || streams;
        let error = if subscribed { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
        let name: Arc<str> = Arc::from(&*topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let key = Key::new(group, &name, partition.partition_index);
            if !subscribed && self.has_offset(&key) && !keys.contains(&key) {
                keys.push(key);
            }
            partitions.push(OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: error.code(),
            });
        }
        OffsetDeleteResponseTopic { name: topic.name.clone(), partitions }
    }

    /// Committed, about to be, or in an open transaction.
    fn has_offset(&self, key: &Key) -> bool {
        self.offsets.get(&key.group, &key.topic, key.partition).is_some()
            || self.offsets.pending_keys(&key.group).contains(key)
            || self.commits_in_flight(&key.group).any(|other| other == *key)
    }
}
