//! The budget for open files: logs keep their files open between uses, until the process holds too many; then each core
//! closes those that were not used lately (the clock algorithm). A log opens its files again when it needs them.

use super::Shard;
use crate::partition::Partition;
use crate::ring::file;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// Descriptors that are not the logs': rings, listeners, the metadata log, what jobs open for a moment.
const OTHER_FILES: u64 = 64;
/// However low the limit of open files is: with fewer nothing would get done.
const OPEN_FILES_MIN: u64 = 32;

/// How many files logs may hold open under a limit of `nofile` descriptors: three quarters, as connections need some too.
pub fn budget(nofile: u64) -> usize {
    let budget = (nofile.saturating_sub(OTHER_FILES) / 4 * 3).max(OPEN_FILES_MIN);
    usize::try_from(budget).unwrap_or(usize::MAX)
}

/// The partitions of one core that hold files open, in the order in which the clock's hand comes to them. Each is in it
/// once, so it never has more entries than the core has partitions, and those that were closed meanwhile.
#[derive(Default)]
pub(super) struct OpenFiles(RefCell<VecDeque<Weak<Partition>>>);

impl OpenFiles {
    fn add(&self, partition: &Rc<Partition>) {
        if !partition.set_counted(true) {
            self.0.borrow_mut().push_back(Rc::downgrade(partition));
        }
    }

    /// Goes round, at most twice, until `enough`: who was used since the hand came by last time is passed over.
    fn close_idle(&self, enough: impl Fn() -> bool) {
        let mut steps = self.0.borrow().len() * 2;
        while steps > 0 && !enough() {
            steps -= 1;
            let next = self.0.borrow_mut().pop_front();
            let Some(partition) = next.and_then(|p| p.upgrade()) else { continue };
            let kept = partition.with_log(|log| {
                let used = log.take_used();
                if !used {
                    log.close_files();
                }
                used
            });
            match kept {
                true => self.0.borrow_mut().push_back(Rc::downgrade(&partition)),
                false => drop(partition.set_counted(false)),
            }
        }
    }
}

impl Shard {
    /// `partition` may have opened files: they count, and idle ones are closed where there are too many.
    pub fn holds_files(&self, partition: &Rc<Partition>) {
        if partition.with_log(|log| log.holds_files()) {
            self.open_files.add(partition);
        }
        let max = self.shared.open_files_max;
        if file::open_count() > max {
            // Not for the next one alone: an eighth at a time, so that the hand rests in between.
            self.open_files.close_idle(|| file::open_count() <= max - max / 8);
        }
    }
}

impl Shard {
    /// True while closing idle files is not enough: they are held by what is under way.
    pub fn files_are_scarce(&self) -> bool {
        let max = self.shared.open_files_max;
        file::open_count() > max + max / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_leaves_descriptors_for_connections() {
        assert_eq!(budget(20_000), 14_952);
        assert_eq!(budget(1024), 720);
        assert_eq!(budget(0), 32);
    }
}
