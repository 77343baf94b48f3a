//! A core's counters: plain fields, read by whoever asks the core.

use std::cell::Cell;

/// Counts since the start of the process.
#[derive(Default, Debug)]
pub struct ShardStats {
    /// Requests begun on this core.
    pub requests: Cell<u64>,
    /// Jobs sent to other cores; `hops / requests` is what the router keeps low.
    pub hops: Cell<u64>,
    /// Batches appended here.
    pub batches_appended: Cell<u64>,
    /// Vectored writes that carried them.
    pub writes: Cell<u64>,
    /// Connections open now.
    pub connections: Cell<usize>,
}
