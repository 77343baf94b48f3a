//! DeleteRecords (key 21, v0-2): moves the beginning of partitions' logs (KIP-107).

use super::RequestContext;
use super::by_topic::by_topic;
use super::reply::Close;
use crate::base::topic::is_internal;
use crate::base::{ErrorCode, Offset, TopicIdPartition};
use crate::protocol::messages::delete_records_request::DeleteRecordsRequest;
use crate::protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use crate::router::{self, Item};
use crate::shard::Shard;
use std::rc::Rc;

/// The low watermark of a partition that was refused.
const NO_LOW_WATERMARK: i64 = -1;

type Answer = Result<Offset, ErrorCode>;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: DeleteRecordsRequest) -> Result<DeleteRecordsResponse, Close> {
    let image = ctx.shard.image();
    let mut items = Vec::new();
    let mut answers = Vec::new();
    let topics = request.topics.iter().map(|topic| (&topic.name, &topic.partitions[..]));
    let topics = by_topic(topics, |partition| partition.partition_index);
    for (name, partitions) in &topics {
        let found = image.topic_by_name(name);
        for partition in partitions {
            let id = found.map(|t| TopicIdPartition { topic_id: t.id, partition: partition.partition_index });
            match id.filter(|id| image.partition(id).is_some()) {
                None => answers.push(Some(Err(ErrorCode::UnknownTopicOrPartition))),
                Some(_) if is_internal(name) => answers.push(Some(Err(ErrorCode::InvalidTopicException))),
                Some(id) => {
                    items.push(Item { slot: answers.len(), id, ask: partition.offset });
                    answers.push(None);
                }
            }
        }
    }
    router::ask_into(&ctx.shard, items, &mut answers, delete_here).await;
    let mut answers = answers.into_iter().map(|answer| answer.unwrap_or(Err(ErrorCode::NotLeaderOrFollower)));
    let topics = topics.into_iter().map(|(name, partitions)| DeleteRecordsTopicResult {
        name,
        partitions: partitions.into_iter().zip(&mut answers).map(|(p, a)| result(p.partition_index, a)).collect(),
    });
    Ok(DeleteRecordsResponse { topics: topics.collect(), ..DeleteRecordsResponse::default() })
}

async fn delete_here(shard: Rc<Shard>, items: Vec<Item<i64>>) -> Vec<(usize, Answer)> {
    let delete = |item: &Item<i64>| {
        let partition = shard.partition(&item.id).ok_or_else(|| shard.why_absent(&item.id))?;
        let start = partition.delete_records(item.ask)?;
        shard.checkpoint_soon(&partition);
        Ok(start)
    };
    items.iter().map(|item| (item.slot, delete(item))).collect()
}

fn result(partition_index: i32, answer: Answer) -> DeleteRecordsPartitionResult {
    let (low_watermark, error) = match answer {
        Ok(start) => (start.0, ErrorCode::None),
        Err(error) => (NO_LOW_WATERMARK, error),
    };
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code: error.code() }
}
