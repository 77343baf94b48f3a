//! What the APIs of transactions share: asking the coordinator about partitions, and errors older clients do not know.

use super::RequestContext;
use super::coordinate::ask_keeper;
use super::reply::Close;
use crate::base::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use crate::coordinator::transaction::{Add, AddKind, Answer, InitAnswer, Request, Transactions};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

/// Asks the coordinator about partitions of a transaction; an error for each. The request is on its way when this
/// returns.
pub fn add(
    ctx: &RequestContext,
    transactional_id: &str,
    (producer, epoch): (i64, i16),
    partitions: BTreeSet<TopicPartition>,
    kind: AddKind,
) -> impl Future<Output = Result<Vec<(TopicPartition, ErrorCode)>, Close>> + use<> {
    let add = Add {
        transactional_id: Arc::from(transactional_id),
        producer: ProducerId(producer),
        epoch: ProducerEpoch(epoch),
        partitions,
        kind,
    };
    let asked = ask_keeper::<Transactions>(ctx, transactional_id, Request::Add(add), None);
    async move {
        match asked.await? {
            Answer::Added(results) => Ok(results),
            _ => Err(Close::Stopping),
        }
    }
}

/// Asks for what is answered with a producer's id and epoch.
pub fn ask_producer(
    ctx: &RequestContext,
    transactional_id: &str,
    request: Request,
) -> impl Future<Output = Result<InitAnswer, Close>> + use<> {
    let asked = ask_keeper::<Transactions>(ctx, transactional_id, request, None);
    async move {
        match asked.await? {
            Answer::Producer(answer) => Ok(answer),
            _ => Err(Close::Stopping),
        }
    }
}

/// Clients below `since` know only INVALID_PRODUCER_EPOCH for PRODUCER_FENCED.
pub fn fenced_as_known(error: ErrorCode, version: i16, since: i16) -> ErrorCode {
    if error == ErrorCode::ProducerFenced && version < since { ErrorCode::InvalidProducerEpoch } else { error }
}

/// What the coordinator says of a write, as producers know it (`AddPartitionsToTxnManager`, `handleProduceAppend`).
pub fn write_error(error: ErrorCode, kind: AddKind, knows_abortable: bool) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if !knows_abortable => ErrorCode::InvalidTxnState,
        // Older clients do not come again after these; after this one they do.
        ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
            ErrorCode::NotEnoughReplicas
        }
        ErrorCode::ConcurrentTransactions if kind != AddKind::Implicit => ErrorCode::NotEnoughReplicas,
        error => error,
    }
}
