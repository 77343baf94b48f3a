//! `__cluster_metadata-0`: the metadata log of a node that is its own quorum. Kafka's files and bytes, so that Apache
//! Kafka opens what corelog wrote, and the other way round.
//!
//! [`MetadataLog::replay`] reads what is there, [`ReplayedLog::lead`] begins a new epoch, [`MetadataLog::append`] makes
//! changes. Whoever holds the [`MetadataLog`] is the one writer of metadata.

mod batch;
mod bootstrap;
mod checkpoint;
mod error;
mod peek;
mod quorum_state;
mod replay;
mod retention;
mod snapshots;
#[cfg(test)]
mod tests;
mod voters;
mod writer;

pub use bootstrap::{
    BOOTSTRAP_CHECKPOINT, Voter, bootstrap_records, write_bootstrap_checkpoint, write_voters_checkpoint,
};
pub use checkpoint::SnapshotId;
pub use error::StoreError;
pub use peek::{Peeked, check_quorum_state, check_snapshot, peek};
pub use quorum_state::QUORUM_STATE;
pub use replay::ReplayedLog;
pub use retention::Shortening;
pub use snapshots::SnapshotJob;
pub use writer::MetadataLog;

use crate::base::BrokerId;
use crate::config::Config;
use std::path::PathBuf;

/// The metadata partition's directory below the metadata log directory.
pub const METADATA_PARTITION_DIR: &str = "__cluster_metadata-0";

/// What the store is told.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `metadata.log.dir`, else the first of `log.dirs`: an existing, formatted directory.
    pub dir: PathBuf,
    /// `node.id`.
    pub node_id: BrokerId,
    /// The ids in `controller.quorum.voters`; empty where it is not set.
    pub static_voters: Vec<BrokerId>,
    /// `controller.quorum.bootstrap.servers` is set: without voters this node waits to be added to a quorum.
    pub joins_quorum: bool,
    /// `min.insync.replicas` of the properties file.
    pub min_insync_replicas: i32,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_after_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 for none by time.
    pub snapshot_interval_ms: u64,
    /// `metadata.max.retention.bytes` of log and snapshots; negative for no limit.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms` of snapshots; negative for no limit.
    pub retention_ms: i64,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: u32,
    /// `metadata.log.segment.ms`.
    pub segment_ms: i64,
}

impl StoreConfig {
    /// Takes it out of the node's configuration.
    pub fn of(config: &Config) -> Self {
        let settings = &config.settings;
        let ids = settings.list("controller.quorum.voters").iter();
        let ids = ids.filter_map(|voter| voter.split_once('@').and_then(|(id, _)| id.trim().parse().ok()));
        let number = |key: &str, default: i64| settings.int(key).unwrap_or(default);
        Self {
            dir: config.metadata_log_dir.clone(),
            node_id: BrokerId(config.node.node_id),
            static_voters: ids.map(BrokerId).collect(),
            joins_quorum: !settings.list("controller.quorum.bootstrap.servers").is_empty(),
            min_insync_replicas: number("min.insync.replicas", 1).clamp(1, i64::from(i32::MAX)) as i32,
            snapshot_after_bytes: number("metadata.log.max.record.bytes.between.snapshots", 20 << 20).max(1) as u64,
            snapshot_interval_ms: number("metadata.log.max.snapshot.interval.ms", 3_600_000).unsigned_abs(),
            retention_bytes: number("metadata.max.retention.bytes", 100 << 20),
            retention_ms: number("metadata.max.retention.ms", 7 * 24 * 3600 * 1000),
            segment_bytes: number("metadata.log.segment.bytes", 1 << 30).clamp(8 << 20, i64::from(u32::MAX)) as u32,
            segment_ms: number("metadata.log.segment.ms", 7 * 24 * 3600 * 1000),
        }
    }
}
