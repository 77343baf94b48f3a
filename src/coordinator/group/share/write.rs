//! Entries on their way into the log.

use super::records::record;
use super::state::{Entry, ShareGroup, State};
use crate::base::ErrorCode;
use crate::coordinator::group::effects::Token;
use crate::coordinator::group::in_flight::Then;
use crate::coordinator::group::request::{Answer, Request};
use crate::coordinator::group::{Groups, Step};
use crate::coordinator::machine::append_error;
use std::sync::Arc;

/// What follows the append of a share group's entries.
pub struct ShareWrite {
    /// Which group.
    pub group: Arc<str>,
    entries: Vec<Entry>,
    /// Who waits, and the answer; none once it was given up.
    waiting: Option<(Token, Answer, Request)>,
}

impl ShareWrite {
    /// The request of `token` has waited too long.
    pub fn give_up(&mut self, token: Token) -> Option<Request> {
        self.waiting.take_if(|(waiting, ..)| *waiting == token).map(|(_, _, request)| request)
    }
}

impl Groups {
    /// Takes `entries` and has them written; `answer` is given when they are committed, and all that the group had
    /// on its way before. `request` says no if they are not.
    pub(super) fn share_write(
        &mut self,
        group: &Arc<str>,
        entries: Vec<Entry>,
        waiting: Option<(Answer, Request)>,
        step: &mut Step,
    ) {
        let token = step.token;
        if entries.is_empty() {
            let newest = self.shares.get(group).filter(|share| share.in_flight > 0).map(|share| share.newest);
            match (waiting, newest) {
                (Some((answer, _)), None) => step.fx.answer(token, answer),
                (Some((answer, refused)), Some(newest)) => self.answer_with(newest, token, answer, refused),
                (None, _) => {}
            }
            return;
        }
        let records = entries.iter().map(|entry| record(group, entry)).collect();
        self.counts.share_rebalances += u64::from(entries.iter().any(|entry| matches!(entry, Entry::Epoch(Some(_)))));
        let newest = self.next_append();
        let share = self.shares.entry(group.clone()).or_default();
        share.newest = newest;
        entries.iter().for_each(|entry| share.tail.apply(entry));
        share.in_flight += 1;
        let waiting = waiting.map(|(answer, request)| (token, answer, request));
        let write = ShareWrite { group: group.clone(), entries, waiting };
        self.append(records, Then::Share(Box::new(write)), step.fx);
    }

    pub(in crate::coordinator::group) fn share_written(
        &mut self,
        write: ShareWrite,
        done: Result<(), ErrorCode>,
        step: &mut Step,
    ) {
        if let Some(share) = self.shares.get_mut(&write.group) {
            share.in_flight = share.in_flight.saturating_sub(1);
            match done {
                Ok(()) => write.entries.iter().for_each(|entry| share.committed.apply(entry)),
                Err(_) => {
                    share.tail.clone_from(&share.committed);
                    for (_, then) in &self.in_flight {
                        if let Then::Share(later) = then
                            && later.group == write.group
                        {
                            later.entries.iter().for_each(|entry| share.tail.apply(entry));
                        }
                    }
                }
            }
            let ended = done.is_ok() && write.entries.contains(&Entry::Epoch(None));
            if (ended || is_nothing(share)) && share.in_flight == 0 {
                self.shares.remove(&write.group);
            }
        }
        if let Some((token, answer, request)) = write.waiting {
            let answer = match done {
                Ok(()) => answer,
                Err(error) => request.refuse(append_error(error)),
            };
            step.fx.answer(token, answer);
        }
    }
}

/// A group whose first entries were not written.
fn is_nothing(share: &ShareGroup) -> bool {
    share.committed == State::default() && share.tail == share.committed
}
