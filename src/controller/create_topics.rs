//! CreateTopics (`ReplicationControlManager.createTopics`).

use super::assignment::Placer;
use super::topic_config::{config_records, overrides};
use super::{Decision, RECORDS_PER_REQUEST_MAX, Refusal};
use crate::base::topic::{CLUSTER_METADATA_TOPIC, validate_topic_name};
use crate::base::{ErrorCode, Uuid};
use crate::config::describe::describe_topic;
use crate::config::{ConfigEntry, TopicDefaults, TopicPolicy};
use crate::metadata::{MetadataImage, MetadataRecord, PartitionRegistration};
use crate::protocol::messages::TopicRecord;
use crate::protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use crate::protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use std::collections::{HashMap, HashSet};

/// What the node's configuration says of new topics.
#[derive(Clone, Copy, Debug)]
pub struct TopicContext<'a> {
    /// Partitions and replicas of topics that name none.
    pub policy: &'a TopicPolicy,
    /// The topic-level defaults in force.
    pub defaults: &'a TopicDefaults,
}

/// Creates topics: each by itself succeeds or fails, the records of all that succeed go in together. Names given twice
/// are all refused.
pub fn create_topics(
    image: &MetadataImage,
    request: &CreateTopicsRequest,
    context: TopicContext<'_>,
    random: &mut dyn FnMut() -> [u8; 16],
) -> Decision<Vec<CreatableTopicResult>> {
    let twice = named_twice(request);
    let (mut records, mut results) = (Vec::new(), Vec::new());
    let start = u64::from_be_bytes(random().first_chunk().copied().unwrap_or_default()) as usize;
    let mut placer = Placer::new(image, start);
    let excessive = partitions_asked(request, context.policy) > RECORDS_PER_REQUEST_MAX as i64;
    for topic in request.topics.iter().filter(|topic| !twice.contains(&*topic.name)) {
        let created = match excessive {
            true => {
                Err(Refusal::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request."))
            }
            false => create_topic(image, topic, context, &mut placer, random),
        };
        results.push(match created {
            Ok((mut new, result)) => {
                records.append(&mut new);
                result
            }
            Err(refusal) => failed(&topic.name, &refusal),
        });
    }
    let duplicate = Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    let mut twice: Vec<_> = twice.into_iter().collect();
    twice.sort_unstable();
    results.extend(twice.into_iter().map(|name| failed(name, &duplicate)));
    if records.len() > RECORDS_PER_REQUEST_MAX {
        let refusal = Refusal::new(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation.");
        return Decision::unchanged(results.iter().map(|result| failed(&result.name, &refusal)).collect());
    }
    if request.validate_only {
        records.clear();
    }
    Decision { records, response: results }
}

fn failed(name: &str, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.into(),
        error_code: refusal.code.code(),
        error_message: refusal.text(),
        ..Default::default()
    }
}

fn named_twice(request: &CreateTopicsRequest) -> HashSet<&str> {
    let mut seen = HashSet::new();
    request.topics.iter().map(|topic| &*topic.name).filter(|name| !seen.insert(*name)).collect()
}

fn partitions_asked(request: &CreateTopicsRequest, policy: &TopicPolicy) -> i64 {
    let asked = |topic: &CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => i64::from(policy.num_partitions),
        (0, count) => i64::from(count.max(0)),
        (assigned, _) => assigned as i64,
    };
    request.topics.iter().map(asked).sum()
}

fn create_topic(
    image: &MetadataImage,
    topic: &CreatableTopic,
    context: TopicContext<'_>,
    placer: &mut Placer<'_>,
    random: &mut dyn FnMut() -> [u8; 16],
) -> Result<(Vec<MetadataRecord>, CreatableTopicResult), Refusal> {
    check_name(image, &topic.name)?;
    let configs = config_records(&topic.name, &topic.configs, context.defaults)?;
    let partitions = if topic.assignments.is_empty() {
        place(topic, context.policy, placer)?
    } else {
        place_manually(topic, placer)?
    };
    let topic_id = new_topic_id(image, random);
    let mut records = vec![TopicRecord { name: topic.name.clone(), topic_id }.into()];
    records.extend(configs);
    let version = image.metadata_version();
    let numbered = partitions.iter().enumerate();
    records.extend(numbered.map(|(index, p)| p.record(topic_id, index as i32, version).into()));
    let result = CreatableTopicResult {
        name: topic.name.clone(),
        topic_id,
        error_message: None,
        num_partitions: partitions.len() as i32,
        replication_factor: partitions.first().map_or(-1, |p| p.replicas.len() as i16),
        configs: Some(effective_configs(topic, context)),
        ..Default::default()
    };
    Ok((records, result))
}

