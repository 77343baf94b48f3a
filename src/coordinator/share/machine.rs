//! The share coordinator as the shell runs it.

use super::combine::combine;
use super::request::{Answer, Key, Refusal, Request, Summary, WriteAsk};
use super::state::{Change, ShareState, Update};
use super::upkeep::Work;
use super::{Effects, ShareStateConfig, ShareStates, Step, records};
use crate::base::{ErrorCode, Instant, LeaderEpoch, Now, Offset, Uuid};
use crate::coordinator::machine::{AppendId, Entry, Machine, Token, Unreadable, append_error};
use std::collections::{HashMap, VecDeque};

/// Why nothing is read.
pub const READ_UNINITIALIZED: &str = "Read operation on uninitialized share partition not allowed.";
/// Why nothing is written.
pub const WRITE_UNINITIALIZED: &str = "Write operation on uninitialized share partition not allowed.";

impl Machine for ShareStates {
    type Config = ShareStateConfig;
    type Request = Request;
    type Answer = Answer;
    type Work = Work;

    const WHAT: &'static str = "share states";

    fn new(config: &ShareStateConfig) -> Self {
        Self {
            config: *config,
            entries: HashMap::new(),
            in_flight: VecDeque::new(),
            last_append: AppendId(0),
            upkeep_at: None,
            pruned: Offset(0),
            last_snapshot: None,
        }
    }

    fn configure(&mut self, config: &ShareStateConfig) {
        self.config = *config;
    }

    fn replay(&mut self, entry: Entry, _: Now) -> Result<(), Unreadable> {
        let Entry::Record { offset, key, value, .. } = entry else { return Ok(()) };
        // Nobody may write over what cannot be read.
        let read = records::read(key, value).map_err(|error| Unreadable { offset, why: error.to_string() })?;
        if let Some((key, change)) = read {
            self.entries.entry(key.clone()).or_default().replay(&change, offset);
            self.settle(&key, &change, offset);
        }
        Ok(())
    }

    fn loaded(&mut self, _: LeaderEpoch, step: &mut Step) {
        if !self.entries.is_empty() {
            self.plan_upkeep(step.now.mono);
        }
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn handle(&mut self, request: Request, step: &mut Step) {
        match request {
            Request::Initialize(key, state_epoch, start_offset) => {
                self.initialize(key, state_epoch, start_offset, step)
            }
            Request::Read(key, leader_epoch) => self.read(key, leader_epoch, step),
            Request::Write(key, ask) => self.write_state(key, ask, step),
            Request::Delete(key) if self.tail(&key).is_some() => {
                self.write(key, Change::Delete, Some((step.token, Answer::Done)), step.fx);
                self.plan_upkeep(step.now.mono);
            }
            Request::Delete(_) => step.answer(Answer::Done),
            Request::Summarize(key) => {
                let summary = self.entries.get(&key).and_then(|entry| entry.committed.as_ref()).map_or(
                    Summary { state_epoch: 0, leader_epoch: 0, start_offset: -1, delivery_complete_count: -1 },
                    |state| Summary {
                        state_epoch: state.state_epoch,
                        leader_epoch: state.leader_epoch,
                        start_offset: state.start_offset,
                        delivery_complete_count: state.delivery_complete_count,
                    },
                );
                step.answer(Answer::Summary(summary));
            }
        }
    }

    fn on_timer(&mut self, step: &mut Step) {
        self.upkeep(step);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.upkeep_at
    }

    fn on_append(&mut self, id: AppendId, outcome: Result<Offset, ErrorCode>, step: &mut Step) {
        while self.in_flight.front().is_some_and(|next| next.id <= id) {
            let Some(done) = self.in_flight.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&done.key) else { continue };
            match outcome {
                Ok(offset) => {
                    entry.commit(&done.change, offset);
                    self.settle(&done.key, &done.change, offset);
                }
                Err(_) => {
                    let later = self.in_flight.iter().filter(|later| later.key == done.key);
                    entry.fail(later.map(|later| &later.change));
                    if entry.is_gone() {
                        self.entries.remove(&done.key);
                    }
                }
            }
            if let Some((token, answer)) = done.answer {
                let refused = |error| Answer::Refused(append_error(error).into());
                step.fx.answer(token, outcome.map_or_else(refused, |_| answer));
            }
        }
    }

    fn give_up(&mut self, token: Token, error: ErrorCode, fx: &mut Effects) {
        let waiting = self.in_flight.iter_mut().find_map(|w| w.answer.take_if(|(waiting, _)| *waiting == token));
        if waiting.is_some() {
            fx.answer(token, Answer::Refused(error.into()));
        }
    }

    fn resign(&mut self, _: Now, fx: &mut Effects) {
        for (token, _) in self.in_flight.drain(..).filter_map(|waiting| waiting.answer) {
            fx.answer(token, Answer::Refused(ErrorCode::NotCoordinator.into()));
        }
    }

    fn topics_deleted(&mut self, topics: &[(String, Uuid)], step: &mut Step) {
        let gone = |key: &&Key| topics.iter().any(|(_, id)| *id == key.topic_id);
        let keys: Vec<Key> = self.entries.keys().filter(gone).cloned().collect();
        for key in keys {
            if self.tail(&key).is_some() {
                self.write(key, Change::Delete, None, step.fx);
                self.plan_upkeep(step.now.mono);
            }
        }
    }

