//! Tests of the transaction coordinator.

mod harness;
mod kafka;
mod model;
mod partitions;
mod random;
mod scenes;
mod transitions;
