//! The first batches of a transaction in their partitions: the coordinator is asked whether it knows, or told
//! (KIP-890; `ReplicaManager.handleProduceAppend`). Later batches find the transaction open and come by without.

use super::RequestContext;
use super::transactions::{add, write_error};
use crate::base::{ErrorCode, TopicPartition};
use crate::coordinator::transaction::AddKind;
use crate::log::{Guard, Verification};
use crate::partition::AppendOutcome;
use crate::protocol::Str;
use crate::protocol::messages::produce_request::ProduceRequest;
use crate::record::BatchHeader;
use crate::record::header::MAGIC_V2;
use std::collections::{BTreeSet, HashMap};

/// Since this version the client leaves adding partitions to its writes.
const IMPLICIT_FROM: i16 = 12;
/// Since this version clients know TRANSACTION_ABORTABLE.
const ABORTABLE_FROM: i16 = 11;

/// A partition whose batch waits for the coordinator.
pub struct Unsure {
    /// Its place in the request.
    pub slot: usize,
    /// The partition.
    pub name: TopicPartition,
    /// What to append it under.
    pub guard: Guard,
}

/// The producers of a request's transactional batches (id and epoch); all empty where there are none.
pub fn producers(request: &ProduceRequest) -> BTreeSet<(i64, i16)> {
    let producer = |records: Option<&[u8]>| {
        let header = BatchHeader::of(records?)?;
        let counts = header.magic() == MAGIC_V2 && header.is_transactional() && header.has_producer();
        counts.then(|| (header.producer_id().0, header.producer_epoch().0))
    };
    let mut found = BTreeSet::new();
    for topic in request.topic_data.iter() {
        found.extend(topic.partition_data.iter().filter_map(|data| producer(data.records.as_deref())));
    }
    found
}

/// How sure the coordinator's knowledge is before it was asked.
pub fn verification(ctx: &RequestContext) -> Verification {
    match kind(ctx) {
        AddKind::Implicit => Verification::Wanted { raises_epochs: true },
        _ if ctx.shard.verifies_transactions() => Verification::Wanted { raises_epochs: false },
        _ => Verification::Off,
    }
}

fn kind(ctx: &RequestContext) -> AddKind {
    if ctx.api_version >= IMPLICIT_FROM { AddKind::Implicit } else { AddKind::Verify }
}

/// Asks the coordinator of `transactional_id` about all partitions at once: the slots that may be appended with their
/// guards, and what to answer for the others.
pub async fn ask(
    ctx: &RequestContext,
    transactional_id: &Str,
    producer: (i64, i16),
    unsure: Vec<Unsure>,
) -> (HashMap<usize, Guard>, Vec<(usize, AppendOutcome)>) {
    let names = unsure.iter().map(|one| one.name.clone()).collect();
    let results = add(ctx, transactional_id, producer, names, kind(ctx)).await.unwrap_or_default();
    let results: HashMap<TopicPartition, ErrorCode> = results.into_iter().collect();
    let mut sure = HashMap::new();
    let mut refused = Vec::new();
    for one in unsure {
        let error = results.get(&one.name).copied().unwrap_or(ErrorCode::NotCoordinator);
        match write_error(error, kind(ctx), ctx.api_version >= ABORTABLE_FROM) {
            ErrorCode::None => drop(sure.insert(one.slot, one.guard)),
            told => refused.push((one.slot, refusal(error, told))),
        }
    }
    (sure, refused)
}

fn refusal(error: ErrorCode, told: ErrorCode) -> AppendOutcome {
    let message = match told {
        ErrorCode::InvalidTxnState => Some("Partition was not added to the transaction".to_owned()),
        ErrorCode::NotEnoughReplicas => {
            Some(format!("Unable to verify the partition has been added to the transaction. Underlying error: {error}"))
        }
        _ => None,
    };
    AppendOutcome { message, ..AppendOutcome::failed(told) }
}
