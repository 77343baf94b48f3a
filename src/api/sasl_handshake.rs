//! SaslHandshake (key 17, v0-1): this listener asks for no authentication (KIP-43).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

/// Answers one request.
pub async fn handle(_: &RequestContext, _: SaslHandshakeRequest) -> Result<SaslHandshakeResponse, Close> {
    Ok(SaslHandshakeResponse { error_code: ErrorCode::IllegalSaslState.code(), ..Default::default() })
}
