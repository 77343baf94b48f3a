//! The vocabulary every other module speaks: numbers with their own types, ids, error codes, time.
//! Nothing here does I/O, allocates a thread or knows of a partition's life.

pub mod duration;
pub mod error_code;
pub mod histogram;
pub mod ids;
pub mod java_hash;
pub mod java_text;
pub mod local;
pub mod logging;
pub mod scram;
pub mod time;
pub mod topic;
pub mod uuid;
pub mod varint;

pub use error_code::ErrorCode;
pub use ids::{BrokerId, LeaderEpoch, Offset, PartitionEpoch, Position, ProducerEpoch, ProducerId};
pub use time::{Instant, Now, TimestampMs};
pub use topic::{TopicIdPartition, TopicPartition};
pub use uuid::Uuid;
