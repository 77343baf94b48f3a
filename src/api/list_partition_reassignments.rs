//! ListPartitionReassignments (key 46, v0): moves under way (KIP-455). A standalone node starts none, but may have
//! taken over a log in which some were.

use super::RequestContext;
use super::reply::Close;
use super::topic_view::raw;
use crate::metadata::{PartitionRegistration, TopicImage};
use crate::protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use crate::protocol::messages::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};

/// Answers one request; without topics all moves, else those of the partitions named.
pub async fn handle(
    ctx: &RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> Result<ListPartitionReassignmentsResponse, Close> {
    let image = ctx.shard.image();
    let topics = match &request.topics {
        None => image.topics().map(|topic| moves(topic, |_| true)).collect(),
        Some(named) => named
            .iter()
            .filter_map(|named| {
                let topic = image.topic_by_name(&named.name)?;
                Some(moves(topic, |index| named.partition_indexes.contains(&index)))
            })
            .collect::<Vec<_>>(),
    };
    let topics = topics.into_iter().filter(|topic| !topic.partitions.is_empty()).collect();
    Ok(ListPartitionReassignmentsResponse { topics, error_message: None, ..Default::default() })
}

fn moves(topic: &TopicImage, wanted: impl Fn(i32) -> bool) -> OngoingTopicReassignment {
    let moving = |(index, p): &(&i32, &std::sync::Arc<PartitionRegistration>)| p.is_reassigning() && wanted(**index);
    let partition = |(index, p): (&i32, &std::sync::Arc<PartitionRegistration>)| OngoingPartitionReassignment {
        partition_index: *index,
        replicas: raw(&p.replicas),
        adding_replicas: raw(&p.adding_replicas),
        removing_replicas: raw(&p.removing_replicas),
    };
    OngoingTopicReassignment {
        name: (&*topic.name).into(),
        partitions: topic.partitions.iter().filter(moving).map(partition).collect(),
    }
}
