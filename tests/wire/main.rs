//! A running broker and what it answers to bytes on the wire, right and wrong ones.
//!
//! `CORELOG_TEST_BROKER=host:port` names a running broker to ask instead: so each test is proved on Apache Kafka.

mod admin;
mod bad_input;
#[path = "../codec_support/mod.rs"]
mod codec_support;
mod exposition;
mod faulty_files;
mod fetch;
mod group_settings;
mod groups;
mod moving;
mod odd_batches;
mod odd_cases;
mod produce_errors;
mod raw_batch;
mod relocating;
mod relocation;
mod relocation_bounds;
mod relocation_endings;
mod relocation_transactions;
mod served;
mod support;
mod transactions;
