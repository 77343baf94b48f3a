//! Produce (key 0, v3-13): batches to their partitions' owners, answers when they are committed.
//!
//! The ordered step (validate, assign offsets, enqueue) happens on each owner in the order in which
//! requests arrive; the answer follows when the append is written (acks=1) or committed (acks=-1).

use super::RequestContext;
use super::produce_in_transaction::{self as in_transaction, Unsure};
use super::reply::{Close, Reply, Response};
use crate::base::topic::is_internal;
use crate::base::{ErrorCode, TopicIdPartition, TopicPartition};
use crate::log::{Verification, check_produced};
use crate::metadata::{MetadataImage, TopicImage};
use crate::partition::{AppendAsk, AppendOutcome, RequiredAcks, append_code};
use crate::protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
    TopicProduceResponse,
};
use crate::protocol::{Str, decode_request};
use crate::record::BatchHeader;
use crate::record::header::MAGIC_V2;
use crate::router::{self, Item};
use crate::shard::{Shard, ShardIndex};
use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;

/// The admin client's way to write internal topics, as Kafka allows it.
const ADMIN_CLIENT: &str = "__admin_client";
/// First version that names topics by id.
const BY_TOPIC_ID: i16 = 13;
/// First version that tells the current leader on an error.
const WITH_LEADER: i16 = 10;

/// Answers one produce request.
pub async fn handle(ctx: Rc<RequestContext>, body: Bytes) -> Reply {
    let request: ProduceRequest = match decode_request(body, ctx.api_version) {
        Ok(request) => request,
        Err(e) => return Reply::Close(Close::Malformed(e)),
    };
    let Some(acks) = RequiredAcks::from_wire(request.acks) else {
        return respond(&ctx, &request, &refuse_acks(&ctx, &request));
    };
    let outcomes = match &request.transactional_id {
        None => append(&ctx, &request, acks, |_| Some(Verification::Off)).await,
        Some(id) => {
            let producers = in_transaction::producers(&request);
            if producers.len() > 1 {
                fail_all(&request, ErrorCode::InvalidProducerIdMapping)
            } else {
                append_in_transaction(&ctx, &request, acks, id, producers.first().copied()).await
            }
        }
    };
    if acks == RequiredAcks::None {
        let failed = outcomes.iter().any(|o| o.error != ErrorCode::None);
        return if failed { Reply::Close(Close::FailedWithoutAcks) } else { Reply::Silent };
    }
    respond(&ctx, &request, &outcomes)
}

/// Partitions that are not there, and what is no batch, are told so also where nobody could wait for the others.
fn refuse_acks(ctx: &RequestContext, request: &ProduceRequest) -> Vec<AppendOutcome> {
    let image = ctx.shard.image();
    let mut refused = Vec::new();
    for topic in request.topic_data.iter() {
        let named = resolve(ctx, &image, &topic);
        for partition in topic.partition_data.iter() {
            let id = named.map(|topic_id| TopicIdPartition { topic_id, partition: partition.index });
            let error = match id {
                // What is internal is looked at only when it is written to.
                Err(ErrorCode::InvalidTopicException) => ErrorCode::InvalidRequiredAcks,
                Err(error) => error,
                Ok(id) if image.partition(&id).is_none() => ErrorCode::UnknownTopicOrPartition,
                Ok(_) => match check_produced(&records_of(&partition)) {
                    Ok(()) => ErrorCode::InvalidRequiredAcks,
                    Err(error) => append_code(&error),
                },
            };
            refused.push(AppendOutcome::failed(error));
        }
    }
    refused
}

/// Whether the batch says it is part of a transaction (`RequestUtils.hasTransactionalRecords`).
fn is_transactional(records: &[u8]) -> bool {
    BatchHeader::of(records).is_some_and(|header| header.magic() == MAGIC_V2 && header.is_transactional())
}

