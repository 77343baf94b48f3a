//! ListConfigResources (key 74, v0-1; KIP-714, 1142): everything that has configurations.

use super::RequestContext;
use super::reply::Close;
use super::topic_view::View;
use crate::base::ErrorCode;
use crate::metadata::ResourceType;
use crate::protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use crate::protocol::messages::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};

/// In the order of the answer.
const KINDS: [ResourceType; 5] = [
    ResourceType::Group,
    ResourceType::ClientMetrics,
    ResourceType::BrokerLogger,
    ResourceType::Broker,
    ResourceType::Topic,
];

/// Answers one request; version 0 knows client metrics alone.
pub async fn handle(
    ctx: &RequestContext,
    request: ListConfigResourcesRequest,
) -> Result<ListConfigResourcesResponse, Close> {
    let supported: &[ResourceType] = if ctx.api_version == 0 { &[ResourceType::ClientMetrics] } else { &KINDS };
    let asked = &request.resource_types;
    if asked.iter().any(|id| !supported.iter().any(|kind| kind.id() == *id)) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return Ok(ListConfigResourcesResponse { error_code, ..Default::default() });
    }
    let image = ctx.shard.image();
    let view = View { image: &image, listener: &ctx.connection.listener };
    let mut config_resources = Vec::new();
    for kind in supported.iter().filter(|kind| asked.is_empty() || asked.contains(&kind.id())) {
        let names: Vec<String> = match kind {
            ResourceType::Group | ResourceType::ClientMetrics => image.configured(*kind).map(str::to_owned).collect(),
            ResourceType::BrokerLogger | ResourceType::Broker => {
                view.live_brokers().map(|(broker, _)| broker.id.to_string()).collect()
            }
            ResourceType::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
        };
        let resource = |name: String| ConfigResource { resource_name: name.into(), resource_type: kind.id() };
        config_resources.extend(names.into_iter().map(resource));
    }
    Ok(ListConfigResourcesResponse { config_resources, ..Default::default() })
}
