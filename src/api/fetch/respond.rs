//! The answer of a fetch: headers from memory, records as file ranges in the gaps.

use super::plan::Plan;
use crate::api::RequestContext;
use crate::api::reply::{Reply, Response};
use crate::base::{ErrorCode, Uuid};
use crate::partition::Fetched;
use crate::protocol::messages::FetchResponse;
use crate::protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use crate::protocol::{Records, Str};
use crate::shard::fetch_session::Key;
use bytes::Bytes;
use std::collections::VecDeque;

/// First version that tells endpoints of the current leader (KIP-951).
const WITH_ENDPOINTS: i16 = 16;
/// First version with the tagged current leader and diverging epoch.
const WITH_LEADER: i16 = 12;

/// A fetch that fails as a whole.
pub fn failed(ctx: &RequestContext, error: ErrorCode) -> Reply {
    let response = FetchResponse { error_code: error.code(), ..FetchResponse::default() };
    ctx.count_errors(&response);
    match Response::of(&response, ctx.api_version) {
        Ok(response) => Reply::Send(response),
        Err(close) => Reply::Close(close),
    }
}

/// The answer to `plan`, at most `max_bytes` of records beside the first partition's.
pub fn answer(ctx: &RequestContext, plan: Plan, mut answers: Vec<Fetched>, max_bytes: u32) -> Reply {
    trim(&plan, &mut answers, max_bytes);
    let mut files = VecDeque::new();
    let mut response = FetchResponse { session_id: plan.session_id, ..FetchResponse::default() };
    let mut tell_endpoint = false;
    for ((key, _), fetched) in plan.partitions.iter().zip(answers) {
        if !must_answer(ctx, &plan, key, &fetched) {
            continue;
        }
        tell_endpoint |= fetched.current_leader.is_some();
        count(ctx, key, &fetched);
        let partition = partition_data(ctx, key, &fetched);
        files.extend(fetched.records.filter(|range| range.len > 0));
        push(&mut response.responses, key, partition);
    }
    if tell_endpoint && ctx.api_version >= WITH_ENDPOINTS {
        response.node_endpoints = ctx
            .own_endpoint()
            .map(|(id, host, port)| NodeEndpoint {
                node_id: id.0,
                host: Str::from(&*host),
                port: i32::from(port),
                rack: None,
            })
            .into_iter()
            .collect();
    }
    ctx.count_errors(&response);
    match Response::with_files(&response, ctx.api_version, files) {
        Ok(response) => Reply::Send(response),
        Err(close) => Reply::Close(close),
    }
}

/// Counts what is answered for a partition. A topic that does not exist gets no counter: clients name what they like.
fn count(ctx: &RequestContext, key: &Key, fetched: &Fetched) {
    let topic = match fetched.error {
        ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition => Uuid::ZERO,
        _ if !key.topic_id.is_zero() => key.topic_id,
        _ => ctx.shard.image().topic_by_name(&key.topic).map_or(Uuid::ZERO, |topic| topic.id),
    };
    let failed = fetched.error != ErrorCode::None;
    ctx.shard.stats.fetched.answered(topic, u64::from(fetched.len()), failed);
}

/// Owners on several cores each filled the whole limit: the earlier partitions win.
fn trim(plan: &Plan, answers: &mut [Fetched], max_bytes: u32) {
    let mut left = max_bytes;
    let mut first = true;
    for ((_, cached), fetched) in plan.partitions.iter().zip(answers) {
        let Some(range) = fetched.records.as_mut().filter(|range| range.len > 0) else { continue };
        if !first {
            range.len = range.len.min(left).min(cached.max_bytes.max(0) as u32);
        }
        first = false;
        left = left.saturating_sub(range.len);
    }
}

fn must_answer(ctx: &RequestContext, plan: &Plan, key: &Key, fetched: &Fetched) -> bool {
    if plan.session_id == 0 {
        return true;
    }
    let mut sessions = ctx.shard.fetch_sessions.borrow_mut();
    let Some(session) = sessions.get_mut(plan.session_id) else { return true };
    let changed = session.note_answer(
        key,
        fetched.high_watermark,
        fetched.log_start_offset,
        !fetched.is_empty(),
        fetched.is_urgent(),
    );
    changed || !plan.incremental
}

/// Of what is not there Kafka lists no aborted transactions; of what fails later it has no list.
fn absent(error: ErrorCode) -> Option<&'static Vec<(i64, i64)>> {
    const NONE: &Vec<(i64, i64)> = &Vec::new();
    use ErrorCode::{InconsistentTopicId, UnknownTopicId, UnknownTopicOrPartition};
    matches!(error, UnknownTopicOrPartition | UnknownTopicId | InconsistentTopicId).then_some(NONE)
}

fn partition_data(ctx: &RequestContext, key: &Key, fetched: &Fetched) -> PartitionData {
    let mut data = PartitionData {
        partition_index: key.partition,
        error_code: fetched.error.code(),
        high_watermark: fetched.high_watermark,
        last_stable_offset: fetched.last_stable_offset,
        log_start_offset: fetched.log_start_offset,
        aborted_transactions: fetched.aborted.as_ref().or(absent(fetched.error)).map(|list| {
            list.iter()
                .map(|(producer_id, first_offset)| AbortedTransaction {
                    producer_id: *producer_id,
                    first_offset: *first_offset,
                })
                .collect()
        }),
        // Empty, not null, where there is nothing: librdkafka refuses null.
        records: Some(match fetched.len() {
            0 => Records::Bytes(Bytes::new()),
            len => Records::Gap(len),
        }),
        ..PartitionData::default()
    };
    if ctx.api_version >= WITH_LEADER {
        if let Some((epoch, end_offset)) = fetched.diverging {
            data.diverging_epoch = EpochEndOffset { epoch, end_offset };
        }
        if let Some((leader, epoch)) = fetched.current_leader {
            data.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: epoch.0 };
        }
    }
    data
}

fn push(responses: &mut Vec<FetchableTopicResponse>, key: &Key, partition: PartitionData) {
    match responses.last_mut() {
        Some(last) if last.topic_id == key.topic_id && *last.topic == *key.topic => last.partitions.push(partition),
        _ => responses.push(FetchableTopicResponse {
            topic: Str::from(&*key.topic),
            topic_id: key.topic_id,
            partitions: vec![partition],
        }),
    }
}
