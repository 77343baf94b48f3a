//! The cluster's metadata: KRaft records become an immutable image, a delta says what changed.

mod delta;
mod image;
mod record;
mod registration;
mod security;

pub use delta::{Inconsistent, MetadataDelta};
pub use image::{ConfigMap, MetadataImage, ResourceType, TopicImage};
pub use record::{Record, RecordError};
pub use registration::{NO_LEADER_CHANGE, PartitionRegistration};
pub use security::SecurityImage;
