//! LeaveGroup (key 13, v0-5): members go, one (to v2) or several (KIP-345).

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use crate::coordinator::group::Request;
use crate::protocol::messages::leave_group_request::MemberIdentity;
use crate::protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

/// Since this version a request names several members.
const MEMBERS_FROM: i16 = 3;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, mut request: LeaveGroupRequest) -> Result<LeaveGroupResponse, Close> {
    let single = ctx.api_version < MEMBERS_FROM;
    if single {
        let member_id = std::mem::take(&mut request.member_id);
        request.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
    }
    let group = request.group_id.clone();
    let mut response: LeaveGroupResponse = ask(ctx, &group, Request::Leave(request)).await?;
    if single {
        let own = response.members.first().map_or(0, |m| m.error_code);
        let error_code = if response.error_code == 0 { own } else { response.error_code };
        response = LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
    }
    Ok(response)
}
