//! DeleteShareGroupOffsets (key 92, v0): a share group without members forgets topics (KIP-932).

use super::RequestContext;
use super::coordinate::ask;
use super::reply::Close;
use super::share_progress;
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::group::Request;
use crate::coordinator::group::share::Partitioned;
use crate::protocol::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use crate::protocol::messages::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Answers one request.
pub async fn handle(
    ctx: &Rc<RequestContext>,
    request: DeleteShareGroupOffsetsRequest,
) -> Result<DeleteShareGroupOffsetsResponse, Close> {
    let group: Arc<str> = Arc::from(&*request.group_id);
    let image = ctx.shard.image();
    let ids: Vec<Option<Uuid>> =
        request.topics.iter().map(|topic| image.topic_by_name(&topic.topic_name).map(|found| found.id)).collect();
    let wanted: BTreeSet<Uuid> = ids.iter().flatten().copied().collect();
    let deleted: Partitioned = ask(ctx, &group, Request::ShareDelete(group.clone(), Some(wanted))).await?;
    let partitions = match deleted {
        Ok(partitions) => partitions,
        Err(error) => return Ok(DeleteShareGroupOffsetsResponse { error_code: error.code(), ..Default::default() }),
    };
    let results = share_progress::delete(ctx, &group, partitions).await;
    let responses = request.topics.iter().zip(ids).map(|(topic, id)| {
        let outcome = match id {
            None => Err(ErrorCode::UnknownTopicOrPartition),
            // Nothing is kept of it: nothing is to be deleted.
            Some(id) => results.iter().find(|(other, _)| *other == id).map_or(Ok(()), |(_, outcome)| *outcome),
        };
        DeleteShareGroupOffsetsResponseTopic {
            topic_name: topic.topic_name.clone(),
            topic_id: id.unwrap_or(Uuid::ZERO),
            error_code: outcome.err().unwrap_or(ErrorCode::None).code(),
            ..Default::default()
        }
    });
    Ok(DeleteShareGroupOffsetsResponse { responses: responses.collect(), ..Default::default() })
}
