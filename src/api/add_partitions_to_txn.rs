//! AddPartitionsToTxn (key 24, v0-5): the partitions a transaction is about to write to (KIP-98). From v4 on several
//! transactions in one request, and verification only (KIP-890): brokers among themselves.

use super::RequestContext;
use super::reply::Close;
use super::transactions::{add, fenced_as_known};
use crate::base::{ErrorCode, TopicPartition};
use crate::coordinator::transaction::AddKind;
use crate::metadata::MetadataImage;
use crate::protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use crate::protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use crate::protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Since this version clients know PRODUCER_FENCED.
const FENCED_FROM: i16 = 2;
/// Since this version a request names several transactions.
const TRANSACTIONS_FROM: i16 = 4;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: AddPartitionsToTxnRequest,
) -> Result<AddPartitionsToTxnResponse, Close> {
    if ctx.api_version >= TRANSACTIONS_FROM {
        // All are asked before the first answer is awaited.
        let asked: Vec<_> = request.transactions.iter().map(|transaction| ask(ctx, transaction)).collect();
        let mut results_by_transaction = Vec::with_capacity(asked.len());
        for (transaction, asked) in request.transactions.iter().zip(asked) {
            let told = if transaction.verify_only { &[][..] } else { &transaction.topics };
            let topic_results = by_topic(asked.await?, told);
            let transactional_id = transaction.transactional_id.clone();
            results_by_transaction.push(AddPartitionsToTxnResult { transactional_id, topic_results });
        }
        return Ok(AddPartitionsToTxnResponse { results_by_transaction, ..Default::default() });
    }
    let transaction = AddPartitionsToTxnTransaction {
        transactional_id: request.v3_and_below_transactional_id,
        producer_id: request.v3_and_below_producer_id,
        producer_epoch: request.v3_and_below_producer_epoch,
        verify_only: false,
        topics: request.v3_and_below_topics,
    };
    let results_by_topic_v3_and_below = by_topic(ask(ctx, &transaction).await?, &transaction.topics);
    Ok(AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() })
}

type Results = Vec<(TopicPartition, ErrorCode)>;

/// Asks for one transaction; the request is on its way when this returns. A partition that does not exist fails all.
fn ask(
    ctx: &RequestContext,
    transaction: &AddPartitionsToTxnTransaction,
) -> impl Future<Output = Result<Results, Close>> + use<> {
    let partitions = partitions(&transaction.topics);
    let missing = missing(&ctx.shard.image(), &partitions);
    let kind = match ctx.api_version >= TRANSACTIONS_FROM {
        true if transaction.verify_only => AddKind::Verify,
        true => AddKind::Implicit,
        false => AddKind::Explicit,
    };
    let who = (transaction.producer_id, transaction.producer_epoch);
    let asked = missing.is_none().then(|| add(ctx, &transaction.transactional_id, who, partitions, kind));
    let version = ctx.api_version;
    async move {
        let results = match asked {
            Some(asked) => asked.await?,
            None => missing.unwrap_or_default(),
        };
        let known = |(p, error)| (p, fenced_as_known(error, version, FENCED_FROM));
        Ok(results.into_iter().map(known).collect())
    }
}

fn partitions(topics: &[AddPartitionsToTxnTopic]) -> BTreeSet<TopicPartition> {
    let named = |topic: &AddPartitionsToTxnTopic| {
        let name: Arc<str> = Arc::from(&*topic.name);
        topic.partitions.iter().map(move |&index| TopicPartition::new(name.clone(), index)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(named).collect()
}

/// What to answer where not all partitions exist; `None` where they do.
fn missing(image: &MetadataImage, partitions: &BTreeSet<TopicPartition>) -> Option<Results> {
    let exists = |p: &TopicPartition| image.topic_by_name(&p.topic).is_some_and(|t| t.partition(p.partition).is_some());
    let error = |p: &TopicPartition| match exists(p) {
        true => ErrorCode::OperationNotAttempted,
        false => ErrorCode::UnknownTopicOrPartition,
    };
    (!partitions.iter().all(exists)).then(|| partitions.iter().map(|p| (p.clone(), error(p))).collect())
}

/// Topics added without partitions are told of, too, unless a partition that does not exist failed all.
fn by_topic(results: Results, asked: &[AddPartitionsToTxnTopic]) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut topics: BTreeMap<Arc<str>, Vec<AddPartitionsToTxnPartitionResult>> = BTreeMap::new();
    if !results.iter().any(|(_, error)| *error == ErrorCode::UnknownTopicOrPartition) {
        topics.extend(asked.iter().map(|topic| (Arc::from(&*topic.name), Vec::new())));
    }
    for (partition, error) in results {
        topics.entry(partition.topic).or_default().push(AddPartitionsToTxnPartitionResult {
            partition_index: partition.partition,
            partition_error_code: error.code(),
        });
    }
    let result = |(name, results_by_partition): (Arc<str>, _)| AddPartitionsToTxnTopicResult {
        name: (&*name).into(),
        results_by_partition,
    };
    topics.into_iter().map(result).collect()
}
