//! Snapshots: files of batches that begin with a header and end with a footer (KIP-630). `bootstrap.checkpoint`, which
//! formatting leaves behind, has the same form.

use super::batch::{self, Batch, BatchContentError, ControlRecord, Stamp};
use crate::base::{LeaderEpoch, Offset, TimestampMs};
use crate::metadata::record::MetadataRecord;
use crate::protocol::EncodeError;
use crate::protocol::messages::{SnapshotFooterRecord, SnapshotHeaderRecord};
use bytes::{Bytes, BytesMut};

/// Names a snapshot: it holds everything below `end_offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The offset after the last record it contains.
    pub end_offset: Offset,
    /// The epoch of that record.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// What formatting with `--standalone` writes: voters, before there is a log.
    pub const BOOTSTRAP: Self = Self { end_offset: Offset(0), epoch: LeaderEpoch(0) };

    /// `00000000000000000257-0000000002.checkpoint`.
    pub fn file_name(self) -> String {
        format!("{:020}-{:010}.checkpoint", self.end_offset.0, self.epoch.0)
    }

    /// The id in a file's name; `None` where it is no finished snapshot.
    pub fn parse(name: &str) -> Option<Self> {
        let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        if offset.len() != 20 || epoch.len() != 10 {
            return None;
        }
        Some(Self { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// What goes into a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// When the last record it stands for was appended.
    pub last_timestamp: TimestampMs,
    /// `kraft.version` and voters; empty under static voters.
    pub control: Vec<ControlRecord>,
    /// The image.
    pub records: Vec<MetadataRecord>,
}

/// A snapshot's bytes.
pub fn encode(content: &Content, epoch: LeaderEpoch, now: TimestampMs, version: i16) -> Result<Bytes, EncodeError> {
    let mut header = vec![ControlRecord::SnapshotHeader(SnapshotHeaderRecord {
        version: 0,
        last_contained_log_timestamp: content.last_timestamp.0.max(0),
    })];
    header.extend(content.control.iter().cloned());
    let mut stamp = Stamp { base: Offset::ZERO, epoch, now };
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&batch::encode_control(&header, stamp)?);
    stamp.base = stamp.base.plus(header.len() as i64);
    for (count, batch) in batch::encode(&content.records, stamp, version)? {
        bytes.extend_from_slice(&batch);
        stamp.base = stamp.base.plus(count as i64);
    }
    let footer = ControlRecord::SnapshotFooter(SnapshotFooterRecord { version: 0 });
    bytes.extend_from_slice(&batch::encode_control(&[footer], stamp)?);
    Ok(bytes.freeze())
}

/// When the last record was appended that a snapshot stands for, out of the file's first bytes.
pub fn last_timestamp(front: &[u8]) -> Option<TimestampMs> {
    let first = batch::decode(front).next()?.ok()?;
    first.control.iter().find_map(|record| match record {
        ControlRecord::SnapshotHeader(header) => Some(TimestampMs(header.last_contained_log_timestamp)),
        _ => None,
    })
}

/// Reads a snapshot; an error where it does not end with its footer.
pub fn decode(bytes: &[u8]) -> Result<Content, BatchContentError> {
    let mut content = Content { last_timestamp: TimestampMs::NONE, control: Vec::new(), records: Vec::new() };
    let (mut begun, mut ended) = (false, false);
    for batch in batch::decode(bytes) {
        let Batch { records, control, .. } = batch?;
        content.records.extend(records);
        for record in control {
            match record {
                ControlRecord::SnapshotHeader(header) => {
                    begun = true;
                    content.last_timestamp = TimestampMs(header.last_contained_log_timestamp);
                }
                ControlRecord::SnapshotFooter(_) => ended = true,
                other => content.control.push(other),
            }
        }
    }
    if begun && ended {
        Ok(content)
    } else {
        Err(BatchContentError::Batch("the snapshot has no header or no footer: it was never finished".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::FeatureLevelRecord;

    fn content() -> Content {
        let records = vec![FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 }.into()];
        Content { last_timestamp: TimestampMs(7), control: Vec::new(), records }
    }

    #[test]
    fn names_are_kafkas() {
        let id = SnapshotId { end_offset: Offset(257), epoch: LeaderEpoch(2) };
        assert_eq!(id.file_name(), "00000000000000000257-0000000002.checkpoint");
        assert_eq!(SnapshotId::parse(&id.file_name()), Some(id));
        for name in ["bootstrap.checkpoint", "00000000000000000257-0000000002.checkpoint.part", "1-2.checkpoint"] {
            assert_eq!(SnapshotId::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_snapshot_comes_back_and_half_of_one_does_not() {
        let bytes = encode(&content(), LeaderEpoch(3), TimestampMs(9), 30).unwrap();
        assert_eq!(decode(&bytes), Ok(content()));
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes of {}", bytes.len());
        }
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let bytes = encode(&content(), LeaderEpoch(3), TimestampMs(9), 30).unwrap();
        for at in (17..83).chain(100..120) {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            assert!(decode(&bytes).is_err(), "byte {at}");
        }
    }
}
