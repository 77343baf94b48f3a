//! Fetch (key 1, v4-18): sessions, long poll, ranges of segment files (KIP-74, 227, 320, 392, 516).

mod plan;
mod respond;
mod wait;

use super::RequestContext;
use super::reply::{Close, Reply};
use crate::base::ErrorCode;
use crate::partition::Reader;
use crate::protocol::decode_request;
use crate::protocol::messages::FetchRequest;
use crate::shard::fetch_session::SessionError;
use bytes::Bytes;
use plan::Plan;
use std::rc::Rc;
use wait::Limits;

/// First version that names topics by id (KIP-516).
const BY_TOPIC_ID: i16 = 13;
/// `replica_id` of an ordinary consumer; -2 is a debugging one.
const CONSUMER: i32 = -1;

/// Answers one fetch.
pub async fn handle(ctx: Rc<RequestContext>, body: Bytes) -> Reply {
    let request: FetchRequest = match decode_request(body, ctx.api_version) {
        Ok(request) => request,
        Err(e) => return Reply::Close(Close::Malformed(e)),
    };
    let plan = match Plan::make(&ctx, &request) {
        Ok(plan) => plan,
        Err(error) => return respond::failed(&ctx, error_of(&error)),
    };
    let limits = limits(&ctx, &request);
    let (items, mut early) = plan.items(&ctx, reader(&request));
    ctx.connection.traffic.fetches(&ctx.shard, &items, plan.session_id);
    let urgent = early.iter().flatten().next().is_some();
    let limits = if urgent { Limits { min_bytes: 0, ..limits } } else { limits };
    let slots = early.len();
    let read = if items.is_empty() && !urgent && slots == 0 {
        // A session whose partitions are all forgotten, or an empty fetch: nothing to wait for.
        Vec::new()
    } else {
        wait::run(&ctx.shard, items, slots, limits).await
    };
    let answers = early.iter_mut().zip(read).map(|(early, read)| early.take().unwrap_or(read)).collect();
    respond::answer(&ctx, plan, answers, limits.max_bytes)
}

fn limits(ctx: &RequestContext, request: &FetchRequest) -> Limits {
    let broker_max = ctx.shard.shared.config.network.fetch_max_bytes;
    let max_bytes = request.max_bytes.min(broker_max).max(0) as u32;
    let min_bytes = request.min_bytes.clamp(0, max_bytes as i32) as u64;
    let deadline = ctx.now.mono.plus_ms(i64::from(request.max_wait_ms));
    Limits { min_bytes, max_bytes, deadline }
}

fn reader(request: &FetchRequest) -> Reader {
    let (id, epoch) = match request.replica_id {
        CONSUMER => (request.replica_state.replica_id, request.replica_state.replica_epoch),
        id => (id, -1),
    };
    if id >= 0 {
        Reader::Replica { id: id.into(), epoch }
    } else if request.isolation_level == 1 {
        Reader::CommittedConsumer
    } else {
        Reader::Consumer
    }
}

fn error_of(error: &SessionError) -> ErrorCode {
    match error {
        SessionError::IdNotFound => ErrorCode::FetchSessionIdNotFound,
        SessionError::InvalidEpoch => ErrorCode::InvalidFetchSessionEpoch,
        SessionError::TopicIdError => ErrorCode::FetchSessionTopicIdError,
    }
}
