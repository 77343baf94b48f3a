//! How Metadata and DescribeTopicPartitions show a topic to clients of one listener.

use crate::base::{BrokerId, ErrorCode, Uuid};
use crate::metadata::{BrokerEndpoint, BrokerRegistration, MetadataImage, PartitionRegistration};

/// Every operation there is on a topic, as a bit set (`AclOperation`): what a client may do where nobody restricts it.
pub const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// Every operation there is on the cluster.
pub const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);

const fn bits(operations: &[u8]) -> i32 {
    let (mut set, mut at) = (0, 0);
    while at < operations.len() {
        set |= 1 << operations[at];
        at += 1;
    }
    set
}

/// The image, seen through one listener.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The metadata.
    pub image: &'a MetadataImage,
    /// The listener the request came on.
    pub listener: &'a str,
}

/// One partition's leader and what is wrong with it.
pub struct Leader {
    /// Who leads; -1 where nobody can be reached.
    pub id: BrokerId,
    /// Why not.
    pub error: ErrorCode,
}

impl<'a> View<'a> {
    /// Where clients of this listener find a broker; `None` when it is fenced, unknown, or has no such listener.
    pub fn endpoint(&self, id: BrokerId) -> Option<&'a BrokerEndpoint> {
        self.image.broker(id).filter(|broker| !broker.fenced).and_then(|broker| broker.endpoint(self.listener))
    }

    /// The brokers in service that this listener's clients can reach.
    pub fn live_brokers(&self) -> impl Iterator<Item = (&'a BrokerRegistration, &'a BrokerEndpoint)> + use<'a> {
        let listener = self.listener;
        self.image.live_brokers().filter_map(move |broker| Some((&**broker, broker.endpoint(listener)?)))
    }

    /// A broker that stands for the controller: any in service, as in KRaft; -1 for none. `any` is a random number.
    pub fn controller(&self, any: u64) -> BrokerId {
        let count = self.image.live_brokers().count() as u64;
        let chosen = any.checked_rem(count).and_then(|at| self.image.live_brokers().nth(at as usize));
        chosen.map_or(BrokerId::NONE, |broker| broker.id)
    }

    /// The leader, as far as clients of this listener can reach it.
    pub fn leader(&self, partition: &PartitionRegistration, listener_errors: bool) -> Leader {
        if self.endpoint(partition.leader).is_some() {
            return Leader { id: partition.leader, error: ErrorCode::None };
        }
        let hidden = self.image.broker(partition.leader).is_some_and(|broker| !broker.fenced);
        let error = if hidden && listener_errors { ErrorCode::ListenerNotFound } else { ErrorCode::LeaderNotAvailable };
        Leader { id: BrokerId::NONE, error }
    }

    /// The replicas that are not in service, or whose directory is lost.
    pub fn offline_replicas(&self, partition: &PartitionRegistration) -> Vec<i32> {
        let lost = |at: usize, id: BrokerId| match (partition.directories.get(at), self.image.broker(id)) {
            (Some(&Uuid::LOST), _) => true,
            // One that was not told, or in a time before ids, is taken to be there (KIP-858).
            (Some(dir), Some(broker)) if !broker.log_dirs.is_empty() => {
                *dir != Uuid::ZERO && *dir != Uuid::ONE && !broker.log_dirs.contains(dir)
            }
            _ => false,
        };
        let offline = |(at, id): &(usize, &BrokerId)| self.endpoint(**id).is_none() || lost(*at, **id);
        partition.replicas.iter().enumerate().filter(offline).map(|(_, id)| id.0).collect()
    }

    /// Those of `ids` that can be reached.
    pub fn reachable(&self, ids: &[BrokerId]) -> Vec<i32> {
        ids.iter().filter(|id| self.endpoint(**id).is_some()).map(|id| id.0).collect()
    }
}

/// Broker ids as responses carry them.
pub fn raw(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_bits_are_kafkas() {
        assert_eq!((TOPIC_OPERATIONS, CLUSTER_OPERATIONS), (3576, 8096));
    }
}
