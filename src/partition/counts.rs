//! What was produced to a partition since its core opened it: plain fields.

use crate::base::Offset;
use std::cell::Cell;

/// Counts since the partition was opened.
#[derive(Debug)]
pub struct Counts {
    /// Shares of produce requests, refused ones included.
    pub produces: Cell<u64>,
    /// Bytes of the batches taken.
    pub bytes: Cell<u64>,
    /// Records in them.
    pub records: Cell<u64>,
    /// Up to where records are counted.
    counted: Cell<Offset>,
}

impl Counts {
    /// Nothing produced to a log that ends at `end`.
    pub fn new(end: Offset) -> Self {
        Self { produces: Cell::new(0), bytes: Cell::new(0), records: Cell::new(0), counted: Cell::new(end) }
    }

    /// After an append of so many bytes (none, if it was refused) the log ends at `end`. Gives the number of records
    /// that came since the last call.
    pub fn produced(&self, bytes: u64, end: Offset) -> u64 {
        let records = u64::try_from(end.0 - self.counted.replace(end).0).unwrap_or(0);
        self.produces.set(self.produces.get() + 1);
        self.bytes.set(self.bytes.get() + bytes);
        self.records.set(self.records.get() + records);
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_by_the_end_of_the_log_and_a_cut_counts_nothing() {
        let counts = Counts::new(Offset(100));
        assert_eq!(counts.produced(10, Offset(105)), 5);
        assert_eq!(counts.produced(0, Offset(105)), 0);
        assert_eq!(counts.produced(10, Offset(50)), 0);
        assert_eq!(counts.produced(10, Offset(51)), 1);
        assert_eq!((counts.produces.get(), counts.bytes.get(), counts.records.get()), (4, 30, 6));
    }
}
