//! A partition as the metrics tell of it.

use super::Partition;
use crate::base::{Offset, TopicIdPartition, TopicPartition};

/// One partition at one moment.
#[derive(Clone, Debug)]
pub struct PartitionFacts {
    /// Topic id and index.
    pub id: TopicIdPartition,
    /// Topic name and index.
    pub name: TopicPartition,
    /// The first offset there still is.
    pub start: Offset,
    /// Below it, records are committed.
    pub high_watermark: Offset,
    /// Where the next record goes.
    pub end: Offset,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// How many segments there are.
    pub segments: usize,
    /// Producers whose state is kept.
    pub producers: usize,
    /// In-sync replicas are fewer than `min.insync.replicas`.
    pub under_min_isr: bool,
    /// This node leads it.
    pub leads: bool,
    /// Shares of produce requests since it was opened.
    pub produces: u64,
    /// Bytes of batches taken since.
    pub bytes_in: u64,
    /// Records taken since.
    pub records_in: u64,
}

impl Partition {
    /// What there is to tell of it now.
    pub fn facts(&self) -> PartitionFacts {
        let leads = self.leads().is_some();
        let state = self.state.borrow();
        let log = &state.log;
        PartitionFacts {
            id: self.id,
            name: self.name.clone(),
            start: log.start_offset(),
            high_watermark: state.high_watermark,
            end: log.end_offset(),
            size_bytes: log.size_bytes(),
            segments: log.segment_count(),
            producers: log.producers().len(),
            under_min_isr: !state.has_min_isr(),
            leads,
            produces: self.counts.produces.get(),
            bytes_in: self.counts.bytes.get(),
            records_in: self.counts.records.get(),
        }
    }
}
