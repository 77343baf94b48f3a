//! DescribeConfigs (key 32, v0-4): the configuration of topics, brokers and groups with where each value comes from
//! (KIP-226, 569).

use super::RequestContext;
use super::reply::Close;
use crate::base::topic::validate_topic_name;
use crate::base::{ErrorCode, logging};
use crate::config::table::Table;
use crate::config::{ConfigEntry, ConfigSource, Synonym, describe, documentation};
use crate::metadata::{MetadataImage, ResourceType};
use crate::protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use crate::protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

/// The text of INVALID_REQUEST where Kafka has no other.
const UNKNOWN_TYPE: &str = "This most likely occurs because of a request being malformed by the client library or the \
                            message was sent to an incompatible broker. See the broker logs for more details.";

type Described = Result<Vec<ConfigEntry>, (ErrorCode, Option<String>)>;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: DescribeConfigsRequest) -> Result<DescribeConfigsResponse, Close> {
    let image = ctx.shard.image();
    // One resource of a type nobody knows, and none is described.
    let unknown = request.resources.iter().any(|resource| ResourceType::of(resource.resource_type).is_none());
    let result = |resource: &DescribeConfigsResource| {
        let mut result = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..Default::default()
        };
        let entries = if unknown { Err(invalid(UNKNOWN_TYPE)) } else { described(ctx, &image, resource) };
        match entries {
            Ok(entries) => {
                let wanted = entries.into_iter().filter(|entry| is_wanted(resource, &entry.name));
                result.configs = wanted.map(|entry| row(ctx.api_version, entry, &request)).collect();
            }
            Err((error, message)) => {
                result.error_code = error.code();
                result.error_message = message.map(Into::into);
            }
        }
        result
    };
    Ok(DescribeConfigsResponse { results: request.resources.iter().map(result).collect(), ..Default::default() })
}

fn is_wanted(resource: &DescribeConfigsResource, name: &str) -> bool {
    let keys = resource.configuration_keys.as_deref().unwrap_or_default();
    keys.is_empty() || keys.iter().any(|key| **key == *name)
}

fn row(version: i16, entry: ConfigEntry, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let synonym = |s: Synonym| DescribeConfigsSynonym {
        name: (&*s.name).into(),
        value: s.value.map(Into::into),
        source: s.source.wire(),
    };
    let documentation = if request.include_documentation { documentation(&entry.name) } else { None };
    DescribeConfigsResourceResult {
        is_default: version == 0 && entry.source == ConfigSource::Default,
        name: entry.name.into(),
        value: entry.value.filter(|_| !entry.sensitive).map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source.wire(),
        is_sensitive: entry.sensitive,
        synonyms: if request.include_synonyms { entry.synonyms.into_iter().map(synonym).collect() } else { Vec::new() },
        config_type: entry.kind.map_or(0, |kind| kind.wire()),
        documentation: documentation.map(Into::into),
    }
}

fn invalid(text: impl Into<String>) -> (ErrorCode, Option<String>) {
    (ErrorCode::InvalidRequest, Some(text.into()))
}

fn described(ctx: &RequestContext, image: &MetadataImage, resource: &DescribeConfigsResource) -> Described {
    let name = &*resource.resource_name;
    match ResourceType::of(resource.resource_type) {
        Some(ResourceType::Topic) => topic(ctx, image, name),
        Some(ResourceType::Broker) => broker(ctx, name),
        Some(ResourceType::Group) if name.is_empty() => Err(invalid("Group name must not be empty")),
        Some(ResourceType::Group) => Ok(group(ctx, image, name)),
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            Err(invalid("Client metrics subscription name must not be empty"))
        }
        Some(ResourceType::ClientMetrics) => Ok(client_metrics(image, name)),
        Some(ResourceType::BrokerLogger) if name.is_empty() => Err(invalid("Broker id must not be empty")),
        Some(ResourceType::BrokerLogger) => own_id(ctx, name, "").map(|()| loggers()),
        None => Err(invalid(UNKNOWN_TYPE)),
    }
}

