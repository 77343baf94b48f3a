//! Appends whose outcome is not known yet and what is to happen then.
//!
//! What a record says about offsets and assignments takes effect when the record is committed, in
//! log order. So a failed append needs no rollback: nothing of it was applied. What is decided about a group counts
//! at once; such an append is about its group, and what was decided on it fails with it.

use super::consumer::Write;
use super::effects::{Append, AppendId, Batch, Effects, Record, Subject, Token};
use super::member::Member;
use super::offsets::{Key, OffsetAndMetadata};
use super::request::{Answer, Request, TxnEnd};
use super::{Groups, Step};
use crate::base::{ErrorCode, Offset, ProducerId};
use crate::coordinator::machine::append_error;
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// What follows an append.
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// The members get their assignment.
    Assignment(Assignment),
    /// A static member gets its new id.
    StaticRejoin(Box<StaticRejoin>),
    /// Offsets take effect.
    Commit(Commit),
    /// Offsets wait for the end of their transaction.
    Pending(ProducerId, Commit),
    /// A transaction has ended; the request is answered.
    Ended(Token, TxnEnd),
    /// Offsets and groups are gone.
    Removed(Removed),
    /// A consumer group has changed, or becomes one of the other kind.
    Group(Box<Write>),
    /// A share group has changed.
    Share(Box<super::share::ShareWrite>),
    /// A request is answered; nothing else changes.
    Answer(Box<AnswerLater>),
    /// Offsets are read: all commits before the request have taken effect.
    Fetch(Token, Box<OffsetFetchRequestGroup>),
}

/// See [`Then::Assignment`].
pub(super) struct Assignment {
    pub group: Arc<str>,
    pub generation: i32,
    pub assignment: HashMap<Arc<str>, Bytes>,
}

/// See [`Then::StaticRejoin`].
pub(super) struct StaticRejoin {
    pub group: Arc<str>,
    pub new_id: Arc<str>,
    /// The member under its old id, to go back to.
    pub before: Option<Member>,
    pub old_leader: Option<Arc<str>>,
    /// The client understands SkipAssignment.
    pub skip_assignment: bool,
}

/// See [`Then::Commit`]. Entry i is record i of the append.
pub(super) struct Commit {
    pub group: Arc<str>,
    pub entries: Vec<(Arc<str>, i32, OffsetAndMetadata)>,
}

/// See [`Then::Removed`].
#[derive(Default)]
pub(super) struct Removed {
    pub offsets: Vec<Key>,
    pub groups: Vec<Arc<str>>,
}

/// See [`Then::Answer`].
pub(super) struct AnswerLater {
    pub token: Token,
    pub answer: Answer,
    /// Says no in the right form if an append fails.
    pub refused: Request,
    /// The first append that it depends on; the one it waits for is the last.
    pub since: AppendId,
}

impl Then {
    /// What the append is about: whatever is decided on it before it is committed.
    fn about(&self) -> Vec<Subject> {
        match self {
            Self::Assignment(assignment) => vec![Subject::of(&assignment.group)],
            Self::StaticRejoin(rejoin) => vec![Subject::of(&rejoin.group)],
            Self::Group(write) => vec![Subject::of(write.group())],
            Self::Share(write) => vec![Subject::of(&write.group)],
            Self::Removed(removed) => {
                let offsets = removed.offsets.iter().map(|key| &key.group);
                let mut groups: Vec<&Arc<str>> = offsets.chain(&removed.groups).collect();
                groups.sort_unstable();
                groups.dedup();
                groups.into_iter().map(Subject::of).collect()
            }
            Self::Nothing
            | Self::Commit(_)
            | Self::Pending(..)
            | Self::Ended(..)
            | Self::Answer(_)
            | Self::Fetch(..) => Vec::new(),
        }
    }
}

impl Groups {
    pub(super) fn append(&mut self, records: Vec<Record>, then: Then, fx: &mut Effects) {
        self.append_as(Batch::Own, records, then, fx);
    }

    pub(super) fn append_as(&mut self, batch: Batch, records: Vec<Record>, then: Then, fx: &mut Effects) {
        self.last_append.0 += 1;
        let about = then.about();
        fx.appends.push(Append { id: self.last_append, batch, records, about });
        self.in_flight.push_back((self.last_append, then));
    }

