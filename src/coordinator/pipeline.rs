//! The way of appends from a machine into the log and of their outcomes back, as a pure state machine.
//!
//! A machine may let a change count before it is in the log; what it decides on it must never be in the log alone. So
//! an append waits until what it was decided on is known to be written, unless both go in one batch; and where that
//! fails, everything behind it that is not handed over fails with it. The machine hears of all of them in one go, in
//! their order, before it decides anything else. Appends about different things do not wait for each other.

use super::machine::{Append, AppendId, Subject};
use super::outbox::{self, How, Outcome, Packed};
use crate::base::ErrorCode;
use std::collections::{HashMap, VecDeque};

/// What an append fails with that was decided on one that failed, or stood between the two: clients come again.
const NOT_WRITTEN: ErrorCode = ErrorCode::CoordinatorNotAvailable;

/// Appends that are not done.
#[derive(Default)]
pub struct Pipeline {
    /// Not handed over, oldest first.
    waiting: VecDeque<Append>,
    /// Handed over, oldest first.
    under_way: VecDeque<UnderWay>,
    /// What is under way is about these, so many times.
    about: HashMap<Subject, usize>,
    /// Outcomes that are kept back since one failed that others were decided on.
    kept: Option<Vec<(AppendId, Outcome)>>,
}

struct UnderWay {
    parts: Vec<(AppendId, i64)>,
    about: Vec<Subject>,
}

impl Pipeline {
    /// Takes what a machine wants written, in order.
    pub fn push(&mut self, appends: impl IntoIterator<Item = Append>) {
        self.waiting.extend(appends);
    }

    /// Forgets what is not handed over.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The next batch for the log, if one may go now. Its outcome comes to [`done`](Self::done).
    pub fn next_batch(&mut self, how: How) -> Option<Packed> {
        if self.kept.is_some() {
            return None;
        }
        let about = &self.about;
        let is_free = |append: &Append| append.about.iter().all(|subject| !about.contains_key(subject));
        let packed = outbox::pack_first(&mut self.waiting, is_free, how)?;
        packed.about.iter().for_each(|subject| *self.about.entry(*subject).or_default() += 1);
        self.under_way.push_back(UnderWay { parts: packed.parts.clone(), about: packed.about.clone() });
        Some(packed)
    }

    /// The outcome of the oldest batch that is under way; returns what the machine is to be told now, in order.
    pub fn done(&mut self, outcome: Outcome) -> Vec<(AppendId, Outcome)> {
        let Some(done) = self.under_way.pop_front() else { return Vec::new() };
        for subject in &done.about {
            if let Some(count) = self.about.get_mut(subject) {
                *count -= 1;
                if *count == 0 {
                    self.about.remove(subject);
                }
            }
        }
        let told = done.parts.iter().map(|(id, delta)| (*id, outcome.map(|base| base.plus(*delta))));
        if let Some(kept) = &mut self.kept {
            kept.extend(told);
        } else if outcome.is_err() && self.waiting.iter().any(|append| shares(append, &done.about)) {
            self.kept = Some(told.collect());
        } else {
            return told.collect();
        }
        if !self.under_way.is_empty() {
            return Vec::new();
        }
        let mut told = self.kept.take().unwrap_or_default();
        told.extend(self.waiting.drain(..).map(|append| (append.id, Err(NOT_WRITTEN))));
        told
    }
}

