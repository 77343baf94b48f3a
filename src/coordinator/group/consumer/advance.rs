//! What a member's word does to its group (`GroupMetadataManager.consumerGroupHeartbeat`): what it asks for, the epoch
//! of the group, the target, and the member's next step towards it. Decided on the group as it is; nothing changes
//! before the entries are applied.

use super::ConsumerGroup;
use super::assignor::Assignor;
use super::entry::{Entry, GroupEpoch};
use super::hash::TopicHashes;
use super::member::ConsumerMember;
use super::partitions::Partitions;
use super::reconcile::Reconcile;
use super::regex::Expression;
use super::target::next_target;
use crate::base::{ErrorCode, Now};
use crate::coordinator::group::config::ConsumerConfig;
use crate::coordinator::group::refresh::Refresh;
use crate::metadata::MetadataImage;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// Patterns of a group are not looked up more often.
pub const REGEX_REFRESH_MS_MIN: i64 = 10_000;

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
}

impl Refusal {
    /// `code`, and why.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What a decision is made on.
pub struct Ground<'a> {
    /// The group.
    pub group: &'a ConsumerGroup,
    /// The topics there are.
    pub image: &'a MetadataImage,
    /// Their hashes.
    pub hashes: &'a mut TopicHashes,
    /// The numbers of new groups.
    pub config: &'a ConsumerConfig,
    /// Between two targets of this group, in ms.
    pub assignment_interval_ms: i64,
    /// The offset of the last image that brought topics.
    pub topics_since: i64,
    /// A look-up of the group's patterns is under way.
    pub resolving: bool,
    /// Both clocks.
    pub now: Now,
}

/// What is to be done.
pub struct Plan {
    /// To be applied and written.
    pub entries: Vec<Entry>,
    /// The member afterwards.
    pub member: ConsumerMember,
    /// The group's topics were looked at.
    pub(super) refresh: Option<Refresh>,
    /// The group's patterns are to be looked up.
    pub resolve: bool,
    /// The group's epoch afterwards.
    pub epoch: i32,
    /// The member's own assignment has changed: it may have to give up something, or no longer.
    pub stepped: bool,
    /// The member asks for other topics than before.
    changed: bool,
}

/// What became of a member's pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RegexChange {
    None,
    Changed,
    /// And what it stands for is known.
    ChangedAndResolved,
}

impl Plan {
    /// `updated` takes the place of `member`; `entries` come before what follows from it.
    pub fn begin(
        ground: &mut Ground,
        entries: Vec<Entry>,
        member: &ConsumerMember,
        updated: ConsumerMember,
    ) -> Result<Self, Refusal> {
        let epoch = ground.group.epoch.epoch;
        let mut plan =
            Self { entries, member: updated, refresh: None, resolve: false, epoch, stepped: false, changed: false };
        let names_changed = plan.take_subscription(member);
        let regex = plan.take_regex(ground, member)?;
        // A member of the classic protocol has no pattern: leaving one counts at once.
        let bump = names_changed
            || match plan.member.classic {
                None => regex == RegexChange::ChangedAndResolved,
                Some(_) => regex != RegexChange::None,
            };
        if bump || ground.group.is_refresh_due(ground.now) {
            plan.look_at_topics(ground, member, bump);
        }
        plan.changed = names_changed || regex != RegexChange::None;
        Ok(plan)
    }

    /// Writes the member down where it says something new of itself; true where it asks for other topics by name.
    fn take_subscription(&mut self, before: &ConsumerMember) -> bool {
        if self.member == *before {
            return false;
        }
        let member = Rc::new(self.member.clone());
        self.entries.push(Entry::Subscription(member.id.clone(), Some(member)));
        self.member.topics != before.topics
    }

    fn take_regex(&mut self, ground: &Ground, before: &ConsumerMember) -> Result<RegexChange, Refusal> {
        let group = ground.group;
        let (old, new) = (before.regex(), self.member.regex());
        let mut change = RegexChange::None;
        let mut is_new = false;
        if before.regex != self.member.regex {
            change = RegexChange::Changed;
            if let Some(old) = old.filter(|old| group.patterns.get(*old) == Some(&1)) {
                self.entries.push(Entry::Regex(old.clone(), None));
            }
            match new {
                Some(new) if !group.patterns.contains_key(new) => {
                    Expression::compile(new).map_err(|why| Refusal::new(ErrorCode::InvalidRegularExpression, why))?;
                    is_new = true;
                }
                Some(new) if group.resolved.contains_key(new) => change = RegexChange::ChangedAndResolved,
                None if old.is_some() => change = RegexChange::ChangedAndResolved,
                Some(_) | None => {}
            }
        }
        self.resolve = self.is_resolution_due(ground, before, is_new);
        Ok(change)
    }

    fn is_resolution_due(&self, ground: &Ground, before: &ConsumerMember, is_new: bool) -> bool {
        let group = ground.group;
        if ground.resolving || (!is_new && group.patterns.is_empty()) {
            return false;
        }
        let refreshed = group.resolved.values().map(|r| r.timestamp).max();
        let age = |at: i64| ground.now.wall.0.saturating_sub(at);
        if refreshed.is_some_and(|at| age(at) <= REGEX_REFRESH_MS_MIN) {
            return false;
        }
        let patterns = group.subscriptions_with(before, &self.member).patterns.len();
        let version = group.resolved.values().map(|r| r.version).min().unwrap_or(0);
        let due = is_new
            || patterns != group.resolved.len()
            || version < ground.topics_since
            || refreshed.is_some_and(|at| age(at) > ground.config.regex_refresh_interval_ms);
        due && patterns > 0
    }

