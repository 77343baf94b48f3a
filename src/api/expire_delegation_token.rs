//! ExpireDelegationToken (key 40, v1-2): not on a connection that proved no identity (KIP-48).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};

/// Answers one request.
pub async fn handle(
    _: &RequestContext,
    _: ExpireDelegationTokenRequest,
) -> Result<ExpireDelegationTokenResponse, Close> {
    Ok(ExpireDelegationTokenResponse {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        expiry_timestamp_ms: -1,
        ..Default::default()
    })
}
