//! Who can be asked for which partitions' state (interactive queries; `EndpointToPartitionsManager`).

use super::StreamsGroup;
use super::configure::ConfiguredSubtopology;
use super::tasks::{TaskSets, without_epochs};
use crate::coordinator::group::str_of;
use crate::metadata::MetadataImage;
use crate::protocol::Str;
use crate::protocol::messages::streams_group_heartbeat_response::{Endpoint, EndpointToPartitions, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl StreamsGroup {
    /// Every member with an endpoint and the partitions of its tasks' sources.
    pub(super) fn endpoints(&self, image: &MetadataImage) -> Vec<EndpointToPartitions> {
        let Some(subtopologies) = self.configured.as_ref().and_then(|configured| configured.subtopologies.as_ref())
        else {
            return Vec::new();
        };
        let told = |(id, member): (&Arc<str>, &std::rc::Rc<super::entry::Metadata>)| {
            let (host, port) = member.endpoint.as_ref()?;
            let current = self.current_of(id);
            Some(EndpointToPartitions {
                user_endpoint: Endpoint { host: str_of(host), port: *port },
                active_partitions: partitions(&without_epochs(&current.assigned.active), subtopologies, image),
                standby_partitions: partitions(&current.assigned.standby, subtopologies, image),
            })
        };
        self.members.iter().filter_map(told).collect()
    }
}

fn partitions(
    tasks: &TaskSets,
    subtopologies: &BTreeMap<Arc<str>, ConfiguredSubtopology>,
    image: &MetadataImage,
) -> Vec<TopicPartition> {
    let mut told = Vec::new();
    for (id, partitions) in tasks {
        let Some(subtopology) = subtopologies.get(id) else { continue };
        let internal = subtopology.repartition_sources.iter().map(|topic| &topic.name);
        let topics: BTreeSet<&Str> = subtopology.sources.iter().chain(internal).collect();
        for name in topics {
            // A topic with fewer partitions than the subtopology has tasks has none for the last of them.
            let count = image.topic_by_name(name).map_or(0, |topic| topic.partition_count());
            let partitions = partitions.iter().copied().filter(|partition| *partition < count).collect();
            told.push(TopicPartition { topic: name.clone(), partitions });
        }
    }
    told
}
