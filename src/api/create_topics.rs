//! CreateTopics (key 19, v0-7): the controller decides, the answer comes when every core has the topics.

use super::RequestContext;
use super::reply::Close;
use crate::controller::{TopicContext, create_topics};
use crate::protocol::messages::create_topics_request::CreateTopicsRequest;
use crate::protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: CreateTopicsRequest) -> Result<CreateTopicsResponse, Close> {
    let shared = ctx.shard.shared.clone();
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let created = ctx.shard.change_metadata(move |image, circumstances| {
        let context = TopicContext { policy: &shared.config.topics, defaults: &shared.topic_defaults(image) };
        create_topics(image, &request, context, &mut || (circumstances.random)())
    });
    let topics = created.await.unwrap_or_else(|error| {
        let failed =
            |name| CreatableTopicResult { name, error_code: error.code(), error_message: None, ..Default::default() };
        names.into_iter().map(failed).collect()
    });
    Ok(CreateTopicsResponse { topics, ..Default::default() })
}
