//! GetTelemetrySubscriptions (key 71, v0; KIP-714): which of its metrics a client pushes.

use super::RequestContext;
use super::reply::Close;
use crate::base::{ErrorCode, Uuid};
use crate::protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
use crate::shard::{Shard, ShardIndex};
use crate::telemetry::{ClientAttributes, Subscription};
use std::hash::{DefaultHasher, Hash, Hasher};

/// zstd, lz4, gzip, snappy: the best first.
const COMPRESSIONS: [i8; 4] = [4, 3, 1, 2];

/// Answers one request; a client without an id is given one.
pub async fn handle(
    ctx: &RequestContext,
    request: GetTelemetrySubscriptionsRequest,
) -> Result<GetTelemetrySubscriptionsResponse, Close> {
    let instance_id = match request.client_instance_id.is_zero() {
        true => random_id(&ctx.shard),
        false => request.client_instance_id,
    };
    let client = attributes(ctx, instance_id);
    let now = ctx.now.mono;
    let max_bytes = ctx.shard.shared.telemetry_bytes_max();
    let asked = ctx.shard.call(owner(&ctx.shard, instance_id), move |shard| async move {
        let image = shard.image();
        shard.telemetry.borrow_mut().subscribe(client, version(&shard), |client| Subscription::of(&image, client), now)
    });
    let subscription = match asked.await.map_err(|_| Close::Stopping)? {
        Ok(subscription) => subscription,
        Err(error) => {
            return Ok(GetTelemetrySubscriptionsResponse { error_code: error.code(), ..Default::default() });
        }
    };
    Ok(GetTelemetrySubscriptionsResponse {
        error_code: ErrorCode::None.code(),
        client_instance_id: instance_id,
        subscription_id: subscription.id,
        accepted_compression_types: COMPRESSIONS.to_vec(),
        push_interval_ms: subscription.push_interval_ms,
        telemetry_max_bytes: max_bytes,
        delta_temporality: true,
        requested_metrics: subscription.metrics.iter().map(|name| name.as_str().into()).collect(),
        ..Default::default()
    })
}

fn random_id(shard: &Shard) -> Uuid {
    loop {
        let (high, low) = (shard.random_u64().to_be_bytes(), shard.random_u64().to_be_bytes());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high);
        bytes[8..].copy_from_slice(&low);
        if let Some(id) = Uuid::from_random(bytes) {
            return id;
        }
    }
}

/// The core that remembers a client instance, whatever connection it speaks on.
pub(super) fn owner(shard: &Shard, instance_id: Uuid) -> ShardIndex {
    ShardIndex(usize::from(instance_id.0[0]) % shard.shard_count())
}

/// The client as subscriptions see it.
pub(super) fn attributes(ctx: &RequestContext, instance_id: Uuid) -> ClientAttributes {
    let (software_name, software_version) = ctx.connection.software.borrow().clone().unwrap_or_default();
    ClientAttributes {
        instance_id,
        client_id: ctx.client_id().to_owned(),
        software_name,
        software_version,
        source_address: ctx.connection.peer.ip().to_canonical().to_string(),
        source_port: ctx.connection.peer.port().to_string(),
    }
}

/// Other after each change of a subscription.
pub(super) fn version(shard: &Shard) -> u64 {
    use crate::metadata::ResourceType::ClientMetrics;
    let image = shard.image();
    let mut hasher = DefaultHasher::new();
    for name in image.configured(ClientMetrics) {
        (name, &*image.config(ClientMetrics, name)).hash(&mut hasher);
    }
    hasher.finish()
}
