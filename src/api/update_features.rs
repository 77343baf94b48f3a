//! UpdateFeatures (key 57, v0-2): finalized levels of features (KIP-584).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::controller::update_features;
use crate::protocol::messages::update_features_request::UpdateFeaturesRequest;
use crate::protocol::messages::update_features_response::{UpdatableFeatureResult, UpdateFeaturesResponse};

/// The last version that answers for each feature.
const RESULTS_UNTIL: i16 = 1;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: UpdateFeaturesRequest) -> Result<UpdateFeaturesResponse, Close> {
    let (version, node) = (ctx.api_version, ctx.shard.shared.identity.node_id);
    let min_isr = ctx.shard.shared.config.log_defaults.config().min_insync_replicas;
    let named: Vec<_> = request.feature_updates.iter().map(|update| update.feature.clone()).collect();
    let updated = ctx.shard.change_metadata(move |image, _| update_features(image, &request, version, node, min_isr));
    let Err(refusal) = updated.await.unwrap_or_else(|error| Err(error.into())) else {
        let result = |feature| UpdatableFeatureResult {
            feature,
            error_code: ErrorCode::None.code(),
            error_message: Some(ErrorCode::None.name().into()),
        };
        let results = if version <= RESULTS_UNTIL { named.into_iter().map(result).collect() } else { Vec::new() };
        return Ok(UpdateFeaturesResponse { results, error_message: None, ..Default::default() });
    };
    let why = refusal.message.unwrap_or_else(|| refusal.code.name().to_owned());
    let text = format!("The update failed for all features since the following feature had an error: {why}");
    Ok(UpdateFeaturesResponse {
        error_code: refusal.code.code(),
        error_message: Some(text.into()),
        ..Default::default()
    })
}
