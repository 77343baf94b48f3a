//! A member by either protocol (`group.protocol`).

use super::heartbeats::ConsumerMember;
use super::member::{ClassicMember, MemberConfig};
use crate::base::{Instant, TopicPartition};
use crate::client::cluster::Cluster;
use crate::client::error::ClientError;
use std::collections::{BTreeMap, BTreeSet};

/// A member of a group.
#[derive(Debug)]
pub enum Member {
    /// `classic`.
    Classic(ClassicMember),
    /// `consumer` (KIP-848).
    Consumer(ConsumerMember),
}

/// The same question to either.
macro_rules! either {
    ($self:expr, $member:ident => $asked:expr) => {
        match $self {
            Self::Classic($member) => $asked,
            Self::Consumer($member) => $asked,
        }
    };
}

impl Member {
    /// Belongs to nothing yet; `consumer`: by the protocol of consumer groups.
    pub fn new(config: MemberConfig, consumer: bool) -> Self {
        match consumer {
            true => Self::Consumer(ConsumerMember::new(config)),
            false => Self::Classic(ClassicMember::new(config)),
        }
    }

    /// Wants these topics.
    pub fn subscribe(&mut self, topics: BTreeSet<String>) {
        either!(self, member => member.subscribe(topics));
    }

    /// `group.id`.
    pub fn group(&self) -> &str {
        either!(self, member => member.group())
    }

    /// When the next heartbeat is due.
    pub fn heartbeat_due(&self) -> Instant {
        either!(self, member => member.heartbeat_due())
    }

    /// Joins, and says what it is assigned.
    ///
    /// # Errors
    /// That do not pass by themselves.
    pub fn join(&mut self, cluster: &mut Cluster) -> Result<BTreeSet<TopicPartition>, ClientError> {
        either!(self, member => member.join(cluster))
    }

    /// Sends a heartbeat if one is due; false when it has to join again.
    ///
    /// # Errors
    /// That do not pass by themselves.
    pub fn heartbeat(&mut self, cluster: &mut Cluster) -> Result<bool, ClientError> {
        either!(self, member => member.heartbeat(cluster))
    }

    /// Commits offsets.
    ///
    /// # Errors
    /// Also what the coordinator answered.
    pub fn commit(
        &mut self,
        cluster: &mut Cluster,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ClientError> {
        either!(self, member => member.commit(cluster, offsets))
    }

    /// Leaves.
    ///
    /// # Errors
    /// Of the request; there is nothing to be done about them.
    pub fn leave(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        either!(self, member => member.leave(cluster))
    }
}
