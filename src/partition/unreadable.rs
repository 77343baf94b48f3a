//! Saying once that a log cannot be read, and once that it can be again: readers ask for the same place many times a
//! second. Pure.

use crate::base::Offset;
use std::cell::Cell;

/// What a reader looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The records from this offset on.
    Offset(Offset),
    /// The record of this time.
    Time(i64),
}

/// Where a log could not be read, if so.
#[derive(Debug, Default)]
pub struct Unreadable(Cell<Option<Place>>);

impl Unreadable {
    /// `place` cannot be read. True when that is news: nobody failed since the log was last found in order.
    pub fn failed(&self, place: Place) -> bool {
        let news = self.0.get().is_none();
        if news {
            self.0.set(Some(place));
        }
        news
    }

    /// `place` was read. True when that is news: it was what could not be read.
    pub fn read(&self, place: Place) -> bool {
        let news = self.0.get() == Some(place);
        if news {
            self.0.set(None);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_said_once() {
        let log = Unreadable::default();
        let (bad, good, time) = (Place::Offset(Offset(5)), Place::Offset(Offset(9)), Place::Time(5));
        assert!(!log.read(good));
        assert!(log.failed(bad));
        assert!(!log.failed(bad) && !log.failed(time) && !log.failed(good), "one place is enough");
        assert!(!log.read(good) && !log.read(time), "what is wrong is elsewhere");
        assert!(log.read(bad));
        assert!(!log.read(bad));
        assert!(log.failed(time));
    }
}
