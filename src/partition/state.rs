//! The cursors of a partition and who may move them.

use super::acks::Acks;
use crate::base::{BrokerId, ErrorCode, LeaderEpoch, Offset};
use crate::log::Log;
use crate::metadata::PartitionRegistration;
use std::sync::Arc;

/// Owned by the partition's shard.
pub struct State {
    /// The partition's log.
    pub log: Log,
    /// One owner, never derived from the log's end: moved by [`advance`](Self::advance) only.
    pub high_watermark: Offset,
    /// `min.insync.replicas` of the topic.
    pub min_isr: i32,
    /// Producers waiting for it.
    pub acks: Acks,
    registration: Option<Arc<PartitionRegistration>>,
    is_leader: bool,
}

impl State {
    /// A log nobody leads yet. Its high watermark starts at the log's end: a single replica has
    /// committed whatever recovery kept.
    pub fn new(log: Log, min_isr: i32) -> Self {
        let high_watermark = log.written_offset();
        Self { log, high_watermark, min_isr, acks: Acks::default(), registration: None, is_leader: false }
    }

    /// Takes a newer registration; true when the leader epoch moved.
    pub fn apply(&mut self, registration: Arc<PartitionRegistration>, node: BrokerId) -> bool {
        let current = self.registration.as_deref();
        if current.is_some_and(|c| registration.partition_epoch < c.partition_epoch) {
            return false;
        }
        let moved = current.is_none_or(|c| c.leader_epoch != registration.leader_epoch);
        self.is_leader = registration.leader == node;
        if moved && self.is_leader {
            let start = self.log.end_offset();
            self.log.note_epoch(registration.leader_epoch, start);
        }
        self.registration = Some(registration);
        moved
    }

    /// The epoch under which this node leads, -1 before it does.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.registration.as_ref().map_or(LeaderEpoch::UNKNOWN, |r| r.leader_epoch)
    }

    /// Leader and epoch, for clients that asked the wrong node or with an old epoch: `error` says which.
    pub fn current_leader(&self, error: ErrorCode) -> Option<(BrokerId, LeaderEpoch)> {
        let told = matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
        self.registration.as_ref().filter(|_| told).map(|r| (r.leader, r.leader_epoch))
    }

    /// The one place where a request's leader epoch is checked (KIP-320): 74 older, 75 newer, 6
    /// where this node does not lead.
    pub fn check_leader(&self, current: LeaderEpoch) -> Result<(), ErrorCode> {
        if current != LeaderEpoch::UNKNOWN {
            match current.cmp(&self.leader_epoch()) {
                std::cmp::Ordering::Less => return Err(ErrorCode::FencedLeaderEpoch),
                std::cmp::Ordering::Greater => return Err(ErrorCode::UnknownLeaderEpoch),
                std::cmp::Ordering::Equal => {}
            }
        }
        if self.is_leader { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// True where `broker` is one of the partition's replicas.
    pub fn is_replica(&self, broker: BrokerId) -> bool {
        self.registration.as_ref().is_some_and(|r| r.replicas.contains(&broker))
    }

    /// True where the in-sync replicas are as many as `min.insync.replicas` asks, at most the number
    /// of replicas.
    pub fn has_min_isr(&self) -> bool {
        self.registration.as_ref().is_some_and(|r| {
            let wanted = usize::try_from(self.min_isr).unwrap_or(1).min(r.replicas.len());
            r.isr.len() >= wanted
        })
    }

    /// Moves the high watermark to the smallest end among the in-sync replicas. With this node as the only one, that is
    /// what is written, or what is flushed where `flush.messages` ask for that. Never back. True when it moved.
    pub fn advance(&mut self) -> bool {
        let alone = self.registration.as_ref().is_some_and(|r| r.isr.len() <= 1);
        if !alone || !self.is_leader || !self.has_min_isr() {
            return false;
        }
        let end = self.log.committable_offset();
        let moved = end > self.high_watermark;
        self.high_watermark = self.high_watermark.max(end);
        self.check();
        moved
    }

    /// Below this a read-committed consumer may read.
    pub fn last_stable_offset(&self) -> Offset {
        self.log
            .first_unstable_offset(self.high_watermark)
            .map_or(self.high_watermark, |first| first.min(self.high_watermark))
    }

    fn check(&self) {
        debug_assert!(self.log.start_offset() <= self.high_watermark, "log start above the high watermark");
        debug_assert!(self.high_watermark <= self.log.written_offset(), "high watermark above what is written");
        debug_assert!(self.log.written_offset() <= self.log.end_offset(), "written above accepted");
    }
}
