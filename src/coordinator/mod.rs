//! Coordinators: state machines whose state is a partition of an internal topic.
//!
//! A coordinator lives where its partition is led: it starts and stops with it, loads by reading
//! the partition to its end, writes through it, and answers when what it wrote is committed.
//! Nothing is "the coordinator" of a whole node. [`group`] is the state machine of groups and
//! offsets; [`Coordinator`] is the shell around it.

pub mod group;
mod load;
mod log;
mod outbox;
mod shell;
#[cfg(test)]
mod shell_test;

pub use log::{CoordinatorLog, Pending};
pub use shell::{Coordinator, CoordinatorConfig, Phase};
