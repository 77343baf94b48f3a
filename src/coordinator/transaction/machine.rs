//! Transactions as the shell runs them.

use super::request::{Answer, Request, Work};
use super::timers::Timer;
use super::{Effects, Step, TransactionNumbers, Transactions};
use crate::base::{ErrorCode, Instant, LeaderEpoch, Now, Offset, Uuid};
use crate::coordinator::machine::{AppendId, Entry, Machine, Token, Unreadable};

impl Machine for Transactions {
    type Config = TransactionNumbers;
    type Request = Request;
    type Answer = Answer;
    type Work = Work;

    const WHAT: &'static str = "transactional ids";

    fn new(config: &TransactionNumbers) -> Self {
        Self::new(config.clone())
    }

    fn configure(&mut self, config: &TransactionNumbers) {
        self.numbers = config.clone();
    }

    fn replay(&mut self, entry: Entry, _: Now) -> Result<(), Unreadable> {
        match entry {
            Entry::Record { offset, key, value, .. } => self.replay_record(offset, key, value),
            // Nobody writes a transaction into the log of transactions.
            Entry::Marker { .. } => Ok(()),
        }
    }

    fn loaded(&mut self, epoch: LeaderEpoch, step: &mut Step) {
        self.begin(epoch, step);
    }

    fn len(&self) -> usize {
        self.by_id.len()
    }

    fn handle(&mut self, request: Request, step: &mut Step) {
        match request {
            Request::Init(init) => self.init(init, step),
            Request::Add(add) => self.add(add, step),
            Request::End(end) => self.end(end, step),
            Request::Describe(ids) => {
                step.answer(Answer::Described(ids.iter().map(|id| self.describe(id)).collect()));
            }
            Request::List(filter) => step.answer(Answer::Listed(Ok(self.list(&filter, step.now.wall)))),
            Request::Abort(id) => self.abort(id, step),
            Request::Written(work, results) => self.written(&work, results, step),
            Request::NextId(id) => {
                let Some((token, waiting)) = self.waiting_for_ids.pop_front() else { return };
                match id {
                    Ok(id) => {
                        self.spare = Some(id);
                        let mut step = Step { token, now: step.now, random: step.random, fx: step.fx };
                        self.handle(waiting, &mut step);
                    }
                    Err(error) => {
                        step.fx.answer(token, waiting.refuse(error));
                        if let Request::Abort(id) = waiting {
                            let again = step.now.mono.plus_ms(self.numbers.abort_retry_ms);
                            self.timers.schedule(Timer::Timeout(id), again);
                        }
                    }
                }
            }
        }
    }

    fn on_timer(&mut self, step: &mut Step) {
        self.do_what_is_due(step);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn on_append(&mut self, id: AppendId, outcome: Result<Offset, ErrorCode>, step: &mut Step) {
        self.appended(id, outcome, step);
    }

    fn give_up(&mut self, token: Token, error: ErrorCode, fx: &mut Effects) {
        self.refuse_late(token, error, fx);
    }

    fn resign(&mut self, now: Now, fx: &mut Effects) {
        self.leave(now, fx);
    }

    /// Markers find out by themselves.
    fn topics_deleted(&mut self, _: &[(String, Uuid)], _: &mut Step) {}

    fn refuse(request: &Request, error: ErrorCode) -> Answer {
        request.refuse(error)
    }

    fn waits_for_log(request: &Request) -> bool {
        matches!(request, Request::Init(_) | Request::Add(_) | Request::End(_))
    }

    fn wants_random(_: &Request) -> bool {
        false
    }
}
