//! Whether a log directory has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by a log directory and its logs on all cores. A write or fsync that failed is known to all of them at once:
/// after it nothing in the directory is acknowledged, whatever is under way. It never recovers; a full disk is no failure.
#[derive(Clone, Debug, Default)]
pub struct DirHealth(Arc<AtomicBool>);

impl DirHealth {
    /// From now on the directory takes nothing.
    pub fn fail(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// True once it has failed.
    pub fn has_failed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
