//! The states of a transactional id (`TransactionState`).

/// Where a transactional id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TxnState {
    /// It has a producer and no transaction since.
    Empty,
    /// Partitions were added.
    Ongoing,
    /// Decided: it commits. Markers are being written.
    PrepareCommit,
    /// Decided: it aborts. Markers are being written.
    PrepareAbort,
    /// All markers are written.
    CompleteCommit,
    /// All markers are written.
    CompleteAbort,
    /// It expires: its tombstone is being written.
    Dead,
    /// A producer is about to be fenced; never in a record.
    PrepareEpochFence,
}

impl TxnState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// Its number in records.
    pub const fn id(self) -> i8 {
        self as i8
    }

    /// The state with this number.
    pub fn from_id(id: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.id() == id)
    }

    /// Its name for people and tools.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a transactional id may go from `self` to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        let at_rest = matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort);
        match next {
            Self::Empty | Self::Dead => at_rest,
            Self::Ongoing => at_rest || matches!(self, Self::Ongoing),
            Self::PrepareCommit | Self::PrepareEpochFence => matches!(self, Self::Ongoing),
            Self::PrepareAbort => at_rest || matches!(self, Self::Ongoing | Self::PrepareEpochFence),
            Self::CompleteCommit => matches!(self, Self::PrepareCommit),
            Self::CompleteAbort => matches!(self, Self::PrepareAbort),
        }
    }

    /// Whether a transactional id in this state may expire.
    pub const fn may_expire(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }

    /// The decision of a transaction that is decided: true for a commit.
    pub const fn decision(self) -> Option<bool> {
        match self {
            Self::PrepareCommit => Some(true),
            Self::PrepareAbort => Some(false),
            _ => None,
        }
    }
}
