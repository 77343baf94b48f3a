//! ElectLeaders (key 43, v0-2): the preferred leader, or any where there is none (KIP-183, 460).

use super::RequestContext;
use super::reply::Close;
use crate::controller::elect_leaders;
use crate::protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: ElectLeadersRequest) -> Result<ElectLeadersResponse, Close> {
    let elected = ctx.shard.change_metadata(move |image, _| elect_leaders(image, &request));
    Ok(elected.await.unwrap_or_else(|error| ElectLeadersResponse { error_code: error.code(), ..Default::default() }))
}
