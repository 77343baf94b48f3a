//! DescribeTopicPartitions (key 75, v0): topics page by page, with eligible leader replicas (KIP-966).

use super::RequestContext;
use super::reply::Close;
use super::topic_view::{TOPIC_OPERATIONS, View, raw};
use crate::base::ErrorCode;
use crate::base::topic::{is_internal, validate_topic_name};
use crate::metadata::TopicImage;
use crate::protocol::Str;
use crate::protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use crate::protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use std::collections::BTreeSet;

/// Answers one request: topics in the order of their names, from the cursor on, so many partitions.
pub async fn handle(
    ctx: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> Result<DescribeTopicPartitionsResponse, Close> {
    let image = ctx.shard.image();
    let view = View { image: &image, listener: &ctx.connection.listener };
    let all = request.topics.is_empty();
    let from = request.cursor.as_ref().map_or("", |cursor| &*cursor.topic_name);
    let names: BTreeSet<Str> = match all {
        true => image.topics().map(|topic| (&*topic.name).into()).collect(),
        false => request.topics.iter().map(|topic| topic.name.clone()).collect(),
    };
    if let Some(cursor) = &request.cursor {
        if cursor.partition_index < 0 || !all && !names.contains(&cursor.topic_name) {
            let refused = |name| DescribeTopicPartitionsResponseTopic {
                topic_authorized_operations: i32::MIN,
                is_internal: false,
                ..failed(name, ErrorCode::InvalidRequest)
            };
            let topics = request.topics.iter().map(|topic| refused(topic.name.clone())).collect();
            return Ok(DescribeTopicPartitionsResponse { topics, ..Default::default() });
        }
    }
    let limit = request.response_partition_limit.min(ctx.shard.shared.config.network.max_request_partition_size_limit);
    let mut left = usize::try_from(limit).unwrap_or(0).max(1);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names.into_iter().filter(|name| **name >= *from) {
        if left == 0 {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: 0 });
            break;
        }
        let first = request.cursor.as_ref().filter(|cursor| cursor.topic_name == name);
        let Some(topic) = image.topic_by_name(&name) else {
            if !all {
                let invalid = validate_topic_name(&name).is_err();
                let error = if invalid { ErrorCode::InvalidTopicException } else { ErrorCode::UnknownTopicOrPartition };
                response.topics.push(failed(name, error));
            }
            continue;
        };
        let (described, next) = describe(view, topic, first.map_or(0, |cursor| cursor.partition_index), left);
        left -= described.partitions.len();
        response.topics.push(described);
        if let Some(partition_index) = next {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index });
            break;
        }
    }
    Ok(response)
}

fn failed(name: Str, error: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        is_internal: is_internal(&name),
        name: Some(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..Default::default()
    }
}

/// At most `limit` partitions from `first` on, and the first that did not fit.
fn describe(
    view: View<'_>,
    topic: &TopicImage,
    first: i32,
    limit: usize,
) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
    let mut rest = topic.partitions.range(first..);
    let partitions = rest.by_ref().take(limit).map(|(index, partition)| {
        let leader = view.leader(partition, true);
        DescribeTopicPartitionsResponsePartition {
            error_code: leader.error.code(),
            partition_index: *index,
            leader_id: leader.id.0,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: raw(&partition.replicas),
            isr_nodes: raw(&partition.isr),
            eligible_leader_replicas: Some(raw(&partition.elr)),
            last_known_elr: Some(raw(&partition.last_known_elr)),
            offline_replicas: view.offline_replicas(partition),
        }
    });
    let described = DescribeTopicPartitionsResponseTopic {
        name: Some((&*topic.name).into()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..Default::default()
    };
    (described, rest.next().map(|(index, _)| *index))
}
