//! CreatePartitions (key 37, v0-3): more partitions for a topic (KIP-195).

use super::RequestContext;
use super::reply::Close;
use crate::controller::create_partitions;
use crate::protocol::messages::create_partitions_request::CreatePartitionsRequest;
use crate::protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: CreatePartitionsRequest) -> Result<CreatePartitionsResponse, Close> {
    let start = ctx.shard.random_u64() as usize;
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let created = ctx.shard.change_metadata(move |image, _| create_partitions(image, &request, start));
    let results = created.await.unwrap_or_else(|error| {
        let failed = |name| CreatePartitionsTopicResult { name, error_code: error.code(), ..Default::default() };
        names.into_iter().map(failed).collect()
    });
    Ok(CreatePartitionsResponse { results, ..Default::default() })
}
