//! JoinGroup (key 11, v0-9): a member asks to be part of the next generation (KIP-345, 394, 559, 814).

use super::RequestContext;
use super::coordinate::{ask, caller};
use super::reply::Close;
use crate::coordinator::group::Request;
use crate::protocol::Str;
use crate::protocol::messages::{JoinGroupRequest, JoinGroupResponse};

/// Since this version the protocol's name may be null.
const NULL_PROTOCOL_FROM: i16 = 7;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: JoinGroupRequest) -> Result<JoinGroupResponse, Close> {
    let group = request.group_id.clone();
    let mut response: JoinGroupResponse = ask(ctx, &group, Request::Join(caller(ctx), request)).await?;
    if ctx.api_version < NULL_PROTOCOL_FROM && response.protocol_name.is_none() {
        response.protocol_name = Some(Str::new());
    }
    Ok(response)
}
