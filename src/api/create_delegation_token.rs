//! CreateDelegationToken (key 38, v1-3): not on a connection that proved no identity (KIP-48).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};

/// Since this version the answer names who asked, too.
const REQUESTER_FROM: i16 = 3;

/// Who a connection is that proved nothing (`KafkaPrincipal.ANONYMOUS`).
const ANONYMOUS: (&str, &str) = ("User", "ANONYMOUS");

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: CreateDelegationTokenRequest,
) -> Result<CreateDelegationTokenResponse, Close> {
    let (kind, name) = ctx.connection.principal.split_once(':').unwrap_or(ANONYMOUS);
    let owner = request.owner_principal_name.filter(|owner| !owner.is_empty());
    if owner.is_some() && ctx.api_version >= REQUESTER_FROM && request.owner_principal_type.is_none() {
        return Ok(untyped_owner());
    }
    let owner_kind = owner.as_ref().and(request.owner_principal_type);
    let tells_requester = ctx.api_version >= REQUESTER_FROM;
    let requester = |text: &str| if tells_requester { text.into() } else { Default::default() };
    Ok(CreateDelegationTokenResponse {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        principal_type: owner_kind.unwrap_or_else(|| kind.into()),
        principal_name: owner.unwrap_or_else(|| name.into()),
        token_requester_principal_type: requester(kind),
        token_requester_principal_name: requester(name),
        issue_timestamp_ms: -1,
        expiry_timestamp_ms: -1,
        max_timestamp_ms: -1,
        ..Default::default()
    })
}

/// A name of no type is no principal: Apache Kafka fails inside, and answers with what it has of nobody.
fn untyped_owner() -> CreateDelegationTokenResponse {
    let (kind, name) = ANONYMOUS;
    CreateDelegationTokenResponse {
        error_code: ErrorCode::UnknownServerError.code(),
        principal_type: kind.into(),
        principal_name: name.into(),
        token_requester_principal_type: kind.into(),
        token_requester_principal_name: name.into(),
        issue_timestamp_ms: -1,
        expiry_timestamp_ms: -1,
        max_timestamp_ms: -1,
        ..Default::default()
    }
}
