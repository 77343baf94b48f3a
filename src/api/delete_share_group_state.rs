//! DeleteShareGroupState (key 86, v0): the end of share partitions (KIP-932).

use super::RequestContext;
use super::reply::Close;
use super::share_state::{UNKNOWN_PARTITION, ask_each, told};
use crate::coordinator::share::Request;
use crate::protocol::messages::delete_share_group_state_response::{DeleteStateResult, PartitionResult};
use crate::protocol::messages::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: DeleteShareGroupStateRequest,
) -> Result<DeleteShareGroupStateResponse, Close> {
    if request.group_id.is_empty() || request.topics.iter().any(|t| t.partitions.is_empty()) {
        return Ok(DeleteShareGroupStateResponse::default());
    }
    let flat = request.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.topic_id, p.partition)));
    let answers = ask_each(ctx, &request.group_id, flat, UNKNOWN_PARTITION, |key, _| Request::Delete(key));
    let mut answers = answers.await.into_iter();
    let results = request.topics.iter().map(|topic| DeleteStateResult {
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
    Ok(DeleteShareGroupStateResponse { results: results.collect() })
}
