//! The state of a share group and the entries that change it.

use super::Partitions;
use crate::base::{Instant, Uuid};
use crate::coordinator::group::effects::AppendId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// `client.rack`.
    pub rack: Option<Arc<str>>,
    /// `client.id`.
    pub client_id: Arc<str>,
    /// Its address as Java prints it.
    pub client_host: Arc<str>,
    /// The topics it wants, in order of their names.
    pub topics: BTreeSet<Arc<str>>,
    /// The target it has reached.
    pub epoch: i32,
    /// The one before.
    pub previous_epoch: i32,
    /// What it may fetch.
    pub assigned: Partitions,
}

/// What a member's own record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub rack: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub topics: BTreeSet<Arc<str>>,
}

/// What a member has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Current {
    pub epoch: i32,
    pub previous_epoch: i32,
    pub assigned: Partitions,
}

/// The partitions whose progress the share coordinator keeps for this group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Being begun.
    pub initializing: BTreeMap<Uuid, Named>,
    /// Begun: they can be assigned.
    pub initialized: BTreeMap<Uuid, Named>,
    /// Topics whose progress is being deleted.
    pub deleting: BTreeMap<Uuid, Arc<str>>,
}

/// Partitions of a topic, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: Arc<str>,
    pub partitions: BTreeSet<i32>,
}

impl Progress {
    pub fn is_empty(&self) -> bool {
        self.initializing.is_empty() && self.initialized.is_empty() && self.deleting.is_empty()
    }
}

/// Adds `partitions` of a topic.
pub fn add(to: &mut BTreeMap<Uuid, Named>, topic: Uuid, name: &Arc<str>, partitions: impl IntoIterator<Item = i32>) {
    let named = to.entry(topic).or_insert_with(|| Named { name: name.clone(), partitions: BTreeSet::new() });
    named.partitions.extend(partitions);
}

/// Takes `partitions` of a topic away.
pub fn take(from: &mut BTreeMap<Uuid, Named>, topic: Uuid, partitions: &BTreeSet<i32>) {
    if let Some(named) = from.get_mut(&topic) {
        named.partitions.retain(|partition| !partitions.contains(partition));
        if named.partitions.is_empty() {
            from.remove(&topic);
        }
    }
}

/// One change, one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The group's epoch and the hash of its topics; none: its end.
    Epoch(Option<(i32, i64)>),
    /// A member's subscription, or its end.
    Subscription(Arc<str>, Option<Subscription>),
    /// The epoch of the target and when it was computed (ms).
    TargetEpoch(Option<(i32, i64)>),
    /// A member's target.
    Target(Arc<str>, Option<Partitions>),
    /// What a member has.
    Current(Arc<str>, Option<Current>),
    /// Which partitions' progress is kept.
    Progress(Option<Progress>),
}

impl Entry {
    /// False for a tombstone.
    pub fn is_value(&self) -> bool {
        match self {
            Self::Epoch(value) | Self::TargetEpoch(value) => value.is_some(),
            Self::Subscription(_, value) => value.is_some(),
            Self::Target(_, value) => value.is_some(),
            Self::Current(_, value) => value.is_some(),
            Self::Progress(value) => value.is_some(),
        }
    }
}

/// All that is written of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub epoch: i32,
    pub hash: i64,
    pub target_epoch: i32,
    pub target_at: i64,
    pub members: BTreeMap<Arc<str>, Member>,
    pub target: BTreeMap<Arc<str>, Partitions>,
    pub progress: Progress,
}

impl Default for State {
    /// A group that is not written of yet: its epochs begin at 1, as Kafka's do (`ModernGroup`).
    fn default() -> Self {
        Self {
            epoch: 1,
            hash: 0,
            target_epoch: 1,
            target_at: 0,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            progress: Progress::default(),
        }
    }
}

impl State {
    /// Takes an entry.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Epoch(value) => (self.epoch, self.hash) = value.unwrap_or((self.epoch, self.hash)),
            Entry::Subscription(id, None) => drop(self.members.remove(id)),
            Entry::Subscription(id, Some(value)) => {
                let member = self.members.entry(id.clone()).or_default();
                member.rack.clone_from(&value.rack);
                member.client_id.clone_from(&value.client_id);
                member.client_host.clone_from(&value.client_host);
                member.topics.clone_from(&value.topics);
            }
            Entry::TargetEpoch(value) => (self.target_epoch, self.target_at) = value.unwrap_or((-1, 0)),
            Entry::Target(id, None) => drop(self.target.remove(id)),
            Entry::Target(id, Some(value)) => drop(self.target.insert(id.clone(), value.clone())),
            Entry::Current(id, value) => {
                if let Some(member) = self.members.get_mut(id) {
                    let value = value.clone().unwrap_or_default();
                    (member.epoch, member.previous_epoch) = (value.epoch, value.previous_epoch);
                    member.assigned = value.assigned;
                } else if let Some(value) = value {
                    let member = Member {
                        epoch: value.epoch,
                        previous_epoch: value.previous_epoch,
                        assigned: value.assigned.clone(),
                        ..Member::default()
                    };
                    self.members.insert(id.clone(), member);
                }
            }
            Entry::Progress(value) => self.progress = value.clone().unwrap_or_default(),
        }
    }

    /// All topics somebody wants.
    pub fn subscribed(&self) -> BTreeSet<Arc<str>> {
        self.members.values().flat_map(|member| member.topics.iter().cloned()).collect()
    }
}

/// A share group.
#[derive(Debug, Default)]
pub struct ShareGroup {
    /// With what is on its way into the log.
    pub tail: State,
    /// As the log says.
    pub committed: State,
    /// Appends under way.
    pub in_flight: usize,
    /// The newest append.
    pub newest: AppendId,
    /// Topics may have changed since the hash was computed.
    pub look_again: bool,
    /// When the share coordinator was last asked to begin a topic's partitions.
    pub asked_at: BTreeMap<Uuid, Instant>,
}

impl ShareGroup {
    /// The name of the state clients and tools see: that of what is committed, as Kafka tells it.
    pub fn state_name(&self) -> &'static str {
        if self.committed.members.is_empty() { "Empty" } else { "Stable" }
    }

    /// False before anything of it is in the log.
    pub fn is_written(&self) -> bool {
        self.committed != State::default()
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.tail.members.is_empty()
    }

    /// Takes an entry out of the log.
    pub fn replay(&mut self, entry: &Entry) {
        self.committed.apply(entry);
        self.tail.apply(entry);
    }
}