fn shares(append: &Append, about: &[Subject]) -> bool {
    append.about.iter().any(|subject| about.contains(subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, TimestampMs};
    use crate::coordinator::machine::Record;
    use crate::record::Compression;
    use bytes::Bytes;

    const HOW: How = How { now: TimestampMs(1), codec: Compression::None, bytes_max: usize::MAX };
    const FAILED: Outcome = Err(ErrorCode::KafkaStorageError);
    const DOOMED: Outcome = Err(NOT_WRITTEN);

    /// An append about groups; about none: offsets.
    fn append(id: u64, about: &[&str]) -> Append {
        let record = Record { key: Bytes::from_static(b"k"), value: None };
        Append::own(AppendId(id), vec![record]).about(about.iter().map(Subject::of).collect())
    }

    /// Each group of appends is pushed, and what may go is handed over: which appends went, batch by batch.
    fn run(pipeline: &mut Pipeline, appends: Vec<Append>) -> Vec<Vec<u64>> {
        pipeline.push(appends);
        std::iter::from_fn(|| pipeline.next_batch(HOW)).map(|p| p.parts.iter().map(|(id, _)| id.0).collect()).collect()
    }

    fn told(outcomes: Vec<(AppendId, Outcome)>) -> Vec<(u64, Outcome)> {
        outcomes.into_iter().map(|(id, outcome)| (id.0, outcome)).collect()
    }

    #[test]
    fn what_was_decided_on_an_append_waits_for_it_and_nothing_else_does() {
        let mut pipeline = Pipeline::default();
        assert_eq!(run(&mut pipeline, vec![append(1, &["g"]), append(2, &["g"]), append(3, &[])]), [[1, 2, 3]]);
        assert_eq!(run(&mut pipeline, vec![append(4, &["h"])]), [[4]], "another group");
        assert_eq!(run(&mut pipeline, vec![append(5, &[])]), [[5]], "offsets");
        let none: [[u64; 0]; 0] = [];
        assert_eq!(run(&mut pipeline, vec![append(6, &["g"])]), none, "decided on the first");
        assert_eq!(run(&mut pipeline, vec![append(7, &[])]), none, "the order stays");
        let first = [(1, Ok(Offset(10))), (2, Ok(Offset(11))), (3, Ok(Offset(12)))];
        assert_eq!(told(pipeline.done(Ok(Offset(10)))), first);
        assert_eq!(run(&mut pipeline, vec![]), [[6, 7]]);
    }

    #[test]
    fn an_append_that_fails_alone_is_told_at_once() {
        let mut pipeline = Pipeline::default();
        run(&mut pipeline, vec![append(1, &["g"])]);
        run(&mut pipeline, vec![append(2, &["h"])]);
        assert_eq!(told(pipeline.done(FAILED)), [(1, FAILED)]);
        assert_eq!(run(&mut pipeline, vec![append(3, &["g"])]), [[3]], "decided on what the machine knows now");
        assert_eq!(told(pipeline.done(Ok(Offset(0)))), [(2, Ok(Offset(0)))]);
        assert_eq!(told(pipeline.done(Ok(Offset(1)))), [(3, Ok(Offset(1)))]);
    }

    #[test]
    fn what_was_decided_on_a_failed_append_fails_with_it_and_is_never_handed_over() {
        let mut pipeline = Pipeline::default();
        run(&mut pipeline, vec![append(1, &["g"])]);
        run(&mut pipeline, vec![append(2, &["g"]), append(3, &["h"]), append(4, &["g"])]);
        assert_eq!(told(pipeline.done(FAILED)), [(1, FAILED), (2, DOOMED), (3, DOOMED), (4, DOOMED)]);
        assert_eq!(run(&mut pipeline, vec![append(5, &["g"])]), [[5]], "it goes on");
    }

    #[test]
    fn a_failure_that_others_were_decided_on_is_told_when_all_under_way_is_known() {
        let mut pipeline = Pipeline::default();
        run(&mut pipeline, vec![append(1, &["g"])]);
        run(&mut pipeline, vec![append(2, &["h"])]);
        run(&mut pipeline, vec![append(3, &["i"])]);
        run(&mut pipeline, vec![append(4, &["g"])]);
        assert_eq!(told(pipeline.done(FAILED)), []);
        let none: [[u64; 0]; 0] = [];
        assert_eq!(run(&mut pipeline, vec![append(5, &["j"])]), none, "the log gets nothing meanwhile");
        assert_eq!(told(pipeline.done(Ok(Offset(7)))), [], "what is written in between");
        let all = [(1, FAILED), (2, Ok(Offset(7))), (3, FAILED), (4, DOOMED), (5, DOOMED)];
        assert_eq!(told(pipeline.done(FAILED)), all);
        assert_eq!(run(&mut pipeline, vec![append(6, &["g"])]), [[6]]);
    }

    #[test]
    fn a_batch_of_a_turn_that_has_no_room_waits_too_where_it_was_decided_on_the_one_before() {
        let mut pipeline = Pipeline::default();
        pipeline.push([append(1, &["g"]), append(2, &["g"]), append(3, &["h"])]);
        let small = How { bytes_max: 1, ..HOW };
        assert_eq!(pipeline.next_batch(small).unwrap().parts, [(AppendId(1), 0)]);
        assert!(pipeline.next_batch(small).is_none());
        assert_eq!(told(pipeline.done(FAILED)), [(1, FAILED), (2, DOOMED), (3, DOOMED)]);
    }

    #[test]
    fn an_append_about_several_waits_for_each_of_them() {
        let mut pipeline = Pipeline::default();
        run(&mut pipeline, vec![append(1, &["g"])]);
        run(&mut pipeline, vec![append(2, &["h"])]);
        let none: [[u64; 0]; 0] = [];
        assert_eq!(run(&mut pipeline, vec![append(3, &["g", "h"])]), none);
        pipeline.done(Ok(Offset(0)));
        assert_eq!(run(&mut pipeline, vec![]), none);
        pipeline.done(Ok(Offset(1)));
        assert_eq!(run(&mut pipeline, vec![]), [[3]]);
    }

    #[test]
    fn what_is_forgotten_is_neither_written_nor_told() {
        let mut pipeline = Pipeline::default();
        run(&mut pipeline, vec![append(1, &["g"])]);
        run(&mut pipeline, vec![append(2, &["g"])]);
        pipeline.clear();
        assert_eq!(told(pipeline.done(FAILED)), [(1, FAILED)]);
        assert_eq!(told(pipeline.done(FAILED)), []);
    }
}