fn check_name(image: &MetadataImage, name: &str) -> Result<(), Refusal> {
    if name == CLUSTER_METADATA_TOPIC {
        let text = format!("Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited.");
        return Err(Refusal::new(ErrorCode::InvalidRequest, text));
    }
    validate_topic_name(name).map_err(|why| Refusal::new(ErrorCode::InvalidTopicException, why))?;
    if image.topic_by_name(name).is_some() {
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
    }
    // Metric names make no difference between a dot and an underscore, so two topics may not either.
    if name.contains(['.', '_']) {
        let metric_name = |name: &str| name.replace('.', "_");
        let own = metric_name(name);
        if let Some(other) =
            image.topics().find(|other| other.name.len() == name.len() && metric_name(&other.name) == own)
        {
            let text = format!("Topic '{name}' collides with existing topic: {}", other.name);
            return Err(Refusal::new(ErrorCode::InvalidTopicException, text));
        }
    }
    Ok(())
}

fn place(
    topic: &CreatableTopic,
    policy: &TopicPolicy,
    placer: &mut Placer<'_>,
) -> Result<Vec<PartitionRegistration>, Refusal> {
    let factor = match topic.replication_factor {
        -1 => policy.default_replication_factor,
        given @ 1.. => given,
        _ => {
            let text = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, text));
        }
    };
    let count = match topic.num_partitions {
        -1 => policy.num_partitions,
        given @ 1.. => given,
        _ => {
            let text = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refusal::new(ErrorCode::InvalidPartitions, text));
        }
    };
    (0..count).map(|_| placer.place(factor)).collect()
}

fn place_manually(topic: &CreatableTopic, placer: &mut Placer<'_>) -> Result<Vec<PartitionRegistration>, Refusal> {
    let given_too = |what: &str| {
        let text = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Refusal::new(ErrorCode::InvalidRequest, text)
    };
    if topic.replication_factor != -1 {
        return Err(given_too("replication factor"));
    }
    if topic.num_partitions != -1 {
        return Err(given_too("numPartitions"));
    }
    let refused = |text: String| Refusal::new(ErrorCode::InvalidReplicaAssignment, text);
    let mut placed: HashMap<i32, PartitionRegistration> = HashMap::new();
    let mut factor = None;
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        if placed.contains_key(&index) {
            return Err(refused(format!("Found multiple manual partition assignments for partition {index}")));
        }
        let partition = placer.place_manually(&assignment.broker_ids, index, factor)?;
        factor = Some(partition.replicas.len());
        placed.insert(index, partition);
    }
    let in_order = (0..placed.len() as i32).map(|index| placed.remove(&index));
    let whole: Option<Vec<_>> = in_order.collect();
    whole.ok_or_else(|| refused("partitions should be a consecutive 0-based integer sequence".into()))
}

/// A random id that no topic has.
fn new_topic_id(image: &MetadataImage, random: &mut dyn FnMut() -> [u8; 16]) -> Uuid {
    loop {
        if let Some(id) = Uuid::from_random(random()).filter(|id| image.topic_by_id(id).is_none()) {
            return id;
        }
    }
}

fn effective_configs(topic: &CreatableTopic, context: TopicContext<'_>) -> Vec<CreatableTopicConfigs> {
    let entries = describe_topic(overrides(&topic.configs), context.defaults);
    let row = |entry: ConfigEntry| CreatableTopicConfigs {
        name: entry.name.into(),
        value: entry.value.filter(|_| !entry.sensitive).map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source.wire(),
        is_sensitive: entry.sensitive,
    };
    entries.into_iter().map(row).collect()
}
