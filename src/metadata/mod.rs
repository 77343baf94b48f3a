//! The cluster's metadata: KRaft records, the immutable image they add up to, and the log they live in.
//!
//! Shards see metadata only as `(delta, image)`: a change is decided (`controller`), appended to the metadata log,
//! made durable, applied, published to every shard, and only then answered. Nothing writes an image directly.

pub mod delta;
pub mod features;
pub mod image;
pub mod loader;
pub mod record;
pub mod store;

pub use delta::{MetadataDelta, TopicDelta};
pub use image::{
    BrokerEndpoint, BrokerRegistration, ConfigMap, ConfigResource, FeatureRange, LeaderRecoveryState, MetadataImage,
    PartitionRegistration, ResourceType, TopicImage,
};
pub use record::MetadataRecord;
pub use store::{MetadataLog, StoreError};
