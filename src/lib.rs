//! corelog: a drop-in replacement for the Apache Kafka broker.
//!
//! The modules from the bottom up; imports point down only (a test proves it).
//!
//! ```text
//! base         vocabulary: numbers with their own types, ids, error codes, time
//! ring         the only unsafe and the only syscalls: pump, file, socket, timer, buffers
//! record       Kafka's v2 record batches as views over bytes
//! protocol     the wire codec, generated from the schema
//! config       server.properties and topic configurations, typed
//! doctor       looking at the machine: what deviates from tuning/
//! client       asking any Kafka-compatible broker: for the tools, not for the broker
//! log          one partition's segments on disk
//! metadata     KRaft records -> immutable image -> published to the shards
//! storage      log directories as a whole: formatting, telling about them, taking them into use
//! tools        looking into a stopped node's files: dump-log, verify
//! commands     the tools that ask a running broker: topics, configs, consumer-groups and so on
//! partition    leader state over a log: high watermark, waiting fetches and acknowledgements
//! share        a partition as a queue of a share group, pure
//! controller   admin requests -> metadata records, pure
//! coordinator  group state machines over __consumer_offsets
//! telemetry    clients' own metrics: subscriptions, newest values, pure
//! shard        one core: mailbox, its partitions, its coordinators
//! router       partition -> shard: split a request, merge the answers
//! api          one file per API key
//! network      listeners, connections, order of replies
//! admin        /metrics and /health
//! broker       the composition root
//! ```

pub mod admin;
pub mod api;
pub mod base;
pub mod broker;
pub mod client;
pub mod commands;
pub mod config;
pub mod controller;
pub mod coordinator;
pub mod doctor;
pub mod log;
pub mod metadata;
pub mod network;
pub mod partition;
pub mod protocol;
pub mod record;
pub mod ring;
pub mod router;
pub mod shard;
pub mod share;
pub mod storage;
pub mod telemetry;
pub mod tools;
