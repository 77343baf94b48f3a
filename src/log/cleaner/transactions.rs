//! Which batches belong to aborted transactions, and which markers have no data left (`CleanedTransactionMetadata`).
//! Fed with the batches of a log in their order.

use crate::base::{Offset, ProducerId};
use crate::log::txn_index::AbortedTxn;
use crate::record::{BatchHeader, BatchView, ControlType};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// What a control batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Nothing any more: a former round took its record.
    Empty,
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// Something that is no end of a transaction.
    Other,
}

impl Marker {
    /// Reads the first record of a control batch.
    pub fn of(batch: &BatchView<'_>) -> Self {
        let Some(record) = batch.records().next() else { return Self::Empty };
        match record.ok().and_then(|r| r.key).and_then(ControlType::of_key) {
            Some(ControlType::Abort) => Self::Abort,
            Some(ControlType::Commit) => Self::Commit,
            _ => Self::Other,
        }
    }
}

/// An aborted transaction whose marker has not been met yet.
struct Ongoing {
    txn: AbortedTxn,
    /// One of its batches was met: its marker has to stay.
    has_data: bool,
}

/// See the module.
#[derive(Default)]
pub struct Transactions {
    /// Producers with a transaction that will be committed.
    committed: HashSet<i64>,
    /// Aborted ones that have begun, by producer.
    aborted: HashMap<i64, Ongoing>,
    /// Aborted ones further on: first offset, last, producer, last stable offset.
    waiting: BinaryHeap<Reverse<(i64, i64, i64, i64)>>,
}

impl Transactions {
    /// Adds what the index says of the range that comes next. One that spans two ranges may be added twice.
    pub fn add(&mut self, aborted: impl IntoIterator<Item = AbortedTxn>) {
        let key = |txn: AbortedTxn| Reverse((txn.first.0, txn.last.0, txn.producer.0, txn.last_stable.0));
        self.waiting.extend(aborted.into_iter().map(key));
    }

    /// Takes note of a data batch; true when its transaction is aborted, and its records may go.
    pub fn on_data(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset().0);
        if !header.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id().0) {
            Some(ongoing) => {
                ongoing.has_data = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id().0);
                false
            }
        }
    }

    /// Takes note of a control batch. Tells whether it may go, because nothing of its transaction was met, and of an
    /// aborted transaction of which something was.
    pub fn on_control(&mut self, header: &BatchHeader, marker: Marker) -> (bool, Option<AbortedTxn>) {
        self.begin_up_to(header.last_offset().0);
        let producer = header.producer_id().0;
        match marker {
            Marker::Empty => (true, None),
            Marker::Abort => match self.aborted.remove(&producer) {
                Some(Ongoing { txn, has_data: true }) => (false, Some(txn)),
                _ => (true, None),
            },
            Marker::Commit => (!self.committed.remove(&producer), None),
            Marker::Other => (false, None),
        }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(Reverse((first, last, producer, last_stable))) = self.waiting.peek().copied() {
            if first > offset {
                return;
            }
            self.waiting.pop();
            let txn = AbortedTxn {
                producer: ProducerId(producer),
                first: Offset(first),
                last: Offset(last),
                last_stable: Offset(last_stable),
            };
            self.aborted.entry(producer).or_insert(Ongoing { txn, has_data: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ProducerEpoch, TimestampMs};
    use crate::record::BatchBuilder;

    fn header(base: i64, producer: i64, transactional: bool) -> BatchHeader {
        let mut builder = BatchBuilder::new(Offset(base)).producer(ProducerId(producer), ProducerEpoch(0), 0);
        if transactional {
            builder = builder.transactional();
        }
        builder.append(TimestampMs(1), Some(b"k"), None, &[]);
        *BatchHeader::of(&builder.build()).unwrap()
    }

    fn aborted(producer: i64, first: i64, last: i64) -> AbortedTxn {
        let (first, last) = (Offset(first), Offset(last));
        AbortedTxn { producer: ProducerId(producer), first, last, last_stable: last.plus(1) }
    }

    #[test]
    fn data_of_an_aborted_transaction_may_go_and_its_marker_stays_while_there_was_some() {
        let mut t = Transactions::default();
        t.add([aborted(1, 5, 9)]);
        assert!(!t.on_data(&header(3, 1, true)), "before the aborted one begins: another transaction");
        assert_eq!(t.on_control(&header(4, 1, true), Marker::Commit), (false, None));
        assert!(t.on_data(&header(5, 1, true)));
        assert!(!t.on_data(&header(6, 2, true)), "another producer");
        assert!(!t.on_data(&header(7, 1, false)), "not transactional");
        t.add([aborted(1, 5, 9)]);
        assert_eq!(t.on_control(&header(9, 1, true), Marker::Abort), (false, Some(aborted(1, 5, 9))));
        assert_eq!(t.on_control(&header(10, 2, true), Marker::Commit), (false, None));
    }

    #[test]
    fn markers_without_data_may_go_and_those_of_other_kinds_never() {
        let mut t = Transactions::default();
        t.add([aborted(1, 5, 9)]);
        assert_eq!(t.on_control(&header(9, 1, true), Marker::Abort), (true, None));
        assert_eq!(t.on_control(&header(10, 2, true), Marker::Commit), (true, None));
        assert_eq!(t.on_control(&header(11, 2, true), Marker::Other), (false, None));
        assert_eq!(t.on_control(&header(12, 2, true), Marker::Empty), (true, None));
    }
}
