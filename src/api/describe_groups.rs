//! DescribeGroups (key 15, v0-6): state, members and assignments of classic groups.

use super::RequestContext;
use super::coordinate::{ask_all, by_partition, caller};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Groups, Request};
use crate::protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

/// Since this version the allowed operations can be asked for (KIP-430).
const OPERATIONS_FROM: i16 = 3;
/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS by their ACL numbers, as bits: all that a group knows.
pub const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: DescribeGroupsRequest) -> Result<DescribeGroupsResponse, Close> {
    let (homeless, shares) = by_partition::<Groups, _>(ctx, request.groups);
    let mut groups = match Request::Describe(caller(ctx), homeless).refuse(ErrorCode::NotCoordinator) {
        Answer::Describe(refused) => refused,
        _ => Vec::new(),
    };
    let requests = shares.into_iter().map(|(id, share)| (id, Request::Describe(caller(ctx), share))).collect();
    for answer in ask_all::<Groups>(ctx, requests).await {
        let Answer::Describe(described) = answer else { return Err(Close::Stopping) };
        groups.extend(described);
    }
    if ctx.api_version >= OPERATIONS_FROM && request.include_authorized_operations {
        for group in groups.iter_mut().filter(|g| g.error_code == 0) {
            group.authorized_operations = ALL_OPERATIONS;
        }
    }
    Ok(DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() })
}
