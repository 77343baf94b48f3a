//! Heartbeat (key 12, v0-4): a member is alive, and learns of a rebalance.

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use crate::coordinator::group::Request;
use crate::protocol::messages::{HeartbeatRequest, HeartbeatResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: HeartbeatRequest) -> Result<HeartbeatResponse, Close> {
    let group = request.group_id.clone();
    ask(ctx, &group, Request::Heartbeat(request)).await
}
