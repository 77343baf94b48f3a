//! TxnOffsetCommit (key 28, v0-5): offsets of a group that count once a transaction commits (KIP-98, 447). From v5 on the
//! commit itself adds the group's partition to the transaction (KIP-890).

use super::RequestContext;
use super::coordinate::{ask, caller, partition_of};
use super::reply::Close;
use super::transactions::{add, write_error};
use crate::base::topic::GROUP_METADATA_TOPIC;
use crate::base::{ErrorCode, ProducerEpoch, ProducerId, TopicIdPartition, TopicPartition};
use crate::coordinator::group::{Groups, Request, txn_commit_error};
use crate::coordinator::transaction::AddKind;
use crate::log::Verification;
use crate::metadata::MetadataImage;
use crate::protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use crate::protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use std::collections::VecDeque;

/// Since this version the client leaves adding the partition to the commit.
const IMPLICIT_FROM: i16 = 5;
/// Since this version clients know TRANSACTION_ABORTABLE.
const ABORTABLE_FROM: i16 = 4;
/// Since this version clients know COORDINATOR_LOAD_IN_PROGRESS (KAFKA-7296).
const LOADING_FROM: i16 = 2;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    mut request: TxnOffsetCommitRequest,
) -> Result<TxnOffsetCommitResponse, Close> {
    let image = ctx.shard.image();
    let mut response = txn_commit_error(&request, ErrorCode::None);
    response.topics.retain(|topic| !topic.partitions.is_empty() || image.topic_by_name(&topic.name).is_none());
    for topic in &mut response.topics {
        for partition in &mut topic.partitions {
            partition.error_code = match exists(&image, &topic.name, partition.partition_index) {
                true => ASKED,
                false => ErrorCode::UnknownTopicOrPartition.code(),
            };
        }
    }
    for topic in &mut request.topics {
        let name = topic.name.clone();
        topic.partitions.retain(|p| exists(&image, &name, p.partition_index));
    }
    request.topics.retain(|topic: &TxnOffsetCommitRequestTopic| !topic.partitions.is_empty());
    if request.topics.is_empty() {
        return Ok(response);
    }
    let answer = commit(ctx, request).await?;
    let mut errors: VecDeque<i16> =
        answer.topics.into_iter().flat_map(|t| t.partitions).map(|p| p.error_code).collect();
    for slot in response.topics.iter_mut().flat_map(|t| &mut t.partitions).filter(|p| p.error_code == ASKED) {
        slot.error_code = errors.pop_front().unwrap_or(ErrorCode::UnknownServerError.code());
        if slot.error_code == ErrorCode::CoordinatorLoadInProgress.code() && ctx.api_version < LOADING_FROM {
            slot.error_code = ErrorCode::CoordinatorNotAvailable.code();
        }
    }
    Ok(response)
}

/// Marks a partition whose answer comes from the coordinator; no error has this number.
const ASKED: i16 = i16::MIN;

fn exists(image: &MetadataImage, topic: &str, partition: i32) -> bool {
    image.topic_by_name(topic).is_some_and(|topic| topic.partition(partition).is_some())
}

async fn commit(ctx: &RequestContext, request: TxnOffsetCommitRequest) -> Result<TxnOffsetCommitResponse, Close> {
    let refused = |error| Ok(txn_commit_error(&request, error));
    if request.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    let Some(id) = partition_of::<Groups>(ctx, &request.group_id) else {
        return refused(ErrorCode::NotCoordinator);
    };
    match make_sure(ctx, &request, id).await? {
        Ok(sure) => {
            let group = request.group_id.clone();
            ask(ctx, &group, Request::TxnCommit(caller(ctx), request, sure)).await
        }
        Err(error) => refused(error),
    }
}

/// Makes sure that the transaction's coordinator knows of the group's partition, where it is not in the transaction yet.
async fn make_sure(
    ctx: &RequestContext,
    request: &TxnOffsetCommitRequest,
    id: TopicIdPartition,
) -> Result<Result<Verification, ErrorCode>, Close> {
    let kind = if ctx.api_version >= IMPLICIT_FROM { AddKind::Implicit } else { AddKind::Verify };
    if kind == AddKind::Verify && !ctx.shard.verifies_transactions() {
        return Ok(Ok(Verification::Off));
    }
    let who = (ProducerId(request.producer_id), ProducerEpoch(request.producer_epoch));
    let raises_epochs = kind == AddKind::Implicit;
    let begun = ctx
        .shard
        .call(ctx.shard.owner_of(&id), move |owner| async move { owner.begin_verification(&id, who, raises_epochs) });
    let guard = match begun.await.map_err(|_| Close::Stopping)? {
        Ok(None) => return Ok(Ok(Verification::Given(None))),
        Ok(Some(guard)) => guard,
        Err(ErrorCode::NotLeaderOrFollower) => return Ok(Err(ErrorCode::NotCoordinator)),
        Err(error) => return Ok(Err(error)),
    };
    let partitions = [TopicPartition::new(GROUP_METADATA_TOPIC, id.partition)].into();
    let results =
        add(ctx, &request.transactional_id, (request.producer_id, request.producer_epoch), partitions, kind).await?;
    let error = results.first().map_or(ErrorCode::UnknownServerError, |(_, error)| *error);
    Ok(match write_error(error, kind, ctx.api_version >= ABORTABLE_FROM) {
        ErrorCode::None => Ok(Verification::Given(Some(guard))),
        // The words of a group's coordinator for "come again".
        ErrorCode::NotEnoughReplicas => Err(ErrorCode::CoordinatorNotAvailable),
        error => Err(error),
    })
}
