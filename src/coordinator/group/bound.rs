//! Committed offsets beyond their logs' ends. A power cut may take a suffix of a log and leave the commits that were
//! made for it. A consumer that starts there would be told that its offset is out of range and begin where its own
//! policy says, often at the log's start. It goes on at the log's end instead: nothing between the two was kept.

use super::in_flight::{Commit, Then};
use super::offsets::{Key, OffsetAndMetadata};
use super::{Groups, Step};
use crate::base::{Offset, TopicPartition, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many offsets the line names.
const NAMED_MAX: usize = 5;

impl Groups {
    /// Of the offsets committed before `crash` (this log's end as the start found it), those beyond their log's end
    /// become that end, here at once and by a fresh record. `end_of` knows the ends, and topics' ids, that the start
    /// found; what came after it is not looked at.
    pub fn bound_by_log_ends(
        &mut self,
        crash: Offset,
        end_of: impl Fn(&TopicPartition) -> Option<(Uuid, Offset)>,
        step: &mut Step,
    ) {
        let mut beyond: BTreeMap<Arc<str>, Vec<(Arc<str>, i32, OffsetAndMetadata)>> = BTreeMap::new();
        let (mut count, mut named) = (0_usize, String::new());
        for (group, topic, partition, committed) in self.offsets.committed() {
            if committed.record_offset >= crash {
                continue;
            }
            let name = TopicPartition::new(topic.clone(), partition);
            let Some((id, end)) = end_of(&name) else { continue };
            let same_topic = committed.topic_id.is_zero() || committed.topic_id == id;
            if !same_topic || committed.offset <= end.0 {
                continue;
            }
            count += 1;
            if count <= NAMED_MAX {
                named += &format!(" {group} in {name}: {} -> {end};", committed.offset);
            }
            // The epoch would make the client look for a divergence behind the end.
            let bounded =
                OffsetAndMetadata { offset: end.0, leader_epoch: -1, committed_at: step.now.wall, ..committed.clone() };
            beyond.entry(group.clone()).or_default().push((topic.clone(), partition, bounded));
        }
        if count == 0 {
            return;
        }
        let more = if count > NAMED_MAX { format!(" and {} more", count - NAMED_MAX) } else { String::new() };
        tracing::warn!("{count} committed offsets lie beyond their logs' ends after a crash:{named}{more}");
        for (group, entries) in beyond {
            let records = entries.iter().map(|(topic, p, value)| super::records::offset(&group, topic, *p, value));
            let records = records.collect();
            for (topic, partition, value) in &entries {
                self.offsets.put(Key::new(&group, topic, *partition), value.clone());
            }
            if let Some(group) = self.groups.get_mut(&group) {
                group.commits_in_flight += 1;
            }
            self.append(records, Then::Commit(Commit { group, entries }), step.fx);
        }
    }
}
