//! ReadShareGroupState (key 84, v0): the states of share partitions, for the partitions' leaders (KIP-932).

use super::RequestContext;
use super::reply::Close;
use super::share_state::{READ_UNINITIALIZED, ask_each, told};
use crate::coordinator::share::{Answer, Request};
use crate::protocol::messages::read_share_group_state_response::{PartitionResult, ReadStateResult, StateBatch};
use crate::protocol::messages::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: ReadShareGroupStateRequest,
) -> Result<ReadShareGroupStateResponse, Close> {
    if request.group_id.is_empty() || request.topics.iter().any(|t| t.partitions.is_empty()) {
        return Ok(ReadShareGroupStateResponse::default());
    }
    let flat = || request.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.topic_id, p)));
    let epochs: Vec<i32> = flat().map(|(_, p)| p.leader_epoch).collect();
    let answers =
        ask_each(ctx, &request.group_id, flat().map(|(id, p)| (id, p.partition)), READ_UNINITIALIZED, |key, at| {
            Request::Read(key, epochs.get(at).copied().unwrap_or(-1))
        });
    let mut answers = answers.await.into_iter();
    let results = request.topics.iter().map(|topic| ReadStateResult {
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().zip(&mut answers).map(|(p, answer)| result(p.partition, answer)).collect(),
    });
    Ok(ReadShareGroupStateResponse { results: results.collect() })
}

fn result(partition: i32, answer: Answer) -> PartitionResult {
    let (error_code, error_message) = told(&answer);
    let base = PartitionResult { partition, error_code, error_message, ..PartitionResult::default() };
    let Answer::State(state_epoch, start_offset, batches) = answer else { return base };
    let state_batches = batches.iter().map(|b| StateBatch {
        first_offset: b.first.0,
        last_offset: b.last.0,
        delivery_state: b.state,
        delivery_count: b.delivery_count,
    });
    PartitionResult { state_epoch, start_offset, state_batches: state_batches.collect(), ..base }
}
