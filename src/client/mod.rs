//! A client of any Kafka-compatible broker, for the tools: blocking, one thread, no ring.
//!
//! [`connection`] one broker: versions agreed by ApiVersions, requests in flight, answers in order;
//! [`ask`] which answer belongs to which request, and the older forms of both;
//! [`cluster`] all brokers: metadata, leaders, coordinators, and trying again;
//! [`options`] the properties that hold; [`error`] what went wrong, in Kafka's names.

pub mod ask;
pub mod cluster;
pub mod configs;
pub mod connection;
pub mod consumer;
pub mod error;
pub mod groups;

pub mod offsets;
pub mod options;
pub mod producer;
mod sasl;
#[cfg(test)]
mod tests;
pub mod topics;

pub use ask::Ask;
pub use cluster::Cluster;
pub use connection::Connection;
pub use error::ClientError;
pub use options::{Endpoint, Options};
