//! Configurations of topics, brokers, groups and client metrics.

use super::cluster::{At, Cluster};
use super::error::ClientError;
use crate::protocol::Str;
use crate::protocol::messages::describe_configs_request::DescribeConfigsResource;
use crate::protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use crate::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use crate::protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest};
use std::collections::BTreeMap;

/// What can be configured (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic by its name.
    Topic = 2,
    /// A broker by its id, or with no name all of them.
    Broker = 4,
    /// The levels of a broker's log.
    BrokerLogger = 8,
    /// A subscription to the metrics of clients.
    ClientMetrics = 16,
    /// A group.
    Group = 32,
}

/// The source of a value that nobody set.
pub const DEFAULT_CONFIG: i8 = 5;

/// Kafka's name of where a value comes from (`ConfigEntry.ConfigSource`).
pub fn source_name(source: i8) -> &'static str {
    match source {
        1 => "DYNAMIC_TOPIC_CONFIG",
        2 => "DYNAMIC_BROKER_CONFIG",
        3 => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        4 => "STATIC_BROKER_CONFIG",
        5 => "DEFAULT_CONFIG",
        6 => "DYNAMIC_BROKER_LOGGER_CONFIG",
        7 => "DYNAMIC_CLIENT_METRICS_CONFIG",
        8 => "DYNAMIC_GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}

/// A change of one value; `None` takes it away.
pub type Change = (String, Option<String>);

impl Cluster {
    /// The configurations of resources, by name. A broker's own are asked of it.
    ///
    /// # Errors
    /// Also the first resource's that cannot be described.
    pub fn describe_configs(
        &mut self,
        kind: ResourceType,
        names: &[&str],
    ) -> Result<BTreeMap<String, Vec<DescribeConfigsResourceResult>>, ClientError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let resource = |name: &&str| DescribeConfigsResource {
            resource_type: kind as i8,
            resource_name: Str::from(*name),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: names.iter().map(resource).collect(),
            include_synonyms: true,
            include_documentation: false,
        };
        self.call(|cluster| {
            let at = cluster.owner(kind, names)?;
            let answer = cluster.ask(at, &request)?;
            let mut found = BTreeMap::new();
            for result in answer.results {
                ClientError::check(result.error_code, result.error_message.as_deref())?;
                found.insert(result.resource_name.to_string(), result.configs);
            }
            Ok(found)
        })
    }

    /// The broker itself where the resource is one, else any.
    fn owner(&mut self, kind: ResourceType, names: &[&str]) -> Result<At, ClientError> {
        let id = match (kind, names) {
            (ResourceType::Broker | ResourceType::BrokerLogger, [id]) => id.parse::<i32>().ok(),
            _ => None,
        };
        let Some(id) = id else { return Ok(At::Any) };
        if !self.brokers().contains_key(&id) {
            self.metadata(Some(&[]))?;
        }
        Ok(At::Broker(id))
    }

    /// Changes values of one resource (KIP-339).
    ///
    /// # Errors
    /// Also what the resource answered.
    pub fn alter_configs(&mut self, kind: ResourceType, name: &str, changes: &[Change]) -> Result<(), ClientError> {
        let change = |(name, value): &Change| AlterableConfig {
            name: name.into(),
            config_operation: i8::from(value.is_none()),
            value: Some(value.as_deref().unwrap_or_default().into()),
        };
        let resource = AlterConfigsResource {
            resource_type: kind as i8,
            resource_name: name.into(),
            configs: changes.iter().map(change).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        self.call(|cluster| {
            let at = cluster.owner(kind, &[name])?;
            let answer = cluster.ask(at, &request)?;
            let refused = answer.responses.iter().map(|one| (one.error_code, one.error_message.as_deref()));
            refused.into_iter().try_for_each(|(code, message)| ClientError::check(code, message))
        })
    }

    /// The names of the resources that have configurations of their own.
    ///
    /// # Errors
    /// `Unsupported` by brokers before 4.1, but for client metrics.
    pub fn list_config_resources(&mut self, kind: ResourceType) -> Result<Vec<String>, ClientError> {
        // Version 0 knows client metrics alone, and says so by having no field.
        let request = ListConfigResourcesRequest {
            resource_types: if kind == ResourceType::ClientMetrics { Vec::new() } else { vec![kind as i8] },
        };
        self.call(|cluster| {
            let answer = cluster.ask(At::Any, &request)?;
            ClientError::check(answer.error_code, None)?;
            let own = answer.config_resources.iter().filter(|resource| resource.resource_type == kind as i8);
            Ok(own.map(|resource| resource.resource_name.to_string()).collect())
        })
    }
}
