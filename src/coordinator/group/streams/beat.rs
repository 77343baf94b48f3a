//! What a member's word does to its group (`GroupMetadataManager.streamsGroupHeartbeat`): what it says of itself, the
//! topology and its topics, the epoch of the group, the target, and the member's next step towards it. Decided on the
//! group as it is; nothing changes before the entries are applied.

use super::assignor::{Candidate, assign};
use super::configure::Configured;
use super::entry::{Current, Entry, GroupEpoch, Metadata};
use super::reconcile::Reconcile;
use super::status::Status;
use super::tasks::Tasks;
use super::{StreamsGroup, topology};
use crate::base::{ErrorCode, Now, TimestampMs};
use crate::coordinator::group::consumer::{Refusal, TargetEpoch, TopicHashes};
use crate::coordinator::group::records::own;
use crate::coordinator::group::refresh::Refresh;
use crate::metadata::MetadataImage;
use crate::protocol::messages::StreamsGroupTopologyValue;
use crate::protocol::messages::streams_group_heartbeat_response::Status as Told;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// What the assignor is told besides, as Kafka names it.
const STANDBYS: &str = "num.standby.replicas";

/// What a decision is made on.
pub struct Ground<'a> {
    /// The group.
    pub group: &'a StreamsGroup,
    /// The topics there are.
    pub image: &'a MetadataImage,
    /// Their hashes.
    pub hashes: &'a mut TopicHashes,
    /// `streams.num.standby.replicas` of the group.
    pub standbys: i32,
    /// `streams.assignment.interval.ms` of the group: between two targets.
    pub assignment_interval_ms: i64,
    /// The group waits for more members before its first target.
    pub is_delayed: bool,
    /// Both clocks.
    pub now: Now,
}

/// What a member says.
pub struct Word<'a> {
    /// Its id.
    pub id: Arc<str>,
    /// What it says of itself, over what it said before.
    pub metadata: Metadata,
    /// The epoch it knows.
    pub epoch: i32,
    /// The topology, of a member that joins.
    pub topology: Option<StreamsGroupTopologyValue>,
    /// What it says it owns.
    pub owned: Option<&'a Tasks>,
}

/// What is to be done.
pub struct Plan {
    /// To be applied and written.
    pub entries: Vec<Entry>,
    /// The member.
    pub id: Arc<str>,
    /// What the member had.
    pub before: Current,
    /// What it has afterwards.
    pub current: Current,
    /// The topology beside the topics.
    pub configured: Rc<Configured>,
    /// The group's topics were looked at.
    pub(super) refresh: Option<Refresh>,
    /// What the member has to know.
    pub told: Vec<Told>,
    /// The member has missed what it has: an answer was lost.
    pub is_behind: bool,
    /// The group's epoch afterwards.
    epoch: i32,
    hash: i64,
}

impl Plan {
    /// Decides.
    ///
    /// # Errors
    /// -1, 42, 110, 130.
    pub fn decide(ground: &mut Ground, word: Word) -> Result<Self, Refusal> {
        let group = ground.group;
        let mut entries = Vec::new();
        let known = group.members.get(&word.id);
        let mut bump = known.is_none_or(|known| **known != word.metadata);
        let metadata = Rc::new(word.metadata);
        if bump {
            entries.push(Entry::Member(word.id.clone(), Some(metadata.clone())));
        }
        let topology = take_topology(group, word.topology, &mut entries)?;
        let mut told = Vec::new();
        if let Some(old) = group.topology.as_ref().filter(|old| metadata.topology_epoch < old.epoch) {
            let detail = format!("The member runs topology {}, the group runs {}.", metadata.topology_epoch, old.epoch);
            told.push(Status::StaleTopology.told(detail));
        }
        let (configured, hash, refresh) = configure(ground, &topology, &mut bump)?;
        let before = group.current_of(&word.id);
        let epoch = group.group_epoch();
        // What it owns is not what it was told to have: more, or less.
        let owns_other = |owned: &Tasks| !before.assigned.is_within(owned) || owned.contains_any(&before.revoking);
        let is_behind = word.epoch != before.epoch || word.owned.is_some_and(owns_other);
        let mut plan = Self {
            is_behind,
            entries,
            id: word.id,
            current: before.clone(),
            before,
            configured,
            refresh,
            told,
            epoch,
            hash,
        };
        plan.check_owned(word.owned)?;
        plan.raise_epoch(ground, &topology, bump);
        let (target_epoch, target) = plan.retarget(ground, &metadata);
        plan.step_to(ground, &metadata, target_epoch, &target, word.owned)?;
        Ok(plan)
    }

