//! The budget for open files: logs keep their files open between uses, until the process holds too many; then each core
//! closes those that were not used lately (the clock algorithm). A log opens its files again when it needs them.

use super::Shard;
use crate::base::local::Event;
use crate::partition::Partition;
use crate::ring::file;
use std::cell::{Cell, RefCell};
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

/// What one core's logs hold open.
#[derive(Default)]
pub(super) struct OpenFiles {
    /// The partitions that hold files, in the order in which the clock's hand comes to them. Each is in it once, so it
    /// never has more entries than the core has partitions, and those that were closed meanwhile.
    holders: RefCell<VecDeque<Weak<Partition>>>,
    /// Writes under way: each may open one more file, and none of them can be closed before it ends.
    writing: Cell<usize>,
    write_ended: Event,
}

impl OpenFiles {
    fn add(&self, partition: &Rc<Partition>) {
        if !partition.set_counted(true) {
            self.holders.borrow_mut().push_back(Rc::downgrade(partition));
        }
    }

    /// Goes round, at most twice, until `enough`: who was used since the hand came by last time is passed over.
    fn close_idle(&self, enough: impl Fn() -> bool) {
        let mut steps = self.holders.borrow().len() * 2;
        while steps > 0 && !enough() {
            steps -= 1;
            let next = self.holders.borrow_mut().pop_front();
            let Some(partition) = next.and_then(|p| p.upgrade()) else { continue };
            let kept = partition.with_log(|log| {
                let used = log.take_used();
                if !used {
                    log.close_files();
                }
                used
            });
            if kept {
                self.holders.borrow_mut().push_back(Rc::downgrade(&partition));
            } else {
                partition.set_counted(false);
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

    /// Waits until there is a descriptor for one more write, which then counts until [`Self::write_ended`]. When
    /// thousands of partitions are written in one turn, most of them have their files to open first.
    pub(super) async fn write_begins(&self) {
        let files = &self.open_files;
        while files.writing.get() >= writes_max(self.shared.open_files_max, file::open_count(), self.shard_count()) {
            files.write_ended.listen().await;
        }
        files.writing.set(files.writing.get() + 1);
    }

    /// A write that began with [`Self::write_begins`] has ended.
    pub(super) fn write_ended(&self) {
        let files = &self.open_files;
        files.writing.set(files.writing.get() - 1);
        files.write_ended.notify();
    }

    /// True while closing idle files is not enough: they are held by what is under way.
    pub fn files_are_scarce(&self) -> bool {
        let max = self.shared.open_files_max;
        file::open_count() > scarce_from(max)
    }
}

/// Above the budget by this much, what is under way has to end before more begins.
fn scarce_from(max: usize) -> usize {
    max + max / 8
}

/// How many writes one of `cores` may have under way while `open` files are open: each core takes its part of what is
/// left, and one always goes on.
fn writes_max(max: usize, open: usize, cores: usize) -> usize {
    (scarce_from(max).saturating_sub(open) / cores.max(1)).max(1)
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

    #[test]
    fn writes_of_all_cores_together_find_their_descriptors() {
        let max = budget(1024);
        assert_eq!(writes_max(max, 0, 2), 405);
        for open in 0..2 * max {
            let all = open.min(scarce_from(max)) + 2 * writes_max(max, open, 2);
            assert!(all <= scarce_from(max) + 2, "{open} open");
            assert!(writes_max(max, open, 2) >= 1, "one always goes on");
        }
    }
}
