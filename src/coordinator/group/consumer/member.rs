//! One member of a consumer group (`org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember`).
//!
//! What the client says of itself and what the coordinator gave it. A change is a new value: members are shared
//! between the group, its records on their way and what would be taken back. What may be large in it is shared by its
//! values too: most heartbeats change none of it.

use super::partitions::Owned;
use crate::coordinator::group::member::Protocol;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// The epoch of a leave, and of a member whose assignment has been taken away.
pub const LEAVE_EPOCH: i32 = -1;
/// The epoch of a static member that goes for a while.
pub const STATIC_LEAVE_EPOCH: i32 = -2;

/// How far a member is on its way to its target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// It owns what the target of its epoch gives it.
    Stable,
    /// It has to give up partitions before its epoch rises.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given up yet.
    UnreleasedPartitions,
    /// A later version's state.
    Unknown,
}

impl MemberState {
    /// The state with this number in a record.
    pub fn of(value: i8) -> Self {
        match value {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }

    /// Its number in records.
    pub fn id(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }
}

/// What a member that speaks the classic protocol said in its JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMetadata {
    /// How long it may be silent, in ms.
    pub session_timeout_ms: i32,
    /// What it can speak, the most wanted first.
    pub protocols: Vec<Protocol>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerMember {
    /// Its id.
    pub id: Arc<str>,
    /// The epoch it has reached.
    pub epoch: i32,
    /// The one before.
    pub previous_epoch: i32,
    /// How far it is.
    pub state: MemberState,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// `client.rack`.
    pub rack_id: Option<Arc<str>>,
    /// How long it may take to give up partitions, in ms.
    pub rebalance_timeout_ms: i32,
    /// `client.id`.
    pub client_id: Arc<str>,
    /// The client's address as Java prints it.
    pub client_host: Arc<str>,
    /// The topics it asks for by name.
    pub topics: Rc<BTreeSet<Arc<str>>>,
    /// The pattern of topics it asks for; empty for none.
    pub regex: Arc<str>,
    /// The assignor it wants.
    pub assignor: Option<Arc<str>>,
    /// What it may read from.
    pub assigned: Rc<Owned>,
    /// What it was told to give up and has not yet.
    pub revoking: Rc<Owned>,
    /// Set for members of the classic protocol.
    pub classic: Option<ClassicMetadata>,
}

impl ConsumerMember {
    /// A member nothing is known of.
    pub fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            client_id: "".into(),
            client_host: "".into(),
            topics: Rc::default(),
            regex: "".into(),
            assignor: None,
            assigned: Rc::default(),
            revoking: Rc::default(),
            classic: None,
        }
    }

    /// The pattern, where there is one.
    pub fn regex(&self) -> Option<&Arc<str>> {
        Some(&self.regex).filter(|regex| !regex.is_empty())
    }

    /// True when nothing is left to be done for the target of `epoch`.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// True for a static member that went for a while.
    pub fn is_away(&self) -> bool {
        self.epoch == STATIC_LEAVE_EPOCH
    }

    /// Takes the next epoch.
    pub fn advance_to(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }

    /// `other`'s assignment and epochs in place of its own.
    pub fn take_current(&mut self, other: &Self) {
        self.epoch = other.epoch;
        self.previous_epoch = other.previous_epoch;
        self.state = other.state;
        self.assigned.clone_from(&other.assigned);
        self.revoking.clone_from(&other.revoking);
    }
}
