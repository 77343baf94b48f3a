//! Which leader wrote from which offset on (`LeaderEpochFileCache`): what followers and consumers find the point of
//! divergence with.

use crate::base::{LeaderEpoch, Offset};

/// One leader's reign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The leader epoch.
    pub epoch: LeaderEpoch,
    /// The first offset written in it.
    pub start: Offset,
}

/// Where an epoch ends (OffsetForLeaderEpoch): the largest epoch not above the one asked for, and the offset after
/// its last record. -1 and -1 when nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset after its last record.
    pub end_offset: Offset,
}

impl EpochEnd {
    /// Nothing is known.
    pub const UNDEFINED: Self = Self { epoch: LeaderEpoch::UNKNOWN, end_offset: Offset(-1) };
}

/// The epochs of one log, ascending in both fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    entries: Vec<EpochStart>,
}

impl Epochs {
    /// All of them, oldest first.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// The newest.
    pub fn latest(&self) -> Option<EpochStart> {
        self.entries.last().copied()
    }

    /// Takes note that `epoch` begins at `start`. Entries that contradict it (not older, or not before it) go.
    /// True when something changed.
    pub fn note(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || start.0 < 0 {
            return false;
        }
        if let Some(last) = self.entries.last() {
            if epoch == last.epoch && start >= last.start {
                return false;
            }
        }
        self.entries.retain(|e| e.epoch < epoch && e.start < start);
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|e| e.start <= offset);
        after.checked_sub(1).and_then(|i| self.entries.get(i)).map(|e| e.epoch)
    }

    /// Where `epoch` ends in a log that ends at `log_end` (`endOffsetFor`).
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> EpochEnd {
        let Some(latest) = self.entries.last() else { return EpochEnd::UNDEFINED };
        if epoch.0 < 0 || epoch > latest.epoch {
            return EpochEnd::UNDEFINED;
        }
        if epoch == latest.epoch {
            return EpochEnd { epoch, end_offset: log_end };
        }
        let higher = self.entries.partition_point(|e| e.epoch <= epoch);
        let end_offset = self.entries.get(higher).map_or(log_end, |e| e.start);
        let floor = higher.checked_sub(1).and_then(|i| self.entries.get(i));
        EpochEnd { epoch: floor.map_or(epoch, |e| e.epoch), end_offset }
    }

    /// Drops the epochs that begin at or after `end`. True when there were any.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.start < end);
        self.entries.len() != before
    }

    /// The log now begins at `start`: epochs before it go, the one it lies in begins there. True when any changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let covering = self.entries.partition_point(|e| e.start <= start);
        let Some(keep) = covering.checked_sub(1) else { return false };
        if keep == 0 && self.entries.first().is_some_and(|e| e.start == start) {
            return false;
        }
        self.entries.drain(..keep);
        if let Some(first) = self.entries.first_mut() {
            first.start = start;
        }
        true
    }

    /// Batches from `end` on were accepted but never written: an epoch noted beyond begins at `end` after all.
    pub fn pull_back(&mut self, end: Offset) {
        let latest = self.entries.last().map(|e| e.epoch);
        if self.truncate_from_end(end.plus(1)) {
            if let Some(epoch) = latest {
                self.note(epoch, end);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// `leader-epoch-checkpoint`: a version line, a count line, `epoch start` lines.
    pub fn encode(&self) -> String {
        let mut out = format!("0\n{}\n", self.entries.len());
        for e in &self.entries {
            out.push_str(&format!("{} {}\n", e.epoch, e.start));
        }
        out
    }

    /// Reads the file; `None` when it is malformed.
    pub fn decode(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()?.trim() != "0" {
            return None;
        }
        let count: usize = lines.next()?.trim().parse().ok()?;
        let mut epochs = Self::default();
        for line in lines.filter(|l| !l.trim().is_empty()) {
            let (epoch, start) = line.trim().split_once(' ')?;
            let entry = EpochStart { epoch: LeaderEpoch(epoch.parse().ok()?), start: Offset(start.parse().ok()?) };
            if epochs.entries.last().is_some_and(|e| e.epoch >= entry.epoch || e.start > entry.start) {
                return None;
            }
            epochs.entries.push(entry);
        }
        (epochs.entries.len() == count).then_some(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(i32, i64)]) -> Epochs {
        let mut epochs = Epochs::default();
        for &(epoch, start) in entries {
            epochs.note(LeaderEpoch(epoch), Offset(start));
        }
        epochs
    }

    fn end(epochs: &Epochs, epoch: i32) -> (i32, i64) {
        let end = epochs.end_of(LeaderEpoch(epoch), Offset(100));
        (end.epoch.0, end.end_offset.0)
    }

    #[test]
    fn end_of_has_four_cases() {
        let epochs = of(&[(2, 10), (4, 30), (7, 60)]);
        assert_eq!(end(&epochs, 7), (7, 100), "the latest ends at the log's end");
        assert_eq!(end(&epochs, 8), (-1, -1), "newer than known");
        assert_eq!(end(&epochs, -1), (-1, -1));
        assert_eq!(end(&epochs, 1), (1, 10), "older than known: where the first begins");
        assert_eq!(end(&epochs, 4), (4, 60));
        assert_eq!(end(&epochs, 5), (4, 60), "between: the one below");
        assert_eq!(end(&Epochs::default(), 0), (-1, -1));
    }

    #[test]
    fn a_note_drops_what_contradicts_it() {
        let mut epochs = of(&[(1, 0), (2, 10), (3, 20)]);
        assert!(!epochs.note(LeaderEpoch(3), Offset(25)), "the same epoch going on");
        assert!(epochs.note(LeaderEpoch(4), Offset(15)));
        assert_eq!(epochs, of(&[(1, 0), (2, 10), (4, 15)]));
        assert!(epochs.note(LeaderEpoch(5), Offset(15)), "nothing was written in 4");
        assert_eq!(epochs, of(&[(1, 0), (2, 10), (5, 15)]));
    }

    #[test]
    fn truncation_from_both_ends() {
        let mut epochs = of(&[(1, 0), (2, 10), (3, 20)]);
        assert!(!epochs.truncate_from_end(Offset(21)));
        assert!(epochs.truncate_from_end(Offset(20)), "at equal offsets too");
        assert!(epochs.truncate_from_start(Offset(12)));
        assert_eq!(epochs, of(&[(2, 12)]));
        assert_eq!(epochs.epoch_at(Offset(11)), None);
        assert_eq!(epochs.epoch_at(Offset(12)), Some(LeaderEpoch(2)));
    }

    #[test]
    fn an_epoch_noted_beyond_the_end_is_pulled_back() {
        let mut epochs = of(&[(1, 0), (2, 50)]);
        epochs.pull_back(Offset(50));
        assert_eq!(epochs, of(&[(1, 0), (2, 50)]));
        epochs.pull_back(Offset(40));
        assert_eq!(epochs, of(&[(1, 0), (2, 40)]));
    }

    #[test]
    fn text_goes_there_and_back_and_nonsense_is_refused() {
        let epochs = of(&[(0, 0), (3, 77)]);
        assert_eq!(epochs.encode(), "0\n2\n0 0\n3 77\n");
        assert_eq!(Epochs::decode(&epochs.encode()), Some(epochs));
        for bad in ["", "1\n0\n", "0\n2\n0 0\n", "0\n1\n0\n", "0\n2\n3 0\n1 5\n", "0\nx\n"] {
            assert_eq!(Epochs::decode(bad), None, "{bad:?}");
        }
    }
}
