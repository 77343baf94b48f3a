//! Coordinators: state machines whose state is a partition of an internal topic.
//!
//! A coordinator lives where its partition is led: it starts and stops with it, loads by reading
//! the partition to its end, writes through it, and answers when what it wrote is committed.
//! Nothing is "the coordinator" of a whole node. [`Coordinator`] is the shell around a [`Machine`];
//! [`group`] is the machine of groups and offsets, [`transaction`] that of transactions, [`share`] that of
//! share groups' progress.

mod codec;
pub mod group;
mod load;
mod log;
pub mod machine;
mod outbox;
mod pipeline;
pub mod share;
mod shell;
#[cfg(test)]
mod shell_test;
#[cfg(test)]
mod test_log;
mod timers;
pub mod transaction;

pub use log::{CoordinatorLog, Pending};
pub use machine::Machine;
pub use shell::{Coordinator, CoordinatorConfig, Perform, Phase};
