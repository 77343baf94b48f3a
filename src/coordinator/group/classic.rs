//! A classic group: its members and what they agreed on
//! (`org.apache.kafka.coordinator.group.classic.ClassicGroup`). Knows no timers and no records.

use super::effects::Token;
use super::member::{Member, Protocol};
use super::state::State;
use crate::base::{ErrorCode, Now, TimestampMs};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The protocol type of ordinary consumers; only theirs the broker can look into.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The delay of a first rebalance as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialDelay {
    /// The wait now running, in ms.
    pub delay_ms: i64,
    /// How much longer joins may prolong it, in ms.
    pub remaining_ms: i64,
}

/// A classic group.
pub struct ClassicGroup {
    /// The group's id.
    pub id: Arc<str>,
    state: State,
    previous: State,
    /// When the group entered its state, by the wall clock; an Empty group's offsets age from here.
    pub state_since: Option<TimestampMs>,
    /// Counts the rebalances.
    pub generation: i32,
    /// `consumer`, `connect` ...; none for a group that only holds offsets.
    pub protocol_type: Option<Arc<str>>,
    /// What the current generation speaks.
    pub protocol_name: Option<Arc<str>>,
    /// The member that computes the assignment.
    pub leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    static_members: HashMap<Arc<str>, Arc<str>>,
    supporters: HashMap<Arc<str>, usize>,
    awaiting_join: usize,
    /// Member ids handed out (error 79) that have not come back yet.
    pub pending_join: BTreeSet<Arc<str>>,
    /// Members that have a generation but have not sent their SyncGroup.
    pub pending_sync: BTreeSet<Arc<str>>,
    /// The first rebalance's delay while it runs.
    pub initial_delay: Option<InitialDelay>,
    /// A member came while the first rebalance waited: the wait may be prolonged.
    pub new_member_added: bool,
    /// Topics of all members; `None` when unknown (not a consumer group, or unreadable).
    pub subscribed_topics: Option<BTreeSet<String>>,
    /// Commits accepted but not yet in the log; the group is not deleted below them.
    pub commits_in_flight: usize,
    /// The assignment of this generation is on its way into the log.
    pub assignment_in_flight: bool,
}

impl ClassicGroup {
    /// A group without members.
    pub fn new(id: Arc<str>, now: TimestampMs) -> Self {
        Self {
            id,
            state: State::Empty,
            previous: State::Dead,
            state_since: Some(now),
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            supporters: HashMap::new(),
            awaiting_join: 0,
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            initial_delay: None,
            new_member_added: false,
            subscribed_topics: None,
            commits_in_flight: 0,
            assignment_in_flight: false,
        }
    }

    /// A group as its record says: Stable with members, else Empty.
    pub fn loaded(id: Arc<str>, members: Vec<Member>, protocol_type: Option<Arc<str>>) -> Self {
        let mut group = Self::new(id, TimestampMs::NONE);
        group.state_since = None;
        for member in members {
            group.insert(member);
        }
        group.state = if group.members.is_empty() { State::Empty } else { State::Stable };
        group.protocol_type = protocol_type;
        group
    }

    /// Where the group stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Where it stood before.
    pub fn previous_state(&self) -> State {
        self.previous
    }

    /// Moves to `next`. A transition the table does not know is a defect: it is made all the same
    /// in release builds, a wrong state being better than a dead broker.
    pub fn transition(&mut self, next: State, now: Now) {
        debug_assert!(self.state.may_become(next), "{}: {:?} -> {next:?}", self.id, self.state);
        self.previous = self.state;
        self.state = next;
        self.state_since = Some(now.wall);
    }

    /// Back to Empty after the tombstones of a deletion could not be written.
    pub fn revive(&mut self) {
        self.state = State::Empty;
    }