    fn refuse(_: &Request, error: ErrorCode) -> Answer {
        Answer::Refused(error.into())
    }

    fn waits_for_log(request: &Request) -> bool {
        !matches!(request, Request::Summarize(_))
    }

    fn wants_random(_: &Request) -> bool {
        false
    }
}

impl ShareStates {
    fn tail(&self, key: &Key) -> Option<&ShareState> {
        self.entries.get(key)?.tail.as_ref()
    }

    fn settle(&mut self, key: &Key, change: &Change, at: Offset) {
        if !matches!(change, Change::Update(_)) {
            self.last_snapshot = Some(at);
        }
        if self.entries.get(key).is_some_and(super::state::Entry::is_gone) {
            self.entries.remove(key);
        }
    }

    fn initialize(&mut self, key: Key, state_epoch: i32, start_offset: i64, step: &mut Step) {
        let before = self.tail(&key);
        if state_epoch != -1 && before.is_some_and(|state| state.state_epoch > state_epoch) {
            return step.answer(Answer::Refused(ErrorCode::FencedStateEpoch.into()));
        }
        let state = ShareState {
            snapshot_epoch: before.map_or(0, |state| state.snapshot_epoch + 1),
            state_epoch,
            leader_epoch: 0,
            start_offset,
            delivery_complete_count: if start_offset == -1 { -1 } else { 0 },
            created: step.now.wall,
            written: step.now.wall,
            batches: Vec::new(),
        };
        self.write(key, Change::Snapshot(state), Some((step.token, Answer::Done)), step.fx);
        self.plan_upkeep(step.now.mono);
    }

    fn read(&mut self, key: Key, leader_epoch: i32, step: &mut Step) {
        let Some(state) = self.tail(&key) else {
            let refusal = Refusal { error: ErrorCode::InvalidRequest, message: Some(READ_UNINITIALIZED) };
            return step.answer(Answer::Refused(refusal));
        };
        if leader_epoch != -1 && state.leader_epoch > leader_epoch {
            return step.answer(Answer::Refused(ErrorCode::FencedLeaderEpoch.into()));
        }
        let answer = Answer::State(state.state_epoch, state.start_offset, state.batches.clone());
        let settled = self.entries.get(&key).is_some_and(|entry| entry.in_flight == 0);
        if settled && (leader_epoch == -1 || state.leader_epoch == leader_epoch) {
            return step.answer(answer);
        }
        // Later writes of earlier leaders are fenced; and what was read is in the log when it is answered.
        let ask = WriteAsk {
            state_epoch: state.state_epoch,
            leader_epoch,
            start_offset: state.start_offset,
            delivery_complete_count: state.delivery_complete_count,
            batches: Vec::new(),
        };
        let epoch = if leader_epoch == -1 { state.leader_epoch } else { leader_epoch };
        self.append_state(key, ask, epoch, answer, step);
    }

    fn write_state(&mut self, key: Key, ask: WriteAsk, step: &mut Step) {
        let Some(state) = self.tail(&key) else {
            let refusal = Refusal { error: ErrorCode::InvalidRequest, message: Some(WRITE_UNINITIALIZED) };
            return step.answer(Answer::Refused(refusal));
        };
        if ask.leader_epoch != -1 && state.leader_epoch > ask.leader_epoch {
            return step.answer(Answer::Refused(ErrorCode::FencedLeaderEpoch.into()));
        }
        if ask.state_epoch != -1 && state.state_epoch > ask.state_epoch {
            return step.answer(Answer::Refused(ErrorCode::FencedStateEpoch.into()));
        }
        let epoch = state.leader_epoch;
        self.append_state(key, ask, epoch, Answer::Done, step);
    }

    /// Writes an update; or a snapshot, when enough updates follow the last one.
    fn append_state(&mut self, key: Key, ask: WriteAsk, leader_epoch: i32, answer: Answer, step: &mut Step) {
        let Some(entry) = self.entries.get(&key) else { return };
        // A snapshot holds what came before it: that has to be in the log.
        let snapshot = entry.updates > self.config.updates_per_snapshot && entry.in_flight == 0;
        let change = match &entry.tail {
            Some(state) if snapshot => {
                let start_offset = if ask.start_offset == -1 { state.start_offset } else { ask.start_offset };
                Change::Snapshot(ShareState {
                    snapshot_epoch: state.snapshot_epoch + 1,
                    state_epoch: state.state_epoch,
                    leader_epoch,
                    start_offset,
                    delivery_complete_count: ask.delivery_complete_count,
                    created: step.now.wall,
                    written: step.now.wall,
                    batches: combine(&state.batches, &ask.batches, start_offset),
                })
            }
            state => Change::Update(Update {
                snapshot_epoch: state.as_ref().map_or(0, |state| state.snapshot_epoch),
                leader_epoch,
                start_offset: ask.start_offset,
                delivery_complete_count: ask.delivery_complete_count,
                batches: combine(&[], &ask.batches, ask.start_offset),
            }),
        };
        self.write(key, change, Some((step.token, answer)), step.fx);
        self.plan_upkeep(step.now.mono);
    }
}
