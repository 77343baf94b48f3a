//! AlterConfigs (key 33, v0-2): the configuration of a resource as a whole.

use super::RequestContext;
use super::reply::Close;
use crate::controller::{AlterContext, Alteration, KeyChange, Refusal, SET, alter_configs, apply_log_levels};
use crate::protocol::Str;
use crate::protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use crate::protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use std::sync::Arc;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: AlterConfigsRequest) -> Result<AlterConfigsResponse, Close> {
    let alteration = |resource: &AlterConfigsResource| Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        changes: resource
            .configs
            .iter()
            .map(|config| KeyChange { key: config.name.clone(), operation: SET, value: config.value.clone() })
            .collect(),
        replaces_all: true,
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
    Ok(AlterConfigsResponse { responses: responses.collect(), ..Default::default() })
}

/// `error_code` and `error_message` of an answer.
pub(super) fn told(outcome: Result<(), Refusal>) -> (i16, Option<Str>) {
    outcome.err().map_or((0, None), |refusal| (refusal.code.code(), refusal.text()))
}

/// Lets the controller alter configurations; the answers come when every core acts on them.
pub(super) async fn alter(
    ctx: &RequestContext,
    alterations: Vec<Alteration>,
    validate_only: bool,
) -> Vec<Result<(), Refusal>> {
    let shared = ctx.shard.shared.clone();
    let alterations = Arc::new(alterations);
    let decided = alterations.clone();
    let altered = ctx.shard.change_metadata(move |image, _| {
        let context = AlterContext { config: &shared.config, node: shared.identity.node_id };
        alter_configs(image, &decided, validate_only, context)
    });
    let outcomes = altered.await.unwrap_or_else(|error| vec![Err(error.into()); alterations.len()]);
    for (alteration, outcome) in alterations.iter().zip(&outcomes) {
        if outcome.is_ok() && !validate_only {
            apply_log_levels(alteration);
        }
    }
    outcomes
}
