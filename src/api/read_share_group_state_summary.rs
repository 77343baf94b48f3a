//! ReadShareGroupStateSummary (key 87, v0-1): how far share partitions have come (KIP-932, KIP-1226).

use super::RequestContext;
use super::reply::Close;
use super::share_state::{UNKNOWN_PARTITION, ask_each, told};
use crate::coordinator::share::{Answer, Request};
use crate::protocol::messages::read_share_group_state_summary_response::{PartitionResult, ReadStateSummaryResult};
use crate::protocol::messages::{ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: ReadShareGroupStateSummaryRequest,
) -> Result<ReadShareGroupStateSummaryResponse, Close> {
    if request.group_id.is_empty() || request.topics.iter().any(|t| t.partitions.is_empty()) {
        return Ok(ReadShareGroupStateSummaryResponse::default());
    }
    let flat = request.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.topic_id, p.partition)));
    let answers = ask_each(ctx, &request.group_id, flat, UNKNOWN_PARTITION, |key, _| Request::Summarize(key));
    let mut answers = answers.await.into_iter();
    let results = request.topics.iter().map(|topic| ReadStateSummaryResult {
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().zip(&mut answers).map(|(p, answer)| result(p.partition, &answer)).collect(),
    });
    Ok(ReadShareGroupStateSummaryResponse { results: results.collect() })
}

fn result(partition: i32, answer: &Answer) -> PartitionResult {
    let (error_code, error_message) = told(answer);
    let base = PartitionResult { partition, error_code, error_message, ..PartitionResult::default() };
    let Answer::Summary(summary) = answer else { return base };
    PartitionResult {
        state_epoch: summary.state_epoch,
        leader_epoch: summary.leader_epoch,
        start_offset: summary.start_offset,
        delivery_complete_count: summary.delivery_complete_count,
        ..base
    }
}
