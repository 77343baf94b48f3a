//! Streams groups (KIP-1071; `org.apache.kafka.coordinator.group.streams.StreamsGroup`): the members are threads of one
//! Kafka Streams application. They tell its topology and what they own; the coordinator has its internal topics made,
//! gives out tasks, and each member goes to its target at its own pace, giving up before others get.
//!
//! A group changes by entries alone, the same ones that are written, and each takes the place of the one before it with
//! the same key: what takes an entry back is an entry.

mod assignor;
#[cfg(test)]
mod assignor_tests;
mod beat;
mod check;
mod configure;
mod convert;
mod counts;
mod describe;
mod endpoints;
mod entry;
mod heartbeat;
mod holders;
mod leave;
mod offsets;
mod process;
mod reconcile;
mod status;
mod tasks;
mod timers;
mod topology;
mod write;

pub use entry::Entry;
pub use heartbeat::Answered;
pub use status::MISSING_INTERNAL_TOPICS;

use crate::base::Now;
use crate::coordinator::group::consumer::TargetEpoch;
use crate::coordinator::group::refresh::Refresh;
use crate::protocol::messages::StreamsGroupTopologyValue;
use configure::Configured;
use entry::{Current, GroupEpoch, Metadata};
use holders::Holders;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use tasks::Tasks;

/// The types of keys of streams groups' records.
pub const KINDS: std::ops::RangeInclusive<i16> = 17..=23;

/// Where a streams group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamsState {
    /// No members.
    Empty,
    /// Topics of the topology are missing or do not fit.
    NotReady,
    /// The group's epoch has no target yet.
    Assigning,
    /// Some member has not reached its target.
    Reconciling,
    /// All members have what the target gives them.
    Stable,
}

