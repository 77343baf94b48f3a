//! DeleteGroups (key 42, v0-2): groups without members go, with their offsets (KIP-229).

use super::RequestContext;
use super::coordinate::{ask_all, by_partition};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Groups, Request};
use crate::protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use std::collections::HashSet;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: DeleteGroupsRequest) -> Result<DeleteGroupsResponse, Close> {
    let mut seen = HashSet::new();
    let groups = request.groups_names.into_iter().filter(|id| seen.insert(id.clone()));
    let (homeless, shares) = by_partition::<Groups, _>(ctx, groups);
    let mut results = match Request::Delete(homeless).refuse(ErrorCode::NotCoordinator) {
        Answer::Delete(refused) => refused,
        _ => Vec::new(),
    };
    let requests = shares.into_iter().map(|(id, share)| (id, Request::Delete(share))).collect();
    for answer in ask_all::<Groups>(ctx, requests).await {
        let Answer::Delete(deleted) = answer else { return Err(Close::Stopping) };
        results.extend(deleted);
    }
    Ok(DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() })
}
