//! One member of a classic group (`org.apache.kafka.coordinator.group.classic.ClassicGroupMember`).
//!
//! Everything here is an owned copy: a slice of a request's frame would keep the frame's buffer
//! from going home for as long as the member lives.

use super::effects::Token;
use bytes::Bytes;
use std::sync::Arc;

/// An embedded protocol a member can speak: an assignor's name and the member's subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The assignor's name, such as `range`.
    pub name: Arc<str>,
    /// Opaque to the broker for all but `consumer` groups.
    pub metadata: Bytes,
}

/// A member, static or dynamic.
#[derive(Clone, Debug)]
pub struct Member {
    /// The id the coordinator gave it.
    pub id: Arc<str>,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// `client.id`.
    pub client_id: Arc<str>,
    /// The client's address as Java prints it: `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// How long a rebalance may wait for this member, in ms.
    pub rebalance_timeout_ms: i32,
    /// How long the member may be silent, in ms.
    pub session_timeout_ms: i32,
    /// What it can speak, the most wanted first.
    pub protocols: Vec<Protocol>,
    /// Its share of the current generation; empty until the leader's assignment is written.
    pub assignment: Bytes,
    /// The parked JoinGroup request.
    pub awaiting_join: Option<Token>,
    /// The parked SyncGroup request.
    pub awaiting_sync: Option<Token>,
    /// Joined, but not yet told a generation: it cannot heartbeat, its parked join does not keep it alive.
    pub is_new: bool,
}

impl Member {
    /// The subscription for protocol `name`; `None` when the member does not speak it.
    pub fn metadata(&self, name: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|p| &*p.name == name).map(|p| &p.metadata)
    }

    /// True while a parked request stands for the heartbeat.
    pub fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}
