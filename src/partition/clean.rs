//! What the cleaner needs of a partition, and new segments taking the place of old ones under readers.

use super::Partition;
use crate::base::Offset;
use crate::log::cleaner::range::LogState;
use crate::log::cleaner::{LastRecord, last_records};
use crate::log::replace::Replacement;
use crate::ring::runtime;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

impl Partition {
    /// The log as the cleaner judges it; `cleaned` is what its checkpoint says.
    pub fn cleaner_state(&self, cleaned: Option<Offset>) -> LogState {
        let state = self.state.borrow();
        LogState {
            closed: state.log.closed_segments(),
            active_base: state.log.active_base(),
            start: state.log.start_offset(),
            end: state.log.written_offset(),
            last_stable: state.last_stable_offset(),
            cleaned,
        }
    }

    /// What has to stay so that no producer is forgotten.
    pub fn last_records(&self) -> HashMap<i64, LastRecord> {
        last_records(self.state.borrow().log.producers())
    }

    /// Lets a compacted segment take the place of those it was made from. Gives the files that may be removed after
    /// `file.delete.delay.ms`; `None`: the segments are no more what they were, and the new one is void and gone.
    ///
    /// # Errors
    /// Of the file system. The log is offline then, and its log directory has to follow: only a start finishes what
    /// was begun.
    pub async fn replace_segments(self: &Rc<Self>, replacement: Replacement) -> io::Result<Option<Vec<PathBuf>>> {
        if !self.with_log(|log| log.begin_replace(&replacement)) {
            runtime::blocking(move || replacement.discard()).await?;
            return Ok(None);
        }
        let (replacement, swapped) = runtime::blocking(move || {
            let swapped = replacement.swap();
            (replacement, swapped)
        })
        .await;
        let result = match swapped {
            Ok(removable) => {
                self.with_log(|log| log.complete_replace(replacement));
                Ok(Some(removable))
            }
            Err(e) => {
                self.with_log(|log| log.fail_replace());
                Err(e)
            }
        };
        self.replaced.notify();
        result
    }

    /// Waits until no segment's files change their names; gives the generation they have then.
    pub(super) async fn settled_generation(&self) -> u64 {
        loop {
            let (replacing, generation) = self.with_log(|log| (log.is_replacing(), log.generation()));
            if !replacing {
                return generation;
            }
            // Nothing runs between the look and the wait: no change is missed.
            self.replaced.listen().await;
        }
    }
}
