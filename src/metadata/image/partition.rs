//! One partition as the metadata log registers it (`PartitionRegistration`).

use crate::base::{BrokerId, LeaderEpoch, PartitionEpoch, Uuid};
use crate::protocol::messages::{PartitionChangeRecord, PartitionRecord};

/// "No change" of a leader in a PartitionChangeRecord.
pub const NO_LEADER_CHANGE: i32 = -2;

/// Whether the leader was elected from outside the in-sync replicas and still checks its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LeaderRecoveryState {
    /// The ordinary state.
    #[default]
    Recovered,
    /// After an unclean election.
    Recovering,
}

impl LeaderRecoveryState {
    /// The state with this number; unknown numbers count as recovered.
    pub fn of(value: i8) -> Self {
        if value == 1 { Self::Recovering } else { Self::Recovered }
    }

    /// Its number in the records.
    pub fn id(self) -> i8 {
        i8::from(self == Self::Recovering)
    }
}

/// A partition's replicas, leader and epochs. Changes come as whole new registrations; one with a lower partition
/// epoch is older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRegistration {
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The directory of each replica, in the order of `replicas`: an id, or zero (migrating), one (unassigned), two (lost).
    pub directories: Vec<Uuid>,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966): left an in-sync set that was too small.
    pub elr: Vec<BrokerId>,
    /// The last known eligible leader.
    pub last_known_elr: Vec<BrokerId>,
    /// Who leads; `BrokerId::NONE` when nobody does.
    pub leader: BrokerId,
    /// Whether the leader still recovers from an unclean election.
    pub recovery: LeaderRecoveryState,
    /// Raised by each election.
    pub leader_epoch: LeaderEpoch,
    /// Raised by each change.
    pub partition_epoch: PartitionEpoch,
}

pub(super) fn ids(raw: &[i32]) -> Vec<BrokerId> {
    raw.iter().map(|id| BrokerId(*id)).collect()
}

fn raw(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

impl PartitionRegistration {
    /// The registration a PartitionRecord makes.
    pub fn of(record: &PartitionRecord) -> Self {
        let replicas = ids(&record.replicas);
        Self {
            directories: directories(&record.directories, replicas.len()),
            replicas,
            isr: ids(&record.isr),
            removing_replicas: ids(&record.removing_replicas),
            adding_replicas: ids(&record.adding_replicas),
            elr: ids(record.eligible_leader_replicas.as_deref().unwrap_or_default()),
            last_known_elr: ids(record.last_known_elr.as_deref().unwrap_or_default()),
            leader: BrokerId(record.leader),
            recovery: LeaderRecoveryState::of(record.leader_recovery_state),
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: PartitionEpoch(record.partition_epoch),
        }
    }

    /// The registration after a change: absent fields stay, a named leader (also the same one) raises the leader epoch,
    /// and the partition epoch rises in any case.
    #[must_use]
    pub fn merged(&self, change: &PartitionChangeRecord) -> Self {
        let mut next = self.clone();
        if let Some(replicas) = &change.replicas {
            next.replicas = ids(replicas);
        }
        match &change.directories {
            Some(given) => next.directories = directories(given, next.replicas.len()),
            None if change.replicas.is_some() => next.directories = directories(&[], next.replicas.len()),
            None => {}
        }
        let put = |slot: &mut Vec<BrokerId>, new: &Option<Vec<i32>>| {
            if let Some(new) = new {
                *slot = ids(new);
            }
        };
        put(&mut next.isr, &change.isr);
        put(&mut next.removing_replicas, &change.removing_replicas);
        put(&mut next.adding_replicas, &change.adding_replicas);
        put(&mut next.elr, &change.eligible_leader_replicas);
        put(&mut next.last_known_elr, &change.last_known_elr);
        if change.leader != NO_LEADER_CHANGE {
            next.leader = BrokerId(change.leader);
            next.leader_epoch = LeaderEpoch(self.leader_epoch.0.saturating_add(1));
        }
        if change.leader_recovery_state >= 0 {
            next.recovery = LeaderRecoveryState::of(change.leader_recovery_state);
        }
        next.partition_epoch = PartitionEpoch(self.partition_epoch.0.saturating_add(1));
        next
    }

    /// The record that makes this registration, in what `metadata_version` can say.
    pub fn record(&self, topic_id: Uuid, partition: i32, metadata_version: i16) -> PartitionRecord {
        let elr = |ids: &[BrokerId]| (metadata_version >= 23 && !ids.is_empty()).then(|| raw(ids));
        PartitionRecord {
            partition_id: partition,
            topic_id,
            replicas: raw(&self.replicas),
            isr: raw(&self.isr),
            removing_replicas: raw(&self.removing_replicas),
            adding_replicas: raw(&self.adding_replicas),
            leader: self.leader.0,
            leader_recovery_state: self.recovery.id(),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch.0,
            directories: if metadata_version >= 17 { self.directories.clone() } else { Vec::new() },
            eligible_leader_replicas: elr(&self.elr),
            last_known_elr: elr(&self.last_known_elr),
        }
    }

    /// The directory of one replica; zero where the broker holds none.
    pub fn directory_of(&self, broker: BrokerId) -> Uuid {
        let at = self.replicas.iter().position(|replica| *replica == broker);
        at.and_then(|at| self.directories.get(at)).copied().unwrap_or(Uuid::ZERO)
    }

    /// True while a reassignment is under way.
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }
}

/// As many directories as replicas; absent ones are "migrating" (all zero).
fn directories(given: &[Uuid], replicas: usize) -> Vec<Uuid> {
    if given.len() == replicas { given.to_vec() } else { vec![Uuid::ZERO; replicas] }
}
