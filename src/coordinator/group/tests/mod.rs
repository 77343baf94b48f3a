//! Scenarios in virtual time, against a log in memory.

mod committing;
mod consumer;
mod harness;
mod joining;
mod kafka;
mod random;
mod rebalancing;
mod replaying;
mod statics;
mod streams;
mod transitions;
