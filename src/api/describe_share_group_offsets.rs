//! DescribeShareGroupOffsets (key 90, v0-1): how far share groups have come, and what lies before them (KIP-932,
//! KIP-1226).

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use crate::base::{ErrorCode, LeaderEpoch, TopicIdPartition, Uuid};
use crate::coordinator::group::Request as GroupRequest;
use crate::coordinator::group::share::Partitioned;
use crate::coordinator::share::{Answer, Key, Request, Summary};
use crate::metadata::TopicImage;
use crate::partition::{OffsetAsk, Reader};
use crate::protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use crate::protocol::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use crate::protocol::messages::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

const LATEST: i64 = -1;

type Partition = DescribeShareGroupOffsetsResponsePartition;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: DescribeShareGroupOffsetsRequest,
) -> Result<DescribeShareGroupOffsetsResponse, Close> {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        groups.push(describe(ctx, group).await?);
    }
    Ok(DescribeShareGroupOffsetsResponse { groups, ..Default::default() })
}

async fn describe(
    ctx: &RequestContext,
    asked: DescribeShareGroupOffsetsRequestGroup,
) -> Result<DescribeShareGroupOffsetsResponseGroup, Close> {
    let group: Arc<str> = Arc::from(&*asked.group_id);
    let image = ctx.shard.image();
    let mut topics = Vec::new();
    match asked.topics {
        Some(named) => {
            for topic in named {
                let found = image.topic_by_name(&topic.topic_name).cloned();
                let mut partitions = Vec::with_capacity(topic.partitions.len());
                for index in &topic.partitions {
                    partitions.push(match &found {
                        Some(found) => partition(ctx, &group, found, *index).await,
                        None => unread(*index),
                    });
                }
                let topic_id = found.map_or(Uuid::ZERO, |found| found.id);
                topics.push(DescribeShareGroupOffsetsResponseTopic {
                    topic_name: topic.topic_name,
                    topic_id,
                    partitions,
                });
            }
        }
        None => {
            // A group that is not there has read nothing; that is no error.
            let known: Partitioned = ask(ctx, &group, GroupRequest::SharePartitions(group.clone())).await?;
            let known = match known {
                Ok(known) => known,
                Err(ErrorCode::GroupIdNotFound) => Default::default(),
                Err(error) => {
                    return Ok(DescribeShareGroupOffsetsResponseGroup {
                        group_id: asked.group_id,
                        error_code: error.code(),
                        ..Default::default()
                    });
                }
            };
            let mut by_topic: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
            known.into_iter().for_each(|(topic, index)| by_topic.entry(topic).or_default().push(index));
            for (topic_id, indexes) in by_topic {
                let Some(found) = image.topic_by_id(&topic_id).cloned() else { continue };
                let mut partitions = Vec::with_capacity(indexes.len());
                for index in indexes {
                    partitions.push(partition(ctx, &group, &found, index).await);
                }
                let topic_name = (&*found.name).into();
                topics.push(DescribeShareGroupOffsetsResponseTopic { topic_name, topic_id, partitions });
            }
        }
    }
    Ok(DescribeShareGroupOffsetsResponseGroup { group_id: asked.group_id, topics, ..Default::default() })
}

/// Of a partition that nobody has read, or that is not there.
fn unread(partition_index: i32) -> Partition {
    Partition { partition_index, start_offset: -1, ..Partition::default() }
}

async fn partition(ctx: &RequestContext, group: &str, topic: &TopicImage, index: i32) -> Partition {
    let failed = |error: ErrorCode| Partition { error_code: error.code(), ..unread(index) };
    if topic.partition(index).is_none() {
        return failed(ErrorCode::UnknownTopicOrPartition);
    }
    let id = TopicIdPartition { topic_id: topic.id, partition: index };
    let key = Key::new(group, id);
    match ctx.shard.ask_share_state(&key.clone(), Request::Summarize(key)).await {
        Answer::Summary(summary) => Partition {
            partition_index: index,
            start_offset: summary.start_offset,
            leader_epoch: summary.leader_epoch,
            lag: lag(ctx, id, summary).await,
            ..Partition::default()
        },
        Answer::Refused(refusal) => failed(refusal.error),
        Answer::Done | Answer::State(..) => failed(ErrorCode::UnknownServerError),
    }
}

/// Records the group has not done with; -1 where that is not known.
async fn lag(ctx: &RequestContext, id: TopicIdPartition, summary: Summary) -> i64 {
    if summary.start_offset < 0 || summary.delivery_complete_count < 0 {
        return -1;
    }
    ctx.shard.until_gate_is_open().await;
    let end = ctx.shard.call(ctx.shard.owner_of(&id), move |owner| async move {
        let partition: Rc<_> = owner.partition(&id)?;
        let ask = OffsetAsk { timestamp: LATEST, current_leader_epoch: LeaderEpoch::UNKNOWN, reader: Reader::Consumer };
        let answer = partition.list_offset(ask).await;
        (answer.error == ErrorCode::None).then_some(answer.offset)
    });
    match end.await {
        Ok(Some(end)) => (end - summary.start_offset - i64::from(summary.delivery_complete_count)).max(0),
        _ => -1,
    }
}
