//! Configurations of topics, brokers, their loggers, groups and client metrics.

use super::super::Streams;
use super::super::print::{json, text};
use super::{Call, Failure};
use crate::base::ErrorCode;
use crate::base::topic::validate_topic_name;
use crate::client::ClientError;
use crate::client::configs::{Change, ResourceType, source_name};
use crate::protocol::json::Json;
use crate::protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use std::collections::BTreeSet;

impl Call<'_> {
    pub fn describe_resources(&mut self, kind: ResourceType, streams: &mut Streams<'_>) -> Result<(), Failure> {
        let plural = self.entities.kind().name();
        let one = plural.strip_suffix('s').unwrap_or(plural);
        let all = self.arguments.all;
        let asked = self.entities.name().map(str::to_owned);
        if let (Some(name), false) = (&asked, all) {
            if !self.exists(kind, name)? {
                writeln!(streams.out, "The {one} '{name}' doesn't exist and doesn't have dynamic config.")?;
                return Ok(());
            }
        }
        let names = match asked {
            Some(name) => vec![name],
            None => self.names(kind)?,
        };
        let mut items = Vec::new();
        for name in names {
            let entries = self.entries(kind, &name)?;
            if self.arguments.connect.json {
                items.push(item(plural, &name, &entries));
                continue;
            }
            match (name.is_empty(), all) {
                (true, _) => writeln!(streams.out, "Default configs for {plural} in the cluster are:")?,
                (_, true) => writeln!(streams.out, "All configs for {one} {name} are:")?,
                (_, false) => writeln!(streams.out, "Dynamic configs for {one} {name} are:")?,
            }
            entries.iter().try_for_each(|entry| print(entry, streams))?;
        }
        if self.arguments.connect.json {
            json(streams, &Json::Array(items))?;
        }
        Ok(())
    }

    /// Whether there is such an entity; asked where only what somebody has set is wanted.
    fn exists(&mut self, kind: ResourceType, name: &str) -> Result<bool, Failure> {
        Ok(match kind {
            ResourceType::Topic => {
                validate_topic_name(name).map_err(Failure::Argument)?;
                self.cluster.topics()?.contains_key(name)
            }
            ResourceType::Broker | ResourceType::BrokerLogger => {
                name.is_empty() || self.broker_ids()?.iter().any(|id| id.to_string() == name)
            }
            ResourceType::ClientMetrics => self.cluster.list_config_resources(kind)?.iter().any(|known| known == name),
            ResourceType::Group => {
                self.cluster.list_groups()?.iter().any(|group| group.id == name)
                    || self.groups_with_configs()?.is_none_or(|known| known.iter().any(|known| known == name))
            }
        })
    }

    /// All entities of a type, and the default of brokers.
    fn names(&mut self, kind: ResourceType) -> Result<Vec<String>, Failure> {
        Ok(match kind {
            ResourceType::Topic => self.cluster.topics()?.into_keys().collect(),
            ResourceType::Broker | ResourceType::BrokerLogger => {
                let ids = self.broker_ids()?;
                ids.iter().map(ToString::to_string).chain(std::iter::once(String::new())).collect()
            }
            ResourceType::ClientMetrics => self.cluster.list_config_resources(kind)?,
            ResourceType::Group => {
                let mut names: BTreeSet<String> =
                    self.cluster.list_groups()?.into_iter().map(|group| group.id).collect();
                names.extend(self.groups_with_configs()?.unwrap_or_default());
                names.into_iter().collect()
            }
        })
    }

    fn broker_ids(&mut self) -> Result<Vec<i32>, Failure> {
        self.cluster.call(|cluster| cluster.metadata(Some(&[])))?;
        Ok(self.cluster.brokers().keys().copied().collect())
    }

    /// `None` where brokers do not tell.
    fn groups_with_configs(&mut self) -> Result<Option<Vec<String>>, Failure> {
        match self.cluster.list_config_resources(ResourceType::Group) {
            Ok(names) => Ok(Some(names)),
            Err(ClientError::Unsupported(_) | ClientError::Broker(ErrorCode::ClusterAuthorizationFailed, _)) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The entries to show, by name.
    fn entries(&mut self, kind: ResourceType, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Failure> {
        let mut described = self.cluster.describe_configs(kind, &[name])?;
        let mut entries = described.remove(name).unwrap_or_default();
        let source = match kind {
            _ if self.arguments.all => None,
            ResourceType::Topic => Some("DYNAMIC_TOPIC_CONFIG"),
            ResourceType::Broker if name.is_empty() => Some("DYNAMIC_DEFAULT_BROKER_CONFIG"),
            ResourceType::Broker => Some("DYNAMIC_BROKER_CONFIG"),
            ResourceType::BrokerLogger => None,
            ResourceType::ClientMetrics => Some("DYNAMIC_CLIENT_METRICS_CONFIG"),
            ResourceType::Group => Some("DYNAMIC_GROUP_CONFIG"),
        };
        entries.retain(|entry| source.is_none_or(|wanted| source_name(entry.config_source) == wanted));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub fn alter_resource(&mut self, kind: ResourceType, name: &str, changes: &[Change]) -> Result<(), Failure> {
        if kind == ResourceType::BrokerLogger {
            let known = self.cluster.describe_configs(kind, &[name])?.remove(name).unwrap_or_default();
            let known = |logger: &str| known.iter().any(|entry| &*entry.name == logger);
            let wrong: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).filter(|name| !known(name)).collect();
            if !wrong.is_empty() {
                return Err(Failure::Argument(format!("Invalid broker logger(s): {}", wrong.join(","))));
            }
        }
        Ok(self.cluster.alter_configs(kind, name, changes)?)
    }
}

fn print(entry: &DescribeConfigsResourceResult, streams: &mut Streams<'_>) -> std::io::Result<()> {
    let or_null = |value: Option<&str>| value.unwrap_or("null").to_owned();
    let synonym = |synonym: &crate::protocol::messages::describe_configs_response::DescribeConfigsSynonym| {
        format!("{}:{}={}", source_name(synonym.source), synonym.name, or_null(synonym.value.as_deref()))
    };
    let synonyms: Vec<String> = entry.synonyms.iter().map(synonym).collect();
    writeln!(
        streams.out,
        "  {}={} sensitive={} synonyms={{{}}}",
        entry.name,
        or_null(entry.value.as_deref()),
        entry.is_sensitive,
        synonyms.join(", ")
    )
}

fn item(plural: &str, name: &str, entries: &[DescribeConfigsResourceResult]) -> Json {
    let entry = |entry: &DescribeConfigsResourceResult| {
        Json::Object(vec![
            ("name", Json::Text(entry.name.to_string())),
            ("value", text(entry.value.as_deref())),
            ("source", Json::Text(source_name(entry.config_source).to_owned())),
            ("sensitive", Json::Bool(entry.is_sensitive)),
            ("readOnly", Json::Bool(entry.read_only)),
        ])
    };
    Json::Object(vec![
        ("entityType", Json::Text(plural.to_owned())),
        ("entityName", text((!name.is_empty()).then_some(name))),
        ("configs", Json::Array(entries.iter().map(entry).collect())),
    ])
}
