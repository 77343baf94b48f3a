//! What the group says when its progress is described, altered or deleted; the progress itself is the share
//! coordinator's (`GroupCoordinatorService.describeShareGroupOffsets`, `alterShareGroupOffsets`,
//! `deleteShareGroupOffsets`).

use super::initialize::Initialize;
use super::state::{Entry, add};
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::group::request::{Answer, Request};
use crate::coordinator::group::{Groups, Step};
use std::collections::BTreeSet;
use std::sync::Arc;

/// New start offsets: topic, partition, offset; all exist.
pub type AlterAsk = Vec<(Uuid, i32, i64)>;
/// What the share coordinator is to begin anew.
pub type Altered = Result<Initialize, ErrorCode>;
/// The partitions whose progress is kept, or is to be deleted.
pub type Partitioned = Result<Vec<(Uuid, i32)>, ErrorCode>;

impl Groups {
    /// The partitions whose progress is kept for `group`.
    pub(in crate::coordinator::group) fn share_partitions(&self, group: &str) -> Partitioned {
        let share = self.shares.get(group).ok_or(ErrorCode::GroupIdNotFound)?;
        let initialized = &share.committed.progress.initialized;
        Ok(initialized.iter().flat_map(|(topic, named)| named.partitions.iter().map(|p| (*topic, *p))).collect())
    }

    /// Progress begins elsewhere: only in a group without members, which need not be there yet.
    pub(in crate::coordinator::group) fn share_alter(&mut self, group: &Arc<str>, ask: AlterAsk, step: &mut Step) {
        let refused = Request::ShareAlter(group.clone(), ask.clone());
        if !self.shares.contains_key(group) {
            if self.is_other_kind(group) {
                return step.answer(Answer::ShareAlter(Err(ErrorCode::GroupIdNotFound)));
            }
            if ask.is_empty() {
                let nothing = Initialize { group: group.clone(), epoch: 0, partitions: ask };
                return step.answer(Answer::ShareAlter(Ok(nothing)));
            }
        }
        let share = self.shares.entry(group.clone()).or_default();
        if !share.is_empty() {
            return step.answer(Answer::ShareAlter(Err(ErrorCode::NonEmptyGroup)));
        }
        let epoch = share.tail.epoch + 1;
        let mut progress = share.tail.progress.clone();
        for (topic, partition, _) in &ask {
            let Some(known) = self.image.topic_by_id(topic) else { continue };
            add(&mut progress.initializing, *topic, &known.name, [*partition]);
            progress.deleting.remove(topic);
        }
        let entries = vec![Entry::Epoch(Some((epoch, share.tail.hash))), Entry::Progress(Some(progress))];
        let initialize = Initialize { group: group.clone(), epoch, partitions: ask };
        self.share_write(group, entries, Some((Answer::ShareAlter(Ok(initialize)), refused)), step);
    }

    /// Progress in `topics` (all, where none are named) is to be deleted: only in a group without members.
    pub(in crate::coordinator::group) fn share_delete(
        &mut self,
        group: &Arc<str>,
        topics: Option<BTreeSet<Uuid>>,
        step: &mut Step,
    ) {
        let refused = Request::ShareDelete(group.clone(), topics.clone());
        let share = match self.shares.get(group) {
            None => return step.answer(Answer::SharePartitions(Err(ErrorCode::GroupIdNotFound))),
            Some(share) if !share.is_empty() => {
                return step.answer(Answer::SharePartitions(Err(ErrorCode::NonEmptyGroup)));
            }
            Some(share) => share,
        };
        let wanted = |topic: &Uuid| topics.as_ref().is_none_or(|topics| topics.contains(topic));
        let mut progress = share.tail.progress.clone();
        let mut partitions = BTreeSet::new();
        for (topic, named) in progress.initialized.iter().chain(&progress.initializing) {
            if wanted(topic) {
                partitions.extend(named.partitions.iter().map(|partition| (*topic, *partition)));
                progress.deleting.insert(*topic, named.name.clone());
            }
        }
        let deleting = progress.deleting.clone();
        progress.initialized.retain(|topic, _| !deleting.contains_key(topic));
        progress.initializing.retain(|topic, _| !deleting.contains_key(topic));
        let entries = if progress == share.tail.progress { Vec::new() } else { vec![Entry::Progress(Some(progress))] };
        let answer = Answer::SharePartitions(Ok(partitions.into_iter().collect()));
        self.share_write(group, entries, Some((answer, refused)), step);
    }

    /// The progress in these topics is deleted.
    pub(in crate::coordinator::group) fn share_deleted(
        &mut self,
        group: &Arc<str>,
        topics: &BTreeSet<Uuid>,
        step: &mut Step,
    ) {
        let refused = Request::ShareDeleted(group.clone(), topics.clone());
        let Some(share) = self.shares.get(group) else { return step.answer(Answer::ShareDone(Ok(()))) };
        let mut progress = share.tail.progress.clone();
        progress.deleting.retain(|topic, _| !topics.contains(topic));
        let entries = if progress == share.tail.progress { Vec::new() } else { vec![Entry::Progress(Some(progress))] };
        self.share_write(group, entries, Some((Answer::ShareDone(Ok(())), refused)), step);
    }
}
