//! AlterConfigs and IncrementalAlterConfigs (`ConfigAdminManager`, `ConfigurationControlManager`; KIP-226, 339).

use super::{Decision, RECORDS_PER_REQUEST_MAX, Refusal};
use crate::base::topic::validate_topic_name;
use crate::base::{BrokerId, ErrorCode, logging};
use crate::config::client_metrics::{ClientMetrics, InvalidClientMetrics};
use crate::config::dynamic::check_change;
use crate::config::table::{KeyDef, Table};
use crate::config::{Config, ConfigType, LiveSettings, group, topic};
use crate::metadata::{ConfigMap, MetadataImage, MetadataRecord, ResourceType};
use crate::protocol::Str;
use crate::protocol::messages::ConfigRecord;
use std::collections::HashSet;

/// The feature under which `min.insync.replicas` belongs to the whole cluster (KIP-966).
const ELR: &str = "eligible.leader.replicas.version";

/// What is done to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key.
    pub key: Str,
    /// `AlterConfigOp.OpType`: 0 set, 1 delete, 2 append, 3 subtract.
    pub operation: i8,
    /// The value; needed by all but delete.
    pub value: Option<Str>,
}

/// `AlterConfigOp.OpType.SET`.
pub const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// The changes of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    /// The resource's type on the wire.
    pub resource_type: i8,
    /// The resource's name.
    pub resource_name: Str,
    /// In the order of the request.
    pub changes: Vec<KeyChange>,
    /// Keys that are not named go (the old AlterConfigs).
    pub replaces_all: bool,
}

/// What the node knows beside the image.
#[derive(Clone, Copy, Debug)]
pub struct AlterContext<'a> {
    /// The configuration at the start.
    pub config: &'a Config,
    /// This node.
    pub node: BrokerId,
}

/// Alters configurations: each resource by itself succeeds or fails, the records of all that succeed go in together.
/// One answer for each alteration, in their order.
pub fn alter_configs(
    image: &MetadataImage,
    alterations: &[Alteration],
    validate_only: bool,
    context: AlterContext<'_>,
) -> Decision<Vec<Result<(), Refusal>>> {
    let mut seen = HashSet::new();
    let twice: HashSet<_> = alterations.iter().map(resource).filter(|resource| !seen.insert(*resource)).collect();
    let mut records = Vec::new();
    let mut response = Vec::with_capacity(alterations.len());
    for alteration in alterations {
        let altered = match twice.contains(&resource(alteration)) {
            true => Err(Refusal::new(ErrorCode::InvalidRequest, "Each resource must appear at most once.")),
            false => alter(image, alteration, context),
        };
        response.push(altered.map(|mut new| records.append(&mut new)));
    }
    if records.len() > RECORDS_PER_REQUEST_MAX {
        let refusal = Refusal::new(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation.");
        return Decision::unchanged(response.iter().map(|_| Err(refusal.clone())).collect());
    }
    if validate_only {
        records.clear();
    }
    Decision { records, response }
}

fn resource(alteration: &Alteration) -> (i8, &str) {
    (alteration.resource_type, &alteration.resource_name)
}

fn alter(
    image: &MetadataImage,
    alteration: &Alteration,
    context: AlterContext<'_>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    check_form(alteration)?;
    let kind = ResourceType::of(alteration.resource_type);
    // Kafka has words for it where a broker's settings change, and looks first whether a logger is this node's.
    let told_elsewhere = [ResourceType::Broker, ResourceType::BrokerLogger];
    if unknown_operation(alteration).is_some() && kind.is_some_and(|kind| !told_elsewhere.contains(&kind)) {
        return Err(ErrorCode::UnknownServerError.into());
    }
    match kind {
        Some(ResourceType::Topic) => alter_topic(image, alteration, context),
        Some(ResourceType::Broker) => alter_broker(image, alteration, context),
        Some(ResourceType::BrokerLogger) if !alteration.replaces_all => check_loggers(alteration, context.node),
        Some(ResourceType::ClientMetrics) => alter_client_metrics(image, alteration),
        Some(ResourceType::Group) => alter_group(image, alteration, context),
        _ => Err(invalid_request(format!("Unknown resource type {}", alteration.resource_type))),
    }
}

fn invalid_request(text: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, text)
}

