//! Taking over the directories of a stopped Apache Kafka node: what stands against it, and what makes a KRaft node of a
//! ZooKeeper-era one. A KRaft node needs no step of its own: a start takes its directories as they are.

mod check;
mod command;
mod guards;
mod look;
mod report;
#[cfg(test)]
mod tests;
mod topic_configs;
mod zookeeper;

pub use command::{Takeover, run};
pub use guards::check_start;
