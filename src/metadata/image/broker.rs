//! Brokers as they registered themselves (`BrokerRegistration`).

use crate::base::{BrokerId, Uuid};
use crate::protocol::messages::{self, RegisterBrokerRecord};
use std::sync::Arc;

/// Where a broker can be reached by one of its listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerEndpoint {
    /// The listener's name, `PLAINTEXT` or `INTERNAL`.
    pub listener: Arc<str>,
    /// What clients are told to connect to.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// The levels of one feature that a node can work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureRange {
    /// The feature, `metadata.version` or `group.version`.
    pub name: Arc<str>,
    /// The lowest level.
    pub min: i16,
    /// The highest level.
    pub max: i16,
}

/// A broker's last registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// `node.id`.
    pub id: BrokerId,
    /// The offset of the record that registered it.
    pub epoch: i64,
    /// New for each start of the process.
    pub incarnation_id: Uuid,
    /// Where it can be reached.
    pub endpoints: Vec<BrokerEndpoint>,
    /// What it can work with.
    pub features: Vec<FeatureRange>,
    /// `broker.rack`.
    pub rack: Option<Arc<str>>,
    /// Not in service.
    pub fenced: bool,
    /// About to stop.
    pub in_controlled_shutdown: bool,
    /// The ids of its log dirs.
    pub log_dirs: Vec<Uuid>,
    /// Log dirs that get no new replicas; `None` where the broker never said.
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

impl BrokerRegistration {
    pub(super) fn of(record: &RegisterBrokerRecord) -> Self {
        let endpoint = |e: &messages::register_broker_record::BrokerEndpoint| BrokerEndpoint {
            listener: Arc::from(&*e.name),
            host: Arc::from(&*e.host),
            port: e.port,
            security_protocol: e.security_protocol,
        };
        let feature = |f: &messages::register_broker_record::BrokerFeature| FeatureRange {
            name: Arc::from(&*f.name),
            min: f.min_supported_version,
            max: f.max_supported_version,
        };
        Self {
            id: BrokerId(record.broker_id),
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            endpoints: record.end_points.iter().map(endpoint).collect(),
            features: record.features.iter().map(feature).collect(),
            rack: record.rack.as_deref().map(Arc::from),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: record.log_dirs.clone(),
            cordoned_log_dirs: record.cordoned_log_dirs.clone(),
        }
    }

    /// The record that makes this registration, in what `metadata_version` can say.
    pub fn record(&self, metadata_version: i16) -> RegisterBrokerRecord {
        let endpoint = |e: &BrokerEndpoint| messages::register_broker_record::BrokerEndpoint {
            name: (&*e.listener).into(),
            host: (&*e.host).into(),
            port: e.port,
            security_protocol: e.security_protocol,
        };
        let feature = |f: &FeatureRange| messages::register_broker_record::BrokerFeature {
            name: (&*f.name).into(),
            min_supported_version: f.min,
            max_supported_version: f.max,
        };
        RegisterBrokerRecord {
            broker_id: self.id.0,
            is_migrating_zk_broker: false,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.endpoints.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
            rack: self.rack.as_deref().map(Into::into),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown && metadata_version >= 7,
            log_dirs: if metadata_version >= 17 { self.log_dirs.clone() } else { Vec::new() },
            cordoned_log_dirs: self.cordoned_log_dirs.clone().filter(|_| metadata_version >= 30),
        }
    }

    /// The endpoint of the listener `name`.
    pub fn endpoint(&self, name: &str) -> Option<&BrokerEndpoint> {
        self.endpoints.iter().find(|endpoint| *endpoint.listener == *name)
    }
}
