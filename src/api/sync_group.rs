//! SyncGroup (key 14, v0-5): the leader brings the assignment, the members fetch theirs.

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::group::Request;
use crate::protocol::messages::{SyncGroupRequest, SyncGroupResponse};

/// Since this version type and name of the protocol must be there (KIP-559).
const PROTOCOL_FROM: i16 = 5;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: SyncGroupRequest) -> Result<SyncGroupResponse, Close> {
    let lacks_protocol = request.protocol_type.is_none() || request.protocol_name.is_none();
    if ctx.api_version >= PROTOCOL_FROM && lacks_protocol {
        let error_code = ErrorCode::InconsistentGroupProtocol.code();
        return Ok(SyncGroupResponse { error_code, ..SyncGroupResponse::default() });
    }
    let group = request.group_id.clone();
    ask(ctx, &group, Request::Sync(request)).await
}
