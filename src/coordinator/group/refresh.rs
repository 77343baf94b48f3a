//! When a group that is balanced by the coordinator looks at its topics again, though nobody says that they changed.

use crate::base::{Instant, Now};

/// After so long.
const REFRESH_MS: i64 = i32::MAX as i64;

/// Until when the group need not look.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    at: Instant,
    /// The epoch decided on then: should the write fail, the group's is below it.
    epoch: i32,
}

impl Refresh {
    /// The topics are looked at now, for `epoch`.
    pub fn begin(now: Now, epoch: i32) -> Self {
        Self { at: now.mono.plus_ms(REFRESH_MS), epoch }
    }

    /// The look led to this epoch.
    pub fn set_epoch(&mut self, epoch: i32) {
        self.epoch = epoch;
    }

    /// True when a group whose epoch is `epoch` has to look again.
    pub fn is_over(&self, now: Now, epoch: i32) -> bool {
        now.mono >= self.at || epoch < self.epoch
    }
}
