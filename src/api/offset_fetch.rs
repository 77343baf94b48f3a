//! OffsetFetch (key 9, v1-10): committed offsets of one group (to v7) or several (KIP-709); since
//! v10 topics are named by id (KIP-848).

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::group::{Request, failed_partition};
use crate::metadata::MetadataImage;
use crate::protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

/// Since this version a request names several groups.
const GROUPS_FROM: i16 = 8;
/// Since this version topics have ids and no names.
const TOPIC_IDS_FROM: i16 = 10;
/// Since this version an error of the group stands beside the topics, before in each partition.
const GROUP_ERROR_FROM: i16 = 2;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: OffsetFetchRequest) -> Result<OffsetFetchResponse, Close> {
    let stable = request.require_stable;
    if ctx.api_version >= GROUPS_FROM {
        // All are asked before the first answer is awaited.
        let asked: Vec<_> = request.groups.into_iter().map(|group| fetch(ctx, group, stable)).collect();
        let mut groups = Vec::with_capacity(asked.len());
        for group in asked {
            groups.push(group.await?);
        }
        return Ok(OffsetFetchResponse { groups, ..OffsetFetchResponse::default() });
    }
    let topics = request.topics.map(|topics| {
        let topic = |t: crate::protocol::messages::offset_fetch_request::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics { name: t.name, partition_indexes: t.partition_indexes, ..Default::default() }
        };
        topics.into_iter().map(topic).collect::<Vec<_>>()
    });
    let group = OffsetFetchRequestGroup { group_id: request.group_id, topics, ..OffsetFetchRequestGroup::default() };
    let mut answer = fetch(ctx, group.clone(), stable).await?;
    if ctx.api_version < GROUP_ERROR_FROM && answer.error_code != 0 {
        let error_code = std::mem::take(&mut answer.error_code);
        answer.topics = group.topics.unwrap_or_default().iter().map(|t| failed_topic(t, error_code)).collect();
    }
    let topics = answer.topics.into_iter().map(single_topic).collect();
    Ok(OffsetFetchResponse { topics, error_code: answer.error_code, ..OffsetFetchResponse::default() })
}

/// Asks for one group; the request is on its way when this returns.
fn fetch(
    ctx: &RequestContext,
    mut group: OffsetFetchRequestGroup,
    stable: bool,
) -> impl Future<Output = Result<OffsetFetchResponseGroup, Close>> + use<> {
    let image = ctx.shard.image();
    let by_id = ctx.api_version >= TOPIC_IDS_FROM;
    let all = group.topics.is_none();
    let mut unknown = Vec::new();
    if let Some(topics) = group.topics.as_mut().filter(|_| by_id) {
        for topic in topics.iter_mut() {
            topic.name = image.topic_by_id(&topic.topic_id).map(|t| (&*t.name).into()).unwrap_or_default();
        }
        (unknown, *topics) = std::mem::take(topics).into_iter().partition(|t| t.name.is_empty());
    }
    let id = group.group_id.clone();
    let asked = ask::<OffsetFetchResponseGroup>(ctx, &id, Request::Fetch(group, stable));
    async move {
        let mut answer = asked.await?;
        if answer.error_code != 0 {
            return Ok(answer);
        }
        if by_id && all {
            answer.topics = answer.topics.into_iter().filter_map(|t| with_id(&image, t)).collect();
        }
        let missing = ErrorCode::UnknownTopicId.code();
        answer.topics.extend(unknown.iter().map(|topic| failed_topic(topic, missing)));
        if by_id {
            answer.topics.iter_mut().for_each(|t| t.name = Default::default());
        } else {
            answer.topics.iter_mut().for_each(|t| t.topic_id = Uuid::ZERO);
        }
        Ok(answer)
    }
}

/// A topic that is gone has no id to name it by: it is left out.
fn with_id(image: &MetadataImage, topic: OffsetFetchResponseTopics) -> Option<OffsetFetchResponseTopics> {
    let topic_id = image.topic_by_name(&topic.name)?.id;
    Some(OffsetFetchResponseTopics { topic_id, ..topic })
}

fn failed_topic(topic: &OffsetFetchRequestTopics, error_code: i16) -> OffsetFetchResponseTopics {
    let failed = |&partition: &i32| {
        let mut answer = failed_partition(partition, ErrorCode::None);
        answer.error_code = error_code;
        answer
    };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(failed).collect(),
    }
}

fn single_topic(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(|p| OffsetFetchResponsePartition {
        partition_index: p.partition_index,
        committed_offset: p.committed_offset,
        committed_leader_epoch: p.committed_leader_epoch,
        metadata: p.metadata,
        error_code: p.error_code,
    });
    OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() }
}
