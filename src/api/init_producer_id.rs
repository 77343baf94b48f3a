//! InitProducerId (key 22, v0-5): an id for an idempotent producer, or the next epoch of a transactional one
//! (KIP-98, 360, 890, 939).

use super::RequestContext;
use super::reply::Close;
use super::transactions::{ask_producer, fenced_as_known};
use crate::base::{ErrorCode, ProducerEpoch, ProducerId};
use crate::coordinator::transaction::{Init, InitAnswer, Request};
use crate::protocol::messages::init_producer_id_request::InitProducerIdRequest;
use crate::protocol::messages::init_producer_id_response::InitProducerIdResponse;
use std::sync::Arc;

/// Since this version clients know PRODUCER_FENCED.
const FENCED_FROM: i16 = 4;

/// Answers one request. Whoever brings an id and an epoch but no transactional id gets a new id all the same: the
/// broker does not know a producer again then.
pub async fn handle(ctx: &RequestContext, request: InitProducerIdRequest) -> Result<InitProducerIdResponse, Close> {
    let outcome = match (expected(&request), &request.transactional_id) {
        (Err(error), _) => Err(error),
        (Ok(_), None) => ctx.shard.next_producer_id().await.map(|id| (id, ProducerEpoch(0))),
        (Ok(_), Some(id)) if id.is_empty() => Err(ErrorCode::InvalidRequest),
        (Ok(expected), Some(id)) => transactional(ctx, &request, id, expected).await?,
    };
    Ok(match outcome {
        Ok((id, epoch)) => InitProducerIdResponse { producer_id: id.0, producer_epoch: epoch.0, ..Default::default() },
        Err(error) => InitProducerIdResponse {
            error_code: fenced_as_known(error, ctx.api_version, FENCED_FROM).code(),
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        },
    })
}

/// The id and epoch the producer says it has: both or none.
fn expected(request: &InitProducerIdRequest) -> Result<Option<(ProducerId, ProducerEpoch)>, ErrorCode> {
    match (request.producer_id, request.producer_epoch) {
        (-1, -1) => Ok(None),
        (-1, _) | (_, -1) => Err(ErrorCode::InvalidRequest),
        (id, epoch) => Ok(Some((ProducerId(id), ProducerEpoch(epoch)))),
    }
}

async fn transactional(
    ctx: &RequestContext,
    request: &InitProducerIdRequest,
    id: &str,
    expected: Option<(ProducerId, ProducerEpoch)>,
) -> Result<InitAnswer, Close> {
    let init = Init {
        transactional_id: Arc::from(id),
        timeout_ms: request.transaction_timeout_ms,
        expected,
        enable_2pc: request.enable2_pc,
        keep_prepared: request.keep_prepared_txn,
    };
    ask_producer(ctx, id, Request::Init(init)).await
}
