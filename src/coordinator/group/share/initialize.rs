//! The beginning of partitions' progress: the group notes which partitions it wants begun, the share coordinator begins
//! them, the group notes that it did (`GroupMetadataManager.maybeCreateInitializeShareGroupStateRequest`).

use super::Partitions;
use super::heartbeat::Beat;
use super::state::{Entry, add, take};
use crate::base::Uuid;
use crate::coordinator::group::request::{Answer, Request};
use crate::coordinator::group::{Groups, Step};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// `group.share.initialize.retry.interval.ms`: after so long what was asked for is asked for again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// Partitions the share coordinator is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialize {
    /// The group.
    pub group: Arc<str>,
    /// The state epoch.
    pub epoch: i32,
    /// Which, and where: -1 as the group's configuration says.
    pub partitions: Vec<(Uuid, i32, i64)>,
}

impl Groups {
    /// What of the subscribed topics has not begun; it is noted as beginning.
    pub(super) fn share_initialize(&mut self, group: &Arc<str>, beat: &mut Beat) -> Option<Initialize> {
        let share = self.shares.get_mut(group)?;
        let mut progress = beat.next.progress.clone();
        let mut partitions = Vec::new();
        for name in beat.next.subscribed() {
            let Some(topic) = self.image.topic_by_name(&name) else { continue };
            let asked = share.asked_at.get(&topic.id);
            let recent = asked.is_some_and(|at| beat.now.mono.since(*at) < RETRY_INTERVAL);
            let is_in = |topics: &std::collections::BTreeMap<Uuid, super::state::Named>, partition: i32| {
                topics.get(&topic.id).is_some_and(|named| named.partitions.contains(&partition))
            };
            let missing: Vec<i32> = (0..topic.partition_count())
                .filter(|partition| {
                    !is_in(&progress.initialized, *partition) && !(recent && is_in(&progress.initializing, *partition))
                })
                .collect();
            if missing.is_empty() {
                continue;
            }
            share.asked_at.insert(topic.id, beat.now.mono);
            partitions.extend(missing.iter().map(|partition| (topic.id, *partition, -1)));
            add(&mut progress.initializing, topic.id, &topic.name, missing);
            progress.deleting.remove(&topic.id);
        }
        if partitions.is_empty() {
            return None;
        }
        if progress != beat.next.progress {
            beat.take(Entry::Progress(Some(progress)));
        }
        Some(Initialize { group: group.clone(), epoch: beat.next.epoch, partitions })
    }

    /// The share coordinator has begun these partitions; or it has not, and they are asked for again.
    pub(in crate::coordinator::group) fn share_initialized(
        &mut self,
        group: &Arc<str>,
        begun: &[(Uuid, i32)],
        done: bool,
        step: &mut Step,
    ) {
        let answer = Answer::ShareDone(Ok(()));
        let Some(share) = self.shares.get_mut(group) else { return step.answer(answer) };
        let mut partitions = Partitions::new();
        for (topic, partition) in begun {
            partitions.entry(*topic).or_default().insert(*partition);
        }
        let mut progress = share.tail.progress.clone();
        for (topic, partitions) in &partitions {
            share.asked_at.remove(topic);
            let name = progress.initializing.get(topic).map(|named| named.name.clone());
            let Some(name) = name.or_else(|| self.image.topic_by_id(topic).map(|topic| topic.name.clone())) else {
                continue;
            };
            take(&mut progress.initializing, *topic, partitions);
            if done {
                add(&mut progress.initialized, *topic, &name, partitions.iter().copied());
            }
        }
        let entries = if progress == share.tail.progress { Vec::new() } else { vec![Entry::Progress(Some(progress))] };
        let refused = Request::ShareInitialized(group.clone(), begun.to_vec(), done);
        self.share_write(group, entries, Some((answer, refused)), step);
    }

    /// Topics are gone, and with them their progress.
    pub(in crate::coordinator::group) fn share_topics_deleted(&mut self, gone: &BTreeSet<Uuid>, step: &mut Step) {
        let mut changed = Vec::new();
        for (group, share) in &mut self.shares {
            let mut progress = share.tail.progress.clone();
            progress.initializing.retain(|topic, _| !gone.contains(topic));
            progress.initialized.retain(|topic, _| !gone.contains(topic));
            progress.deleting.retain(|topic, _| !gone.contains(topic));
            share.look_again = true;
            if progress != share.tail.progress {
                changed.push((group.clone(), progress));
            }
        }
        for (group, progress) in changed {
            self.share_write(&group, vec![Entry::Progress(Some(progress))], None, step);
        }
    }
}
