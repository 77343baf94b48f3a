//! The shell around the group state machine: one per partition of `__consumer_offsets`, owned by
//! the partition's core.
//!
//! A request is taken, and changes state, the moment it is asked; its answer comes through a
//! one-shot. What the machine wants written is packed once per loop turn and appended in order; the
//! outcome of each append is told to the machine in that order. No borrow is held across an await.

use super::group::{Answer, Append, Effects, GroupConfig, Groups, Request, Step, Token};
use super::load::{self, Entry};
use super::log::{CoordinatorLog, Pending};
use super::outbox::{self, Packed};
use crate::base::local::{self, Event, Receiver, Sender};
use crate::base::{ErrorCode, Instant, Now, Offset, Uuid};
use crate::ring::{clock, runtime};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Between two complaints about appends that fail.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(10);

/// What a coordinator is started with.
#[derive(Clone)]
pub struct CoordinatorConfig {
    /// For messages: `__consumer_offsets-7`.
    pub name: String,
    /// The machine's numbers.
    pub groups: GroupConfig,
    /// `offsets.commit.timeout.ms`: how long an answer may wait for the log.
    pub commit_timeout: Duration,
    /// Draws random bytes for member ids.
    pub random: fn() -> [u8; 16],
}

/// Where a coordinator stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading its partition: requests are refused with 14.
    Loading,
    /// Serving.
    Active,
    /// Its partition is led elsewhere or could not be read: requests are refused with 16.
    Resigned,
}

/// The coordinator of one partition.
pub struct Coordinator {
    config: CoordinatorConfig,
    log: Box<dyn CoordinatorLog>,
    phase: Cell<Phase>,
    state: RefCell<State>,
    wake: Event,
    complained: Cell<Option<Instant>>,
}

struct State {
    groups: Groups,
    waiting: HashMap<Token, Sender<Answer>>,
    /// Requests whose answer waits for the log, oldest first.
    late: VecDeque<(Instant, Token)>,
    outbox: Vec<Append>,
    last_token: u64,
    /// Topics that went while the log was being read.
    deleted_while_loading: Vec<(String, Uuid)>,
}

/// A batch on its way.
struct Writing {
    packed: Packed,
    outcome: Pending<Result<Offset, ErrorCode>>,
}

enum Woken {
    Written(Result<Offset, ErrorCode>),
    Look,
}