fn invalid_config(text: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidConfig, text)
}

/// What holds for the changes of any resource.
fn check_form(alteration: &Alteration) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    if !alteration.changes.iter().all(|change| seen.insert(&*change.key)) {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    let nulls = alteration.changes.iter().filter(|change| change.operation != DELETE && change.value.is_none());
    let nulls: Vec<_> = nulls.map(|change| &*change.key).collect();
    if !nulls.is_empty() {
        return Err(invalid_request(format!("Null value not supported for : {}", nulls.join(", "))));
    }
    Ok(())
}

/// An operation that there is not.
fn unknown_operation(alteration: &Alteration) -> Option<i8> {
    alteration.changes.iter().map(|change| change.operation).find(|operation| !(SET..=SUBTRACT).contains(operation))
}

/// A record's text has an end (`Message`): lists grow with each request.
fn check_lengths(new: &ConfigMap) -> Result<(), Refusal> {
    const TEXT_MAX: usize = i16::MAX as usize;
    match new.iter().find(|(_, value)| value.len() > TEXT_MAX) {
        Some((key, _)) => Err(invalid_config(format!("The value of {key} is longer than {TEXT_MAX} bytes"))),
        None => Ok(()),
    }
}

/// Levels of loggers are not kept: they change at once, when all of the resource's changes are right.
fn check_loggers(alteration: &Alteration, node: BrokerId) -> Result<Vec<MetadataRecord>, Refusal> {
    let name = &*alteration.resource_name;
    match name.parse::<i32>() {
        Ok(id) if id == node.0 => {}
        Ok(id) => return Err(invalid_request(format!("Unexpected node id. Expected {node}, but received {id}"))),
        Err(_) => return Err(invalid_request(format!("Node id must be an integer, but it is: {name}"))),
    }
    for change in &alteration.changes {
        let logger = &change.key;
        let not_allowed = |what: &str| {
            Err(invalid_request(format!("{what} operation is not allowed for the BROKER_LOGGER resource")))
        };
        match change.operation {
            unknown if !(SET..=SUBTRACT).contains(&unknown) => return Err(ErrorCode::UnknownServerError.into()),
            APPEND => return not_allowed("APPEND"),
            SUBTRACT => return not_allowed("SUBTRACT"),
            _ if !logging::exists(logger) => return Err(invalid_config(format!("Logger {logger} does not exist!"))),
            DELETE if **logger == *logging::ROOT => {
                return Err(invalid_request("Removing the log level of the root logger is not allowed"));
            }
            DELETE => {}
            _ => {
                let level = change.value.as_deref().unwrap_or_default();
                if !logging::LEVELS.contains(&level) {
                    return Err(invalid_config(format!(
                        "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid \
                         log levels are {}",
                        logging::LEVELS.join(", ")
                    )));
                }
            }
        }
    }
    Ok(Vec::new())
}

/// Gives loggers the levels that [`alter_configs`] found right.
pub fn apply_log_levels(alteration: &Alteration) {
    if ResourceType::of(alteration.resource_type) == Some(ResourceType::BrokerLogger) {
        for change in &alteration.changes {
            logging::set(&change.key, change.value.as_deref().filter(|_| change.operation == SET));
        }
    }
}