impl StreamsState {
    /// The name clients and tools see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::NotReady => "NotReady",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A streams group.
#[derive(Clone)]
pub struct StreamsGroup {
    /// The group's id.
    pub id: Arc<str>,
    epoch: Option<Rc<GroupEpoch>>,
    topology: Option<Rc<StreamsGroupTopologyValue>>,
    target_epoch: Option<TargetEpoch>,
    members: BTreeMap<Arc<str>, Rc<Metadata>>,
    target: BTreeMap<Arc<str>, Rc<Tasks>>,
    current: BTreeMap<Arc<str>, Rc<Current>>,
    // What follows from the above.
    holders: Holders,
    required: BTreeSet<Arc<str>>,
    // What is in no record.
    configured: Option<Rc<Configured>>,
    refresh: Option<Refresh>,
    /// The member that asked the whole application to stop.
    shutdown_by: Option<Arc<str>>,
    /// Rises with every change of who has what among members with an endpoint.
    endpoint_epoch: i32,
    /// Commits accepted but not yet in the log; the group is not deleted below them.
    pub commits_in_flight: usize,
}

impl StreamsGroup {
    /// A group without members.
    pub fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: None,
            topology: None,
            target_epoch: None,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            current: BTreeMap::new(),
            holders: Holders::default(),
            required: BTreeSet::new(),
            configured: None,
            refresh: None,
            shutdown_by: None,
            endpoint_epoch: 0,
            commits_in_flight: 0,
        }
    }

    /// The group's epoch; 1 before the first.
    pub fn group_epoch(&self) -> i32 {
        self.epoch.as_ref().map_or(1, |epoch| epoch.epoch)
    }

    /// The epoch the targets are for; 1 before the first.
    fn target_epoch(&self) -> i32 {
        self.target_epoch.map_or(1, |target| target.epoch)
    }

    /// The epoch of the topology that is known to fit the topics; -1 for none.
    fn validated(&self) -> i32 {
        self.epoch.as_ref().map_or(0, |epoch| epoch.validated)
    }

    /// Where it stands. Looks at every member.
    pub fn state(&self) -> StreamsState {
        if self.members.is_empty() {
            StreamsState::Empty
        } else if self.topology.as_ref().is_none_or(|topology| topology.epoch != self.validated()) {
            StreamsState::NotReady
        } else if self.group_epoch() > self.target_epoch() {
            StreamsState::Assigning
        } else if self.members.keys().all(|id| self.current_of(id).is_reconciled_to(self.target_epoch())) {
            StreamsState::Stable
        } else {
            StreamsState::Reconciling
        }
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// What member `id` has; a new one nothing.
    fn current_of(&self, id: &str) -> Current {
        self.current.get(id).map(|current| Current::clone(current)).unwrap_or_default()
    }

    /// True when the members read from `topic`.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        let reads = |topology: &Rc<StreamsGroupTopologyValue>| topology::reader_of(topology, topic).is_some();
        !self.is_empty() && self.topology.as_ref().is_some_and(reads)
    }

    /// The group looks at its topics with the next heartbeat where one of them has `changed`.
    pub fn look_again_if_any(&mut self, changed: &HashSet<&Arc<str>>) {
        if changed.iter().any(|topic| self.required.contains(*topic)) {
            self.refresh = None;
        }
    }

    fn is_refresh_due(&self, now: Now) -> bool {
        self.refresh.is_none_or(|refresh| refresh.is_over(now, self.group_epoch()))
    }

    /// Takes an entry; returns the one that takes it back. The end of the group itself is its owner's to act on.
    pub fn apply(&mut self, entry: &Entry) -> Entry {
        match entry {
            Entry::Epoch(value) => Entry::Epoch(std::mem::replace(&mut self.epoch, value.clone())),
            Entry::Topology(value) => {
                self.required = value.as_ref().map(|topology| topology::required_topics(topology)).unwrap_or_default();
                Entry::Topology(std::mem::replace(&mut self.topology, value.clone()))
            }
            Entry::Member(id, value) => {
                self.count(id, false);
                let before = put(&mut self.members, id, value.clone());
                self.count(id, true);
                if self.members.is_empty() {
                    self.shutdown_by = None;
                }
                Entry::Member(id.clone(), before)
            }
            Entry::TargetEpoch(value) => {
                // After its end the next target is due at once.
                Entry::TargetEpoch(std::mem::replace(&mut self.target_epoch, *value))
            }
            Entry::Target(id, value) => Entry::Target(id.clone(), put(&mut self.target, id, value.clone())),
            Entry::Current(id, value) => {
                self.count(id, false);
                let before = put(&mut self.current, id, value.clone());
                self.count(id, true);
                Entry::Current(id.clone(), before)
            }
        }
    }

    /// What the member has belongs to its process.
    fn count(&mut self, id: &Arc<str>, up: bool) {
        if let (Some(member), Some(current)) = (self.members.get(id), self.current.get(id)) {
            self.holders.count(&member.process_id, current, up);
        }
    }

    /// The tombstones of the whole group, in the order in which they are read.
    pub fn end(&self) -> Vec<Entry> {
        let ids = || self.members.keys().cloned();
        let mut entries: Vec<Entry> = ids().map(|id| Entry::Current(id, None)).collect();
        entries.extend(ids().map(|id| Entry::Target(id, None)));
        entries.push(Entry::TargetEpoch(None));
        entries.extend(ids().map(|id| Entry::Member(id, None)));
        entries.push(Entry::Epoch(None));
        entries.push(Entry::Topology(None));
        entries
    }

    /// What holds after every step.
    #[cfg(test)]
    pub fn check(&self) {
        let mut counted = Holders::default();
        let mut active = HashSet::new();
        for (id, current) in &self.current {
            let Some(member) = self.members.get(id) else { continue };
            counted.count(&member.process_id, current, true);
            for held in [&current.assigned, &current.revoking] {
                for (subtopology, epochs) in &held.active {
                    for partition in epochs.keys() {
                        assert!(active.insert((subtopology.clone(), *partition)), "{subtopology}_{partition} twice");
                    }
                }
            }
        }
        assert!(self.holders.is_same(&counted), "who has what is counted");
    }
}

fn put<T>(map: &mut BTreeMap<Arc<str>, T>, id: &Arc<str>, value: Option<T>) -> Option<T> {
    match value {
        Some(value) => map.insert(id.clone(), value),
        None => map.remove(id),
    }
}
