//! DeleteTopics (key 20, v0-6), by name and by id (KIP-516).

use super::RequestContext;
use super::reply::Close;
use crate::controller::delete_topics;
use crate::protocol::messages::delete_topics_request::DeleteTopicsRequest;
use crate::protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: DeleteTopicsRequest) -> Result<DeleteTopicsResponse, Close> {
    let enabled = ctx.shard.shared.config.topics.delete_enable;
    let version = ctx.api_version;
    let named = request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
    let named: Vec<_> =
        named.chain(request.topic_names.iter().map(|name| (Some(name.clone()), Default::default()))).collect();
    let deleted = ctx.shard.change_metadata(move |image, _| delete_topics(image, &request, version, enabled));
    let responses = deleted.await.unwrap_or_else(|error| {
        let failed =
            |(name, topic_id)| DeletableTopicResult { name, topic_id, error_code: error.code(), ..Default::default() };
        named.into_iter().map(failed).collect()
    });
    Ok(DeleteTopicsResponse { responses, ..Default::default() })
}