fn topic(ctx: &RequestContext, image: &MetadataImage, name: &str) -> Described {
    validate_topic_name(name).map_err(|why| (ErrorCode::InvalidTopicException, Some(why)))?;
    if image.topic_by_name(name).is_none() {
        return Err((ErrorCode::UnknownTopicOrPartition, Some(String::new())));
    }
    Ok(describe::describe_topic(image.topic_overrides(name), &ctx.shard.live().topic_defaults))
}

/// The node's own configuration, or, for the empty name, what was set for all brokers while they ran.
fn broker(ctx: &RequestContext, name: &str) -> Described {
    let live = ctx.shard.live();
    if name.is_empty() {
        return Ok(describe::describe_all_brokers(&live));
    }
    own_id(ctx, name, " or empty string,")?;
    Ok(describe::describe_broker(&ctx.shard.shared.config.settings, &live))
}

/// Refuses the names of other brokers.
fn own_id(ctx: &RequestContext, name: &str, or: &str) -> Result<(), (ErrorCode, Option<String>)> {
    let own = ctx.shard.shared.identity.node_id;
    match name.parse::<i32>() {
        Ok(id) if id == own.0 => Ok(()),
        Ok(_) => Err(invalid(format!("Unexpected broker id, expected {own}{or} but received {name}"))),
        Err(_) => Err(invalid(format!("Broker id must be an integer, but it is: {name}"))),
    }
}

fn group(ctx: &RequestContext, image: &MetadataImage, name: &str) -> Vec<ConfigEntry> {
    let broker = describe::describe_broker(&ctx.shard.shared.config.settings, &ctx.shard.live());
    let overrides = image.config(ResourceType::Group, name);
    let entry = |key: &crate::config::table::KeyDef| {
        let synonym = |value: &str, source| Synonym { name: key.name.into(), value: Some(value.to_owned()), source };
        let set = overrides.get(key.name);
        let mut synonyms: Vec<_> = set.map(|value| synonym(value, ConfigSource::Group)).into_iter().collect();
        let of_broker = broker.iter().find(|entry| entry.name.strip_prefix("group.") == Some(key.name));
        match of_broker {
            Some(entry) => synonyms.extend(entry.synonyms.iter().cloned()),
            None => synonyms.extend(key.default.map(|value| synonym(value, ConfigSource::Default))),
        }
        ConfigEntry {
            name: key.name.to_owned(),
            value: match (set, of_broker) {
                (Some(value), _) => Some(value.clone()),
                // The one in force, which need not be the one that was set.
                (None, Some(entry)) => entry.value.clone(),
                (None, None) => key.default.map(str::to_owned),
            },
            kind: Some(key.kind),
            source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
            read_only: false,
            sensitive: false,
            synonyms,
        }
    };
    Table::group().keys().iter().map(entry).collect()
}

fn client_metrics(image: &MetadataImage, name: &str) -> Vec<ConfigEntry> {
    let set = image.config(ResourceType::ClientMetrics, name);
    let entry = |key: &crate::config::table::KeyDef| {
        let own = set.get(key.name).map(|text| {
            let value = key.parse(text).ok().and_then(|value| value.text()).unwrap_or_else(|| text.clone());
            Synonym { name: key.name.into(), value: Some(value), source: ConfigSource::ClientMetrics }
        });
        ConfigEntry {
            name: key.name.to_owned(),
            value: own.as_ref().map_or_else(|| key.default.map(str::to_owned), |own| own.value.clone()),
            kind: Some(key.kind),
            source: own.as_ref().map_or(ConfigSource::Default, |own| own.source),
            read_only: false,
            sensitive: false,
            synonyms: own.into_iter().collect(),
        }
    };
    Table::client_metrics().keys().iter().map(entry).collect()
}

fn loggers() -> Vec<ConfigEntry> {
    let entry = |(name, level): (String, &str)| ConfigEntry {
        name,
        value: Some(level.to_owned()),
        kind: None,
        source: ConfigSource::BrokerLogger,
        read_only: false,
        sensitive: false,
        synonyms: Vec::new(),
    };
    logging::levels().into_iter().map(entry).collect()
}