    /// Answers when all appends so far are done, with `answer` if none failed of those from `since` on.
    pub(super) fn answer_after(&mut self, since: AppendId, token: Token, answer: impl Into<Answer>, refused: Request) {
        let later = AnswerLater { token, answer: answer.into(), refused, since };
        self.after_appends(Then::Answer(Box::new(later)));
    }

    /// The number of the next append.
    pub(super) fn next_append(&self) -> AppendId {
        AppendId(self.last_append.0 + 1)
    }

    /// Answers when append `id` is done, with `answer` if it did not fail: nor did what it was decided on then.
    pub(super) fn answer_with(&mut self, id: AppendId, token: Token, answer: Answer, refused: Request) {
        let later = AnswerLater { token, answer, refused, since: id };
        let at = self.in_flight.partition_point(|(other, _)| *other <= id);
        self.in_flight.insert(at, (id, Then::Answer(Box::new(later))));
    }

    /// `then` happens once all appends so far are done.
    pub(super) fn after_appends(&mut self, then: Then) {
        self.in_flight.push_back((self.last_append, then));
    }

    /// The outcome of append `id`: the offset of its first record, or why it failed. Outcomes come
    /// in the order of the appends.
    pub fn on_append(&mut self, id: AppendId, outcome: Result<Offset, ErrorCode>, step: &mut Step) {
        if outcome.is_err() {
            self.last_failed = id;
        }
        while self.in_flight.front().is_some_and(|(next, _)| *next <= id) {
            let Some((_, then)) = self.in_flight.pop_front() else { return };
            self.run(then, outcome, step);
        }
    }

    fn run(&mut self, then: Then, outcome: Result<Offset, ErrorCode>, step: &mut Step) {
        let done = outcome.map(|_| ());
        match then {
            Then::Nothing => {}
            Then::Assignment(assignment) => self.assignment_done(assignment, done, step),
            Then::StaticRejoin(rejoin) => self.static_rejoin_done(*rejoin, done, step),
            Then::Commit(commit) => self.commit_done(commit, outcome, step.now.wall),
            Then::Pending(producer, commit) => self.txn_commit_done(producer, commit, outcome, step.now.wall),
            Then::Ended(token, end) => self.transaction_ended(token, end, done, step),
            Then::Removed(removed) => self.removal_done(removed, done),
            Then::Group(write) => self.write_done(*write, done, step),
            Then::Share(write) => self.share_written(*write, done, step),
            Then::Answer(later) => {
                let answer = match outcome {
                    Ok(_) if self.last_failed < later.since => later.answer,
                    Ok(_) => later.refused.refuse(ErrorCode::CoordinatorNotAvailable),
                    Err(error) => later.refused.refuse(append_error(error)),
                };
                step.fx.answer(later.token, answer);
            }
            Then::Fetch(token, request) => {
                let answer = self.read_offsets(&request, true);
                step.fx.answer(token, answer);
            }
        }
    }

    /// The request of `token` has waited too long for the log: it is refused. What it asked for may
    /// still come to pass.
    pub fn give_up(&mut self, token: Token, error: ErrorCode, fx: &mut Effects) {
        if self.give_up_deferred(token, error, fx) {
            return;
        }
        for (_, then) in &mut self.in_flight {
            if let Then::Share(write) = then {
                match write.give_up(token) {
                    Some(refused) => return fx.answer(token, refused.refuse(error)),
                    None => continue,
                }
            }
            let refused = match then {
                Then::Answer(later) if later.token == token => later.refused.clone(),
                Then::Fetch(waiting, request) if *waiting == token => Request::Fetch((**request).clone(), true),
                _ => continue,
            };
            *then = Then::Nothing;
            return fx.answer(token, refused.refuse(error));
        }
    }

    /// Offsets of `group` that are on their way into the log.
    pub(super) fn commits_in_flight<'a>(&'a self, group: &'a str) -> impl Iterator<Item = Key> + 'a {
        self.in_flight
            .iter()
            .filter_map(move |(_, then)| match then {
                Then::Commit(commit) | Then::Pending(_, commit) if &*commit.group == group => Some(commit),
                _ => None,
            })
            .flat_map(|c| c.entries.iter().map(|(topic, partition, _)| Key::new(&c.group, topic, *partition)))
    }
}
