//! The states of a record in a share group.

use crate::base::Offset;

/// Where a record stands (`RecordState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordState {
    /// May be delivered.
    Available,
    /// A member holds it until its lock expires.
    Acquired,
    /// Accepted; for ever.
    Acknowledged,
    /// Rejected, delivered too often, or not in the log; for ever.
    Archived,
}

impl RecordState {
    /// The number in requests and records.
    pub const fn id(self) -> i8 {
        match self {
            Self::Available => 0,
            Self::Acquired => 1,
            Self::Acknowledged => 2,
            Self::Archived => 4,
        }
    }

    /// Reads the number.
    pub const fn from_id(id: i8) -> Option<Self> {
        match id {
            0 => Some(Self::Available),
            1 => Some(Self::Acquired),
            2 => Some(Self::Acknowledged),
            4 => Some(Self::Archived),
            _ => None,
        }
    }

    /// True where nothing follows.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Archived)
    }
}

/// The state of a range of offsets as it is persisted (`PersisterStateBatch`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateBatch {
    /// The first offset.
    pub first: Offset,
    /// The last offset, inclusive.
    pub last: Offset,
    /// A [`RecordState`] number.
    pub state: i8,
    /// How often the records were delivered.
    pub delivery_count: i16,
}