/// As [`append`]; batches that begin a transaction in their partition wait for its coordinator.
async fn append_in_transaction(
    ctx: &RequestContext,
    request: &ProduceRequest,
    acks: RequiredAcks,
    transactional_id: &Str,
    producer: Option<(i64, i16)>,
) -> Vec<AppendOutcome> {
    let first = in_transaction::verification(ctx);
    let mut outcomes = append(ctx, request, acks, |_| Some(first)).await;
    let unsure = unsure(ctx, request, &outcomes);
    let Some(producer) = producer.filter(|_| !unsure.is_empty()) else { return outcomes };
    let (sure, refused) = in_transaction::ask(ctx, transactional_id, producer, unsure).await;
    for (slot, outcome) in refused {
        outcomes[slot] = outcome;
    }
    // A partition may have changed its core while the coordinator was asked.
    ctx.shard.until_gate_is_open().await;
    let given = |slot: usize| sure.get(&slot).map(|guard| Verification::Given(Some(*guard)));
    let again = append(ctx, request, acks, given).await;
    for (slot, outcome) in again.into_iter().enumerate().filter(|(slot, _)| sure.contains_key(slot)) {
        outcomes[slot] = outcome;
    }
    outcomes
}

/// The partitions whose batch was not appended before the coordinator is asked.
fn unsure(ctx: &RequestContext, request: &ProduceRequest, outcomes: &[AppendOutcome]) -> Vec<Unsure> {
    let image = ctx.shard.image();
    let mut slots = outcomes.iter().enumerate();
    let mut unsure = Vec::new();
    for topic in request.topic_data.iter() {
        let found = find(ctx, &image, &topic);
        for partition in topic.partition_data.iter() {
            let (Some((slot, outcome)), Ok(topic)) = (slots.next(), &found) else { continue };
            if let Some(guard) = outcome.guard {
                let name = TopicPartition::new(topic.name.clone(), partition.index);
                unsure.push(Unsure { slot, name, guard });
            }
        }
    }
    unsure
}

/// One outcome per partition, in the request's order, of those that `wanted` gives a verification for. Only a request
/// with a transactional id may hold batches of a transaction: of another one nothing is appended then.
async fn append(
    ctx: &RequestContext,
    request: &ProduceRequest,
    acks: RequiredAcks,
    wanted: impl Fn(usize) -> Option<Verification>,
) -> Vec<AppendOutcome> {
    let image = ctx.shard.image();
    let deadline = ctx.now.mono.plus_ms(i64::from(request.timeout_ms));
    let mut outcomes: Vec<Option<AppendOutcome>> = Vec::new();
    let mut items = Vec::new();
    for topic in request.topic_data.iter() {
        let named = resolve(ctx, &image, &topic);
        for partition in topic.partition_data.iter() {
            let slot = outcomes.len();
            let records = records_of(&partition);
            if request.transactional_id.is_none() && is_transactional(&records) {
                return fail_all(request, ErrorCode::TransactionalIdAuthorizationFailed);
            }
            match &named {
                Ok(topic_id) => {
                    let id = TopicIdPartition { topic_id: *topic_id, partition: partition.index };
                    let Some(verification) = wanted(slot) else {
                        outcomes.push(None);
                        continue;
                    };
                    if image.partition(&id).is_none() {
                        outcomes.push(Some(AppendOutcome::failed(ErrorCode::UnknownTopicOrPartition)));
                        continue;
                    }
                    let version = ctx.api_version;
                    let ask = AppendAsk { records, acks, deadline, version, verification };
                    items.push(Item { slot, id, ask });
                    outcomes.push(None);
                }
                Err(error) => outcomes.push(Some(AppendOutcome::failed(*error))),
            }
        }
    }
    ctx.connection.traffic.produces(&ctx.shard, &items);
    let from = ctx.shard.index;
    let append = move |owner, items| append_here(owner, items, from);
    router::ask_into(&ctx.shard, items, &mut outcomes, append).await;
    let gone = || AppendOutcome::failed(ErrorCode::NotLeaderOrFollower);
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(gone)).collect()
}

fn records_of(partition: &PartitionProduceData) -> Bytes {
    partition.records.clone().unwrap_or_default()
}

