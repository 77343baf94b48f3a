//! What one client is asked for: all subscriptions that match it, as one (`ClientMetricsManager.createClientInstance`).

use super::attributes::ClientAttributes;
use crate::config::client_metrics::{ALL_METRICS, ClientMetrics, INTERVAL_MS_DEFAULT};
use crate::metadata::{MetadataImage, ResourceType};
use std::collections::BTreeSet;

/// What a client pushes, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Prefixes of names, in order; `*` alone for all, none for nothing.
    pub metrics: Vec<String>,
    /// How often, in milliseconds.
    pub push_interval_ms: i32,
    /// Other when what the client is asked for has changed.
    pub id: i32,
}

impl Subscription {
    /// What `client` is asked for.
    pub fn of(image: &MetadataImage, client: &ClientAttributes) -> Self {
        let instance_id = client.instance_id.to_string();
        let (mut metrics, mut interval) = (BTreeSet::new(), INTERVAL_MS_DEFAULT);
        for name in image.configured(ResourceType::ClientMetrics) {
            // What the log holds and cannot be read was never a subscription.
            let Ok(wanted) = ClientMetrics::read(&image.config(ResourceType::ClientMetrics, name)) else { continue };
            if wanted.wants(|attribute| client.get(attribute, &instance_id)) {
                metrics.extend(wanted.metrics);
                interval = interval.min(wanted.interval_ms);
            }
        }
        let metrics: Vec<String> = match metrics.contains(ALL_METRICS) {
            true => vec![ALL_METRICS.to_owned()],
            false => metrics.into_iter().collect(),
        };
        let text = format!("[{}]{interval}", metrics.join(", "));
        let own = client
            .instance_id
            .0
            .chunks(4)
            .fold(0u32, |hash, word| hash ^ word.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)));
        let id = (crc32c::crc32c(text.as_bytes()) ^ own).cast_signed();
        Self { metrics, push_interval_ms: interval, id }
    }
}
