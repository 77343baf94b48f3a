//! A partition and a broker as the metadata log has them registered.

use crate::base::{BrokerId, LeaderEpoch, PartitionEpoch, Uuid};
use crate::protocol::messages::{PartitionChangeRecord, PartitionRecord};

/// `PartitionChangeRecord.leader` when the leader stays.
pub const NO_LEADER_CHANGE: i32 = -2;

/// `org.apache.kafka.metadata.PartitionRegistration`: complete even where one replica makes most of it trivial.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PartitionRegistration {
    /// Brokers that hold it, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The log directory of each replica, in their order.
    pub directories: Vec<Uuid>,
    /// Replicas in sync.
    pub isr: Vec<BrokerId>,
    /// Replicas a reassignment removes.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<BrokerId>,
    /// The last known eligible leaders.
    pub last_known_elr: Vec<BrokerId>,
    /// The leader, -1 for none.
    pub leader: BrokerId,
    /// 0 recovered, 1 recovering after an unclean election.
    pub leader_recovery_state: i8,
    /// Raised with each leader change.
    pub leader_epoch: LeaderEpoch,
    /// Raised with each change.
    pub partition_epoch: PartitionEpoch,
}

fn brokers(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

impl From<&PartitionRecord> for PartitionRegistration {
    fn from(r: &PartitionRecord) -> Self {
        // Before version 1 records carried no directories: they are unassigned.
        let directories =
            if r.directories.len() == r.replicas.len() { r.directories.clone() } else { vec![Uuid::ZERO; r.replicas.len()] };
        Self {
            replicas: brokers(&r.replicas),
            directories,
            isr: brokers(&r.isr),
            removing_replicas: brokers(&r.removing_replicas),
            adding_replicas: brokers(&r.adding_replicas),
            elr: brokers(r.eligible_leader_replicas.as_deref().unwrap_or_default()),
            last_known_elr: brokers(r.last_known_elr.as_deref().unwrap_or_default()),
            leader: BrokerId(r.leader),
            leader_recovery_state: r.leader_recovery_state,
            leader_epoch: LeaderEpoch(r.leader_epoch),
            partition_epoch: PartitionEpoch(r.partition_epoch),
        }
    }
}

impl PartitionRegistration {
    /// The registration after `change`: what the record leaves out stays. A named leader raises the
    /// leader epoch, even when it is the same one; every change raises the partition epoch.
    #[must_use]
    pub fn merge(&self, change: &PartitionChangeRecord) -> Self {
        let list = |new: &Option<Vec<i32>>, old: &Vec<BrokerId>| new.as_ref().map_or_else(|| old.clone(), |n| brokers(n));
        let replicas = list(&change.replicas, &self.replicas);
        let directories = match &change.directories {
            Some(directories) => directories.clone(),
            None => replicas.iter().map(|r| self.directory_of(*r)).collect(),
        };
        let led = change.leader != NO_LEADER_CHANGE;
        Self {
            directories,
            isr: list(&change.isr, &self.isr),
            removing_replicas: list(&change.removing_replicas, &self.removing_replicas),
            adding_replicas: list(&change.adding_replicas, &self.adding_replicas),
            elr: list(&change.eligible_leader_replicas, &self.elr),
            last_known_elr: list(&change.last_known_elr, &self.last_known_elr),
            leader: if led { BrokerId(change.leader) } else { self.leader },
            leader_recovery_state: match change.leader_recovery_state {
                -1 => self.leader_recovery_state,
                state => state,
            },
            leader_epoch: LeaderEpoch(self.leader_epoch.0 + i32::from(led)),
            partition_epoch: PartitionEpoch(self.partition_epoch.0 + 1),
            replicas,
        }
    }

    /// The directory of `broker`'s replica; zero (unassigned) where it has none.
    pub fn directory_of(&self, broker: BrokerId) -> Uuid {
        let at = self.replicas.iter().position(|r| *r == broker);
        at.and_then(|i| self.directories.get(i)).copied().unwrap_or(Uuid::ZERO)
    }
}
