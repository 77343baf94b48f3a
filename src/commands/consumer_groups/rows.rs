//! Rows of the tables, and where their values come from.

use super::Failure;
use crate::base::TopicPartition;
use crate::client::Cluster;
use crate::client::groups::{Committed, Group};
use crate::client::offsets::LATEST;
use std::collections::{BTreeMap, BTreeSet};

/// A partition with the offset a group has committed, and who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetRow {
    pub at: TopicPartition,
    pub committed: Option<Committed>,
    pub end: Option<i64>,
    /// Member id, host, client id; `None`: nobody.
    pub reader: Option<(String, String, String)>,
}

impl OffsetRow {
    /// How many records there are behind the committed offset.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed.as_ref()?.offset)
    }
}

/// The partitions of a group's members, those of the member with most of them first, then those that nobody reads.
pub fn offset_rows(
    group: &Group,
    committed: &BTreeMap<TopicPartition, Committed>,
    ends: &BTreeMap<TopicPartition, i64>,
) -> Vec<OffsetRow> {
    let row = |at: &TopicPartition, reader: Option<(String, String, String)>| OffsetRow {
        at: at.clone(),
        committed: committed.get(at).cloned(),
        end: ends.get(at).copied(),
        reader,
    };
    let mut members: Vec<_> = group.members.iter().filter(|member| !member.assignment.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assignment.len()));
    let mut rows = Vec::new();
    let mut assigned = BTreeSet::new();
    for member in members {
        let reader = (member.id.clone(), member.host.clone(), member.client_id.clone());
        rows.extend(member.assignment.iter().map(|at| row(at, Some(reader.clone()))));
        assigned.extend(&member.assignment);
    }
    rows.extend(committed.keys().filter(|at| !assigned.contains(at)).map(|at| row(at, None)));
    rows
}

/// The ends of the partitions that have a leader.
pub fn ends(
    cluster: &mut Cluster,
    partitions: impl Iterator<Item = TopicPartition>,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let wanted: BTreeSet<TopicPartition> = partitions.collect();
    let topics: BTreeSet<&str> = wanted.iter().map(|at| &*at.topic).collect();
    let known = if topics.is_empty() { BTreeMap::new() } else { cluster.topics()? };
    let led = |at: &&TopicPartition| {
        let partitions = known.get(&*at.topic).map(|topic| &topic.partitions);
        partitions.is_some_and(|all| all.iter().any(|one| one.index == at.partition && one.leader.is_some()))
    };
    let wanted: BTreeMap<TopicPartition, i64> = wanted.iter().filter(led).map(|at| (at.clone(), LATEST)).collect();
    let found = cluster.list_offsets(&wanted, false)?;
    Ok(found.into_iter().filter_map(|(at, found)| Some((at, found.ok()?.offset))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Endpoint;
    use crate::client::groups::Member;

    fn at(index: i32) -> TopicPartition {
        TopicPartition::new("t", index)
    }

    fn member(id: &str, partitions: &[i32]) -> Member {
        Member {
            id: id.into(),
            instance_id: None,
            client_id: "c".into(),
            host: "/h".into(),
            assignment: partitions.iter().map(|index| at(*index)).collect(),
            target: BTreeSet::new(),
            epoch: None,
            upgraded: None,
        }
    }

    #[test]
    fn members_with_more_partitions_come_first_and_unread_partitions_last() {
        let group = Group {
            id: "g".into(),
            kind: "Classic",
            state: "Stable".into(),
            coordinator: (1, Endpoint { host: "h".into(), port: 1 }),
            assignor: "range".into(),
            epoch: None,
            target_epoch: None,
            members: vec![member("few", &[0]), member("none", &[]), member("many", &[2, 1])],
        };
        let committed = |offset| Committed { offset, leader_epoch: None };
        let offsets = [(at(0), committed(5)), (at(3), committed(1))].into_iter().collect();
        let ends = [(at(0), 7), (at(1), 9)].into_iter().collect();
        let rows = offset_rows(&group, &offsets, &ends);
        let shown: Vec<_> = rows
            .iter()
            .map(|row| (row.at.partition, row.reader.as_ref().map(|(id, ..)| id.as_str()), row.lag()))
            .collect();
        assert_eq!(
            shown,
            [(1, Some("many"), None), (2, Some("many"), None), (0, Some("few"), Some(2)), (3, None, None)]
        );
    }
}
