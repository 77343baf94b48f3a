//! OffsetDelete (key 47, v0): committed offsets of topics that a group reads no more (KIP-496).

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::group::Request;
use crate::protocol::messages::offset_delete_request::OffsetDeleteRequest;
use crate::protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

/// Answers one request. Partitions that do not exist are answered here; the coordinator has the rest.
pub async fn handle(ctx: &RequestContext, mut request: OffsetDeleteRequest) -> Result<OffsetDeleteResponse, Close> {
    let image = ctx.shard.image();
    let mut unknown: Vec<OffsetDeleteResponseTopic> = Vec::new();
    for topic in &mut request.topics {
        let known = image.topic_by_name(&topic.name);
        let exists = |index: i32| known.is_some_and(|topic| topic.partition(index).is_some());
        let missing = topic.partitions.iter().filter(|partition| !exists(partition.partition_index));
        let partitions: Vec<_> = missing
            .map(|partition| OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
            })
            .collect();
        match unknown.iter_mut().find(|told| told.name == topic.name) {
            Some(told) => told.partitions.extend(partitions),
            None if known.is_some() && partitions.is_empty() => {}
            None => unknown.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions }),
        }
        topic.partitions.retain(|partition| exists(partition.partition_index));
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    let group = request.group_id.clone();
    let mut response: OffsetDeleteResponse = ask(ctx, &group, Request::OffsetDelete(request)).await?;
    if response.error_code != ErrorCode::None.code() {
        return Ok(response);
    }
    response.topics = merged(unknown, response.topics);
    Ok(response)
}

/// What was answered here, then what the coordinator answered (`OffsetDeleteResponse.Builder.merge`): a topic that was
/// asked for twice is answered twice where the coordinator has all of them, else once.
fn merged(
    unknown: Vec<OffsetDeleteResponseTopic>,
    answered: Vec<OffsetDeleteResponseTopic>,
) -> Vec<OffsetDeleteResponseTopic> {
    if unknown.is_empty() {
        return answered;
    }
    let mut all = unknown;
    for topic in answered {
        match all.iter_mut().find(|told| told.name == topic.name) {
            Some(told) => told.partitions.extend(topic.partitions),
            None => all.push(topic),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, partitions: &[i32]) -> OffsetDeleteResponseTopic {
        let partition = |index: &i32| OffsetDeleteResponsePartition { partition_index: *index, error_code: 0 };
        OffsetDeleteResponseTopic { name: name.into(), partitions: partitions.iter().map(partition).collect() }
    }

    #[test]
    fn a_topic_that_is_asked_for_twice_is_answered_as_kafka_answers_it() {
        let twice = vec![topic("t", &[0]), topic("t", &[1])];
        assert_eq!(merged(vec![], twice.clone()), twice);
        let once = vec![topic("u", &[7]), topic("t", &[0, 1])];
        assert_eq!(merged(vec![topic("u", &[7])], twice.clone()), once, "something else is unknown");
        assert_eq!(merged(vec![topic("t", &[9])], twice), vec![topic("t", &[9, 0, 1])]);
    }
}
