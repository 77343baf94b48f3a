//! What an application consists of: subtopologies, each with the topics it reads and keeps its state in
//! (`StreamsTopology`).

use crate::base::ErrorCode;
use crate::coordinator::codec::prefixed;
use crate::coordinator::group::records::own;
use crate::protocol::Str;
use crate::protocol::messages::StreamsGroupTopologyValue;
use crate::protocol::messages::streams_group_heartbeat_request::{self as asked, Topology};
use crate::protocol::messages::streams_group_topology_value::{CopartitionGroup, Subtopology, TopicConfig, TopicInfo};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// The topology of a request in the form in which it is written, in memory of its own.
///
/// # Errors
/// 130: a negative epoch, two subtopologies of one name, changelogs with a number of partitions, a group of
/// copartitioned topics that names a topic that is not there.
pub fn of_request(topology: &Topology) -> Result<StreamsGroupTopologyValue, (ErrorCode, String)> {
    let invalid = |text: String| Err((ErrorCode::StreamsInvalidTopology, text));
    if topology.epoch < 0 {
        return invalid(format!("The topology's epoch {} is negative.", topology.epoch));
    }
    let mut names = HashSet::new();
    for subtopology in &topology.subtopologies {
        let id = &subtopology.subtopology_id;
        if !names.insert(id) {
            return invalid(format!("Subtopology {id} is given more than once."));
        }
        if let Some(topic) = subtopology.state_changelog_topics.iter().find(|topic| topic.partitions != 0) {
            return invalid(format!(
                "Changelog topic {} has {} partitions: how many it gets is not the client's to say.",
                topic.name, topic.partitions
            ));
        }
        let outside = subtopology.copartition_groups.iter().any(|group| {
            let beyond =
                |all: &[i16], len: usize| all.iter().any(|at| usize::try_from(*at).map_or(true, |at| at >= len));
            beyond(&group.source_topics, subtopology.source_topics.len())
                || beyond(&group.repartition_source_topics, subtopology.repartition_source_topics.len())
        });
        if outside {
            return invalid(format!("A copartition group of subtopology {id} names a topic that is not there."));
        }
    }
    let subtopologies = topology.subtopologies.iter().map(subtopology_of).collect();
    Ok(StreamsGroupTopologyValue { epoch: topology.epoch, subtopologies })
}

fn strs(all: &[Str]) -> Vec<Str> {
    all.iter().map(Str::copied).collect()
}

fn subtopology_of(subtopology: &asked::Subtopology) -> Subtopology {
    let topics = |topics: &[asked::TopicInfo]| {
        let topic = |topic: &asked::TopicInfo| TopicInfo {
            name: topic.name.copied(),
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            topic_configs: topic
                .topic_configs
                .iter()
                .map(|config| TopicConfig { key: config.key.copied(), value: config.value.copied() })
                .collect(),
        };
        topics.iter().map(topic).collect()
    };
    let group = |group: &asked::CopartitionGroup| CopartitionGroup {
        source_topics: group.source_topics.clone(),
        source_topic_regex: group.source_topic_regex.clone(),
        repartition_source_topics: group.repartition_source_topics.clone(),
    };
    Subtopology {
        subtopology_id: subtopology.subtopology_id.copied(),
        source_topics: strs(&subtopology.source_topics),
        source_topic_regex: strs(&subtopology.source_topic_regex),
        state_changelog_topics: topics(&subtopology.state_changelog_topics),
        repartition_sink_topics: strs(&subtopology.repartition_sink_topics),
        repartition_source_topics: topics(&subtopology.repartition_source_topics),
        copartition_groups: subtopology.copartition_groups.iter().map(group).collect(),
    }
}

/// The topology in memory of its own: what was read keeps the whole buffer it came in.
pub fn copied(topology: &StreamsGroupTopologyValue) -> StreamsGroupTopologyValue {
    let topic = |topic: &TopicInfo| TopicInfo {
        name: topic.name.copied(),
        topic_configs: topic
            .topic_configs
            .iter()
            .map(|config| TopicConfig { key: config.key.copied(), value: config.value.copied() })
            .collect(),
        ..topic.clone()
    };
    let subtopology = |subtopology: &Subtopology| Subtopology {
        subtopology_id: subtopology.subtopology_id.copied(),
        source_topics: strs(&subtopology.source_topics),
        source_topic_regex: strs(&subtopology.source_topic_regex),
        state_changelog_topics: subtopology.state_changelog_topics.iter().map(topic).collect(),
        repartition_sink_topics: strs(&subtopology.repartition_sink_topics),
        repartition_source_topics: subtopology.repartition_source_topics.iter().map(topic).collect(),
        copartition_groups: subtopology.copartition_groups.clone(),
    };
    StreamsGroupTopologyValue {
        epoch: topology.epoch,
        subtopologies: topology.subtopologies.iter().map(subtopology).collect(),
    }
}

/// True for the same subtopologies, in any order, and the same epoch.
pub fn is_same(one: &StreamsGroupTopologyValue, other: &StreamsGroupTopologyValue) -> bool {
    let by_id = |topology: &StreamsGroupTopologyValue| -> BTreeMap<String, Subtopology> {
        topology.subtopologies.iter().map(|s| (s.subtopology_id.to_string(), s.clone())).collect()
    };
    one == other || (one.epoch == other.epoch && by_id(one) == by_id(other))
}

/// All topics it reads from or keeps state in.
pub fn required_topics(topology: &StreamsGroupTopologyValue) -> BTreeSet<Arc<str>> {
    let of = |subtopology: &Subtopology| -> Vec<Arc<str>> {
        let internal = subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
        let names = subtopology.source_topics.iter().chain(internal.map(|topic| &topic.name));
        names.map(|name| own(name)).collect()
    };
    topology.subtopologies.iter().flat_map(of).collect()
}

/// The subtopology that reads `topic`; of several, the last.
pub fn reader_of<'a>(topology: &'a StreamsGroupTopologyValue, topic: &str) -> Option<&'a Subtopology> {
    topology.subtopologies.iter().rev().find(|subtopology| {
        subtopology.source_topics.iter().any(|name| **name == *topic)
            || subtopology.repartition_source_topics.iter().any(|info| *info.name == *topic)
    })
}

/// How many bytes the topology takes in a record.
pub fn size_of(topology: &StreamsGroupTopologyValue) -> usize {
    prefixed(0, topology, 0).len()
}