    /// Owned tasks are tasks that there are.
    fn check_owned(&self, owned: Option<&Tasks>) -> Result<(), Refusal> {
        let (Some(owned), Some(subtopologies), true) =
            (owned, &self.configured.subtopologies, self.configured.is_ready())
        else {
            return Ok(());
        };
        for (id, partitions) in owned.active.iter().chain(&owned.standby).chain(&owned.warmup) {
            let invalid = |text: String| Refusal::new(ErrorCode::InvalidRequest, text);
            let subtopology = subtopologies
                .get(id)
                .ok_or_else(|| invalid(format!("There is no subtopology {id} in the topology.")))?;
            if let Some(outside) = partitions.iter().find(|at| !(0..subtopology.tasks).contains(*at)) {
                let text = format!("There is no task {id}_{outside}: the subtopology has {} tasks.", subtopology.tasks);
                return Err(invalid(text));
            }
        }
        Ok(())
    }

    fn raise_epoch(&mut self, ground: &Ground, topology: &StreamsGroupTopologyValue, mut bump: bool) {
        let group = ground.group;
        let validated = if self.configured.is_ready() { topology.epoch } else { -1 };
        let assignment_configs: BTreeMap<Arc<str>, Arc<str>> =
            [(STANDBYS.into(), ground.standbys.to_string().into())].into();
        bump |= validated != group.validated();
        bump |= group.epoch.as_ref().is_none_or(|epoch| epoch.assignment_configs != assignment_configs);
        if bump {
            self.epoch = self.epoch.saturating_add(1);
            let value = GroupEpoch { epoch: self.epoch, hash: self.hash, validated, assignment_configs };
            self.entries.push(Entry::Epoch(Some(Rc::new(value))));
        }
        if let Some(refresh) = &mut self.refresh {
            refresh.set_epoch(self.epoch);
        }
    }

    /// The target of the group's epoch, a new one if it is time; the member's share of it.
    fn retarget(&mut self, ground: &Ground, metadata: &Metadata) -> (i32, Rc<Tasks>) {
        let group = ground.group;
        if ground.is_delayed {
            self.told.push(Status::AssignmentDelayed.told("The group waits for more members to come."));
            return (group.target_epoch(), Rc::default());
        }
        let standing = || (group.target_epoch(), group.target.get(&self.id).cloned().unwrap_or_default());
        if group.target_epoch() >= self.epoch {
            return standing();
        }
        if !group.is_target_due(ground.assignment_interval_ms, ground.now.wall) {
            let standing = standing();
            self.told.push(Status::AssignmentDelayed.told("The next assignment waits for its time."));
            return standing;
        }
        let standbys = usize::try_from(ground.standbys).unwrap_or(0);
        let with = Some((&self.id, metadata));
        let target = group.next_target(with, self.epoch, &self.configured, standbys, ground.now.wall);
        let own = target.iter().find_map(|entry| match entry {
            Entry::Target(id, Some(tasks)) if *id == self.id => Some(tasks.clone()),
            _ => None,
        });
        let own = own.or_else(|| group.target.get(&self.id).cloned()).unwrap_or_default();
        self.entries.extend(target);
        (self.epoch, own)
    }

    fn step_to(
        &mut self,
        ground: &Ground,
        metadata: &Metadata,
        target_epoch: i32,
        target: &Tasks,
        owned: Option<&Tasks>,
    ) -> Result<(), Refusal> {
        let process = &metadata.process_id;
        let reconcile = Reconcile { holders: &ground.group.holders, process, target_epoch, target, owned };
        let next = reconcile.step(&self.before).map_err(|_| {
            Refusal::new(ErrorCode::FencedMemberEpoch, "The member's state is unknown: it must give up all and rejoin")
        })?;
        if next != self.before {
            self.entries.push(Entry::Current(self.id.clone(), Some(Rc::new(next.clone()))));
            self.current = next;
        }
        Ok(())
    }
}

/// The topology of the group from now on. An older one than the group's is passed over, another one refused.
fn take_topology(
    group: &StreamsGroup,
    given: Option<StreamsGroupTopologyValue>,
    entries: &mut Vec<Entry>,
) -> Result<Rc<StreamsGroupTopologyValue>, Refusal> {
    match (given, &group.topology) {
        (None, Some(own)) => Ok(own.clone()),
        (None, None) => {
            Err(Refusal::new(ErrorCode::UnknownServerError, "The group has no topology: the member must rejoin."))
        }
        (Some(given), None) => {
            let given = Rc::new(given);
            entries.push(Entry::Topology(Some(given.clone())));
            Ok(given)
        }
        (Some(given), Some(own)) if own.epoch > given.epoch || topology::is_same(own, &given) => Ok(own.clone()),
        (Some(_), Some(_)) => Err(Refusal::new(ErrorCode::InvalidRequest, "Topology updates are not supported yet.")),
    }
}

