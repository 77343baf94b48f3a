//! The features corelog knows: what it can work with and what a new cluster gets.

/// The levels of one feature this node works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    /// Kafka's name of the feature.
    pub name: &'static str,
    /// The lowest level.
    pub min: i16,
    /// The highest level.
    pub max: i16,
}

/// The `metadata.version` a new directory is formatted with: 4.3-IV0, the newest of Apache Kafka 4.3.
pub const METADATA_VERSION_LATEST: i16 = 30;
/// The lowest `metadata.version` whose log can be read: 3.3-IV3, as in Apache Kafka 4.
pub const METADATA_VERSION_MIN: i16 = 7;

/// The feature under which consumer groups (KIP-848) are served.
pub const GROUP_VERSION: &str = "group.version";
/// The level at which they are.
pub const GROUP_VERSION_CONSUMER: i16 = 1;

/// The feature under which share groups (KIP-932) are served.
pub const SHARE_VERSION: &str = "share.version";
/// The level at which they are.
pub const SHARE_VERSION_GROUPS: i16 = 1;

/// The feature under which streams groups (KIP-1071) are served.
pub const STREAMS_VERSION: &str = "streams.version";
/// The level at which they are.
pub const STREAMS_VERSION_GROUPS: i16 = 1;

/// What clients are told under "supported" (ApiVersions), by name. Only features whose APIs are served: the others'
/// finalized levels stay in the metadata log, and are not advertised.
pub const SUPPORTED: &[SupportedFeature] = &[
    SupportedFeature { name: GROUP_VERSION, min: 0, max: GROUP_VERSION_CONSUMER },
    SupportedFeature { name: "metadata.version", min: METADATA_VERSION_MIN, max: METADATA_VERSION_LATEST },
    SupportedFeature { name: SHARE_VERSION, min: 0, max: SHARE_VERSION_GROUPS },
    SupportedFeature { name: STREAMS_VERSION, min: 0, max: STREAMS_VERSION_GROUPS },
    SupportedFeature { name: TRANSACTION_VERSION, min: 0, max: 2 },
];

/// How transactions work: 1 writes the coordinator's records with tagged fields, with 2 each end of a transaction
/// raises the producer's epoch (KIP-890).
pub const TRANSACTION_VERSION: &str = "transaction.version";

/// What a broker declares in its registration: every level the metadata log may have finalized, because a controller
/// refuses a broker that leaves one out. The same ranges as Apache Kafka 4.3.
pub const REGISTERED: &[SupportedFeature] = &[
    SupportedFeature { name: "eligible.leader.replicas.version", min: 0, max: 1 },
    SupportedFeature { name: "group.version", min: 0, max: 1 },
    SupportedFeature { name: "kraft.version", min: 0, max: 1 },
    SupportedFeature { name: "metadata.version", min: METADATA_VERSION_MIN, max: METADATA_VERSION_LATEST },
    SupportedFeature { name: "share.version", min: 0, max: 1 },
    SupportedFeature { name: STREAMS_VERSION, min: 0, max: STREAMS_VERSION_GROUPS },
    SupportedFeature { name: TRANSACTION_VERSION, min: 0, max: 2 },
];

/// True where clients may be told that this feature is finalized.
pub fn is_served(name: &str) -> bool {
    SUPPORTED.iter().any(|feature| feature.name == name)
}
