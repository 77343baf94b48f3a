//! DeleteGroups (key 42, v0-2): groups without members go, with their offsets (KIP-229).

use super::RequestContext;
use super::coordinate::ask;
use super::coordinate::{ask_all, by_partition};
use super::reply::Close;
use super::share_progress;
use crate::base::ErrorCode;
use crate::coordinator::group::share::Partitioned;
use crate::coordinator::group::{Answer, Groups, Request};
use crate::protocol::Str;
use crate::protocol::messages::delete_groups_response::DeletableGroupResult;
use crate::protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

/// Answers one request.
pub async fn handle(ctx: &Rc<RequestContext>, request: DeleteGroupsRequest) -> Result<DeleteGroupsResponse, Close> {
    let mut seen = HashSet::new();
    let mut groups: Vec<Str> = request.groups_names.into_iter().filter(|id| seen.insert(id.clone())).collect();
    let failed = delete_progress(ctx, &mut groups).await?;
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
    results.extend(failed);
    Ok(DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() })
}

/// The progress of share groups goes before they do. Those of which it could not be deleted are taken out of `groups`.
async fn delete_progress(ctx: &Rc<RequestContext>, groups: &mut Vec<Str>) -> Result<Vec<DeletableGroupResult>, Close> {
    let mut failed = Vec::new();
    for id in groups.clone() {
        let group: Arc<str> = Arc::from(&*id);
        // Who is no share group, or has members, is told so when it is deleted.
        let kept: Partitioned = ask(ctx, &group, Request::ShareDelete(group.clone(), None)).await?;
        let Ok(partitions) = kept else { continue };
        let results = share_progress::delete(ctx, &group, partitions).await;
        if let Some(error) = results.iter().find_map(|(_, result)| result.err()) {
            groups.retain(|other| *other != id);
            failed.push(DeletableGroupResult { group_id: id, error_code: error.code() });
        }
    }
    Ok(failed)
}
