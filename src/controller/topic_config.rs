//! The configuration a topic is created with.

use super::Refusal;
use crate::base::ErrorCode;
use crate::config::topic::{self, TopicDefaults};
use crate::metadata::{MetadataRecord, ResourceType};
use crate::protocol::messages::ConfigRecord;
use crate::protocol::messages::create_topics_request::CreatableTopicConfig;

/// Checks what a request sets and gives the records, by key. A key set twice has its last value, as in a map.
pub fn config_records(
    topic_name: &str,
    given: &[CreatableTopicConfig],
    defaults: &TopicDefaults,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let invalid = |text: String| Refusal::new(ErrorCode::InvalidConfig, text);
    let nulls: Vec<_> = given.iter().filter(|config| config.value.is_none()).map(|config| &*config.name).collect();
    if !nulls.is_empty() {
        return Err(invalid(format!("Null value not supported for topic configs: {}", nulls.join(","))));
    }
    let overrides = overrides(given);
    topic::validate(&overrides, defaults).map_err(invalid)?;
    let record = |(name, value): &(&str, &str)| {
        ConfigRecord {
            resource_type: ResourceType::Topic.id(),
            resource_name: topic_name.into(),
            name: (*name).into(),
            value: Some((*value).into()),
        }
        .into()
    };
    Ok(overrides.iter().map(record).collect())
}

/// Key and value of each setting, by key.
pub fn overrides(given: &[CreatableTopicConfig]) -> Vec<(&str, &str)> {
    let pairs = given.iter().filter_map(|config| Some((&*config.name, &**config.value.as_ref()?)));
    pairs.collect::<std::collections::BTreeMap<_, _>>().into_iter().collect()
}
