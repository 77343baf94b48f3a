//! DescribeProducers (key 61, v0): who writes to partitions, and which transactions are open there (KIP-664).

use super::RequestContext;
use super::reply::Close;
use crate::base::topic::validate_topic_name;
use crate::base::{ErrorCode, TopicIdPartition};
use crate::protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use crate::protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use crate::router::{self, Item};
use crate::shard::Shard;
use std::rc::Rc;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: DescribeProducersRequest,
) -> Result<DescribeProducersResponse, Close> {
    let image = ctx.shard.image();
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut items = Vec::new();
    let mut slots = 0;
    for topic in &request.topics {
        let found = image.topic_by_name(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
        for &partition in &topic.partition_indexes {
            let answer = match (validate_topic_name(&topic.name), found.filter(|t| t.partition(partition).is_some())) {
                (Err(why), _) => failed(partition, ErrorCode::InvalidTopicException, Some(&why)),
                (Ok(()), None) => failed(partition, ErrorCode::UnknownTopicOrPartition, None),
                (Ok(()), Some(topic)) => {
                    items.push(Item { slot: slots, id: TopicIdPartition { topic_id: topic.id, partition }, ask: () });
                    failed(partition, ErrorCode::NotLeaderOrFollower, None)
                }
            };
            partitions.push(answer);
            slots += 1;
        }
        topics.push(TopicResponse { name: topic.name.clone(), partitions });
    }
    let answers = router::ask(&ctx.shard, items, slots, describe_here).await;
    for (place, answer) in topics.iter_mut().flat_map(|t| &mut t.partitions).zip(answers) {
        if let Some(answer) = answer {
            *place = answer;
        }
    }
    Ok(DescribeProducersResponse { topics, ..Default::default() })
}

/// On the owner.
async fn describe_here(shard: Rc<Shard>, items: Vec<Item<()>>) -> Vec<(usize, PartitionResponse)> {
    let answer = |item: Item<()>| {
        let index = item.id.partition;
        let answer = match shard.partition(&item.id) {
            None => failed(index, shard.why_absent(&item.id), None),
            Some(partition) if partition.leads().is_none() => failed(index, ErrorCode::NotLeaderOrFollower, None),
            Some(partition) => PartitionResponse {
                partition_index: index,
                active_producers: partition.with_log(|log| log.producers().iter().map(state).collect()),
                ..Default::default()
            },
        };
        (item.slot, answer)
    };
    items.into_iter().map(answer).collect()
}

fn state((id, entry): (crate::base::ProducerId, &crate::log::producers::ProducerEntry)) -> ProducerState {
    ProducerState {
        producer_id: id.0,
        producer_epoch: i32::from(entry.epoch.0),
        last_sequence: entry.last_sequence(),
        last_timestamp: entry.last_timestamp.0,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_start_offset: entry.txn_first_offset.map_or(-1, |offset| offset.0),
    }
}

fn failed(partition_index: i32, error: ErrorCode, why: Option<&str>) -> PartitionResponse {
    PartitionResponse {
        partition_index,
        error_code: error.code(),
        error_message: why.map(Into::into),
        ..Default::default()
    }
}
