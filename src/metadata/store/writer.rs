//! Writing the metadata log: a new epoch at start, then one change after another.

use super::batch::{self, ControlRecord, Stamp};
use super::bootstrap;
use super::quorum_state::{QUORUM_STATE, QuorumState};
use super::replay::next_epoch;
use super::snapshots::SnapshotFile;
use super::voters::KRaftState;
use super::{ReplayedLog, StoreConfig, StoreError};
use crate::base::Offset;
use crate::base::{BrokerId, Instant, LeaderEpoch, Now, Uuid};
use crate::log::{Closed, Log, WriteError};
use crate::metadata::delta::MetadataDelta;
use crate::metadata::image::{MetadataImage, Provenance};
use crate::metadata::loader::Loader;
use crate::metadata::record::MetadataRecord;
use crate::protocol::messages::{
    BeginTransactionRecord, EndTransactionRecord, LeaderChangeMessage, leader_change_message::Voter,
};
use crate::ring::fs;
use bytes::Bytes;
use std::path::PathBuf;

/// The transaction around a new cluster's first records, by Kafka's name for it.
const BOOTSTRAP_TRANSACTION: &str = "Bootstrap records";

/// The metadata log, led by this node. One owner; `append` is called by one task at a time.
pub struct MetadataLog {
    pub(super) config: StoreConfig,
    pub(super) dir: PathBuf,
    pub(super) log: Log,
    pub(super) loader: Loader,
    pub(super) kraft: KRaftState,
    epoch: LeaderEpoch,
    /// Oldest first.
    pub(super) snapshots: Vec<SnapshotFile>,
    pub(super) bytes_since_snapshot: u64,
    /// When the last snapshot was begun, or the log opened.
    pub(super) snapshot_begun: Instant,
    pub(super) snapshot_under_way: bool,
}

impl ReplayedLog {
    /// Begins a new epoch with this node as its leader: quorum-state, the LeaderChange batch, and on an empty log what
    /// formatting left to be written first. All of it is durable when this returns.
    pub async fn lead(self, now: Now) -> Result<MetadataLog, StoreError> {
        let epoch = next_epoch(self.quorum.as_ref(), &self.log);
        let Self { config, dir, log, loader, kraft, snapshots, bytes_since_snapshot, .. } = self;
        write_quorum_state(&dir, &config, &kraft, epoch)?;
        let mut metadata = MetadataLog {
            config,
            dir,
            log,
            loader,
            kraft,
            epoch,
            snapshots,
            bytes_since_snapshot,
            snapshot_begun: now.mono,
            snapshot_under_way: false,
        };
        metadata.log.note_epoch(epoch, metadata.log.end_offset());
        metadata.begin_epoch(now).await?;
        if metadata.loader.in_transaction() {
            // Whoever led before stopped half way: what it began does not count (as Kafka's controller decides).
            let abort = crate::protocol::messages::AbortTransactionRecord { reason: None };
            metadata.append_all(vec![abort.into()], now).await?;
        }
        if metadata.loader.image().metadata_version() == 0 {
            metadata.bootstrap(now).await?;
        }
        metadata.loader.publish();
        Ok(metadata)
    }
}

fn write_quorum_state(
    dir: &std::path::Path,
    config: &StoreConfig,
    kraft: &KRaftState,
    epoch: LeaderEpoch,
) -> Result<(), StoreError> {
    let state = QuorumState {
        leader: config.node_id,
        epoch,
        voted: BrokerId::NONE,
        voted_directory: Uuid::ZERO,
        voters: (kraft.version == 0).then(|| vec![config.node_id]),
    };
    let path = dir.join(QUORUM_STATE);
    fs::write_atomic(&path, state.text().as_bytes()).map_err(|error| StoreError::io(&path, error))
}

impl MetadataLog {
    /// The newest metadata.
    pub fn image(&self) -> &MetadataImage {
        self.loader.image()
    }

    /// The epoch this node leads.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Where the next record will stand. A registering broker's epoch is the offset of its own record.
    pub fn next_offset(&self) -> Offset {
        self.log.end_offset()
    }