    /// The members by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// The members by id, to be changed in place (ids, protocols and parked joins stay as they are).
    pub fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.values_mut()
    }

    /// The member `id`.
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// The member `id`, to be changed in place (see [`members_mut`](Self::members_mut)).
    pub fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id)
    }

    /// How many members wait in a JoinGroup request.
    pub fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    /// Parks a member's JoinGroup request; returns the one it replaces.
    pub fn park_join(&mut self, id: &str, token: Token) -> Option<Token> {
        let member = self.members.get_mut(id)?;
        let old = member.awaiting_join.replace(token);
        self.awaiting_join += usize::from(old.is_none());
        old
    }

    /// Takes a member's parked JoinGroup request, to answer it.
    pub fn unpark_join(&mut self, id: &str) -> Option<Token> {
        let token = self.members.get_mut(id)?.awaiting_join.take()?;
        self.awaiting_join -= 1;
        Some(token)
    }

    /// The member id behind a `group.instance.id`.
    pub fn static_member(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.static_members.get(instance_id)
    }

    /// True when `id` leads the group.
    pub fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// True for groups of ordinary consumers.
    pub fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Adds a member; the first one gives the group its protocol type and becomes leader.
    pub fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.into());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.pending_join.remove(&member.id);
        self.insert(member);
    }

    fn insert(&mut self, member: Member) {
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        self.count_protocols(&member.protocols, true);
        self.members.insert(member.id.clone(), member);
    }

    /// Removes a member or a pending member; a leader's place goes to another member.
    pub fn remove(&mut self, id: &str) -> Option<Member> {
        let removed = self.members.remove(id);
        if let Some(member) = &removed {
            self.awaiting_join -= usize::from(member.awaiting_join.is_some());
            self.count_protocols(&member.protocols, false);
            if let Some(instance) = &member.instance_id {
                self.static_members.remove(instance);
            }
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_join.remove(id);
        self.pending_sync.remove(id);
        removed
    }

    /// Gives a static member's place to `new_id`: the same subscription and assignment under a new
    /// id. Returns the requests the old one had parked (join, sync).
    pub fn replace_static(&mut self, instance_id: &str, new_id: &Arc<str>) -> (Option<Token>, Option<Token>) {
        let Some(old_id) = self.static_members.get(instance_id).cloned() else { return (None, None) };
        let Some(mut member) = self.members.remove(&old_id) else { return (None, None) };
        self.awaiting_join -= usize::from(member.awaiting_join.is_some());
        let parked = (member.awaiting_join.take(), member.awaiting_sync.take());
        member.id = new_id.clone();
        member.is_new = false;
        self.members.insert(new_id.clone(), member);
        if self.is_leader(&old_id) {
            self.leader = Some(new_id.clone());
        }
        self.static_members.insert(instance_id.into(), new_id.clone());
        // The place in the sync phase is not inherited, as in Kafka: the id that was waited for is gone.
        self.pending_sync.remove(&old_id);
        parked
    }

    /// Takes a member's new subscription and timeouts.
    pub fn update(&mut self, id: &str, protocols: Vec<Protocol>, rebalance_ms: i32, session_ms: i32) {
        let Some(member) = self.members.get_mut(id) else { return };
        let old = std::mem::replace(&mut member.protocols, protocols);
        member.rebalance_timeout_ms = rebalance_ms;
        member.session_timeout_ms = session_ms;
        let new = member.protocols.clone();
        self.count_protocols(&old, false);
        self.count_protocols(&new, true);
    }

    fn count_protocols(&mut self, protocols: &[Protocol], up: bool) {
        for protocol in protocols {
            let count = self.supporters.entry(protocol.name.clone()).or_default();
            *count = if up { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.supporters.remove(&protocol.name);
            }
        }
    }

    /// True when a member that offers this could be part of the group.
    pub fn supports<'a>(&self, protocol_type: &str, mut names: impl Iterator<Item = &'a str>) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && names.next().is_some();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && names.any(|name| self.supporters.get(name).copied().unwrap_or(0) == self.members.len())
    }

    /// The protocol all members speak that most of them want most. Kafka leaves a draw to the order
    /// of a hash map; here the leader's preference decides it.
    pub fn select_protocol(&self) -> Option<Arc<str>> {
        let speaks = |name: &Arc<str>| self.supporters.get(name) == Some(&self.members.len());
        let mut votes: HashMap<&Arc<str>, usize> = HashMap::new();
        for member in self.members.values() {
            if let Some(wanted) = member.protocols.iter().map(|p| &p.name).find(|name| speaks(name)) {
                *votes.entry(wanted).or_default() += 1;
            }
        }
        let leader = self.leader.as_deref().and_then(|id| self.members.get(id));
        let rank = |name: &Arc<str>| leader.and_then(|m| m.protocols.iter().position(|p| p.name == *name));
        votes
            .into_iter()
            .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| rank(b).cmp(&rank(a))).then_with(|| b.cmp(a)))
            .map(|(name, _)| name.clone())
    }

    /// The longest time any member may take to rejoin, in ms.
    pub fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|m| i64::from(m.rebalance_timeout_ms)).max().unwrap_or(0).max(0)
    }

    /// True when the join phase need not wait any longer.
    pub fn has_all_members_joined(&self) -> bool {
        self.pending_join.is_empty() && self.awaiting_join == self.members.len()
    }

    /// Keeps a leader that has rejoined or elects one among those who have. False: nobody has.
    pub fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.leader.as_deref() else { return false };
        if self.members.get(leader).is_some_and(|m| m.awaiting_join.is_some()) {
            return true;
        }
        let joined = self.members.values().find(|m| m.awaiting_join.is_some()).map(|m| m.id.clone());
        let found = joined.is_some();
        if found {
            self.leader = joined;
        }
        found
    }

    /// The next generation of those who are left: CompletingRebalance, or Empty without members.
    pub fn next_generation(&mut self, now: Now) {
        self.generation = self.generation.wrapping_add(1).max(0);
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.read_subscriptions();
        let next = if self.members.is_empty() { State::Empty } else { State::CompletingRebalance };
        self.transition(next, now);
        self.pending_sync.clear();
        self.assignment_in_flight = false;
    }

    /// The topics all members ask for; `None` when that cannot be known.
    pub fn read_subscriptions(&self) -> Option<BTreeSet<String>> {
        if !self.is_consumer_group() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let name = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(super::subscription::topics(member.metadata(name)?)?);
        }
        Some(topics)
    }

    /// True when offsets of `topic` must not go while the group lives.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.is_consumer_group(),
        }
    }

    /// Checks that `member_id` belongs to the group and, when static, is the current holder of its
    /// place: 25 or 82.
    pub fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance_id {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if &**current != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// The assignment by member as it stands.
    pub fn assignments(&self) -> HashMap<Arc<str>, Bytes> {
        self.members.values().map(|m| (m.id.clone(), m.assignment.clone())).collect()
    }

    /// What holds after every step.
    #[cfg(test)]
    pub fn check(&self) {
        let awaiting = self.members.values().filter(|m| m.awaiting_join.is_some()).count();
        assert_eq!(self.awaiting_join, awaiting, "parked joins are counted");
        assert!(self.leader.as_ref().is_none_or(|id| self.members.contains_key(id)), "the leader is a member");
        assert_eq!(self.leader.is_none(), self.members.is_empty(), "members have a leader");
        for (instance, id) in &self.static_members {
            let member = self.members.get(id).expect("a static member is a member");
            assert_eq!(member.instance_id.as_ref(), Some(instance));
        }
        let statics = self.members.values().filter(|m| m.instance_id.is_some()).count();
        assert_eq!(self.static_members.len(), statics);
        let mut supporters: HashMap<Arc<str>, usize> = HashMap::new();
        for protocol in self.members.values().flat_map(|m| &m.protocols) {
            *supporters.entry(protocol.name.clone()).or_default() += 1;
        }
        assert_eq!(self.supporters, supporters, "protocols are counted");
        assert!(self.pending_join.iter().all(|id| !self.members.contains_key(id)), "pending means not yet a member");
        assert!(self.pending_sync.iter().all(|id| self.members.contains_key(id)), "who is waited for is a member");
        if self.state == State::Empty {
            assert!(self.members.is_empty(), "Empty means empty");
        }
    }
}
