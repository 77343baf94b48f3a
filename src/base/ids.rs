//! One type per kind of number, so that an offset is never taken for a position.

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number!(
    /// A record's place in its partition: 0, 1, 2 ... Never reused.
    Offset(i64)
);
number!(
    /// A byte position in one segment file.
    Position(u32)
);
number!(
    /// Raised by one whenever a partition gets a leader, even the same one. -1 means "not known".
    LeaderEpoch(i32)
);
number!(
    /// Raised by one by each change of a partition's registration in the metadata log.
    PartitionEpoch(i32)
);
number!(
    /// `node.id` of a broker. -1 means "none" (a consumer, where a replica id is asked for).
    BrokerId(i32)
);
number!(
    /// A producer's id as handed out by InitProducerId. -1 means "not idempotent".
    ProducerId(i64)
);
number!(
    /// The generation of one producer id; an older epoch is fenced.
    ProducerEpoch(i16)
);

impl Offset {
    /// The first offset of a log that never lost its beginning.
    pub const ZERO: Self = Self(0);

    /// The offset `n` records later.
    #[must_use]
    pub const fn plus(self, n: i64) -> Self {
        Self(self.0 + n)
    }

    /// How many offsets lie between `earlier` and this one; negative when it is the later one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl LeaderEpoch {
    /// "Not known": what a client sends that does not track epochs.
    pub const UNKNOWN: Self = Self(-1);
}

impl ProducerId {
    /// The batch belongs to no idempotent producer.
    pub const NONE: Self = Self(-1);
}

impl BrokerId {
    /// No broker: an ordinary consumer's replica id, a partition without a leader.
    pub const NONE: Self = Self(-1);
}
