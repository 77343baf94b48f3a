//! EndTxn (key 26, v0-5): a transaction commits or aborts (KIP-98). From v5 on the producer's epoch is raised, and told
//! (KIP-890).

use super::RequestContext;
use super::reply::Close;
use super::transactions::{ask_producer, fenced_as_known};
use crate::base::{ErrorCode, ProducerEpoch, ProducerId};
use crate::coordinator::transaction::{End, Request};
use crate::protocol::messages::{EndTxnRequest, EndTxnResponse};
use std::sync::Arc;

/// Since this version clients know PRODUCER_FENCED.
const FENCED_FROM: i16 = 2;
/// Since this version the client speaks `transaction.version` 2.
const RAISES_EPOCHS_FROM: i16 = 5;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: EndTxnRequest) -> Result<EndTxnResponse, Close> {
    let id = &*request.transactional_id;
    let end = End {
        transactional_id: Arc::from(id),
        producer: ProducerId(request.producer_id),
        epoch: ProducerEpoch(request.producer_epoch),
        commit: request.committed,
        client_version: if ctx.api_version >= RAISES_EPOCHS_FROM { 2 } else { 0 },
    };
    let outcome = match id.is_empty() {
        true => Err(ErrorCode::InvalidRequest),
        false => ask_producer(ctx, id, Request::End(end)).await?,
    };
    Ok(match outcome {
        Ok((producer, epoch)) => {
            EndTxnResponse { producer_id: producer.0, producer_epoch: epoch.0, ..Default::default() }
        }
        Err(error) => EndTxnResponse {
            error_code: fenced_as_known(error, ctx.api_version, FENCED_FROM).code(),
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        },
    })
}