fn resolve(
    ctx: &RequestContext,
    image: &MetadataImage,
    topic: &TopicProduceData,
) -> Result<crate::base::Uuid, ErrorCode> {
    let found = find(ctx, image, topic)?;
    if is_internal(&found.name) && ctx.client_id() != ADMIN_CLIENT {
        return Err(ErrorCode::InvalidTopicException);
    }
    Ok(found.id)
}

fn find<'a>(
    ctx: &RequestContext,
    image: &'a MetadataImage,
    topic: &TopicProduceData,
) -> Result<&'a Arc<TopicImage>, ErrorCode> {
    if ctx.api_version >= BY_TOPIC_ID {
        image.topic_by_id(&topic.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic_by_name(&topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

/// On the owner: the ordered step for all items at once, then the wait for each.
async fn append_here(shard: Rc<Shard>, items: Vec<Item<AppendAsk>>, from: ShardIndex) -> Vec<(usize, AppendOutcome)> {
    let now = shard.now();
    let begin = |item: Item<AppendAsk>| (item.slot, shard.append(&item.id, item.ask, from, now));
    let begun: Vec<_> = items.into_iter().map(begin).collect();
    let mut outcomes = Vec::with_capacity(begun.len());
    for (slot, appending) in begun {
        outcomes.push((slot, appending.finish().await));
    }
    outcomes
}

fn fail_all(request: &ProduceRequest, error: ErrorCode) -> Vec<AppendOutcome> {
    request
        .topic_data
        .iter()
        .flat_map(|topic| topic.partition_data.iter().map(|_| AppendOutcome::failed(error)).collect::<Vec<_>>())
        .collect()
}

fn respond(ctx: &RequestContext, request: &ProduceRequest, outcomes: &[AppendOutcome]) -> Reply {
    let mut next = outcomes.iter();
    let mut tell_leader = false;
    let responses = request
        .topic_data
        .iter()
        .map(|topic| TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: topic
                .partition_data
                .iter()
                .filter_map(|partition| next.next().map(|outcome| (partition.index, outcome)))
                .map(|(index, outcome)| {
                    tell_leader |= outcome.current_leader.is_some();
                    partition_response(ctx, index, outcome)
                })
                .collect(),
        })
        .collect();
    let mut response = ProduceResponse { responses, ..ProduceResponse::default() };
    if tell_leader && ctx.api_version >= WITH_LEADER {
        response.node_endpoints = own_endpoint(ctx);
    }
    ctx.count_errors(&response);
    match Response::of(&response, ctx.api_version) {
        Ok(response) => Reply::Send(response),
        Err(close) => Reply::Close(close),
    }
}

fn partition_response(ctx: &RequestContext, index: i32, outcome: &AppendOutcome) -> PartitionProduceResponse {
    let mut response = PartitionProduceResponse {
        index,
        error_code: outcome.error.code(),
        base_offset: outcome.base_offset,
        log_append_time_ms: outcome.log_append_time_ms,
        log_start_offset: outcome.log_start_offset,
        ..PartitionProduceResponse::default()
    };
    if ctx.api_version >= 8 {
        response.error_message = outcome.message.as_deref().map(Str::from);
        response.record_errors = outcome
            .record_errors
            .iter()
            .map(|(batch_index, message)| BatchIndexAndErrorMessage {
                batch_index: *batch_index,
                batch_index_error_message: Some(Str::from(message.as_str())),
            })
            .collect();
    }
    if let Some((leader, epoch)) = outcome.current_leader.filter(|_| ctx.api_version >= WITH_LEADER) {
        response.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: epoch.0 };
    }
    response
}

fn own_endpoint(ctx: &RequestContext) -> Vec<NodeEndpoint> {
    let Some((node_id, host, port)) = ctx.own_endpoint() else { return Vec::new() };
    vec![NodeEndpoint { node_id: node_id.0, host: Str::from(&*host), port: i32::from(port), rack: None }]
}
