//! Control batches: what brokers write among the records (`ControlRecordType`). Key = i16 version, i16 type.

use super::records::Record;

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum ControlType {
    /// The transaction's records are void.
    Abort = 0,
    /// The transaction's records hold.
    Commit = 1,
    /// A raft leader begins its epoch.
    LeaderChange = 2,
    /// Begins a metadata snapshot.
    SnapshotHeader = 3,
    /// Ends a metadata snapshot.
    SnapshotFooter = 4,
    /// Sets `kraft.version`.
    KRaftVersion = 5,
    /// Names the raft voters.
    KRaftVoters = 6,
}

impl ControlType {
    /// The type's number on disk.
    pub const fn id(self) -> i16 {
        self as i16
    }

    /// The type with this number.
    pub const fn from_id(id: i16) -> Option<Self> {
        Some(match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            _ => return None,
        })
    }

    /// The key of a control record of this type.
    pub fn key(self) -> [u8; 4] {
        let id = self.id().to_be_bytes();
        [0, 0, id[0], id[1]]
    }

    /// The type a control record's key names. Kafka reads any version from 0 up.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        match *key {
            [v0, v1, t0, t1, ..] if i16::from_be_bytes([v0, v1]) >= 0 => Self::from_id(i16::from_be_bytes([t0, t1])),
            _ => None,
        }
    }
}

/// The end of a transaction in one partition (`EndTransactionMarker`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// True for a commit, false for an abort.
    pub commit: bool,
    /// The epoch of the transaction coordinator that wrote it.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Reads the marker; `None` when the record is another kind of control record or too short.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        let commit = match ControlType::of_key(record.key?)? {
            ControlType::Commit => true,
            ControlType::Abort => false,
            _ => return None,
        };
        let epoch = record.value?.get(2..6)?.try_into().ok()?;
        Some(Self { commit, coordinator_epoch: i32::from_be_bytes(epoch) })
    }

    /// The control type of the marker.
    pub fn control_type(self) -> ControlType {
        if self.commit { ControlType::Commit } else { ControlType::Abort }
    }

    /// The record's value: i16 version 0, i32 coordinator epoch.
    pub fn value(self) -> [u8; 6] {
        let e = self.coordinator_epoch.to_be_bytes();
        [0, 0, e[0], e[1], e[2], e[3]]
    }
}
