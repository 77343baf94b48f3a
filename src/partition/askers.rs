//! From which core a partition is asked: many requests in a row from another core say that it had better be there.

use std::cell::Cell;

/// Patience grows to so many times what it was at first: a partition that was busy for long leaves all the same.
const MORE_PATIENT_MAX: u32 = 64;

/// Whose connections read from a partition and write to it.
#[derive(Debug)]
pub struct Askers {
    core: Cell<usize>,
    requests: Cell<u32>,
    look_at: Cell<u32>,
    patience: Cell<u32>,
    patience_max: u32,
    /// How often the partition has changed its core since it was opened.
    pub moves: u32,
}

impl Askers {
    /// Nobody asked yet, on the core where the partition came to after so many `moves`. After `patience` requests in a row
    /// from one core it is worth a look where they come from.
    pub const fn new(moves: u32, patience: u32) -> Self {
        Self {
            core: Cell::new(0),
            requests: Cell::new(0),
            look_at: Cell::new(patience),
            patience: Cell::new(patience),
            patience_max: patience.saturating_mul(MORE_PATIENT_MAX),
            moves,
        }
    }

    /// A request over a connection of `core`. How many that makes in a row, when it is time to look again.
    pub fn asked_from(&self, core: usize) -> Option<u32> {
        if self.core.replace(core) != core {
            self.requests.set(1);
            self.look_at.set(self.patience.get());
            return None;
        }
        let requests = self.requests.get().saturating_add(1);
        self.requests.set(requests);
        (requests >= self.look_at.get()).then_some(requests)
    }

    /// It could not leave: from now on twice as many requests in a row are asked for, up to a bound.
    pub fn be_more_patient(&self) {
        self.patience.set(self.patience.get().saturating_mul(2).min(self.patience_max));
        self.look_again_in(self.patience.get());
    }

    /// The next look is due `requests` later.
    pub fn look_again_in(&self, requests: u32) {
        self.look_at.set(self.requests.get().saturating_add(requests));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_after_so_many_requests_in_a_row_from_one_core() {
        let askers = Askers::new(0, 3);
        let ask = |cores: &[usize]| cores.iter().filter_map(|core| askers.asked_from(*core)).collect::<Vec<_>>();
        assert!(ask(&[1, 1, 0, 1, 1]).is_empty());
        assert_eq!(ask(&[1]), [3]);
        askers.look_again_in(2);
        assert!(ask(&[1]).is_empty());
        assert_eq!(ask(&[1, 1]), [5, 6]);
        askers.be_more_patient();
        assert!(ask(&[1; 5]).is_empty());
        assert_eq!(ask(&[1]), [12]);
        assert!(ask(&[0; 5]).is_empty());
        assert_eq!(ask(&[0]), [6]);
    }

    #[test]
    fn patience_has_a_bound() {
        let askers = Askers::new(0, 3);
        (0..40).for_each(|_| askers.be_more_patient());
        let look = (0..).find(|_| askers.asked_from(1).is_some());
        assert_eq!(look, Some(3 * 64 - 1));
    }
}
