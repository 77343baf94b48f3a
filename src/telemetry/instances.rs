//! The client instances of one core: what each was asked for, when it spoke last, and its newest values
//! (`ClientMetricsManager`, `ClientMetricsInstance`).

use super::attributes::ClientAttributes;
use super::otlp;
use super::series::{ClientSeries, Newest};
use super::subscription::Subscription;
use crate::base::{ErrorCode, Instant, Uuid};
use crate::record::compression::{Compression, unpack};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;

/// Bounds of what clients may make a core remember.
#[derive(Clone, Copy, Debug)]
pub struct TelemetryConfig {
    /// Client instances of this core; the one that was silent longest makes room.
    pub instances_max: usize,
    /// Series of one client instance; further ones are left out.
    pub series_per_instance_max: usize,
    /// `telemetry.max.bytes`: of one push, as sent and unpacked ten times as much.
    pub push_bytes_max: usize,
}

/// An instance that is silent for so long, and three of its intervals, is forgotten.
const SILENCE: Duration = Duration::from_secs(60);

/// A push as it came.
#[derive(Clone, Debug)]
pub struct Push {
    /// What it answers to.
    pub subscription_id: i32,
    /// The client's last words.
    pub terminating: bool,
    /// `CompressionType`.
    pub compression: i8,
    /// OpenTelemetry's `MetricsData`; empty where there is nothing to tell.
    pub metrics: Bytes,
}

struct ClientInstance {
    attributes: ClientAttributes,
    subscription: Subscription,
    /// What of the subscriptions it was made from.
    version: u64,
    asked: Option<Instant>,
    pushed: Option<Instant>,
    seen: Instant,
    terminating: bool,
    /// The last answer asked it to come again at once.
    may_return: bool,
    newest: Newest,
}

/// The client instances of one core.
pub struct Telemetry {
    config: TelemetryConfig,
    instances: HashMap<Uuid, ClientInstance>,
}

impl Telemetry {
    /// Without instances.
    pub fn new(config: TelemetryConfig) -> Self {
        Self { config, instances: HashMap::new() }
    }

    /// GetTelemetrySubscriptions: what the client is asked for, unless it comes too often. `version` changes with any
    /// subscription, `subscribe` finds what `client` is asked for now.
    pub fn subscribe(
        &mut self,
        client: ClientAttributes,
        version: u64,
        subscribe: impl FnOnce(&ClientAttributes) -> Subscription,
        now: Instant,
    ) -> Result<Subscription, ErrorCode> {
        let instance = self.instance(client, version, subscribe, now);
        let interval = interval(&instance.subscription);
        let last = instance.asked.max(instance.pushed);
        if last.is_some_and(|last| now.since(last) < interval) && !instance.may_return {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        if last.is_none_or(|last| now.since(last) >= interval) {
            instance.asked = Some(now);
        }
        instance.may_return = false;
        Ok(instance.subscription.clone())
    }

    /// PushTelemetry: takes the values, or tells why not.
    pub fn push(
        &mut self,
        client: ClientAttributes,
        version: u64,
        subscribe: impl FnOnce(&ClientAttributes) -> Subscription,
        push: &Push,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        let config = self.config;
        let instance = self.instance(client, version, subscribe, now);
        let taken = instance.take(push, config, now);
        instance.may_return =
            matches!(taken, Err(ErrorCode::UnknownSubscriptionId | ErrorCode::UnsupportedCompressionType));
        instance.terminating = push.terminating;
        taken
    }

    /// The newest value of every series of every client instance.
    pub fn series(&self) -> impl Iterator<Item = ClientSeries<'_>> {
        self.instances.values().flat_map(|instance| {
            let client = &instance.attributes;
            instance.newest.iter().map(move |(series, value)| ClientSeries { client, series, value })
        })
    }

    /// How many client instances are known.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    fn instance(
        &mut self,
        client: ClientAttributes,
        version: u64,
        subscribe: impl FnOnce(&ClientAttributes) -> Subscription,
        now: Instant,
    ) -> &mut ClientInstance {
        let id = client.instance_id;
        if !self.instances.contains_key(&id) {
            self.make_room(now);
        }
        let made = |client: ClientAttributes, newest| ClientInstance {
            subscription: subscribe(&client),
            attributes: client,
            version,
            asked: None,
            pushed: None,
            seen: now,
            terminating: false,
            may_return: false,
            newest,
        };
        let instance = match self.instances.remove(&id) {
            None => made(client, Newest::default()),
            // Its values stay: only what it is asked for is new.
            Some(old) if old.version != version => made(old.attributes, old.newest),
            Some(known) => known,
        };
        let instance = self.instances.entry(id).or_insert(instance);
        instance.seen = now;
        instance
    }

    /// Forgets who is silent; where all speak, the one that was silent longest.
    fn make_room(&mut self, now: Instant) {
        if self.instances.len() < self.config.instances_max {
            return;
        }
        self.instances
            .retain(|_, instance| now.since(instance.seen) < SILENCE.max(interval(&instance.subscription) * 3));
        if self.instances.len() >= self.config.instances_max {
            let silent = self.instances.iter().min_by_key(|(_, instance)| instance.seen).map(|(id, _)| *id);
            silent.and_then(|id| self.instances.remove(&id));
        }
    }
}

fn interval(subscription: &Subscription) -> Duration {
    Duration::from_millis(u64::try_from(subscription.push_interval_ms).unwrap_or(0))
}

impl ClientInstance {
    fn take(&mut self, push: &Push, config: TelemetryConfig, now: Instant) -> Result<(), ErrorCode> {
        if self.terminating {
            return Err(ErrorCode::InvalidRequest);
        }
        // The first push after the question may come early: clients spread theirs.
        let expected =
            self.asked > self.pushed || self.pushed.is_none_or(|last| now.since(last) >= interval(&self.subscription));
        if expected {
            self.pushed = Some(now);
        } else if !push.terminating {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        if push.subscription_id != self.subscription.id {
            return Err(ErrorCode::UnknownSubscriptionId);
        }
        let codec = Compression::from_id(i16::from(push.compression)).ok_or(ErrorCode::UnsupportedCompressionType)?;
        if push.metrics.len() > config.push_bytes_max {
            return Err(ErrorCode::TelemetryTooLarge);
        }
        if push.metrics.is_empty() {
            return Ok(());
        }
        let data = unpack(codec, &push.metrics, config.push_bytes_max.saturating_mul(UNPACKED_MAX));
        let data = data.map_err(|_| ErrorCode::InvalidRecord)?;
        let newest = &mut self.newest;
        otlp::read(&data, &mut |point| newest.put(point, config.series_per_instance_max))
            .map_err(|_| ErrorCode::InvalidRecord)
    }
}

/// Unpacked, a push may be so many times as long as it is allowed to be packed.
const UNPACKED_MAX: usize = 10;
