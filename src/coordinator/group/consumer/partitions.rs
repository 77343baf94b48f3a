//! Sets of partitions by topic id: targets, and what members own with the epochs of the assignment.

use crate::base::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Partitions by topic.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// Partitions by topic, each with the epoch in which its owner got it.
pub type Owned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The partitions without their epochs.
pub fn without_epochs(owned: &Owned) -> Partitions {
    owned.iter().map(|(topic, epochs)| (*topic, epochs.keys().copied().collect())).collect()
}

/// All partitions with one epoch.
pub fn with_epoch(partitions: &Partitions, epoch: i32) -> Owned {
    partitions.iter().map(|(topic, all)| (*topic, all.iter().map(|p| (*p, epoch)).collect())).collect()
}

/// True where `owned` holds the partition.
pub fn contains(owned: &Owned, topic: &Uuid, partition: i32) -> bool {
    owned.get(topic).is_some_and(|epochs| epochs.contains_key(&partition))
}

/// Adds `more` to `owned`.
pub fn merge(owned: &mut Owned, more: &Owned) {
    for (topic, epochs) in more {
        owned.entry(*topic).or_default().extend(epochs);
    }
}
