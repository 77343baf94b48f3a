//! The answer of a share fetch: headers from memory, records as file ranges in the gaps.

use crate::api::RequestContext;
use crate::api::reply::{Reply, Response};
use crate::api::share_member::told;
use crate::base::{ErrorCode, TopicIdPartition};
use crate::protocol::Records;
use crate::protocol::messages::ShareFetchResponse;
use crate::protocol::messages::share_fetch_response::{AcquiredRecords, PartitionData, ShareFetchableTopicResponse};
use crate::shard::share::{ShareError, ShareFetched};
use bytes::Bytes;
use std::collections::{HashMap, HashSet, VecDeque};

/// A share fetch that fails as a whole.
pub fn failed(ctx: &RequestContext, error: ErrorCode) -> Reply {
    let response = ShareFetchResponse { error_code: error.code(), ..ShareFetchResponse::default() };
    match Response::of(&response, ctx.api_version) {
        Ok(response) => Reply::Send(response),
        Err(close) => Reply::Close(close),
    }
}

/// The answer; partitions with nothing to tell are named only where they are `fresh`.
pub fn answer(
    ctx: &RequestContext,
    lock_timeout_ms: i32,
    fresh: &HashSet<TopicIdPartition>,
    fetched: Vec<(TopicIdPartition, ShareFetched)>,
    mut acknowledged: HashMap<TopicIdPartition, Result<(), ShareError>>,
) -> Reply {
    let mut files = VecDeque::new();
    let mut response =
        ShareFetchResponse { acquisition_lock_timeout_ms: lock_timeout_ms, ..ShareFetchResponse::default() };
    for (id, fetched) in fetched {
        let outcome = acknowledged.remove(&id);
        if !fresh.contains(&id) && !fetched.is_something() && outcome.is_none() {
            continue;
        }
        let mut data = partition_data(id, &fetched);
        files.extend(fetched.records.filter(|range| range.len > 0));
        tell_outcome(&mut data, outcome);
        push(&mut response.responses, id, data);
    }
    for (id, outcome) in acknowledged {
        let mut data = partition_data(id, &ShareFetched::default());
        tell_outcome(&mut data, Some(outcome));
        push(&mut response.responses, id, data);
    }
    match Response::with_files(&response, ctx.api_version, files) {
        Ok(response) => Reply::Send(response),
        Err(close) => Reply::Close(close),
    }
}

fn partition_data(id: TopicIdPartition, fetched: &ShareFetched) -> PartitionData {
    let (error_code, error_message) = told(fetched.error.clone().map_or(Ok(()), Err));
    PartitionData {
        partition_index: id.partition,
        error_code,
        error_message,
        records: match fetched.records.as_ref().map_or(0, |range| range.len) {
            0 => Records::Bytes(Bytes::new()),
            len => Records::Gap(len),
        },
        acquired_records: fetched
            .acquired
            .iter()
            .map(|a| AcquiredRecords {
                first_offset: a.first.0,
                last_offset: a.last.0,
                delivery_count: a.delivery_count,
            })
            .collect(),
        ..PartitionData::default()
    }
}

fn tell_outcome(data: &mut PartitionData, outcome: Option<Result<(), ShareError>>) {
    if let Some(outcome) = outcome {
        (data.acknowledge_error_code, data.acknowledge_error_message) = told(outcome);
    }
}

fn push(responses: &mut Vec<ShareFetchableTopicResponse>, id: TopicIdPartition, data: PartitionData) {
    match responses.last_mut() {
        Some(last) if last.topic_id == id.topic_id => last.partitions.push(data),
        _ => responses.push(ShareFetchableTopicResponse { topic_id: id.topic_id, partitions: vec![data] }),
    }
}
