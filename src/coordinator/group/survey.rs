//! Groups as the metrics tell of them.

use super::Groups;
use std::sync::Arc;

/// One group at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// The group's id.
    pub id: Arc<str>,
    /// Its state, as ListGroups names it.
    pub state: &'static str,
    /// How many members it has.
    pub members: usize,
    /// Its committed offsets: topic, partition, offset.
    pub offsets: Vec<(Arc<str>, i32, i64)>,
}

impl Groups {
    /// The first `groups_max` groups with at most `offsets_max` committed offsets each.
    pub fn survey(&self, groups_max: usize, offsets_max: usize) -> Vec<GroupFacts> {
        let classic = self.groups.values().map(|g| (&g.id, g.state().name(), g.members().len()));
        let consumers = self.consumers.values().map(|g| (&g.id, g.state().name(), g.members().len()));
        let streams = self.streams.values().map(|g| (&g.id, g.state().name(), g.len()));
        let facts = classic.chain(consumers).chain(streams).map(|(id, state, members)| GroupFacts {
            id: id.clone(),
            state,
            members,
            offsets: self.committed(id).take(offsets_max).collect(),
        });
        facts.take(groups_max).collect()
    }

    fn committed(&self, group: &str) -> impl Iterator<Item = (Arc<str>, i32, i64)> {
        let topics = self.offsets.group(group).into_iter().flatten();
        topics.flat_map(|(topic, partitions)| partitions.iter().map(|(p, o)| (topic.clone(), *p, o.offset)))
    }
}
