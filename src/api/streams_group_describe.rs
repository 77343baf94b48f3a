//! StreamsGroupDescribe (key 89, v0): state, epochs, topology, members and tasks of streams groups (KIP-1071).

use super::RequestContext;
use super::coordinate::{ask_all, by_partition};
use super::describe_groups::ALL_OPERATIONS;
use super::reply::Close;
use super::streams_group_heartbeat::is_enabled;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Groups, Request};
use crate::protocol::Str;
use crate::protocol::messages::streams_group_describe_response::DescribedGroup;
use crate::protocol::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: StreamsGroupDescribeRequest,
) -> Result<StreamsGroupDescribeResponse, Close> {
    if !is_enabled(ctx) {
        let groups = refused(request.group_ids, ErrorCode::UnsupportedVersion);
        return Ok(StreamsGroupDescribeResponse { groups, ..Default::default() });
    }
    let (nameless, named): (Vec<Str>, Vec<Str>) = request.group_ids.into_iter().partition(|id| id.is_empty());
    let (homeless, shares) = by_partition::<Groups, _>(ctx, named);
    let mut groups = refused(nameless, ErrorCode::InvalidGroupId);
    groups.extend(refused(homeless, ErrorCode::NotCoordinator));
    let requests = shares.into_iter().map(|(id, share)| (id, Request::StreamsDescribe(share))).collect();
    for answer in ask_all::<Groups>(ctx, requests).await {
        let Answer::StreamsDescribe(described) = answer else { return Err(Close::Stopping) };
        groups.extend(described);
    }
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == 0) {
            group.authorized_operations = ALL_OPERATIONS;
        }
    }
    Ok(StreamsGroupDescribeResponse { groups, ..Default::default() })
}

fn refused(groups: Vec<Str>, error: ErrorCode) -> Vec<DescribedGroup> {
    let refused = |group_id| DescribedGroup { group_id, error_code: error.code(), ..Default::default() };
    groups.into_iter().map(refused).collect()
}
