//! Batches of the metadata log: records and control records in, bytes out, and back.

use crate::base::{LeaderEpoch, Offset, TimestampMs};
use crate::metadata::image::Provenance;
use crate::metadata::record::{MetadataRecord, MetadataRecordError};
use crate::protocol::messages::{
    KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use crate::protocol::{DecodeError, EncodeError, Message, decode_all, encode_to_bytes};
use crate::record::{BatchBuilder, BatchView, ControlType, Record, Records, batches};
use bytes::Bytes;

/// The largest number of records in one batch, as Kafka's controller writes them.
pub const BATCH_RECORDS_MAX: usize = 10_000;
/// The largest batch of a raft log, in bytes (`KafkaRaftClient.MAX_BATCH_SIZE_BYTES`).
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// More than a batch's header takes.
const HEADER_MAX: usize = 64;
/// More than a record takes beside its value.
const RECORD_FRAME_MAX: usize = 32;
/// What a compressed batch may unpack to.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Why bytes are no batch of a metadata log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchContentError {
    /// Not a batch, or its checksum is wrong.
    Batch(String),
    /// A record in it cannot be read; at this offset.
    Record(Offset, MetadataRecordError),
    /// A control record in it cannot be read; at this offset.
    Control(Offset, DecodeError),
}

impl std::fmt::Display for BatchContentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch(why) => f.write_str(why),
            Self::Record(offset, error) => write!(f, "offset {offset}: {error}"),
            Self::Control(offset, error) => write!(f, "control record at offset {offset}: {error}"),
        }
    }
}

impl std::error::Error for BatchContentError {}

/// What the raft layer writes between the records.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// A leader begins its epoch.
    LeaderChange(LeaderChangeMessage),
    /// A snapshot begins.
    SnapshotHeader(SnapshotHeaderRecord),
    /// A snapshot ends.
    SnapshotFooter(SnapshotFooterRecord),
    /// `kraft.version`.
    KRaftVersion(KRaftVersionRecord),
    /// The voters.
    Voters(VotersRecord),
}

impl ControlRecord {
    fn encode(&self) -> Result<(ControlType, Bytes), EncodeError> {
        Ok(match self {
            Self::LeaderChange(r) => (ControlType::LeaderChange, encode_to_bytes(r, 0)?),
            Self::SnapshotHeader(r) => (ControlType::SnapshotHeader, encode_to_bytes(r, 0)?),
            Self::SnapshotFooter(r) => (ControlType::SnapshotFooter, encode_to_bytes(r, 0)?),
            Self::KRaftVersion(r) => (ControlType::KRaftVersion, encode_to_bytes(r, 0)?),
            Self::Voters(r) => (ControlType::KRaftVoters, encode_to_bytes(r, 0)?),
        })
    }

    /// `None` for kinds that a metadata log has no use for: they count as offsets only.
    fn decode(record: &Record<'_>) -> Result<Option<Self>, DecodeError> {
        let Some(kind) = record.key.and_then(ControlType::of_key) else { return Ok(None) };
        let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
        Ok(Some(match kind {
            ControlType::LeaderChange => Self::LeaderChange(versioned(value)?),
            ControlType::SnapshotHeader => Self::SnapshotHeader(versioned(value)?),
            ControlType::SnapshotFooter => Self::SnapshotFooter(versioned(value)?),
            ControlType::KRaftVersion => Self::KRaftVersion(versioned(value)?),
            ControlType::KRaftVoters => Self::Voters(versioned(value)?),
            ControlType::Abort | ControlType::Commit => return Ok(None),
        }))
    }
}

/// Control records carry their version as their first field.
fn versioned<M: Message>(value: Bytes) -> Result<M, DecodeError> {
    let version = match *value {
        [high, low, ..] => i16::from_be_bytes([high, low]),
        _ => return Err(DecodeError::Truncated),
    };
    decode_all(value, version)
}

