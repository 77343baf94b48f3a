//! Partitions in memory, over the producer state that logs use.

use crate::base::{Now, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::coordinator::transaction::{MarkerWork, bumps_epochs};
use crate::log::producers::{Checked, Producers};
use crate::log::{AppendError, AppendOrigin, Verification};
use crate::record::{BatchBuilder, BatchHeader, BatchView};
use std::collections::HashMap;

/// One partition: what was written, and how it ended.
#[derive(Default)]
pub struct Partition {
    producers: Producers,
    end: i64,
    /// Open data by producer id: the transaction, by number.
    open: HashMap<i64, u64>,
    /// How transactions ended here.
    pub ended: HashMap<u64, bool>,
    /// First offsets of transactions that have not ended here.
    first: HashMap<u64, i64>,
}

impl Partition {
    /// A client's batch of transaction `number`.
    pub fn write(
        &mut self,
        (producer, epoch): (ProducerId, ProducerEpoch),
        sequence: i32,
        sure: Verification,
        number: u64,
        now: Now,
    ) -> Result<(), AppendError> {
        let mut batch = BatchBuilder::new(Offset(0)).producer(producer, epoch, sequence).transactional();
        batch.append(now.wall, None, Some(b"v"), &[]);
        let bytes = batch.build();
        let header = BatchHeader::of(&bytes).unwrap();
        if self.producers.is_repeat(header) {
            return Ok(());
        }
        self.producers.check_verified(header, sure, now.wall)?;
        let checked = self.producers.check(header, AppendOrigin::Client)?;
        assert_eq!(checked, Checked::Fresh);
        self.producers.append(header, Offset(self.end), now.wall);
        let before = self.open.insert(producer.0, number);
        assert!(before.is_none_or(|before| before == number), "two transactions of {producer} in one");
        assert!(!self.ended.contains_key(&number), "transaction {number} goes on after its end");
        self.first.entry(number).or_insert(self.end);
        self.end += 1;
        Ok(())
    }

    /// A coordinator's marker.
    pub fn end(&mut self, work: &MarkerWork, now: TimestampMs) -> Result<(), AppendError> {
        let bytes = BatchBuilder::marker(work.producer, work.epoch, work.marker, now).build();
        let batch = BatchView::parse(&bytes).unwrap();
        let raised = bumps_epochs(work.version);
        let origin = if raised { AppendOrigin::RaisedMarker } else { AppendOrigin::Coordinator };
        self.producers.check_marker(batch.header(), work.marker, origin)?;
        let (_, completed) = self.producers.append_marker(batch.header(), work.marker, Offset(self.end), now);
        let open = self.open.remove(&work.producer.0);
        assert_eq!(completed.is_some(), open.is_some());
        if let Some(number) = open {
            let before = self.ended.insert(number, work.marker.commit);
            assert_eq!(before, None, "transaction {number} ended twice");
            self.first.remove(&number);
        }
        self.end += 1;
        Ok(())
    }

    /// The last stable offset, everything being committed; never past an open transaction.
    pub fn check_last_stable(&mut self) {
        self.producers.high_watermark_passed(Offset(self.end));
        let oldest = self.first.values().min().map(|first| Offset(*first));
        assert_eq!(self.producers.first_unstable(Offset(self.end)), oldest);
    }

    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }
}
