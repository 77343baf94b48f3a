//! OffsetFetch of one group (`OffsetMetadataManager.fetchOffsets`, `fetchAllOffsets`).

use super::in_flight::Then;
use super::offsets::OffsetAndMetadata;
use super::{Groups, Step, str_of};
use crate::base::{ErrorCode, Uuid};
use crate::protocol::Str;
use crate::protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};

impl Groups {
    pub(super) fn fetch(&mut self, request: OffsetFetchRequestGroup, stable: bool, step: &mut Step) {
        if stable && !self.in_flight.is_empty() {
            // What is on its way into the log counts: the answer waits for it.
            return self.after_appends(Then::Fetch(step.token, Box::new(request)));
        }
        step.answer(self.read_offsets(&request, stable));
    }

    pub(super) fn read_offsets(&self, request: &OffsetFetchRequestGroup, stable: bool) -> OffsetFetchResponseGroup {
        let consumer = self.consumers.get(&*request.group_id).map(|group| group.check_fetch(request));
        let streams = || self.streams.get(&*request.group_id).map(|group| group.check_fetch(request));
        if let Some(Err(error)) = consumer.or_else(streams) {
            let (group_id, error_code) = (request.group_id.clone(), error as i16);
            return OffsetFetchResponseGroup { group_id, error_code, ..Default::default() };
        }
        let topics = match &request.topics {
            Some(topics) => topics.iter().map(|topic| self.read_topic(&request.group_id, topic, stable)).collect(),
            None => self.read_all(&request.group_id, stable),
        };
        OffsetFetchResponseGroup { group_id: request.group_id.clone(), topics, ..Default::default() }
    }

    fn read_topic(&self, group: &str, topic: &OffsetFetchRequestTopics, stable: bool) -> OffsetFetchResponseTopics {
        let partitions = topic.partition_indexes.iter().map(|&partition| {
            if stable && self.offsets.is_unstable(group, &topic.name, partition) {
                return unstable(partition);
            }
            let found = self.offsets.get(group, &topic.name, partition);
            match found.filter(|committed| same_topic(committed.topic_id, topic.topic_id)) {
                Some(committed) => known(partition, committed),
                None => none(partition),
            }
        });
        OffsetFetchResponseTopics {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
        }
    }

    fn read_all(&self, group: &str, stable: bool) -> Vec<OffsetFetchResponseTopics> {
        let Some(topics) = self.offsets.group(group) else { return Vec::new() };
        let read =
            |(topic, partitions): (&std::sync::Arc<str>, &std::collections::BTreeMap<i32, OffsetAndMetadata>)| {
                let partitions = partitions.iter().map(|(&partition, committed)| {
                    match stable && self.offsets.is_unstable(group, topic, partition) {
                        true => unstable(partition),
                        false => known(partition, committed),
                    }
                });
                OffsetFetchResponseTopics {
                    name: str_of(topic),
                    partitions: partitions.collect(),
                    ..Default::default()
                }
            };
        topics.iter().map(read).collect()
    }
}

/// An offset of a topic since deleted and created anew is none of the new one's.
fn same_topic(committed: Uuid, asked: Uuid) -> bool {
    committed.is_zero() || asked.is_zero() || committed == asked
}

fn known(partition_index: i32, committed: &OffsetAndMetadata) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: committed.offset,
        committed_leader_epoch: committed.leader_epoch,
        metadata: Some(str_of(&committed.metadata)),
        error_code: 0,
    }
}

fn none(partition_index: i32) -> OffsetFetchResponsePartitions {
    failed_partition(partition_index, ErrorCode::None)
}

fn unstable(partition_index: i32) -> OffsetFetchResponsePartitions {
    failed_partition(partition_index, ErrorCode::UnstableOffsetCommit)
}

/// No offset, and why.
pub fn failed_partition(partition_index: i32, error: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Str::new()),
        error_code: error as i16,
    }
}
