//! ShareGroupHeartbeat (key 76, v1): a member of a share group joins, stays or leaves (KIP-932). Partitions the group
//! wants and that have not begun are begun before the answer.

use super::RequestContext;
use super::coordinate::{ask, caller};
use super::reply::Close;
use super::share_member::enabled;
use super::share_progress;
use crate::base::ErrorCode;
use crate::coordinator::group::Request;
use crate::coordinator::group::share::Answered;
use crate::protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use std::rc::Rc;

/// Answers one request.
pub async fn handle(
    ctx: &Rc<RequestContext>,
    request: ShareGroupHeartbeatRequest,
) -> Result<ShareGroupHeartbeatResponse, Close> {
    if !enabled(ctx) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return Ok(ShareGroupHeartbeatResponse { error_code, ..Default::default() });
    }
    if request.group_id.trim().is_empty() {
        return Ok(ShareGroupHeartbeatResponse {
            error_code: ErrorCode::InvalidRequest.code(),
            error_message: Some("GroupId can't be empty.".into()),
            ..Default::default()
        });
    }
    let group = request.group_id.clone();
    let (response, initialize): Answered = ask(ctx, &group, Request::ShareHeartbeat(caller(ctx), request)).await?;
    let Some(initialize) = initialize else { return Ok(response) };
    Ok(match share_progress::initialize(ctx, initialize).await {
        Ok(()) => response,
        Err(error) => ShareGroupHeartbeatResponse { error_code: error.code(), ..Default::default() },
    })
}