impl Coordinator {
    /// A coordinator that has yet to [`run`](Self::run).
    pub fn new(config: CoordinatorConfig, log: Box<dyn CoordinatorLog>) -> Rc<Self> {
        let state = State {
            groups: Groups::new(config.groups.clone()),
            waiting: HashMap::new(),
            late: VecDeque::new(),
            outbox: Vec::new(),
            last_token: 0,
            deleted_while_loading: Vec::new(),
        };
        Rc::new(Self {
            config,
            log,
            phase: Cell::new(Phase::Loading),
            state: RefCell::new(state),
            wake: Event::default(),
            complained: Cell::new(None),
        })
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Takes a request now; the answer comes through the receiver. A dropped receiver does no harm.
    pub fn ask(&self, request: Request, now: Now) -> Receiver<Answer> {
        let (sender, receiver) = local::oneshot();
        let refused = match self.phase.get() {
            Phase::Loading => Some(ErrorCode::CoordinatorLoadInProgress),
            Phase::Resigned => Some(ErrorCode::NotCoordinator),
            Phase::Active => None,
        };
        if let Some(error) = refused {
            sender.send(request.refuse(error));
            return receiver;
        }
        let waits_for_log =
            matches!(request, Request::Commit(..) | Request::Leave(_) | Request::Delete(_) | Request::Fetch(_, true));
        let random = if matches!(request, Request::Join(..)) { (self.config.random)() } else { [0; 16] };
        let mut state = self.state.borrow_mut();
        state.last_token += 1;
        let token = Token(state.last_token);
        state.waiting.insert(token, sender);
        let deadline_before = state.groups.next_deadline();
        let mut fx = Effects::default();
        state.groups.handle(request, &mut Step { token, now, random, fx: &mut fx });
        let wrote = !fx.appends.is_empty();
        state.take(fx);
        if waits_for_log && state.waiting.contains_key(&token) {
            state.late.push_back((now.mono.plus(self.config.commit_timeout), token));
        }
        // Later deadlines are found when the earlier one rings.
        let sooner = state.groups.next_deadline() < deadline_before || deadline_before.is_none();
        drop(state);
        if wrote || sooner {
            self.wake.notify();
        }
        receiver
    }

    /// Topics (name and id) are gone: so are the offsets in them.
    pub fn topics_deleted(&self, topics: &[(String, Uuid)], now: Now) {
        match self.phase.get() {
            Phase::Loading => self.state.borrow_mut().deleted_while_loading.extend_from_slice(topics),
            Phase::Active => {
                self.step(now, |groups, step| groups.topics_deleted(topics, step));
                self.wake.notify();
            }
            Phase::Resigned => {}
        }
    }

    /// The partition is led elsewhere, deleted or lost: whoever waits is refused with 16, and
    /// [`run`](Self::run) ends. Does nothing the second time.
    pub fn resign(&self, now: Now) {
        if self.phase.replace(Phase::Resigned) == Phase::Resigned {
            return;
        }
        let mut state = self.state.borrow_mut();
        let mut fx = Effects::default();
        state.groups.resign(now, &mut fx);
        state.take(fx);
        state.outbox.clear();
        state.late.clear();
        drop(state);
        self.wake.notify();
    }

    /// Loads the partition, then serves timers and appends until it resigns.
    pub async fn run(self: Rc<Self>) {
        if self.load().await {
            self.serve().await;
        }
    }

    async fn load(&self) -> bool {
        let began = clock::now();
        let mut groups = Groups::new(self.config.groups.clone());
        let mut records = 0u64;
        let take = |entry: Entry| {
            records += 1;
            match entry {
                Entry::Record { offset, producer, key, value } => groups.replay(offset, producer, key, value, began),
                Entry::Marker { producer, committed } => groups.replay_marker(producer, committed),
            }
        };
        let end = load::load(&*self.log, take, || self.phase.get() == Phase::Loading).await;
        if self.phase.get() != Phase::Loading {
            return false;
        }
        match end {
            Ok(end) => {
                let took = clock::mono().since(began.mono);
                if records > 0 {
                    tracing::info!(
                        partition = self.config.name,
                        groups = groups.len(),
                        records,
                        end = end.0,
                        ?took,
                        "groups loaded"
                    );
                }
                self.state.borrow_mut().groups = groups;
                self.phase.set(Phase::Active);
                let deleted = std::mem::take(&mut self.state.borrow_mut().deleted_while_loading);
                self.step(clock::now(), |groups, step| {
                    groups.loaded(step);
                    groups.topics_deleted(&deleted, step);
                });
                true
            }
            Err(error) => {
                tracing::error!(partition = self.config.name, ?error, "groups could not be loaded");
                self.phase.set(Phase::Resigned);
                false
            }
        }
    }

    async fn serve(&self) {
        let mut writing: VecDeque<Writing> = VecDeque::new();
        loop {
            let listener = self.wake.listen();
            let now = clock::now();
            self.do_what_is_due(now);
            self.write(&mut writing, now);
            if self.phase.get() != Phase::Active {
                return;
            }
            let deadline = self.state.borrow().next_deadline();
            let mut listener = pin!(listener);
            let mut sleep = pin!(async {
                match deadline {
                    Some(at) => runtime::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            });
            let woken = poll_fn(|cx| {
                if let Some(first) = writing.front_mut()
                    && let Poll::Ready(outcome) = first.outcome.as_mut().poll(cx)
                {
                    return Poll::Ready(Woken::Written(outcome));
                }
                let look = listener.as_mut().poll(cx).is_ready() || sleep.as_mut().poll(cx).is_ready();
                if look { Poll::Ready(Woken::Look) } else { Poll::Pending }
            })
            .await;
            if let Woken::Written(outcome) = woken
                && let Some(done) = writing.pop_front()
                && self.phase.get() == Phase::Active
            {
                let now = clock::now();
                if let Err(error) = outcome {
                    self.complain(error, now.mono);
                }
                for (id, outcome) in done.packed.outcomes(outcome) {
                    self.step(now, |groups, step| groups.on_append(id, outcome, step));
                }
            }
        }
    }

    /// A full disk fails every append: one line now and then says enough.
    fn complain(&self, error: ErrorCode, now: Instant) {
        if self.complained.get().is_none_or(|last| now.since(last) >= COMPLAINT_PAUSE) {
            self.complained.set(Some(now));
            tracing::warn!(partition = self.config.name, ?error, "records could not be written; who waits is refused");
        }
    }

    fn do_what_is_due(&self, now: Now) {
        self.step(now, |groups, step| groups.on_timer(step));
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        // Answered ones are only forgotten.
        while let Some(&(deadline, token)) = state.late.front() {
            let answered = !state.waiting.contains_key(&token);
            if deadline > now.mono && !answered {
                break;
            }
            state.late.pop_front();
            let mut fx = Effects::default();
            state.groups.give_up(token, ErrorCode::CoordinatorNotAvailable, &mut fx);
            state.take(fx);
        }
    }

    fn write(&self, writing: &mut VecDeque<Writing>, now: Now) {
        let appends = std::mem::take(&mut self.state.borrow_mut().outbox);
        for packed in outbox::pack(appends, now.wall, self.config.groups.compression) {
            let outcome = self.log.append(packed.batch.clone());
            writing.push_back(Writing { packed, outcome });
        }
    }

    fn step(&self, now: Now, f: impl FnOnce(&mut Groups, &mut Step)) {
        let mut state = self.state.borrow_mut();
        let mut fx = Effects::default();
        f(&mut state.groups, &mut Step::timer(now, &mut fx));
        state.take(fx);
    }
}

impl State {
    fn take(&mut self, fx: Effects) {
        for (token, answer) in fx.answers {
            if let Some(sender) = self.waiting.remove(&token) {
                sender.send(answer);
            }
        }
        self.outbox.extend(fx.appends);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let late = self.late.front().map(|(deadline, _)| *deadline);
        self.groups.next_deadline().into_iter().chain(late).min()
    }
}
