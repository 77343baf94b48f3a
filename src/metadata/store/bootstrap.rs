//! What formatting leaves for the first start: `bootstrap.checkpoint` with the finalized features, and, for a quorum
//! that keeps its voters in the log, a first snapshot that names them.

use super::batch::ControlRecord;
use super::checkpoint::{self, Content, SnapshotId};
use super::{METADATA_PARTITION_DIR, StoreError};
use crate::base::{LeaderEpoch, TimestampMs, Uuid};
use crate::metadata::features::METADATA_VERSION_LATEST;
use crate::metadata::image::METADATA_VERSION;
use crate::metadata::record::MetadataRecord;
use crate::protocol::messages::{ConfigRecord, FeatureLevelRecord, KRaftVersionRecord, VotersRecord, voters_record};
use crate::ring::fs;
use std::path::Path;

/// The file's name in each log directory.
pub const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";
/// The feature with which Kafka also fixes `min.insync.replicas` for the cluster (KIP-966).
const ELR: &str = "eligible.leader.replicas.version";

/// The records of a new cluster: finalized features, `metadata.version` first (the newest where none is given), the
/// others by name; levels of 0 are left out.
pub fn bootstrap_records(features: &[(&str, i16)]) -> Vec<MetadataRecord> {
    let level = |name: &str, level: i16| FeatureLevelRecord { name: name.into(), feature_level: level }.into();
    let given = features.iter().find(|(name, _)| *name == METADATA_VERSION).map(|(_, level)| *level);
    let mut others: Vec<_> = features.iter().filter(|(name, level)| *name != METADATA_VERSION && *level != 0).collect();
    others.sort();
    let mut records = vec![level(METADATA_VERSION, given.unwrap_or(METADATA_VERSION_LATEST))];
    records.extend(others.iter().map(|(name, at)| level(name, *at)));
    records
}

/// Writes `bootstrap.checkpoint` into the log directory `dir`. SCRAM credentials given to the format command go into
/// `records` as well. Blocking.
pub fn write_bootstrap_checkpoint(
    dir: &Path,
    records: Vec<MetadataRecord>,
    now: TimestampMs,
) -> Result<(), StoreError> {
    let version = metadata_version_of(&records);
    let content = Content { last_timestamp: TimestampMs(0), control: Vec::new(), records };
    let bytes = checkpoint::encode(&content, LeaderEpoch(0), now, version)?;
    let path = dir.join(BOOTSTRAP_CHECKPOINT);
    fs::write_atomic(&path, &bytes).map_err(|error| StoreError::io(&path, error))
}

/// Reads `bootstrap.checkpoint`; `None` where there is none. Blocking.
pub fn read_bootstrap_checkpoint(dir: &Path) -> Result<Option<Vec<MetadataRecord>>, StoreError> {
    let path = dir.join(BOOTSTRAP_CHECKPOINT);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(&path, error)),
    };
    let content = checkpoint::decode(&bytes).map_err(|error| StoreError::Damaged(path, error.to_string()))?;
    Ok(Some(content.records))
}

/// One voter of a quorum that keeps its voters in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// `node.id`.
    pub id: i32,
    /// The id of its metadata log directory.
    pub directory_id: Uuid,
    /// Its controller listeners: name, host, port.
    pub endpoints: Vec<(String, String, u16)>,
}

/// Writes the first snapshot, which names the voters (`format --standalone`, `--initial-controllers`), below the
/// metadata log directory `dir`. Blocking.
pub fn write_voters_checkpoint(dir: &Path, voters: &[Voter], now: TimestampMs) -> Result<(), StoreError> {
    let endpoint = |(name, host, port): &(String, String, u16)| voters_record::Endpoint {
        name: name.into(),
        host: host.into(),
        port: *port,
    };
    let voter = |voter: &Voter| voters_record::Voter {
        voter_id: voter.id,
        voter_directory_id: voter.directory_id,
        endpoints: voter.endpoints.iter().map(endpoint).collect(),
        kraft_version_feature: voters_record::KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: 1,
        },
    };
    let control = vec![
        ControlRecord::KRaftVersion(KRaftVersionRecord { version: 0, kraft_version: 1 }),
        ControlRecord::Voters(VotersRecord { version: 0, voters: voters.iter().map(voter).collect() }),
    ];
    let content = Content { last_timestamp: now, control, records: Vec::new() };
    let bytes = checkpoint::encode(&content, LeaderEpoch(0), now, METADATA_VERSION_LATEST)?;
    let dir = dir.join(METADATA_PARTITION_DIR);
    fs::create_dir_all(&dir).map_err(|error| StoreError::io(&dir, error))?;
    let path = dir.join(SnapshotId::BOOTSTRAP.file_name());
    fs::write_atomic(&path, &bytes).map_err(|error| StoreError::io(&path, error))
}

/// What the first leader writes, inside one metadata transaction: what formatting left, and `min.insync.replicas` of
/// the cluster where eligible leader replicas are on.
pub fn first_records(bootstrap: Vec<MetadataRecord>, min_insync_replicas: i32) -> Vec<MetadataRecord> {
    let mut records = bootstrap;
    let elr =
        |r: &MetadataRecord| matches!(r, MetadataRecord::FeatureLevel(f) if *f.name == *ELR && f.feature_level > 0);
    if records.iter().any(elr) {
        let value = Some(min_insync_replicas.to_string().into());
        let name = "min.insync.replicas".into();
        records.push(ConfigRecord { resource_type: 4, resource_name: "".into(), name, value }.into());
    }
    records
}

/// The `metadata.version` that `records` finalize; the newest where they say nothing.
pub fn metadata_version_of(records: &[MetadataRecord]) -> i16 {
    let level = |record: &MetadataRecord| match record {
        MetadataRecord::FeatureLevel(r) if *r.name == *METADATA_VERSION => Some(r.feature_level),
        _ => None,
    };
    records.iter().find_map(level).unwrap_or(METADATA_VERSION_LATEST)
}
