//! InitProducerId (key 22, v0-5): an id for an idempotent producer (KIP-98, 360). Transactional producers are refused
//! until there are transactions.

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::init_producer_id_request::InitProducerIdRequest;
use crate::protocol::messages::init_producer_id_response::InitProducerIdResponse;

/// Answers one request. Whoever brings an id and an epoch gets a new id all the same: without a transactional id the
/// broker does not know a producer again.
pub async fn handle(ctx: &RequestContext, request: InitProducerIdRequest) -> Result<InitProducerIdResponse, Close> {
    let half_known = (request.producer_id == -1) != (request.producer_epoch == -1);
    let outcome = if request.transactional_id.is_some() || half_known {
        Err(ErrorCode::InvalidRequest)
    } else {
        ctx.shard.next_producer_id().await
    };
    Ok(match outcome {
        Ok(id) => InitProducerIdResponse { producer_id: id.0, producer_epoch: 0, ..Default::default() },
        Err(error) => InitProducerIdResponse {
            error_code: error.code(),
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        },
    })
}
