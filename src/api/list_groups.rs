//! ListGroups (key 16, v0-5): the groups of all partitions this node coordinates (KIP-518, 848).

use super::RequestContext;
use super::coordinate::{all_partitions, ask_all};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Groups, Request};
use crate::protocol::messages::{ListGroupsRequest, ListGroupsResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: ListGroupsRequest) -> Result<ListGroupsResponse, Close> {
    let requests = all_partitions::<Groups>(ctx).into_iter().map(|id| (id, Request::List(request.clone()))).collect();
    let mut response = ListGroupsResponse::default();
    for answer in ask_all::<Groups>(ctx, requests).await {
        match answer {
            Answer::List(Ok(groups)) => response.groups.extend(groups),
            // Led elsewhere: that node lists them.
            Answer::List(Err(ErrorCode::NotCoordinator)) => {}
            Answer::List(Err(error)) => {
                return Ok(ListGroupsResponse { error_code: error.code(), ..ListGroupsResponse::default() });
            }
            _ => return Err(Close::Stopping),
        }
    }
    Ok(response)
}
