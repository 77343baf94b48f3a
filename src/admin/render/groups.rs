//! Consumer groups: state, members, committed offsets, lag.

use crate::admin::survey::CoreFacts;
use crate::admin::text::{Kind, Text};
use crate::coordinator::group::GroupFacts;
use std::collections::{BTreeMap, HashMap};

/// Groups with lines of their own.
pub const GROUPS_MAX: usize = 1000;
/// Committed offsets with lines of their own, in all groups.
pub const OFFSETS_MAX: usize = 5000;

/// A committed offset and how far behind it is; no lag where the partition is not here.
struct Committed<'a> {
    group: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
    lag: Option<i64>,
}

/// All cores together.
pub fn write(cores: &[CoreFacts], out: &mut Text) {
    let mut groups: Vec<&GroupFacts> = cores.iter().flat_map(|core| &core.groups).collect();
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    let count: usize = cores.iter().map(|core| core.group_count).sum();
    out.gauge("kafka_coordinator_group_groupmetadatamanager_numgroups", "Groups coordinated here.", count);
    let mut states: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (which, groups) in cores.iter().flat_map(|core| &core.coordinators.groups.by_state) {
        *states.entry(*which).or_default() += groups;
    }
    let mut family = out.family("corelog_groups_by_state", Kind::Gauge, "All groups by protocol and state.");
    for ((protocol, state), groups) in states {
        family.sample(&[("protocol", &protocol), ("state", &state)], groups);
    }
    groups.truncate(GROUPS_MAX);
    let help = "Groups without lines of their own: there are too many.";
    out.gauge("corelog_metrics_groups_left_out", help, count.saturating_sub(groups.len()));

    let mut family = out.family("kafka_consumergroup_members", Kind::Gauge, "Members of the group.");
    groups.iter().for_each(|group| family.sample(&[("consumergroup", &group.id)], group.members));
    offsets(cores, &groups, out);
}

fn offsets(cores: &[CoreFacts], groups: &[&GroupFacts], out: &mut Text) {
    let partitions = cores.iter().flat_map(|core| &core.partitions);
    let ends: HashMap<(&str, i32), i64> =
        partitions.map(|p| ((&*p.name.topic, p.name.partition), p.high_watermark.0)).collect();
    let mut committed = Vec::new();
    let mut lag_sums = Vec::new();
    for group in groups {
        let from = committed.len();
        committed.extend(group.offsets.iter().map(|(topic, partition, offset)| Committed {
            group: &group.id,
            topic,
            partition: *partition,
            offset: *offset,
            lag: ends.get(&(&**topic, *partition)).map(|end| (end - offset).max(0)),
        }));
        let lag: i64 = committed[from..].iter().filter_map(|c| c.lag).sum();
        lag_sums.push((&group.id, lag));
    }
    let mut family =
        out.family("kafka_consumergroup_lag_sum", Kind::Gauge, "Records the group is behind, in all its partitions.");
    lag_sums.iter().for_each(|(group, lag)| family.sample(&[("consumergroup", group)], lag));
    let left_out = committed.len().saturating_sub(OFFSETS_MAX);
    committed.truncate(OFFSETS_MAX);
    let mut family = out.family("kafka_consumergroup_current_offset", Kind::Gauge, "What the group has committed.");
    for c in &committed {
        let labels: [(&str, &dyn std::fmt::Display); 3] =
            [("consumergroup", &c.group), ("topic", &c.topic), ("partition", &c.partition)];
        family.sample(&labels, c.offset);
    }
    let mut family = out.family(
        "kafka_consumergroup_lag",
        Kind::Gauge,
        "Records between the committed offset and the high watermark.",
    );
    for c in &committed {
        let labels: [(&str, &dyn std::fmt::Display); 3] =
            [("consumergroup", &c.group), ("topic", &c.topic), ("partition", &c.partition)];
        c.lag.iter().for_each(|lag| family.sample(&labels, lag));
    }
    let help = "Committed offsets without lines of their own; the sums hold them.";
    out.gauge("corelog_metrics_group_offsets_left_out", help, left_out);
}
