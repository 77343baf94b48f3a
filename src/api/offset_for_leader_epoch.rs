//! OffsetForLeaderEpoch (key 23, v2-4): where an epoch ends, to find where two logs part (KIP-101, 320).

use super::RequestContext;
use super::reply::Close;
use crate::base::{ErrorCode, LeaderEpoch, TopicIdPartition};
use crate::partition::EpochAnswer;
use crate::protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderEpochRequest;
use crate::protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use crate::router::{self, Item};
use crate::shard::Shard;
use std::rc::Rc;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, Close> {
    let image = ctx.shard.image();
    let mut items = Vec::new();
    let mut slots = 0;
    for topic in &request.topics {
        let found = image.topic_by_name(&topic.topic);
        for partition in &topic.partitions {
            let id = found.map(|t| TopicIdPartition { topic_id: t.id, partition: partition.partition });
            if let Some(id) = id.filter(|id| image.partition(id).is_some()) {
                let epochs = (LeaderEpoch(partition.current_leader_epoch), LeaderEpoch(partition.leader_epoch));
                items.push(Item { slot: slots, id, ask: epochs });
            }
            slots += 1;
        }
    }
    let mut answers = router::ask(&ctx.shard, items, slots, look_up_here).await.into_iter();
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic
                .partitions
                .iter()
                .zip(&mut answers)
                .map(|(asked, answer)| {
                    let answer = answer.unwrap_or(failed(ErrorCode::UnknownTopicOrPartition));
                    EpochEndOffset {
                        error_code: answer.error.code(),
                        partition: asked.partition,
                        leader_epoch: answer.leader_epoch,
                        end_offset: answer.end_offset,
                    }
                })
                .collect(),
        })
        .collect();
    Ok(OffsetForLeaderEpochResponse { topics, ..OffsetForLeaderEpochResponse::default() })
}

async fn look_up_here(shard: Rc<Shard>, items: Vec<Item<(LeaderEpoch, LeaderEpoch)>>) -> Vec<(usize, EpochAnswer)> {
    let answer = |item: Item<(LeaderEpoch, LeaderEpoch)>| match shard.partition(&item.id) {
        Some(partition) => (item.slot, partition.epoch_end(item.ask.0, item.ask.1)),
        None => (item.slot, failed(shard.why_absent(&item.id))),
    };
    items.into_iter().map(answer).collect()
}

const fn failed(error: ErrorCode) -> EpochAnswer {
    EpochAnswer { error, leader_epoch: -1, end_offset: -1 }
}
