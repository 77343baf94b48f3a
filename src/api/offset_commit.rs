//! OffsetCommit (key 8, v1-10): topics that exist go to the coordinator, the others get their error here. librdkafka 1.0
//! asks for v1 whatever it is told. Since v10 topics are named by id (KIP-848).

use super::RequestContext;
use super::coordinate::{ask, caller};
use super::reply::Close;
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::group::Request;
use crate::metadata::{MetadataImage, TopicImage};
use crate::protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use crate::protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use std::collections::VecDeque;

/// Since this version topics have ids and no names.
const TOPIC_IDS_FROM: i16 = 10;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, mut request: OffsetCommitRequest) -> Result<OffsetCommitResponse, Close> {
    let image = ctx.shard.image();
    let by_id = ctx.api_version >= TOPIC_IDS_FROM;
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut known = Vec::with_capacity(request.topics.len());
    for topic in std::mem::take(&mut request.topics) {
        let (answer, rest) = split(&image, topic, by_id);
        topics.push(answer);
        known.extend(rest);
    }
    if !known.is_empty() {
        let group = request.group_id.clone();
        request.topics = known;
        let answer: OffsetCommitResponse = ask(ctx, &group, Request::Commit(caller(ctx), request)).await?;
        let mut errors: VecDeque<i16> =
            answer.topics.into_iter().flat_map(|t| t.partitions).map(|p| p.error_code).collect();
        for slot in topics.iter_mut().flat_map(|t| &mut t.partitions).filter(|p| p.error_code == ASKED) {
            slot.error_code = errors.pop_front().unwrap_or(ErrorCode::UnknownServerError.code());
        }
    }
    topics.retain(|topic| !topic.partitions.is_empty());
    Ok(OffsetCommitResponse { topics, ..OffsetCommitResponse::default() })
}

/// Marks a partition whose answer comes from the coordinator; no error has this number.
const ASKED: i16 = i16::MIN;

/// The answer for a topic with the errors found here, and what of it the coordinator is to be asked.
fn split(
    image: &MetadataImage,
    mut topic: OffsetCommitRequestTopic,
    by_id: bool,
) -> (OffsetCommitResponseTopic, Option<OffsetCommitRequestTopic>) {
    let found = if by_id { image.topic_by_id(&topic.topic_id) } else { image.topic_by_name(&topic.name) };
    let missing = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    let exists = |partition: i32| found.is_some_and(|t: &std::sync::Arc<TopicImage>| t.partition(partition).is_some());
    let partitions = topic.partitions.iter().map(|p| OffsetCommitResponsePartition {
        partition_index: p.partition_index,
        error_code: match found {
            None => missing.code(),
            Some(_) if exists(p.partition_index) => ASKED,
            Some(_) => ErrorCode::UnknownTopicOrPartition.code(),
        },
    });
    let answer = OffsetCommitResponseTopic {
        name: if by_id { Default::default() } else { topic.name.clone() },
        topic_id: if by_id { topic.topic_id } else { Uuid::ZERO },
        partitions: partitions.collect(),
    };
    topic.partitions.retain(|p| exists(p.partition_index));
    let rest = found.filter(|_| !topic.partitions.is_empty()).map(|found| OffsetCommitRequestTopic {
        name: (&*found.name).into(),
        topic_id: found.id,
        ..topic
    });
    (answer, rest)
}