fn alter_client_metrics(image: &MetadataImage, alteration: &Alteration) -> Result<Vec<MetadataRecord>, Refusal> {
    let name = &*alteration.resource_name;
    let old = image.config(ResourceType::ClientMetrics, name);
    // Kafka knows their types when it reads them, and not when it changes them.
    if let Some(change) = alteration.changes.iter().find(|change| [APPEND, SUBTRACT].contains(&change.operation)) {
        let operation = if change.operation == APPEND { "APPEND" } else { "SUBTRACT" };
        let text = format!("Can't {operation} to key {} because its type is not LIST.", change.key);
        return Err(invalid_config(text));
    }
    let new = changed(&old, alteration, Table::client_metrics(), |_, _| String::new()).map_err(invalid_config)?;
    check_lengths(&new)?;
    if name.is_empty() {
        return Err(invalid_request("Subscription name can't be empty"));
    }
    match ClientMetrics::read(&new) {
        Ok(_) => Ok(records(alteration, &old, &new)),
        Err(InvalidClientMetrics::Request(why)) => Err(invalid_request(why)),
        Err(InvalidClientMetrics::Config(why)) => Err(invalid_config(why)),
    }
}

fn alter_topic(
    image: &MetadataImage,
    alteration: &Alteration,
    context: AlterContext<'_>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let name = &*alteration.resource_name;
    let old = image.config(ResourceType::Topic, name);
    let new = changed(&old, alteration, Table::topic(), no_list).map_err(invalid_config)?;
    check_lengths(&new)?;
    if name.is_empty() {
        return Err(invalid_request("Default topic resources are not allowed."));
    }
    validate_topic_name(name).map_err(|why| Refusal::new(ErrorCode::InvalidTopicException, why))?;
    let (own, all) = image.broker_configs(context.node);
    let defaults = crate::config::dynamic::topic_defaults(context.config, &own, &all);
    let overrides: Vec<_> = new.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    topic::validate(&overrides, &defaults).map_err(invalid_config)?;
    if image.topic_by_name(name).is_none() {
        let text = format!("The topic '{name}' does not exist.");
        return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, text));
    }
    Ok(records(alteration, &old, &new))
}

/// A group need not exist to have settings.
fn alter_group(
    image: &MetadataImage,
    alteration: &Alteration,
    context: AlterContext<'_>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let name = &*alteration.resource_name;
    let old = image.config(ResourceType::Group, name);
    let new = changed(&old, alteration, Table::group(), no_list).map_err(invalid_config)?;
    check_lengths(&new)?;
    if name.is_empty() {
        return Err(invalid_request("Default group resources are not allowed."));
    }
    group::validate(&new, &context.config.settings).map_err(invalid_config)?;
    Ok(records(alteration, &old, &new))
}

/// The words for an operation on lists where there is none.
fn no_list(change: &KeyChange, _: Option<&KeyDef>) -> String {
    let operation = if change.operation == APPEND { "APPEND" } else { "SUBTRACT" };
    format!("Can't {operation} to key {} because its type is not LIST.", change.key)
}

/// metadata.version 4.3-IV0: brokers may say which of their directories are cordoned.
const CORDONS_VERSION: i16 = 30;

fn alter_broker(
    image: &MetadataImage,
    alteration: &Alteration,
    context: AlterContext<'_>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let (name, node) = (&*alteration.resource_name, context.node);
    if !name.is_empty() {
        let id: i32 =
            name.parse().map_err(|_| invalid_request(format!("Node id must be an integer, but it is: {name}")))?;
        if id != node.0 {
            return Err(invalid_request(format!("Unexpected broker id, expected {node}, but received {name}")));
        }
    }
    if let Some(unknown) = unknown_operation(alteration) {
        return Err(invalid_request(format!("Unknown operations type {unknown}")));
    }
    let for_all = name.is_empty();
    let (own, all) = image.broker_configs(node);
    let live = LiveSettings::new(context.config, &own, &all);
    let not_a_list = |change: &KeyChange, key: Option<&KeyDef>| match key {
        None => format!("Unknown config name: {}", change.key),
        Some(_) => {
            let operation = if change.operation == APPEND { "append" } else { "subtract" };
            format!("Config value {operation} is not allowed for config key: {}", change.key)
        }
    };
    // What the log holds and the broker does not heed stands in no change's way.
    let new = changed(live.set_for(for_all), alteration, Table::broker(), not_a_list).map_err(invalid_config)?;
    check_lengths(&new)?;
    check_change(context.config, &live, &new, for_all).map_err(invalid_request)?;
    let cordons = alteration.changes.iter().any(|change| &*change.key == "cordoned.log.dirs");
    if cordons && image.metadata_version() < CORDONS_VERSION {
        return Err(invalid_config(
            "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= 4.3-IV0",
        ));
    }
    let old = if for_all { &all } else { &own };
    check_min_isr(image, alteration, old, &new, for_all)?;
    let unheeded = old.iter().filter(|(key, _)| !alteration.replaces_all && !live.set_for(for_all).contains_key(*key));
    let named = |key: &str| alteration.changes.iter().any(|change| &*change.key == key);
    let kept = unheeded.filter(|(key, _)| !named(key)).map(|(key, value)| (key.clone(), value.clone()));
    let new = new.into_iter().chain(kept.collect::<Vec<_>>()).collect();
    Ok(records(alteration, old, &new))
}

