//! IncrementalAlterConfigs (key 44, v0-1): single keys of a resource's configuration (KIP-339).

use super::RequestContext;
use super::alter_configs::{alter, told};
use super::reply::Close;
use crate::controller::{Alteration, KeyChange};
use crate::protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, IncrementalAlterConfigsRequest,
};
use crate::protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, Close> {
    let alteration = |resource: &AlterConfigsResource| Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        changes: resource
            .configs
            .iter()
            .map(|config| KeyChange {
                key: config.name.clone(),
                operation: config.config_operation,
                value: config.value.clone(),
            })
            .collect(),
        replaces_all: false,
    };
    let alterations = request.resources.iter().map(alteration).collect();
    let outcomes = alter(ctx, alterations, request.validate_only).await;
    let responses = request.resources.into_iter().zip(outcomes).map(|(resource, outcome)| {
        let (error_code, error_message) = told(outcome);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            ..Default::default()
        }
    });
    Ok(IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() })
}
