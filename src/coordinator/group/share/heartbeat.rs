//! ShareGroupHeartbeat (`GroupMetadataManager.shareGroupHeartbeat`).

use super::Partitions;
use super::assignor::{Wish, assign};
use super::initialize::Initialize;
use super::state::{Current, Entry, Member, ShareGroup, State, Subscription};
use crate::base::{ErrorCode, Now};
use crate::coordinator::group::request::{Caller, Request};
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{Groups, Step};
use crate::metadata::MetadataImage;
use crate::protocol::Str;
use crate::protocol::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use crate::protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The member leaves.
pub const LEAVE_EPOCH: i32 = -1;

/// Why a heartbeat is refused.
pub struct Refusal(pub ErrorCode, pub String);

impl Groups {
    pub(in crate::coordinator::group) fn share_heartbeat(
        &mut self,
        caller: Caller,
        request: ShareGroupHeartbeatRequest,
        step: &mut Step,
    ) {
        let outcome = match check(&request) {
            Err(refusal) => Err(refusal),
            Ok(()) if request.member_epoch == LEAVE_EPOCH => self.share_leave(&request, step),
            Ok(()) => self.share_beat(&caller, &request, step),
        };
        if let Err(Refusal(error, message)) = outcome {
            let response = ShareGroupHeartbeatResponse {
                error_code: error.code(),
                error_message: Some(message.into()),
                ..Default::default()
            };
            step.answer((response, None));
        }
    }

    fn share_beat(
        &mut self,
        caller: &Caller,
        request: &ShareGroupHeartbeatRequest,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let group: Arc<str> = Arc::from(&*request.group_id);
        let id: Arc<str> = Arc::from(&*request.member_id);
        self.share_group_for(&group, request.member_epoch == 0)?;
        let max_size = self.config.share.max_size;
        let share = self.shares.entry(group.clone()).or_default();
        let refused = share.tail.members.len() >= max_size && !share.tail.members.contains_key(&id);
        let result = if refused {
            let text = format!("The share group has reached its maximum capacity of {max_size} members.");
            Err(Refusal(ErrorCode::GroupMaxSizeReached, text))
        } else {
            check_epoch(share, &group, &id, request.member_epoch)
        };
        if let Err(refusal) = result {
            if share.tail == State::default() && share.in_flight == 0 {
                self.shares.remove(&group);
            }
            return Err(refusal);
        }
        let mut beat = Beat { next: share.tail.clone(), entries: Vec::new(), id: id.clone(), now: step.now };
        let before = beat.next.members.get(&id).cloned().unwrap_or_default();
        let subscription_changed = beat.subscribe(caller, request, &before);
        let bump = subscription_changed || (beat.next.target_epoch >= beat.next.epoch && beat.has_more_to_assign());
        if bump || share.look_again {
            share.look_again = false;
            let topics = beat.next.subscribed();
            let hash = self.hashes.of_group(topics.iter(), &self.image);
            if bump || hash != beat.next.hash {
                let epoch = beat.next.epoch + 1;
                beat.take(Entry::Epoch(Some((epoch, hash))));
            }
        }
        let settings = self.config.share_settings(&self.image, &group);
        beat.assign(&self.image, i64::from(settings.assignment_interval_ms));
        beat.reconcile(subscription_changed);
        let initialize = self.share_initialize(&group, &mut beat);
        let after = beat.next.members.get(&id).cloned().unwrap_or_default();
        let full = request.member_epoch == 0 || request.subscribed_topic_names.is_some();
        let response = ShareGroupHeartbeatResponse {
            member_id: Some(Str::from(&*id)),
            member_epoch: after.epoch,
            heartbeat_interval_ms: settings.heartbeat_interval_ms,
            assignment: (full || after.assigned != before.assigned).then(|| assignment(&after.assigned)),
            ..Default::default()
        };
        let at = step.now.mono.plus_ms(i64::from(settings.session_timeout_ms));
        self.timers.schedule(Timer::Session(group.clone(), id), at);
        let refused = Request::ShareHeartbeat(caller.clone(), request.clone());
        self.share_write(&group, beat.entries, Some(((response, initialize).into(), refused)), step);
        Ok(())
    }

    /// The id must be free or a share group's.
    pub(super) fn share_group_for(&self, group: &str, create: bool) -> Result<(), Refusal> {
        if self.shares.contains_key(group) {
            return Ok(());
        }
        if self.is_other_kind(group) {
            return Err(Refusal(ErrorCode::GroupIdNotFound, format!("Group {group} is not a share group.")));
        }
        if create { Ok(()) } else { Err(Refusal(ErrorCode::GroupIdNotFound, format!("Group {group} not found."))) }
    }
}

fn check(request: &ShareGroupHeartbeatRequest) -> Result<(), Refusal> {
    let invalid = |text: &str| Err(Refusal(ErrorCode::InvalidRequest, text.to_owned()));
    if request.group_id.trim().is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if request.member_id.trim().is_empty() {
        return invalid("MemberId can't be empty.");
    }
    if request.rack_id.as_ref().is_some_and(|rack| rack.trim().is_empty()) {
        return invalid("RackId can't be empty.");
    }
    if request.member_epoch == 0 && request.subscribed_topic_names.as_ref().is_none_or(|names| names.is_empty()) {
        return invalid("SubscribedTopicNames must be set in first request.");
    }
    if request.member_epoch < LEAVE_EPOCH {
        return invalid("MemberEpoch is invalid.");
    }
    Ok(())
}

