//! ConsumerGroupDescribe (key 69, v0-1): state, epochs, members and assignments of consumer groups (KIP-848).

use super::RequestContext;
use super::consumer_group_heartbeat::is_enabled;
use super::coordinate::{ask_all, by_partition};
use super::describe_groups::ALL_OPERATIONS;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Groups, Request};
use crate::protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: ConsumerGroupDescribeRequest,
) -> Result<ConsumerGroupDescribeResponse, Close> {
    let enabled = is_enabled(ctx);
    let (nameless, named): (Vec<_>, Vec<_>) =
        request.group_ids.into_iter().partition(|group| enabled && group.is_empty());
    let (homeless, shares, error) = match enabled {
        true => {
            let (homeless, shares) = by_partition::<Groups, _>(ctx, named);
            (homeless, shares, ErrorCode::NotCoordinator)
        }
        false => (named, Vec::new(), ErrorCode::UnsupportedVersion),
    };
    let mut groups = Vec::new();
    for (refused, error) in [(nameless, ErrorCode::InvalidGroupId), (homeless, error)] {
        if let Answer::ConsumerDescribe(refused) = Request::ConsumerDescribe(refused).refuse(error) {
            groups.extend(refused);
        }
    }
    let requests = shares.into_iter().map(|(id, share)| (id, Request::ConsumerDescribe(share))).collect();
    for answer in ask_all::<Groups>(ctx, requests).await {
        let Answer::ConsumerDescribe(described) = answer else { return Err(Close::Stopping) };
        groups.extend(described);
    }
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|g| g.error_code == 0) {
            group.authorized_operations = ALL_OPERATIONS;
        }
    }
    Ok(ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() })
}
