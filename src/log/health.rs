//! How a log directory is: in order, full, or failed for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by a log directory and its logs on all cores. A write or fsync that failed is known to all of them at once:
/// after it nothing in the directory is acknowledged, whatever is under way. That never ends. A full disk does: until
/// there is space again, appends are refused without trying, so that what retention frees is not written full at once.
#[derive(Clone, Debug, Default)]
pub struct DirHealth(Arc<State>);

#[derive(Debug, Default)]
struct State {
    failed: AtomicBool,
    full: AtomicBool,
    cared_for: AtomicBool,
    told: AtomicBool,
}

impl DirHealth {
    /// From now on the directory takes nothing.
    pub fn fail(&self) {
        self.0.failed.store(true, Ordering::Release);
    }

    /// The same; true for the first who tells, who takes it offline everywhere.
    pub fn fails_first(&self) -> bool {
        self.fail();
        !self.0.told.swap(true, Ordering::AcqRel)
    }

    /// True once it has failed.
    pub fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    /// A write found no space.
    pub fn set_full(&self) {
        self.0.full.store(true, Ordering::Release);
    }

    /// True from a write that found no space until there is space again.
    pub fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Acquire)
    }

    /// True for the one who shall see to a full directory, until [`Self::set_space`].
    pub fn takes_care(&self) -> bool {
        self.is_full() && !self.0.cared_for.swap(true, Ordering::AcqRel)
    }

    /// There is space again.
    pub fn set_space(&self) {
        self.0.full.store(false, Ordering::Release);
        self.0.cared_for.store(false, Ordering::Release);
    }
}
