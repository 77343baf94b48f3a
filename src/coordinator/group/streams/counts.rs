//! How many partitions internal topics have: repartition topics as those that are written from, all of a copartition
//! group the same, changelogs as the widest source (`RepartitionTopics`, `CopartitionedTopicsEnforcer`,
//! `ChangelogTopics`).

use super::configure::Invalid;
use crate::base::ErrorCode;
use crate::metadata::MetadataImage;
use crate::protocol::Str;
use crate::protocol::messages::StreamsGroupTopologyValue;
use crate::protocol::messages::streams_group_topology_value::{CopartitionGroup, Subtopology, TopicInfo};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of partitions, decided or real.
pub struct Counts<'a> {
    image: &'a MetadataImage,
    decided: BTreeMap<Str, i32>,
}

impl Counts<'_> {
    /// What was decided for an internal topic.
    pub fn decided(&self, topic: &str) -> Option<i32> {
        self.decided.get(topic).copied()
    }

    /// The number of a topic that exists, else what was decided.
    fn of(&self, topic: &str) -> Option<i32> {
        self.image.topic_by_name(topic).map(|topic| topic.partition_count()).or_else(|| self.decided(topic))
    }

    /// The partitions of the subtopology's widest source.
    ///
    /// # Errors
    /// 130: it has none.
    pub fn widest_source(&self, subtopology: &Subtopology) -> Result<i32, Invalid> {
        let repartitioned = subtopology.repartition_source_topics.iter().map(|topic| &topic.name);
        let counts = subtopology.source_topics.iter().chain(repartitioned).filter_map(|name| self.of(name));
        counts.max().ok_or_else(|| invalid(format!("Subtopology {} has no source topics.", subtopology.subtopology_id)))
    }
}

/// Decides the numbers; all external source topics exist. The inner error: topics that exist do not fit together, in
/// words.
///
/// # Errors
/// 130: the numbers follow from nothing.
pub fn decide<'a>(
    topology: &StreamsGroupTopologyValue,
    image: &'a MetadataImage,
) -> Result<Result<Counts<'a>, String>, Invalid> {
    let mut counts = Counts { image, decided: BTreeMap::new() };
    counts.decided = repartition_counts(topology, image)?;
    let kinds = Kinds::of(topology);
    for subtopology in &topology.subtopologies {
        for group in &subtopology.copartition_groups {
            match copartition(&members(subtopology, group), &kinds, &counts)? {
                Ok(same) => counts.decided.extend(same),
                Err(why) => return Ok(Err(why)),
            }
        }
    }
    for subtopology in &topology.subtopologies {
        let widest = counts.widest_source(subtopology)?;
        let changelogs = subtopology.state_changelog_topics.iter().map(|topic| (topic.name.clone(), widest));
        counts.decided.extend(changelogs);
    }
    Ok(Ok(counts))
}

fn invalid(text: String) -> Invalid {
    (ErrorCode::StreamsInvalidTopology, text)
}

/// Repartition topics: what was asked for, else the widest of what their writer reads, as far as that is known; from
/// one to the next until all are.
fn repartition_counts(
    topology: &StreamsGroupTopologyValue,
    image: &MetadataImage,
) -> Result<BTreeMap<Str, i32>, Invalid> {
    let sources = || topology.subtopologies.iter().flat_map(|s| &s.repartition_source_topics);
    let mut counts: BTreeMap<Str, i32> =
        sources().filter(|topic| topic.partitions != 0).map(|topic| (topic.name.clone(), topic.partitions)).collect();
    loop {
        let (mut open, mut progress) = (false, false);
        for subtopology in &topology.subtopologies {
            for sink in &subtopology.repartition_sink_topics {
                if counts.contains_key(sink) {
                    continue;
                }
                let repartitioned =
                    subtopology.repartition_source_topics.iter().filter_map(|topic| counts.get(&topic.name).copied());
                let external = subtopology.source_topics.iter().filter_map(|name| image.topic_by_name(name));
                match repartitioned.chain(external.map(|topic| topic.partition_count())).max() {
                    Some(count) => {
                        counts.insert(sink.clone(), count);
                        progress = true;
                    }
                    None => open = true,
                }
            }
        }
        if !open {
            break;
        }
        if !progress {
            let text = "The partitions of some repartition topics follow from nothing: is there a loop?";
            return Err(invalid(text.to_owned()));
        }
    }
    match sources().find(|topic| !counts.contains_key(&topic.name)) {
        Some(topic) => Err(invalid(format!("Repartition topic {} is read and never written.", topic.name))),
        None => Ok(counts),
    }
}

/// The repartition topics of a topology, by whether their partitions were asked for.
struct Kinds {
    fixed: BTreeSet<Str>,
    flexible: BTreeSet<Str>,
}

impl Kinds {
    fn of(topology: &StreamsGroupTopologyValue) -> Self {
        let all = || topology.subtopologies.iter().flat_map(|s| &s.repartition_source_topics);
        let names = |keep: fn(&TopicInfo) -> bool| all().filter(|t| keep(t)).map(|t| t.name.clone()).collect();
        Self { fixed: names(|topic| topic.partitions != 0), flexible: names(|topic| topic.partitions == 0) }
    }
}

fn members(subtopology: &Subtopology, group: &CopartitionGroup) -> BTreeSet<Str> {
    let at = |at: &i16| usize::try_from(*at).ok();
    let sources = group.source_topics.iter().filter_map(at).filter_map(|at| subtopology.source_topics.get(at).cloned());
    let repartitioned = group.repartition_source_topics.iter().filter_map(at);
    let repartitioned =
        repartitioned.filter_map(|at| Some(subtopology.repartition_source_topics.get(at)?.name.clone()));
    sources.chain(repartitioned).collect()
}

/// The number that all repartition topics of a copartition group get.
fn copartition(
    group: &BTreeSet<Str>,
    kinds: &Kinds,
    counts: &Counts,
) -> Result<Result<BTreeMap<Str, i32>, String>, Invalid> {
    let mut repartitioned = BTreeMap::new();
    let mut external = BTreeMap::new();
    for name in group {
        let is_internal = kinds.fixed.contains(name) || kinds.flexible.contains(name);
        let side = if is_internal { &mut repartitioned } else { &mut external };
        let count = counts.of(name).ok_or_else(|| invalid(format!("Topic {name} has no partitions.")))?;
        side.insert(name.clone(), count);
    }
    let number = if let Some(first) = external.values().next() {
        if external.values().any(|count| count != first) {
            return Ok(Err(unequal(&external)));
        }
        *first
    } else if let Some(first) = kinds.fixed.first() {
        // As Kafka: all of the topology that were asked for, whether of this group or not.
        let first = counts.of(first);
        if kinds.fixed.iter().any(|name| counts.of(name) != first) {
            return Ok(Err(unequal(&repartitioned)));
        }
        first.unwrap_or(0)
    } else {
        match repartitioned.values().max() {
            None => return Ok(Ok(BTreeMap::new())),
            Some(widest) => *widest,
        }
    };
    for (name, count) in &mut repartitioned {
        if kinds.fixed.contains(name) && *count != number {
            return Ok(Err(format!(
                "Repartition topic {name} was asked for with {count} partitions, those it is joined with have {number}."
            )));
        }
        *count = number;
    }
    Ok(Ok(repartitioned))
}

fn unequal(topics: &BTreeMap<Str, i32>) -> String {
    let each: Vec<String> = topics.iter().map(|(name, count)| format!("{name}={count}")).collect();
    format!("Topics that are joined have different numbers of partitions: {}.", each.join(", "))
}
