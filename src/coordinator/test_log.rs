//! What tests of machines write into: a log in memory behind a [`Pipeline`], where each append goes alone, so that
//! every one of them can fail alone.

use super::machine::{Append, AppendId, Record};
use super::outbox::{How, Outcome};
use super::pipeline::Pipeline;
use crate::base::{ErrorCode, Offset, TimestampMs};
use crate::record::Compression;
use std::collections::VecDeque;

/// Appends whose outcome is not known.
#[derive(Default)]
pub struct Writing {
    pipeline: Pipeline,
    appends: VecDeque<Append>,
}

impl Writing {
    pub fn extend(&mut self, appends: Vec<Append>) {
        self.appends.extend(appends.iter().cloned());
        self.pipeline.push(appends);
    }

    pub fn is_empty(&self) -> bool {
        self.appends.is_empty()
    }

    /// The newest.
    pub fn last(&self) -> Option<&Append> {
        self.appends.back()
    }

    /// The outcome of the oldest: what of it goes into `log`, and what the machine is told.
    pub fn next(&mut self, outcome: Result<(), ErrorCode>, log: &mut Vec<Record>) -> Vec<(AppendId, Outcome)> {
        let how = How { now: TimestampMs(0), codec: Compression::None, bytes_max: 1 };
        while self.pipeline.next_batch(how).is_some() {}
        let append = self.appends.pop_front().expect("something is being written");
        let base = Offset(log.len() as i64);
        if outcome.is_ok() {
            log.extend(append.records);
        }
        let told = self.pipeline.done(outcome.map(|()| base));
        // What was decided on a failure has failed with it.
        self.appends.retain(|append| told.iter().all(|(id, _)| *id != append.id));
        told
    }
}
