//! StreamsGroupDescribe (`StreamsGroup.asDescribedGroup`): what is committed, as Kafka answers.

use super::StreamsGroup;
use super::configure::{Configured, ConfiguredSubtopology};
use super::entry::Metadata;
use super::tasks::{TaskSets, without_epochs};
use crate::coordinator::group::{Groups, str_of};
use crate::protocol::Str;
use crate::protocol::messages::StreamsGroupTopologyValue;
use crate::protocol::messages::streams_group_describe_response::{
    Assignment, DescribedGroup, Endpoint, KeyValue, Member, Subtopology, TaskIds, TopicInfo, Topology,
};
use crate::protocol::messages::streams_group_topology_value as written;
use std::sync::Arc;

impl Groups {
    pub(in crate::coordinator::group) fn streams_describe(&self, groups: &[Str]) -> Vec<DescribedGroup> {
        let described = |id: &Str| match self.committed_streams(id) {
            Some(group) => described(id, &group),
            None => {
                let refusal = self.no_streams_group(id);
                DescribedGroup {
                    group_id: id.clone(),
                    error_code: refusal.code.code(),
                    error_message: Some(refusal.message.into()),
                    ..Default::default()
                }
            }
        };
        groups.iter().map(described).collect()
    }
}

fn described(id: &Str, group: &StreamsGroup) -> DescribedGroup {
    let ready = group.configured.as_deref().filter(|configured| configured.is_ready());
    DescribedGroup {
        group_id: id.clone(),
        group_state: Str::from_static(group.state().name()),
        group_epoch: group.group_epoch(),
        assignment_epoch: group.target_epoch(),
        topology: ready.map(of_configured).or_else(|| group.topology.as_deref().map(of_written)),
        members: group.members.iter().map(|(id, member)| described_member(group, id, member)).collect(),
        ..Default::default()
    }
}

fn described_member(group: &StreamsGroup, id: &Arc<str>, member: &Metadata) -> Member {
    let current = group.current_of(id);
    let target = group.target.get(id);
    let tag = |(key, value): (&Arc<str>, &Arc<str>)| KeyValue { key: str_of(key), value: str_of(value) };
    Member {
        member_id: str_of(id),
        member_epoch: current.epoch,
        instance_id: member.instance_id.as_deref().map(str_of),
        rack_id: member.rack_id.as_deref().map(str_of),
        client_id: str_of(&member.client_id),
        client_host: str_of(&member.client_host),
        topology_epoch: member.topology_epoch,
        process_id: str_of(&member.process_id),
        user_endpoint: member.endpoint.as_ref().map(|(host, port)| Endpoint { host: str_of(host), port: *port }),
        client_tags: member.tags.iter().map(tag).collect(),
        assignment: Assignment {
            active_tasks: ids(&without_epochs(&current.assigned.active)),
            standby_tasks: ids(&current.assigned.standby),
            warmup_tasks: ids(&current.assigned.warmup),
        },
        target_assignment: target.map_or_else(Assignment::default, |target| Assignment {
            active_tasks: ids(&target.active),
            standby_tasks: ids(&target.standby),
            warmup_tasks: ids(&target.warmup),
        }),
        ..Default::default()
    }
}

fn ids(tasks: &TaskSets) -> Vec<TaskIds> {
    let ids = tasks.iter().map(|(subtopology, partitions)| TaskIds {
        subtopology_id: str_of(subtopology),
        partitions: partitions.iter().copied().collect(),
    });
    ids.collect()
}

/// With the numbers of partitions as they are.
fn of_configured(configured: &Configured) -> Topology {
    let subtopology = |(id, subtopology): (&Arc<str>, &ConfiguredSubtopology)| Subtopology {
        subtopology_id: str_of(id),
        source_topics: sorted(&subtopology.sources),
        repartition_sink_topics: sorted(&subtopology.repartition_sinks),
        state_changelog_topics: infos(&subtopology.changelogs),
        repartition_source_topics: infos(&subtopology.repartition_sources),
    };
    let subtopologies = configured.subtopologies.iter().flatten().map(subtopology).collect();
    Topology { epoch: configured.epoch, subtopologies: Some(subtopologies) }
}

/// As the members told it.
fn of_written(topology: &StreamsGroupTopologyValue) -> Topology {
    let subtopology = |subtopology: &written::Subtopology| Subtopology {
        subtopology_id: subtopology.subtopology_id.clone(),
        source_topics: sorted(&subtopology.source_topics),
        repartition_sink_topics: sorted(&subtopology.repartition_sink_topics),
        state_changelog_topics: infos(&subtopology.state_changelog_topics),
        repartition_source_topics: infos(&subtopology.repartition_source_topics),
    };
    let mut subtopologies: Vec<Subtopology> = topology.subtopologies.iter().map(subtopology).collect();
    subtopologies.sort_unstable_by(|a, b| a.subtopology_id.cmp(&b.subtopology_id));
    Topology { epoch: topology.epoch, subtopologies: Some(subtopologies) }
}

fn sorted(names: &[Str]) -> Vec<Str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

fn infos(topics: &[written::TopicInfo]) -> Vec<TopicInfo> {
    let config = |config: &written::TopicConfig| KeyValue { key: config.key.clone(), value: config.value.clone() };
    let info = |topic: &written::TopicInfo| TopicInfo {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: topic.topic_configs.iter().map(config).collect(),
    };
    let mut infos: Vec<TopicInfo> = topics.iter().map(info).collect();
    infos.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    infos
}
