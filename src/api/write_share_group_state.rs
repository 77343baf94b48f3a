//! WriteShareGroupState (key 85, v0-1): new states of share partitions (KIP-932, KIP-1226).

use super::RequestContext;
use super::reply::Close;
use super::share_state::{WRITE_UNINITIALIZED, ask_each, told};
use crate::base::Offset;
use crate::coordinator::share::{Request, WriteAsk};
use crate::protocol::messages::write_share_group_state_request::PartitionData;
use crate::protocol::messages::write_share_group_state_response::{PartitionResult, WriteStateResult};
use crate::protocol::messages::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};
use crate::share::StateBatch;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: WriteShareGroupStateRequest,
) -> Result<WriteShareGroupStateResponse, Close> {
    if request.group_id.is_empty() || request.topics.iter().any(|t| t.partitions.is_empty()) {
        return Ok(WriteShareGroupStateResponse::default());
    }
    let flat = || request.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.topic_id, p)));
    let asks: Vec<WriteAsk> = flat().map(|(_, p)| ask(p)).collect();
    let answers =
        ask_each(ctx, &request.group_id, flat().map(|(id, p)| (id, p.partition)), WRITE_UNINITIALIZED, |key, at| {
            match asks.get(at) {
                Some(ask) => Request::Write(key, ask.clone()),
                None => Request::Summarize(key),
            }
        });
    let mut answers = answers.await.into_iter();
    let results = request.topics.iter().map(|topic| WriteStateResult {
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
    Ok(WriteShareGroupStateResponse { results: results.collect() })
}

fn ask(partition: &PartitionData) -> WriteAsk {
    let batches = partition.state_batches.iter().map(|b| StateBatch {
        first: Offset(b.first_offset),
        last: Offset(b.last_offset),
        state: b.delivery_state,
        delivery_count: b.delivery_count,
    });
    WriteAsk {
        state_epoch: partition.state_epoch,
        leader_epoch: partition.leader_epoch,
        start_offset: partition.start_offset,
        delivery_complete_count: partition.delivery_complete_count,
        batches: batches.collect(),
    }
}