    /// Makes `records` durable and applies them: the image after them, and what changed. The caller publishes both to
    /// all shards before it answers anybody.
    ///
    /// # Errors
    /// The log could not be written; the process cannot go on.
    pub async fn append(
        &mut self,
        records: Vec<MetadataRecord>,
        now: Now,
    ) -> Result<(MetadataImage, MetadataDelta), StoreError> {
        self.append_all(records, now).await?;
        let (image, delta) = self.loader.publish();
        Ok(((*image).clone(), delta))
    }

    async fn append_all(&mut self, records: Vec<MetadataRecord>, now: Now) -> Result<(), StoreError> {
        let version = match self.image().metadata_version() {
            0 => bootstrap::metadata_version_of(&records),
            version => version,
        };
        // All of it, before any of it is written.
        let stamp = self.stamp(now);
        let encoded = batch::encode(&records, stamp, version)?;
        for (_, bytes) in &encoded {
            self.log.append_as_follower(bytes.clone(), now)?;
        }
        self.write_and_flush().await?;
        let (mut rest, mut stamp) = (&records[..], stamp);
        for (count, bytes) in &encoded {
            let (chunk, after) = rest.split_at((*count).min(rest.len()));
            self.loader.apply(chunk, self.end_of(stamp, chunk.len()))?;
            self.bytes_since_snapshot += bytes.len() as u64;
            (rest, stamp.base) = (after, stamp.base.plus(chunk.len() as i64));
        }
        Ok(())
    }

    fn stamp(&self, now: Now) -> Stamp {
        Stamp { base: self.log.end_offset(), epoch: self.epoch, now: now.wall }
    }

    fn end_of(&self, stamp: Stamp, records: usize) -> Provenance {
        Provenance { offset: stamp.base.plus(records as i64 - 1), epoch: self.epoch, timestamp: stamp.now }
    }

    /// The LeaderChange batch; the voters too where only a snapshot from before the log names them.
    async fn begin_epoch(&mut self, now: Now) -> Result<(), StoreError> {
        let me = || vec![Voter { voter_id: self.config.node_id.0, ..Default::default() }];
        let mut control = vec![ControlRecord::LeaderChange(LeaderChangeMessage {
            version: 0,
            leader_id: self.config.node_id.0,
            voters: me(),
            granting_voters: me(),
        })];
        if !self.kraft.in_log {
            control.extend(self.kraft.control());
            self.kraft.in_log = true;
        }
        let stamp = self.stamp(now);
        let bytes: Bytes = batch::encode_control(&control, stamp)?;
        self.log.append_as_follower(bytes, now)?;
        self.write_and_flush().await?;
        self.loader.apply(&[], self.end_of(stamp, control.len()))?;
        Ok(())
    }

    async fn bootstrap(&mut self, now: Now) -> Result<(), StoreError> {
        let formatted = bootstrap::read_bootstrap_checkpoint(&self.config.dir)?;
        let first = formatted.unwrap_or_else(|| bootstrap::bootstrap_records(&[]));
        let first = bootstrap::first_records(first, self.config.min_insync_replicas);
        let mut records = vec![BeginTransactionRecord { name: Some(BOOTSTRAP_TRANSACTION.into()) }.into()];
        records.extend(first);
        records.push(EndTransactionRecord::default().into());
        self.append_all(records, now).await
    }

    /// [`WriteError::DiskFull`] is told only where nothing of the change was written.
    async fn write_and_flush(&mut self) -> Result<(), StoreError> {
        let before = self.log.written_offset();
        while let Some(mut job) = self.log.take_write() {
            let result = job.run().await;
            let written = self.log.complete_write(job, result);
            match written.failed {
                Some(WriteError::DiskFull(error)) if written.end > before => {
                    return Err(WriteError::Failed(error).into());
                }
                Some(error) => return Err(error.into()),
                None => {}
            }
        }
        if let Some(job) = self.log.begin_flush() {
            let result = job.run().await;
            self.log.complete_flush(job, result).map_err(|error| StoreError::io(&self.dir, error))?;
        }
        Ok(())
    }

    /// Closes the log so that the next start, or Apache Kafka's, finds it whole. Blocking.
    pub fn close(self) -> Result<Closed, StoreError> {
        let Self { log, dir, .. } = self;
        log.close().map_err(|error| StoreError::io(&dir, error))
    }
}
