//! SaslAuthenticate (key 36, v0-2): whoever is served here is past authentication (KIP-152).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};

/// Answers one request.
pub async fn handle(_: &RequestContext, _: SaslAuthenticateRequest) -> Result<SaslAuthenticateResponse, Close> {
    Ok(SaslAuthenticateResponse {
        error_code: ErrorCode::IllegalSaslState.code(),
        error_message: Some("SaslAuthenticate request received after successful authentication".into()),
        ..Default::default()
    })
}
