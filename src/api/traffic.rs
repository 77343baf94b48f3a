//! Whose partitions a connection reads and writes: the core where it had better be served.

use crate::base::TopicIdPartition;
use crate::router::Item;
use crate::shard::fetch_session::NO_SESSION;
use crate::shard::{Shard, ShardIndex};
use std::cell::Cell;

/// What one connection's latest requests of records (produce, fetch) asked for.
#[derive(Default)]
pub struct Traffic {
    owner: Cell<Option<ShardIndex>>,
    requests: Cell<u32>,
    fetches: Cell<bool>,
    session: Cell<i32>,
}

impl Traffic {
    /// A produce request for the partitions of `items`.
    pub fn produces<T>(&self, shard: &Shard, items: &[Item<T>]) {
        self.asks(shard, items.iter().map(|item| &item.id));
    }

    /// A fetch for the partitions of `items` in the fetch session `session`, if it has one.
    pub fn fetches<T>(&self, shard: &Shard, items: &[Item<T>], session: i32) {
        self.session.set(session);
        self.asks(shard, items.iter().map(|item| &item.id));
        self.fetches.set(true);
    }

    fn asks<'a>(&self, shard: &Shard, partitions: impl Iterator<Item = &'a TopicIdPartition>) {
        if shard.shard_count() > 1 {
            self.asks_of(partitions.map(|partition| shard.owner_of(partition)));
        }
    }

    /// A request for partitions of these cores. What asks for none says nothing.
    fn asks_of(&self, mut owners: impl Iterator<Item = ShardIndex>) {
        let Some(first) = owners.next() else { return };
        let sole = owners.all(|owner| owner == first).then_some(first);
        if self.owner.replace(sole) == sole && sole.is_some() {
            self.requests.set(self.requests.get().saturating_add(1));
        } else {
            self.requests.set(u32::from(sole.is_some()));
            self.fetches.set(false);
        }
    }

    /// The core that alone owned all partitions of the latest requests, and how many these were.
    pub fn owner(&self) -> Option<(ShardIndex, u32)> {
        self.owner.get().map(|owner| (owner, self.requests.get()))
    }

    /// True where the latest requests, as far as [`Self::owner`] counts them, only write.
    pub fn only_writes(&self) -> bool {
        !self.fetches.get()
    }

    /// The fetch session that it uses.
    pub fn session(&self) -> Option<i32> {
        Some(self.session.get()).filter(|id| *id != NO_SESSION)
    }

    /// As a connection that comes from another core and uses this session.
    pub fn arrived(session: Option<i32>) -> Self {
        Self { session: Cell::new(session.unwrap_or(NO_SESSION)), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(traffic: &Traffic, owners: &[usize]) {
        traffic.asks_of(owners.iter().map(|owner| ShardIndex(*owner)));
    }

    #[test]
    fn requests_of_one_core_are_counted_until_another_is_asked() {
        let traffic = Traffic::default();
        assert_eq!(traffic.owner(), None);
        asks(&traffic, &[1, 1, 1]);
        asks(&traffic, &[1]);
        assert_eq!(traffic.owner(), Some((ShardIndex(1), 2)));
        asks(&traffic, &[]);
        assert_eq!(traffic.owner(), Some((ShardIndex(1), 2)), "asked for nothing");
        asks(&traffic, &[1, 0]);
        assert_eq!(traffic.owner(), None);
        asks(&traffic, &[0]);
        asks(&traffic, &[2]);
        assert_eq!(traffic.owner(), Some((ShardIndex(2), 1)));
    }

    #[test]
    fn a_session_goes_along() {
        assert_eq!(Traffic::default().session(), None);
        assert_eq!(Traffic::arrived(Some(7)).session(), Some(7));
        assert_eq!(Traffic::arrived(None).session(), None);
    }
}
