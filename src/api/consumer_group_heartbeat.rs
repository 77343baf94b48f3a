//! ConsumerGroupHeartbeat (key 68, v0-1): a member of a consumer group joins, stays or leaves (KIP-848).

use super::RequestContext;
use super::coordinate::{ask, caller};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::coordinator::group::Request;
use crate::metadata::features::{GROUP_VERSION, GROUP_VERSION_CONSUMER};
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, Close> {
    if !is_enabled(ctx) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return Ok(ConsumerGroupHeartbeatResponse { error_code, ..Default::default() });
    }
    if request.group_id.trim().is_empty() {
        return Ok(ConsumerGroupHeartbeatResponse {
            error_code: ErrorCode::InvalidRequest.code(),
            error_message: Some("GroupId can't be empty.".into()),
            ..Default::default()
        });
    }
    let group = request.group_id.clone();
    ask(ctx, &group, Request::ConsumerHeartbeat(caller(ctx), request)).await
}

/// True where the protocol is served: by the configuration, and in the cluster's features.
pub fn is_enabled(ctx: &RequestContext) -> bool {
    ctx.shard.shared.config.groups.consumer.enabled
        && ctx.shard.image().feature(GROUP_VERSION) >= GROUP_VERSION_CONSUMER
}