    /// Compares the group's topics with those that are; a difference raises the group's epoch.
    fn look_at_topics(&mut self, ground: &mut Ground, before: &ConsumerMember, bump: bool) {
        let group = ground.group;
        let subscriptions = group.subscriptions_with(before, &self.member);
        let hash = ground.hashes.of_group(subscriptions.topics.keys(), ground.image);
        if bump || hash != group.epoch.hash {
            self.epoch = self.epoch.saturating_add(1);
            self.entries.push(Entry::Epoch(Some(GroupEpoch { epoch: self.epoch, hash })));
        }
        self.refresh = Some(Refresh::begin(ground.now, self.epoch));
        if group.has_old_metadata {
            self.entries.push(Entry::OldMetadata(false));
        }
    }

    /// The target of the group's epoch, a new one if it is time; the plan's member's share of it.
    pub fn retarget(&mut self, ground: &Ground, before: &ConsumerMember) -> (i32, Rc<Partitions>) {
        let group = ground.group;
        let last = group.target_epoch;
        let due = last.timestamp == 0
            || ground.assignment_interval_ms == 0
            || ground.now.wall.0 >= last.timestamp.saturating_add(ground.assignment_interval_ms);
        if last.epoch >= self.epoch || !due {
            return self.standing_target(ground);
        }
        let members = group.members.len() + usize::from(!self.has_place_in(group));
        let kind = group.subscriptions_with(before, &self.member).kind(members);
        let assignor = group.preferred_assignor(before, &self.member).unwrap_or(ground.config.default_assignor());
        let target = next_target(group, &self.member, self.epoch, kind, assignor, ground.image, ground.now.wall);
        self.entries.extend(target.entries);
        (self.epoch, target.of_member)
    }

    /// The last target; that of the plan's member, or of the static member whose place it takes.
    pub fn standing_target(&self, ground: &Ground) -> (i32, Rc<Partitions>) {
        let group = ground.group;
        let holder = match self.member.instance_id.as_deref() {
            Some(instance) => group.static_member(instance).map(|member| &member.id),
            None => Some(&self.member.id),
        };
        let target = holder.and_then(|id| group.target_of(id)).cloned().unwrap_or_default();
        (group.target_epoch.epoch, target)
    }

    fn has_place_in(&self, group: &ConsumerGroup) -> bool {
        let instance = self.member.instance_id.as_deref();
        group.member(&self.member.id).is_some() || instance.is_some_and(|id| group.static_member(id).is_some())
    }

    /// The member's step towards `target`.
    pub fn step_to(
        &mut self,
        ground: &Ground,
        (target_epoch, target): (i32, Rc<Partitions>),
        owned: Option<&Partitions>,
    ) -> Result<(), Refusal> {
        if !self.changed && self.member.is_reconciled_to(target_epoch) {
            return Ok(());
        }
        let reconcile = Reconcile {
            group: ground.group,
            image: ground.image,
            target_epoch,
            target: &target,
            subscription_changed: self.changed,
            owned,
        };
        let next = reconcile.step(&self.member).map_err(|_| {
            Refusal::new(ErrorCode::FencedMemberEpoch, "The member's state is unknown: it must give up all and rejoin")
        })?;
        if next != self.member {
            self.stepped = true;
            self.member = next;
            let member = Rc::new(self.member.clone());
            self.entries.push(Entry::Current(member.id.clone(), Some(member)));
        }
        Ok(())
    }
}

impl ConsumerGroup {
    /// The group looks at its topics with the next heartbeat where one of them has `changed`.
    pub fn look_again_if_any(&mut self, changed: &HashSet<&Arc<str>>) {
        let concerned = match changed.len() < self.subscribed.len() {
            true => changed.iter().any(|topic| self.subscribed.contains_key(*topic)),
            false => self.subscribed.keys().any(|topic| changed.contains(topic)),
        };
        if concerned {
            self.refresh = None;
        }
    }

    fn is_refresh_due(&self, now: Now) -> bool {
        self.refresh.is_none_or(|refresh| refresh.is_over(now, self.epoch.epoch))
    }

    /// The assignor that most members want, after `new` has taken the place of `old`.
    fn preferred_assignor(&self, old: &ConsumerMember, new: &ConsumerMember) -> Option<Assignor> {
        let mut counts = self.assignors.clone();
        if let Some(assignor) = &old.assignor {
            super::subscription::count(&mut counts, assignor, false);
        }
        if let Some(assignor) = &new.assignor {
            super::subscription::count(&mut counts, assignor, true);
        }
        most_wanted(&counts)
    }

    /// The assignor that most members want.
    pub fn wanted_assignor(&self) -> Option<Assignor> {
        most_wanted(&self.assignors)
    }
}

fn most_wanted(counts: &BTreeMap<Arc<str>, usize>) -> Option<Assignor> {
    let best = counts.iter().max_by_key(|(_, count)| **count)?;
    Assignor::of(best.0)
}
