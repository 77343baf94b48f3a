//! Groups as the metrics tell of them.

use super::Groups;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One group at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// The group's id.
    pub id: Arc<str>,
    /// How many members it has.
    pub members: usize,
    /// Its committed offsets: topic, partition, offset.
    pub offsets: Vec<(Arc<str>, i32, i64)>,
}

/// What a coordinator did since it was loaded (`GroupCoordinatorMetricsShard`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Offsets committed, those in transactions included.
    pub offset_commits: u64,
    /// Offsets that grew too old.
    pub offsets_expired: u64,
    /// Offsets taken out for any reason.
    pub offsets_removed: u64,
    /// Rebalances of classic groups that ended with an assignment.
    pub classic_rebalances: u64,
    /// Epochs that consumer groups began.
    pub consumer_rebalances: u64,
    /// Epochs that share groups began.
    pub share_rebalances: u64,
    /// Epochs that streams groups began.
    pub streams_rebalances: u64,
}

/// All groups of a coordinator, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupsFacts {
    /// How many there are of each kind in each state.
    pub by_state: BTreeMap<(&'static str, &'static str), usize>,
    /// Committed offsets.
    pub offsets: usize,
    /// See there.
    pub counts: Counts,
}

impl GroupsFacts {
    /// Takes another coordinator's in.
    pub fn add(&mut self, other: Self) {
        other.by_state.into_iter().for_each(|(which, count)| *self.by_state.entry(which).or_default() += count);
        self.offsets += other.offsets;
        let (all, more) = (&mut self.counts, other.counts);
        all.offset_commits += more.offset_commits;
        all.offsets_expired += more.offsets_expired;
        all.offsets_removed += more.offsets_removed;
        all.classic_rebalances += more.classic_rebalances;
        all.consumer_rebalances += more.consumer_rebalances;
        all.share_rebalances += more.share_rebalances;
        all.streams_rebalances += more.streams_rebalances;
    }
}

impl Groups {
    /// The names of the groups that commit offsets.
    pub fn names(&self) -> Vec<Arc<str>> {
        let classic = self.groups.values().map(|group| &group.id);
        let consumers = self.consumers.values().map(|group| &group.id);
        let streams = self.streams.values().map(|group| &group.id);
        classic.chain(consumers).chain(streams).cloned().collect()
    }

    /// One group, without its offsets yet.
    pub fn survey(&self, name: &str) -> Option<GroupFacts> {
        let classic = self.groups.get(name).map(|group| (&group.id, group.members().len()));
        let consumer = || self.consumers.get(name).map(|group| (&group.id, group.members().len()));
        let streams = || self.streams.get(name).map(|group| (&group.id, group.len()));
        let (id, members) = classic.or_else(consumer).or_else(streams)?;
        Some(GroupFacts { id: id.clone(), members, offsets: Vec::new() })
    }

    /// At most `count` of a group's committed offsets, from the `from`th on.
    pub fn committed_from(&self, group: &str, from: usize, count: usize) -> Vec<(Arc<str>, i32, i64)> {
        let topics = self.offsets.group(group).into_iter().flatten();
        let offsets = topics.flat_map(|(topic, partitions)| partitions.iter().map(move |(p, o)| (topic, *p, o.offset)));
        offsets.skip(from).take(count).map(|(topic, p, offset)| (topic.clone(), p, offset)).collect()
    }

    /// All groups, counted.
    pub fn facts(&self) -> GroupsFacts {
        let classic = self.groups.values().map(|group| ("classic", group.state().name()));
        let consumers = self.consumers.values().map(|group| ("consumer", group.state().name()));
        let shares = self.shares.values().map(|group| ("share", group.state_name()));
        let streams = self.streams.values().map(|group| ("streams", group.state().name()));
        let mut facts = GroupsFacts { offsets: self.offsets.len(), counts: self.counts, ..Default::default() };
        for which in classic.chain(consumers).chain(shares).chain(streams) {
            *facts.by_state.entry(which).or_default() += 1;
        }
        facts
    }
}