/// Where a batch stands and when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The offset of its first record.
    pub base: Offset,
    /// The leader's epoch.
    pub epoch: LeaderEpoch,
    /// CreateTime of all its records.
    pub now: TimestampMs,
}

/// Builds batches of metadata records, in the versions `metadata_version` asks for: as few as the bounds of a batch
/// allow, each with the number of its records.
pub fn encode(
    records: &[MetadataRecord],
    mut stamp: Stamp,
    metadata_version: i16,
) -> Result<Vec<(usize, Bytes)>, EncodeError> {
    let mut batches = Vec::new();
    let begin = |stamp: Stamp| BatchBuilder::new(stamp.base).leader_epoch(stamp.epoch);
    let (mut builder, mut count, mut bytes) = (begin(stamp), 0, HEADER_MAX);
    for record in records {
        let value = record.encode_for(metadata_version)?;
        if count == BATCH_RECORDS_MAX || (count > 0 && bytes + value.len() + RECORD_FRAME_MAX > BATCH_BYTES_MAX) {
            batches.push((count, builder.build()));
            stamp.base = stamp.base.plus(count as i64);
            (builder, count, bytes) = (begin(stamp), 0, HEADER_MAX);
        }
        builder.append(stamp.now, None, Some(&value), &[]);
        (count, bytes) = (count + 1, bytes + value.len() + RECORD_FRAME_MAX);
    }
    if count > 0 {
        batches.push((count, builder.build()));
    }
    Ok(batches)
}

/// Builds one control batch.
pub fn encode_control(records: &[ControlRecord], stamp: Stamp) -> Result<Bytes, EncodeError> {
    let mut builder = BatchBuilder::new(stamp.base).leader_epoch(stamp.epoch).control();
    for record in records {
        let (kind, value) = record.encode()?;
        builder.append_control(stamp.now, kind, &value);
    }
    Ok(builder.build())
}

/// One batch, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Its last offset, its epoch, its newest timestamp.
    pub end: Provenance,
    /// The offset of its first record.
    pub base: Offset,
    /// How many bytes it is.
    pub size: u64,
    /// Metadata records; empty in a control batch.
    pub records: Vec<MetadataRecord>,
    /// Control records; empty in a data batch.
    pub control: Vec<ControlRecord>,
}

/// Reads whole batches. Checksums are checked.
pub fn decode(bytes: &[u8]) -> impl Iterator<Item = Result<Batch, BatchContentError>> + '_ {
    batches(bytes).map(|batch| {
        let batch = batch.map_err(|error| BatchContentError::Batch(error.to_string()))?;
        batch.check_crc().map_err(|error| BatchContentError::Batch(error.to_string()))?;
        decode_one(&batch)
    })
}

fn decode_one(view: &BatchView<'_>) -> Result<Batch, BatchContentError> {
    let header = view.header();
    let broken = |error: String| BatchContentError::Batch(format!("batch at offset {}: {error}", header.base_offset()));
    let body = view.unpacked(UNPACKED_BYTES_MAX).map_err(|error| broken(error.to_string()))?;
    let end =
        Provenance { offset: header.last_offset(), epoch: header.leader_epoch(), timestamp: header.max_timestamp() };
    let (base, size) = (header.base_offset(), header.size().unwrap_or(0) as u64);
    let mut batch = Batch { end, base, size, records: Vec::new(), control: Vec::new() };
    for record in Records::new(&body, header.count()) {
        let record = record.map_err(|error| broken(error.to_string()))?;
        let offset = header.base_offset().plus(i64::from(record.offset_delta));
        if header.is_control() {
            let control = ControlRecord::decode(&record).map_err(|error| BatchContentError::Control(offset, error))?;
            batch.control.extend(control);
        } else {
            let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
            let record = MetadataRecord::decode(&value).map_err(|error| BatchContentError::Record(offset, error))?;
            batch.records.push(record);
        }
    }
    Ok(batch)
}
