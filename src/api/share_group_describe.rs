//! ShareGroupDescribe (key 77, v1): members and assignments of share groups (KIP-932).

use super::RequestContext;
use super::coordinate::{ask_all, by_partition};
use super::reply::Close;
use super::share_member::enabled;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Groups, Request};
use crate::protocol::Str;
use crate::protocol::messages::share_group_describe_response::DescribedGroup;
use crate::protocol::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};

/// Every operation there is on a group: read, delete, describe, describe configs, alter configs.
const GROUP_OPERATIONS: i32 = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11);

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: ShareGroupDescribeRequest,
) -> Result<ShareGroupDescribeResponse, Close> {
    let refused = |id: &Str, error: ErrorCode| DescribedGroup {
        group_id: id.clone(),
        error_code: error.code(),
        ..DescribedGroup::default()
    };
    if !enabled(ctx) {
        let groups = request.group_ids.iter().map(|id| refused(id, ErrorCode::UnsupportedVersion)).collect();
        return Ok(ShareGroupDescribeResponse { groups, ..Default::default() });
    }
    let (nameless, named): (Vec<Str>, Vec<Str>) = request.group_ids.into_iter().partition(|id| id.is_empty());
    let (homeless, shares) = by_partition::<Groups, _>(ctx, named);
    let mut groups: Vec<DescribedGroup> = nameless.iter().map(|id| refused(id, ErrorCode::InvalidGroupId)).collect();
    groups.extend(homeless.iter().map(|id| refused(id, ErrorCode::CoordinatorNotAvailable)));
    let asks = shares.into_iter().map(|(id, groups)| (id, Request::ShareDescribe(groups))).collect();
    for answer in ask_all::<Groups>(ctx, asks).await {
        if let Answer::ShareDescribe(described) = answer {
            groups.extend(described);
        }
    }
    if request.include_authorized_operations {
        groups.iter_mut().filter(|g| g.error_code == 0).for_each(|g| g.authorized_operations = GROUP_OPERATIONS);
    }
    Ok(ShareGroupDescribeResponse { groups, ..Default::default() })
}
