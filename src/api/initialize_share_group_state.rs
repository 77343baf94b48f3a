//! InitializeShareGroupState (key 83, v0): begins share partitions anew (KIP-932).

use super::RequestContext;
use super::reply::Close;
use super::share_state::{UNKNOWN_PARTITION, ask_each, told};
use crate::coordinator::share::Request;
use crate::protocol::messages::initialize_share_group_state_response::{InitializeStateResult, PartitionResult};
use crate::protocol::messages::{InitializeShareGroupStateRequest, InitializeShareGroupStateResponse};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: InitializeShareGroupStateRequest,
) -> Result<InitializeShareGroupStateResponse, Close> {
    let flat = || request.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.topic_id, p)));
    if request.group_id.is_empty() || request.topics.iter().any(|t| t.partitions.is_empty()) {
        return Ok(InitializeShareGroupStateResponse::default());
    }
    let asks: Vec<(i32, i64)> = flat().map(|(_, p)| (p.state_epoch, p.start_offset)).collect();
    let answers =
        ask_each(ctx, &request.group_id, flat().map(|(id, p)| (id, p.partition)), UNKNOWN_PARTITION, |key, at| {
            let (state_epoch, start_offset) = asks.get(at).copied().unwrap_or((-1, -1));
            Request::Initialize(key, state_epoch, start_offset)
        });
    let mut answers = answers.await.into_iter();
    let results = request.topics.iter().map(|topic| InitializeStateResult {
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .zip(&mut answers)
            .map(|(p, answer)| {
                let (error_code, error_message) = told(&answer);
                PartitionResult { partition: p.partition, error_code, error_message }
            })
            .collect(),
    });
    Ok(InitializeShareGroupStateResponse { results: results.collect() })
}
