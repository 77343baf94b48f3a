//! Which aborted transactions a range that was read holds records of (`LogSegment.collectAbortedTxns`): a consumer of
//! committed records leaves those out by this list.

use super::core::Log;
use super::files::FileKind;
use super::read::ReadPlan;
use super::segment::TxnIndexState;
use super::txn_index;
use crate::base::Offset;
use crate::ring::runtime;
use std::io;
use std::path::PathBuf;

/// Transaction indexes to be looked into. It borrows nothing of the log.
#[derive(Debug)]
pub struct AbortedLookup {
    indexes: Vec<(PathBuf, Offset)>,
    from: Offset,
    upto: Offset,
}

impl Log {
    /// What to look into for a plan made for `from`, of which nothing at or after `upto` is read; `None` where no
    /// transaction was aborted from there on. Markers may stand in later segments than their records.
    pub fn aborted(&self, plan: &ReadPlan, from: Offset, upto: Offset) -> Option<AbortedLookup> {
        plan.range.as_ref()?;
        let first = self.segment_index(plan.segment);
        let has_some = |state| !matches!(state, TxnIndexState::Entries(0));
        let with_some = self.segments.range(first..).filter(|segment| has_some(segment.txn_index));
        let indexes: Vec<_> =
            with_some.map(|segment| (FileKind::TxnIndex.path(&self.dir, segment.base), segment.base)).collect();
        // A range lies within one segment.
        let end = self.segments.get(first + 1).map_or(upto, |next| next.base.min(upto));
        let upto = plan.next_offset.unwrap_or(end).min(end);
        (!indexes.is_empty()).then_some(AbortedLookup { indexes, from, upto })
    }
}

impl AbortedLookup {
    /// Producer and first offset of each, in the order of their markers.
    ///
    /// # Errors
    /// The disk, or a malformed index: what may be aborted must not be told as committed.
    pub async fn run(self) -> io::Result<Vec<(i64, i64)>> {
        runtime::blocking(move || self.read()).await
    }

    fn read(&self) -> io::Result<Vec<(i64, i64)>> {
        let mut found = Vec::new();
        for (path, base) in &self.indexes {
            for txn in txn_index::read(path, *base)? {
                if txn.last >= self.from && txn.first < self.upto {
                    found.push((txn.producer.0, txn.first.0));
                }
                if txn.last_stable >= self.upto {
                    return Ok(found); // whatever was aborted later begins behind the range
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Now, TopicPartition};
    use crate::log::{LogConfig, Read, Recovery, UnrecoveredLog};
    use crate::ring::runtime::block_on_test;

    /// Apache Kafka wrote: producer 5 committed up to offset 29, producer 6 aborted three times from 30 to 47,
    /// producer 7 has a transaction open.
    fn log(clean: bool) -> (tempfile::TempDir, Log) {
        let from = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tools/dump/testdata/txn");
        let dir = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            if clean || !file.file_name().to_str().unwrap().ends_with(".txnindex") {
                std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
            }
        }
        let partition = TopicPartition::new("txn", 0);
        let log = UnrecoveredLog::open(dir.path().to_owned(), partition, LogConfig::default()).unwrap();
        let recovery = Recovery { clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO };
        (dir, log.recover(recovery, Now::default()).unwrap())
    }

    fn aborted(log: &Log, from: i64, max_bytes: u32) -> Vec<(i64, i64)> {
        let plan = match log.read(Offset(from), max_bytes, Offset(48), true).unwrap() {
            Read::Ready(plan) => plan,
            Read::Lookup(lookup) => block_on_test(lookup.run()).unwrap(),
        };
        let lookup = log.aborted(&plan, Offset(from), Offset(48));
        lookup.map_or_else(Vec::new, |lookup| block_on_test(lookup.run()).unwrap())
    }

    #[test]
    fn a_range_is_told_with_what_was_aborted_in_it() {
        for clean in [true, false] {
            let (_dir, log) = log(clean);
            assert_eq!(aborted(&log, 0, 1 << 20), [(6, 30), (6, 36), (6, 42)], "clean: {clean}");
            assert_eq!(aborted(&log, 37, 1 << 20), [(6, 36), (6, 42)], "from inside the second");
            assert_eq!(aborted(&log, 42, 1 << 20), [(6, 42)], "from after the second's marker");
            assert_eq!(aborted(&log, 48, 1 << 20), [], "nothing to read");
        }
    }
}
