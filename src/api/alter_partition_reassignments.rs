//! AlterPartitionReassignments (key 45, v0-1): other replicas for partitions (KIP-455). On a standalone node there is no
//! other broker to take: naming the replicas that are there changes nothing (kafka-reassign-partitions does it before it
//! moves logs between directories), anything else is refused.

use super::RequestContext;
use super::reply::Close;
use crate::base::{ErrorCode, TopicIdPartition};
use crate::controller::check_manual_assignment;
use crate::metadata::{MetadataImage, PartitionRegistration};
use crate::protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition,
};
use crate::protocol::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};

/// Why a partition is not reassigned.
type Refused = (ErrorCode, Option<String>);

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> Result<AlterPartitionReassignmentsResponse, Close> {
    if request.topics.is_empty() {
        // The defaults of the message, as Apache Kafka leaves them.
        return Ok(AlterPartitionReassignmentsResponse { error_message: Some("".into()), ..Default::default() });
    }
    let image = ctx.shard.image();
    let answer = |topic: &str, asked: &ReassignablePartition| {
        let known =
            image.topic_by_name(topic).map(|t| TopicIdPartition { topic_id: t.id, partition: asked.partition_index });
        let unknown = || match known {
            None => format!("Unable to find a topic named {topic}."),
            Some(_) => format!("Unable to find partition {topic}:{}.", asked.partition_index),
        };
        let refused = match known.and_then(|id| image.partition(&id)) {
            None => Some((ErrorCode::UnknownTopicOrPartition, Some(unknown()))),
            Some(partition) => reassign(&image, partition, asked.replicas.as_deref()).err(),
        };
        let (code, message) = refused.unwrap_or((ErrorCode::None, None));
        ReassignablePartitionResponse {
            partition_index: asked.partition_index,
            error_code: code.code(),
            error_message: message.map(Into::into),
        }
    };
    let responses = request.topics.iter().map(|topic| ReassignableTopicResponse {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|partition| answer(&topic.name, partition)).collect(),
    });
    Ok(AlterPartitionReassignmentsResponse {
        responses: responses.collect(),
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        ..Default::default()
    })
}

fn reassign(image: &MetadataImage, current: &PartitionRegistration, wanted: Option<&[i32]>) -> Result<(), Refused> {
    let invalid = |why: String| (ErrorCode::InvalidReplicaAssignment, Some(why));
    let Some(wanted) = wanted else { return Err((ErrorCode::NoReassignmentInProgress, None)) };
    check_manual_assignment(image, wanted, None).map_err(invalid)?;
    let same = current.replicas.iter().map(|id| id.0).eq(wanted.iter().copied());
    // Another broker that is registered here was in the cluster before this node stood alone: nobody copies to it.
    if same {
        Ok(())
    } else {
        Err(invalid("This node stands alone: its partitions cannot move to other brokers.".into()))
    }
}