/// The topology beside the topics, looked at again if need be; `bump` where these have changed.
fn configure(
    ground: &mut Ground,
    topology: &StreamsGroupTopologyValue,
    bump: &mut bool,
) -> Result<(Rc<Configured>, i64, Option<Refresh>), Refusal> {
    let group = ground.group;
    let known = group.epoch.as_ref().map_or(0, |epoch| epoch.hash);
    let is_new = group.topology.is_none();
    let standing = group.configured.clone().filter(|_| !is_new);
    if let Some(standing) = &standing
        && !group.is_refresh_due(ground.now)
    {
        return Ok((standing.clone(), known, None));
    }
    let hash = ground.hashes.of_group(topology::required_topics(topology).iter(), ground.image);
    *bump |= hash != known;
    let refresh = Some(Refresh::begin(ground.now, group.group_epoch()));
    match standing {
        Some(standing) if hash == known => Ok((standing, hash, refresh)),
        Some(_) | None => {
            let configured = Configured::new(topology, ground.image);
            let configured = configured.map_err(|(code, text)| Refusal::new(code, text))?;
            if let Some((status, why)) = &configured.problem {
                tracing::info!(group = %group.id, ?status, why, "a streams group is not ready");
            }
            Ok((Rc::new(configured), hash, refresh))
        }
    }
}

impl StreamsGroup {
    /// True when the time between two targets is over.
    pub(super) fn is_target_due(&self, interval_ms: i64, now: TimestampMs) -> bool {
        let last = self.target_epoch.map_or(0, |target| target.timestamp);
        last == 0 || interval_ms == 0 || now.0 >= last.saturating_add(interval_ms)
    }

    /// The entries of a new target for `epoch`, with the member `with` as it says it is.
    pub(super) fn next_target(
        &self,
        with: Option<(&Arc<str>, &Metadata)>,
        epoch: i32,
        configured: &Configured,
        standbys: usize,
        now: TimestampMs,
    ) -> Vec<Entry> {
        let none = Tasks::default();
        let mut members: BTreeMap<&Arc<str>, &Metadata> = self.members.iter().map(|(id, m)| (id, &**m)).collect();
        members.extend(with);
        let candidate = |(id, member): (&&Arc<str>, &&Metadata)| Candidate {
            id: (*id).clone(),
            process: member.process_id.clone(),
            before: self.target.get(*id).map_or(&none, |tasks| &**tasks),
        };
        let candidates: Vec<Candidate> = members.iter().map(candidate).collect();
        let nothing = BTreeMap::new();
        let ready = configured.subtopologies.as_ref().filter(|_| configured.is_ready());
        let targets = assign(&candidates, ready.unwrap_or(&nothing), standbys);
        let changed = targets.into_iter().filter(|(id, tasks)| self.target.get(id).is_none_or(|old| **old != *tasks));
        let mut entries: Vec<Entry> = changed.map(|(id, tasks)| Entry::Target(id, Some(Rc::new(tasks)))).collect();
        entries.push(Entry::TargetEpoch(Some(TargetEpoch { epoch, timestamp: now.0 })));
        entries
    }

    /// The target that the group waited for others with.
    pub(super) fn first_target(&self, interval_ms: i64, now: TimestampMs) -> Vec<Entry> {
        let (Some(configured), Some(epoch)) = (&self.configured, &self.epoch) else { return Vec::new() };
        if self.is_empty() || epoch.epoch <= self.target_epoch() || !self.is_target_due(interval_ms, now) {
            return Vec::new();
        }
        let standbys = epoch.assignment_configs.get(STANDBYS).and_then(|text| text.parse().ok()).unwrap_or(0);
        self.next_target(None, epoch.epoch, configured, standbys, now)
    }
}

/// Tasks as a request lists them.
pub fn tasks_of(
    tasks: &[crate::protocol::messages::streams_group_heartbeat_request::TaskIds],
) -> super::tasks::TaskSets {
    let mut sets = super::tasks::TaskSets::new();
    for ids in tasks {
        sets.entry(own(&ids.subtopology_id)).or_default().extend(&ids.partitions);
    }
    sets
}
