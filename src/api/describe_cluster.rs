//! DescribeCluster (key 60, v0-2): the brokers of the cluster (KIP-700, 919, 1073).

use super::RequestContext;
use super::reply::Close;
use super::topic_view::{CLUSTER_OPERATIONS, View};
use crate::base::ErrorCode;
use crate::protocol::messages::describe_cluster_request::DescribeClusterRequest;
use crate::protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: DescribeClusterRequest) -> Result<DescribeClusterResponse, Close> {
    let image = ctx.shard.image();
    let view = View { image: &image, listener: &ctx.connection.listener };
    if request.endpoint_type != BROKERS {
        let (error, text) = match request.endpoint_type {
            CONTROLLERS => (
                ErrorCode::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .to_owned(),
            ),
            unknown => (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {unknown}")),
        };
        return Ok(DescribeClusterResponse {
            error_code: error.code(),
            error_message: Some(text.into()),
            ..Default::default()
        });
    }
    let shown = image.brokers().filter(|broker| !broker.fenced || request.include_fenced_brokers);
    let brokers = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(&ctx.connection.listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: (&*endpoint.host).into(),
            port: i32::from(endpoint.port),
            rack: broker.rack.as_deref().map(Into::into),
            is_fenced: broker.fenced,
        })
    });
    Ok(DescribeClusterResponse {
        cluster_id: (&*ctx.shard.shared.identity.cluster_id).into(),
        controller_id: view.controller(ctx.shard.random_u64()).0,
        brokers: brokers.collect(),
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => i32::MIN,
        },
        ..Default::default()
    })
}