/// With eligible leader replicas all brokers must go by one number (`ConfigurationControlManager`).
fn check_min_isr(
    image: &MetadataImage,
    alteration: &Alteration,
    old: &ConfigMap,
    new: &ConfigMap,
    for_all: bool,
) -> Result<(), Refusal> {
    const KEY: &str = "min.insync.replicas";
    if image.feature(ELR) == 0 {
        return Ok(());
    }
    if !for_all && alteration.changes.iter().any(|change| &*change.key == KEY) {
        return Err(invalid_config(format!("Broker-level {KEY} cannot be altered while ELR is enabled.")));
    }
    if for_all && old.contains_key(KEY) && !new.contains_key(KEY) {
        return Err(invalid_config(format!("Cluster-level {KEY} cannot be removed while ELR is enabled.")));
    }
    Ok(())
}

/// `old` after the changes. `not_a_list` words the refusal to append to, or subtract from, what is no list.
fn changed(
    old: &ConfigMap,
    alteration: &Alteration,
    table: &Table,
    not_a_list: impl Fn(&KeyChange, Option<&KeyDef>) -> String,
) -> Result<ConfigMap, String> {
    let mut new = if alteration.replaces_all { ConfigMap::new() } else { old.clone() };
    for change in &alteration.changes {
        let (key, value) = (&*change.key, change.value.as_deref().unwrap_or_default());
        match change.operation {
            SET => drop(new.insert(key.to_owned(), value.to_owned())),
            DELETE => drop(new.remove(key)),
            operation => {
                let definition = table.get(key);
                let list = definition.filter(|definition| definition.kind == ConfigType::List);
                let Some(list) = list else { return Err(not_a_list(change, definition)) };
                let before = old.get(key).map(String::as_str).or(list.default).unwrap_or_default();
                let mut parts: Vec<&str> = before.split(',').filter(|part| !part.is_empty()).collect();
                for part in value.split(',') {
                    match operation {
                        APPEND if !parts.contains(&part) => parts.push(part),
                        APPEND => {}
                        _ => parts.retain(|present| *present != part),
                    }
                }
                new.insert(key.to_owned(), parts.join(","));
            }
        }
    }
    Ok(new)
}

/// What turns `old` into `new`: the keys in the order of the request, then those that it leaves out.
fn records(alteration: &Alteration, old: &ConfigMap, new: &ConfigMap) -> Vec<MetadataRecord> {
    let named: Vec<&str> = alteration.changes.iter().map(|change| &*change.key).collect();
    let left_out = old.keys().map(String::as_str).filter(|key| !new.contains_key(*key) && !named.contains(key));
    let keys = named.iter().copied().chain(left_out);
    let differs = keys.filter(|key| old.get(*key) != new.get(*key));
    let record = |key: &str| {
        ConfigRecord {
            resource_type: alteration.resource_type,
            resource_name: alteration.resource_name.clone(),
            name: key.into(),
            value: new.get(key).map(|value| value.as_str().into()),
        }
        .into()
    };
    differs.map(record).collect()
}

#[cfg(test)]
mod tests;
