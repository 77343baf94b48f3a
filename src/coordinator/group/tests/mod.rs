//! Scenarios in virtual time, against a log in memory.

mod harness;
mod joining;
