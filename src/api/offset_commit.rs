//! OffsetCommit (key 8, v1-10): topics that exist go to the coordinator, the others get their error here. librdkafka 1.0
//! asks for v1 whatever it is told. Since v10 topics are named by id (KIP-848).

use super::RequestContext;
use super::coordinate::{ask, caller};
use super::reply::Close;
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::group::Request;
use crate::metadata::MetadataImage;
use crate::protocol::Str;
use crate::protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use crate::protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

/// Since this version topics have ids and no names.
const TOPIC_IDS_FROM: i16 = 10;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, mut request: OffsetCommitRequest) -> Result<OffsetCommitResponse, Close> {
    let image = ctx.shard.image();
    let by_id = ctx.api_version >= TOPIC_IDS_FROM;
    let mut known = Vec::with_capacity(request.topics.len());
    let mut answered = Answered { topics: Vec::new(), by_id };
    for topic in std::mem::take(&mut request.topics) {
        known.extend(answered.split(&image, topic));
    }
    if !known.is_empty() {
        let group = request.group_id.clone();
        request.topics = known;
        let answer: OffsetCommitResponse = ask(ctx, &group, Request::Commit(caller(ctx), request)).await?;
        answered.merge(answer.topics);
    }
    Ok(OffsetCommitResponse { topics: answered.topics, ..OffsetCommitResponse::default() })
}

/// What is answered so far: a topic once, in the order in which each was first told of.
struct Answered {
    topics: Vec<OffsetCommitResponseTopic>,
    by_id: bool,
}

impl Answered {
    fn topic(&mut self, name: &Str, topic_id: Uuid) -> &mut OffsetCommitResponseTopic {
        let by_id = self.by_id;
        let same = |t: &OffsetCommitResponseTopic| if by_id { t.topic_id == topic_id } else { t.name == *name };
        let at = self.topics.iter().position(same).unwrap_or_else(|| {
            self.topics.push(OffsetCommitResponseTopic {
                name: if by_id { Default::default() } else { name.clone() },
                topic_id: if by_id { topic_id } else { Uuid::ZERO },
                partitions: Vec::new(),
            });
            self.topics.len() - 1
        });
        &mut self.topics[at]
    }

    fn refuse(&mut self, topic: &OffsetCommitRequestTopic, partitions: &[i32], error: ErrorCode) {
        let refused = |index: &i32| OffsetCommitResponsePartition { partition_index: *index, error_code: error.code() };
        self.topic(&topic.name, topic.topic_id).partitions.extend(partitions.iter().map(refused));
    }

    /// Answers what is not there; gives what of the topic the coordinator is to be asked.
    fn split(
        &mut self,
        image: &MetadataImage,
        mut topic: OffsetCommitRequestTopic,
    ) -> Option<OffsetCommitRequestTopic> {
        let found = if self.by_id { image.topic_by_id(&topic.topic_id) } else { image.topic_by_name(&topic.name) };
        let Some(found) = found else {
            let error = if self.by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
            let all: Vec<i32> = topic.partitions.iter().map(|partition| partition.partition_index).collect();
            self.refuse(&topic, &all, error);
            return None;
        };
        let (there, missing): (Vec<_>, Vec<_>) = std::mem::take(&mut topic.partitions)
            .into_iter()
            .partition(|partition| found.partition(partition.partition_index).is_some());
        if !missing.is_empty() {
            let missing: Vec<i32> = missing.iter().map(|partition| partition.partition_index).collect();
            self.refuse(&topic, &missing, ErrorCode::UnknownTopicOrPartition);
        }
        let known = OffsetCommitRequestTopic { name: (&*found.name).into(), topic_id: found.id, partitions: there };
        (!known.partitions.is_empty()).then_some(known)
    }

    /// Adds what the coordinator answered. A topic that was asked twice stands there twice, unless something of the
    /// request was refused before (`OffsetCommitResponse.Builder`).
    fn merge(&mut self, topics: Vec<OffsetCommitResponseTopic>) {
        let alone = self.topics.is_empty();
        for OffsetCommitResponseTopic { name, topic_id, partitions } in topics {
            if alone {
                let (name, topic_id) = if self.by_id { (Str::default(), topic_id) } else { (name, Uuid::ZERO) };
                self.topics.push(OffsetCommitResponseTopic { name, topic_id, partitions });
            } else {
                self.topic(&name, topic_id).partitions.extend(partitions);
            }
        }
    }
}
