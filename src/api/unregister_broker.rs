//! UnregisterBroker (key 64, v0): a broker that is gone for good is forgotten (KIP-631).

use super::RequestContext;
use super::reply::Close;
use crate::base::BrokerId;
use crate::controller::unregister_broker;
use crate::protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: UnregisterBrokerRequest) -> Result<UnregisterBrokerResponse, Close> {
    let own = ctx.shard.shared.identity.node_id;
    let forgotten =
        ctx.shard.change_metadata(move |image, _| unregister_broker(image, BrokerId(request.broker_id), own));
    let Err(refusal) = forgotten.await.unwrap_or_else(|error| Err(error.into())) else {
        return Ok(UnregisterBrokerResponse { error_message: Some("".into()), ..Default::default() });
    };
    Ok(UnregisterBrokerResponse {
        error_code: refusal.code.code(),
        error_message: refusal.message.map(Into::into),
        ..Default::default()
    })
}
