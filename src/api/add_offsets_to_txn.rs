//! AddOffsetsToTxn (key 25, v0-4): a transaction is about to commit offsets of a group, that is, to write to the group's
//! partition of `__consumer_offsets` (KIP-98).

use super::RequestContext;
use super::coordinate::partition_of;
use super::reply::Close;
use super::transactions::{add, fenced_as_known};
use crate::base::topic::GROUP_METADATA_TOPIC;
use crate::base::{ErrorCode, TopicPartition};
use crate::coordinator::group::Groups;
use crate::coordinator::transaction::AddKind;
use crate::protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

/// Since this version clients know PRODUCER_FENCED.
const FENCED_FROM: i16 = 2;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: AddOffsetsToTxnRequest) -> Result<AddOffsetsToTxnResponse, Close> {
    let Some(id) = partition_of::<Groups>(ctx, &request.group_id) else {
        // Kafka knows the number of partitions before there are any; the client looks for the group next.
        ctx.shard.create_internal_topic(GROUP_METADATA_TOPIC);
        let error_code = ErrorCode::CoordinatorNotAvailable.code();
        return Ok(AddOffsetsToTxnResponse { error_code, ..Default::default() });
    };
    let partitions = [TopicPartition::new(GROUP_METADATA_TOPIC, id.partition)].into();
    let who = (request.producer_id, request.producer_epoch);
    let results = add(ctx, &request.transactional_id, who, partitions, AddKind::Explicit).await?;
    let error = results.first().map_or(ErrorCode::UnknownServerError, |(_, error)| *error);
    let error_code = fenced_as_known(error, ctx.api_version, FENCED_FROM).code();
    Ok(AddOffsetsToTxnResponse { error_code, ..Default::default() })
}
