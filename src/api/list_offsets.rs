//! ListOffsets (key 2, v0-11): the offset at a time, the first, the last (KIP-79, 207, 734, 1023).

use super::RequestContext;
use super::by_topic::by_topic;
use super::reply::Close;
use crate::base::{ErrorCode, LeaderEpoch, TopicIdPartition};
use crate::partition::{OffsetAnswer, OffsetAsk, Reader};
use crate::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use crate::router::{self, Item};
use crate::shard::Shard;
use std::collections::HashSet;
use std::rc::Rc;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: ListOffsetsRequest) -> Result<ListOffsetsResponse, Close> {
    let reader = match (request.replica_id, request.isolation_level) {
        (id, _) if id >= 0 => Reader::Replica { id: id.into(), epoch: -1 },
        (_, 1) => Reader::CommittedConsumer,
        _ => Reader::Consumer,
    };
    if !matches!(request.isolation_level, 0 | 1) {
        return Ok(unreadable(ctx.api_version, &request));
    }
    let image = ctx.shard.image();
    let twice = named_twice(&request);
    let topics = request.topics.iter().map(|topic| (&topic.name, &topic.partitions[..]));
    let topics = by_topic(topics, |partition| partition.partition_index);
    let mut answers = Vec::new();
    let mut items = Vec::new();
    for (name, partitions) in &topics {
        let found = image.topic_by_name(name);
        for partition in partitions {
            let slot = answers.len();
            let id = found.map(|t| TopicIdPartition { topic_id: t.id, partition: partition.partition_index });
            let known = id.filter(|id| image.partition(id).is_some());
            if twice.contains(&(&**name, partition.partition_index)) {
                answers.push(Some(OffsetAnswer::failed(ErrorCode::InvalidRequest)));
            } else if !is_known_in(ctx.api_version, partition.timestamp) {
                answers.push(Some(OffsetAnswer::failed(ErrorCode::UnsupportedVersion)));
            } else if let Some(id) = known {
                items.push(Item { slot, id, ask: ask(partition, reader) });
                answers.push(None);
            } else {
                answers.push(Some(OffsetAnswer::failed(ErrorCode::UnknownTopicOrPartition)));
            }
        }
    }
    router::ask_into(&ctx.shard, items, &mut answers, look_up_here).await;
    let gone = OffsetAnswer::failed(ErrorCode::NotLeaderOrFollower);
    let mut answers = answers.into_iter().map(|answer| answer.unwrap_or(gone));
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| ListOffsetsTopicResponse {
            name,
            partitions: partitions
                .into_iter()
                .zip(&mut answers)
                .map(|(partition, answer)| response(ctx.api_version, partition, &answer))
                .collect(),
        })
        .collect();
    Ok(ListOffsetsResponse { topics, ..ListOffsetsResponse::default() })
}

/// The numbers below zero that mean a place in the log, each since a version of its own.
fn is_known_in(version: i16, timestamp: i64) -> bool {
    match timestamp {
        0.. | -2..=-1 => true,
        -3 => version >= 7,
        -4 => version >= 8,
        -5 => version >= 9,
        -6 => version >= 11,
        _ => false,
    }
}

/// An isolation level that there is not: no partition is looked at.
fn unreadable(version: i16, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let failed = OffsetAnswer::failed(ErrorCode::UnknownServerError);
    let topic = |topic: &ListOffsetsTopic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|partition| response(version, partition, &failed)).collect(),
    };
    ListOffsetsResponse { topics: request.topics.iter().map(topic).collect(), ..ListOffsetsResponse::default() }
}

fn ask(partition: &ListOffsetsPartition, reader: Reader) -> OffsetAsk {
    OffsetAsk {
        timestamp: partition.timestamp,
        current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
        reader,
    }
}

async fn look_up_here(shard: Rc<Shard>, items: Vec<Item<OffsetAsk>>) -> Vec<(usize, OffsetAnswer)> {
    // Those that are here when the request comes stay until all are answered.
    let items: Vec<_> = items.into_iter().map(|item| (shard.partition(&item.id), item)).collect();
    let mut answers = Vec::with_capacity(items.len());
    for (partition, item) in items {
        let answer = match partition {
            Some(partition) => {
                let answer = partition.list_offset(item.ask).await;
                shard.mend_if_damaged(&partition);
                answer
            }
            None => OffsetAnswer::failed(shard.why_absent(&item.id)),
        };
        answers.push((item.slot, answer));
    }
    answers
}

fn response(version: i16, partition: &ListOffsetsPartition, answer: &OffsetAnswer) -> ListOffsetsPartitionResponse {
    let base = ListOffsetsPartitionResponse {
        partition_index: partition.partition_index,
        error_code: answer.error.code(),
        ..ListOffsetsPartitionResponse::default()
    };
    if version == 0 {
        // The oldest clients take a list, newest first.
        let found = Some(answer.offset).filter(|offset| *offset >= 0);
        return ListOffsetsPartitionResponse { old_style_offsets: found.into_iter().collect(), ..base };
    }
    ListOffsetsPartitionResponse {
        timestamp: answer.timestamp,
        offset: answer.offset,
        leader_epoch: if version >= 4 { answer.leader_epoch } else { -1 },
        ..base
    }
}

fn named_twice(request: &ListOffsetsRequest) -> HashSet<(&str, i32)> {
    let mut seen = HashSet::new();
    let all = request.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (&*t.name, p.partition_index)));
    all.filter(|name| !seen.insert(*name)).collect()
}
