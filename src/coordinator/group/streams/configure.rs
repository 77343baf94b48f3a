//! A topology beside the topics there are: how many tasks each subtopology has, which internal topics are missing, and
//! what does not fit (`InternalTopicManager`).

use super::counts::{Counts, decide};
use super::status::Status;
use super::topology::required_topics;
use crate::base::ErrorCode;
use crate::coordinator::group::records::own;
use crate::metadata::MetadataImage;
use crate::protocol::Str;
use crate::protocol::messages::StreamsGroupTopologyValue;
use crate::protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use crate::protocol::messages::streams_group_topology_value::{Subtopology, TopicInfo};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many topics are named in a status.
const NAMED_MAX: usize = 3;

/// Why a topology cannot be worked on at all: the heartbeat is refused.
pub type Invalid = (ErrorCode, String);

/// A topology and what the topics make of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// The topology's epoch.
    pub epoch: i32,
    /// Its subtopologies by id; `None` while topics do not fit.
    pub subtopologies: Option<BTreeMap<Arc<str>, ConfiguredSubtopology>>,
    /// Internal topics that are missing.
    pub missing: Vec<CreatableTopic>,
    /// What stands in the way of tasks.
    pub problem: Option<(Status, String)>,
}

/// One subtopology, with numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfiguredSubtopology {
    /// How many tasks: one for each partition of its widest source.
    pub tasks: i32,
    /// It keeps state that can be followed.
    pub is_stateful: bool,
    /// What it reads from outside.
    pub sources: Vec<Str>,
    /// What it writes to others.
    pub repartition_sinks: Vec<Str>,
    /// What it reads of others, with partitions.
    pub repartition_sources: Vec<TopicInfo>,
    /// Where its state goes, with partitions.
    pub changelogs: Vec<TopicInfo>,
}

impl Configured {
    /// True where tasks can be given out.
    pub fn is_ready(&self) -> bool {
        self.problem.is_none()
    }

    /// `topology` beside the topics of `image`.
    ///
    /// # Errors
    /// 130: the numbers of partitions follow from nothing.
    pub fn new(topology: &StreamsGroupTopologyValue, image: &MetadataImage) -> Result<Self, Invalid> {
        let stuck = |status: Status, detail: String| Self {
            epoch: topology.epoch,
            subtopologies: None,
            missing: Vec::new(),
            problem: Some((status, detail)),
        };
        let sources = topology.subtopologies.iter().flat_map(|subtopology| &subtopology.source_topics);
        let mut absent: Vec<&Str> = sources.filter(|name| image.topic_by_name(name).is_none()).collect();
        absent.sort_unstable();
        absent.dedup();
        if !absent.is_empty() {
            let detail = format!("There are no source topics {}.", summary(absent.iter().map(|name| &***name)));
            return Ok(stuck(Status::MissingSourceTopics, detail));
        }
        let counts = match decide(topology, image)? {
            Ok(counts) => counts,
            Err(detail) => return Ok(stuck(Status::IncorrectlyPartitionedTopics, detail)),
        };
        let mut subtopologies = BTreeMap::new();
        for subtopology in &topology.subtopologies {
            subtopologies.insert(own(&subtopology.subtopology_id), configured(subtopology, &counts)?);
        }
        let missing = match missing(topology, &subtopologies, image) {
            Ok(missing) => missing,
            Err(detail) => return Ok(stuck(Status::IncorrectlyPartitionedTopics, detail)),
        };
        let problem = (!missing.is_empty()).then(|| {
            let names = summary(missing.iter().map(|topic| &*topic.name));
            (Status::MissingInternalTopics, format!("There are no internal topics {names} yet."))
        });
        Ok(Self { epoch: topology.epoch, subtopologies: Some(subtopologies), missing, problem })
    }
}

fn configured(subtopology: &Subtopology, counts: &Counts) -> Result<ConfiguredSubtopology, Invalid> {
    let internal = |topics: &[TopicInfo]| -> Result<Vec<TopicInfo>, Invalid> {
        let with_count = |topic: &TopicInfo| {
            let partitions = match topic.partitions {
                0 => counts.decided(&topic.name).ok_or_else(|| unknown(&topic.name))?,
                own => own,
            };
            if partitions < 1 {
                let text = format!("Topic {} cannot have {partitions} partitions.", topic.name);
                return Err((ErrorCode::StreamsInvalidTopology, text));
            }
            Ok(TopicInfo { partitions, ..topic.clone() })
        };
        topics.iter().map(with_count).collect()
    };
    Ok(ConfiguredSubtopology {
        tasks: counts.widest_source(subtopology)?,
        is_stateful: !subtopology.state_changelog_topics.is_empty(),
        sources: subtopology.source_topics.clone(),
        repartition_sinks: subtopology.repartition_sink_topics.clone(),
        repartition_sources: internal(&subtopology.repartition_source_topics)?,
        changelogs: internal(&subtopology.state_changelog_topics)?,
    })
}

fn unknown(topic: &str) -> Invalid {
    (ErrorCode::StreamsInvalidTopology, format!("How many partitions topic {topic} has follows from nothing."))
}

/// Internal topics that do not exist; in words where one that does has other partitions than it must.
fn missing(
    topology: &StreamsGroupTopologyValue,
    subtopologies: &BTreeMap<Arc<str>, ConfiguredSubtopology>,
    image: &MetadataImage,
) -> Result<Vec<CreatableTopic>, String> {
    let internal = subtopologies.values().flat_map(|s| s.repartition_sources.iter().chain(&s.changelogs));
    let mut missing: BTreeMap<Str, CreatableTopic> =
        internal.map(|topic| (topic.name.clone(), creatable(topic))).collect();
    for name in required_topics(topology) {
        let Some(topic) = image.topic_by_name(&name) else { continue };
        let Some(expected) = missing.remove(&*name) else { continue };
        if topic.partition_count() != expected.num_partitions {
            return Err(format!(
                "Topic {name} has {} partitions and must have {}.",
                topic.partition_count(),
                expected.num_partitions
            ));
        }
    }
    Ok(missing.into_values().collect())
}

fn creatable(topic: &TopicInfo) -> CreatableTopic {
    // A later setting of the same name counts.
    let configs: BTreeMap<&Str, &Str> = topic.topic_configs.iter().map(|config| (&config.key, &config.value)).collect();
    let config = |(name, value): (&Str, &Str)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) };
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions,
        replication_factor: if topic.replication_factor == 0 { -1 } else { topic.replication_factor },
        configs: configs.into_iter().map(config).collect(),
        ..Default::default()
    }
}

/// The first few of `names`, and how many more there are.
fn summary<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let first = names.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}
