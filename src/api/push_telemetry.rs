//! PushTelemetry (key 72, v0; KIP-714): a client's own metrics.

use super::RequestContext;
use super::get_telemetry_subscriptions::{attributes, owner, version};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{PushTelemetryRequest, PushTelemetryResponse};
use crate::telemetry::{Push, Subscription};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: PushTelemetryRequest) -> Result<PushTelemetryResponse, Close> {
    let answer = |error: ErrorCode| PushTelemetryResponse { error_code: error.code(), ..Default::default() };
    let instance_id = request.client_instance_id;
    if instance_id.is_reserved() {
        return Ok(answer(ErrorCode::InvalidRequest));
    }
    let client = attributes(ctx, instance_id);
    let now = ctx.now.mono;
    let push = Push {
        subscription_id: request.subscription_id,
        terminating: request.terminating,
        compression: request.compression_type,
        metrics: request.metrics,
    };
    let taken = ctx.shard.call(owner(&ctx.shard, instance_id), move |shard| async move {
        let image = shard.image();
        let subscribe = |client: &_| Subscription::of(&image, client);
        shard.telemetry.borrow_mut().push(client, version(&shard), subscribe, &push, now)
    });
    Ok(answer(taken.await.map_err(|_| Close::Stopping)?.err().unwrap_or(ErrorCode::None)))
}