fn check_epoch(share: &ShareGroup, group: &str, id: &Arc<str>, epoch: i32) -> Result<(), Refusal> {
    if epoch == 0 {
        return Ok(());
    }
    let Some(member) = share.tail.members.get(id) else {
        return Err(Refusal(ErrorCode::UnknownMemberId, format!("Member {id} is not a member of group {group}.")));
    };
    let fenced = |what: &str| {
        let text = format!(
            "The share group member has a {what} member epoch ({epoch}) than the one known by the group coordinator \
             ({}). The member must abandon all its partitions and rejoin.",
            member.epoch
        );
        Err(Refusal(ErrorCode::FencedMemberEpoch, text))
    };
    if epoch > member.epoch {
        return fenced("greater");
    }
    if epoch < member.epoch && epoch != member.previous_epoch {
        return fenced("smaller");
    }
    Ok(())
}

/// One heartbeat: the group as it will be, and what is to be written.
pub struct Beat {
    pub next: State,
    pub entries: Vec<Entry>,
    id: Arc<str>,
    pub now: Now,
}

impl Beat {
    pub fn take(&mut self, entry: Entry) {
        self.next.apply(&entry);
        self.entries.push(entry);
    }

    /// Takes what the member says of itself; true where it wants other topics.
    fn subscribe(&mut self, caller: &Caller, request: &ShareGroupHeartbeatRequest, before: &Member) -> bool {
        let topics: BTreeSet<Arc<str>> = match &request.subscribed_topic_names {
            Some(names) => names.iter().map(|name| Arc::from(&**name)).collect(),
            None => before.topics.clone(),
        };
        let changed = topics != before.topics;
        let subscription = Subscription {
            rack: request.rack_id.as_deref().map(Arc::from).or_else(|| before.rack.clone()),
            client_id: caller.client_id.as_str().into(),
            client_host: caller.client_host.as_str().into(),
            topics,
        };
        let same = (&subscription.rack, &subscription.client_id, &subscription.client_host)
            == (&before.rack, &before.client_id, &before.client_host);
        if changed || !same || !self.next.members.contains_key(&self.id) {
            self.take(Entry::Subscription(self.id.clone(), Some(subscription)));
        }
        changed
    }

    /// Partitions have begun that the target does not know.
    fn has_more_to_assign(&self) -> bool {
        let subscribed = self.next.subscribed();
        self.next.progress.initialized.iter().filter(|(_, named)| subscribed.contains(&named.name)).any(
            |(topic, named)| {
                let known: BTreeSet<i32> =
                    self.next.target.values().filter_map(|target| target.get(topic)).flatten().copied().collect();
                known != named.partitions
            },
        )
    }

    /// Computes the target where the group has moved on, but not too often.
    fn assign(&mut self, image: &MetadataImage, interval_ms: i64) {
        let recent = self.next.target_at > 0 && self.now.wall.0 - self.next.target_at < interval_ms;
        if self.next.target_epoch >= self.next.epoch || recent {
            return;
        }
        let wish = |(id, member): (&Arc<str>, &Member)| {
            let topics = member.topics.iter().filter_map(|name| image.topic_by_name(name)).map(|topic| topic.id);
            let before = self.next.target.get(id).cloned().unwrap_or_default();
            (id.clone(), Wish { topics: topics.collect(), before })
        };
        let members = self.next.members.iter().map(wish).collect();
        let initialized = &self.next.progress.initialized;
        let assignable: Partitions =
            initialized.iter().map(|(topic, named)| (*topic, named.partitions.clone())).collect();
        for (id, target) in assign(&members, &assignable) {
            if self.next.target.get(&id) != Some(&target) {
                self.take(Entry::Target(id, Some(target)));
            }
        }
        self.take(Entry::TargetEpoch(Some((self.next.epoch, self.now.wall.0))));
    }

    /// The member takes its target.
    fn reconcile(&mut self, subscription_changed: bool) {
        let Some(member) = self.next.members.get(&self.id) else { return };
        let target_epoch = self.next.target_epoch;
        let reached = member.epoch == target_epoch;
        if reached && !subscription_changed {
            return;
        }
        let assigned = self.next.target.get(&self.id).cloned().unwrap_or_default();
        let current = Current {
            epoch: target_epoch,
            previous_epoch: if reached { member.previous_epoch } else { member.epoch },
            assigned,
        };
        if (current.epoch, &current.assigned) != (member.epoch, &member.assigned) {
            self.take(Entry::Current(self.id.clone(), Some(current)));
        }
    }
}

fn assignment(partitions: &Partitions) -> Assignment {
    let topics = partitions.iter().map(|(topic, partitions)| TopicPartitions {
        topic_id: *topic,
        partitions: partitions.iter().copied().collect(),
    });
    Assignment { topic_partitions: topics.collect() }
}

/// What an answer to a heartbeat carries beside the response: partitions to begin.
pub type Answered = (ShareGroupHeartbeatResponse, Option<Initialize>);
