//! AlterShareGroupOffsets (key 91, v0): a share group without members begins elsewhere (KIP-932).

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use super::share_progress;
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::group::Request;
use crate::coordinator::group::share::Altered;
use crate::protocol::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use crate::protocol::messages::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};
use std::rc::Rc;
use std::sync::Arc;

/// Answers one request.
pub async fn handle(
    ctx: &Rc<RequestContext>,
    request: AlterShareGroupOffsetsRequest,
) -> Result<AlterShareGroupOffsetsResponse, Close> {
    let group: Arc<str> = Arc::from(&*request.group_id);
    let image = ctx.shard.image();
    let mut asks = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let found = image.topic_by_name(&topic.topic_name);
        let partitions = topic.partitions.iter().map(|p| {
            let known = found.filter(|found| found.partition(p.partition_index).is_some());
            let error = if known.is_some() { ErrorCode::None } else { ErrorCode::UnknownTopicOrPartition };
            asks.extend(known.map(|known| (known.id, p.partition_index, p.start_offset)));
            AlterShareGroupOffsetsResponsePartition {
                partition_index: p.partition_index,
                error_code: error.code(),
                ..Default::default()
            }
        });
        topics.push(AlterShareGroupOffsetsResponseTopic {
            topic_name: topic.topic_name.clone(),
            partitions: partitions.collect(),
            topic_id: found.map_or(Uuid::ZERO, |found| found.id),
        });
    }
    let altered: Altered = ask(ctx, &group, Request::ShareAlter(group.clone(), asks)).await?;
    let initialize = match altered {
        Ok(initialize) => initialize,
        Err(error) => return Ok(AlterShareGroupOffsetsResponse { error_code: error.code(), ..Default::default() }),
    };
    if let Err(error) = share_progress::initialize(ctx, initialize).await {
        let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        partitions.filter(|p| p.error_code == 0).for_each(|p| p.error_code = error.code());
    }
    Ok(AlterShareGroupOffsetsResponse { responses: topics, ..Default::default() })
}
