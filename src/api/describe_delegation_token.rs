//! DescribeDelegationToken (key 41, v1-3): not on a connection that proved no identity (KIP-48).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

/// Answers one request.
pub async fn handle(
    _: &RequestContext,
    _: DescribeDelegationTokenRequest,
) -> Result<DescribeDelegationTokenResponse, Close> {
    Ok(DescribeDelegationTokenResponse {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        ..Default::default()
    })
}
