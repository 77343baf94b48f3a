//! The shell around a state machine: one per partition of an internal topic, owned by the partition's core.
//!
//! A request is taken, and changes state, the moment it is asked; its answer comes through a
//! one-shot. What the machine wants written is packed once per loop turn and appended in order; the
//! outcome of each append is told to the machine in that order ([`Pipeline`] knows what may go when, and what fails
//! with what). No borrow is held across an await.

use super::load::{self, LoadError};
use super::log::{CoordinatorLog, Pending};
use super::machine::{Effects, Entry, Machine, Step, Token, Unreadable};
use super::outbox::{How, Outcome};
use super::pipeline::Pipeline;
use crate::base::local::{self, Event, Receiver, Sender};
use crate::base::{ErrorCode, Instant, LeaderEpoch, Now, Uuid};
use crate::metadata::{MetadataDelta, MetadataImage};
use crate::record::Compression;
use crate::ring::{clock, runtime};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Between two complaints about appends that fail.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(10);

/// Before a log that could not be read is read again; twice as long each time, up to the longest.
const RELOAD_PAUSE: Duration = Duration::from_millis(250);
const RELOAD_PAUSE_MAX: Duration = Duration::from_secs(30);

/// What a coordinator is started with.
#[derive(Clone)]
pub struct CoordinatorConfig<C> {
    /// For messages: `__consumer_offsets-7`.
    pub name: String,
    /// The machine's numbers.
    pub machine: C,
    /// How long an answer may wait for the log (`offsets.commit.timeout.ms`).
    pub commit_timeout: Duration,
    /// How batches are packed (`offsets.topic.compression.codec`).
    pub compression: Compression,
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

/// Does a machine's work outside the log. The outcome comes back as a request, not before it returns.
pub type Perform<M> = Box<dyn Fn(Rc<Coordinator<M>>, <M as Machine>::Work)>;

/// The coordinator of one partition.
pub struct Coordinator<M: Machine> {
    config: CoordinatorConfig<M::Config>,
    log: Box<dyn CoordinatorLog>,
    perform: Perform<M>,
    me: Weak<Self>,
    phase: Cell<Phase>,
    epoch: Cell<LeaderEpoch>,
    state: RefCell<State<M>>,
    wake: Event,
    complained: Cell<Option<Instant>>,
}

struct State<M: Machine> {
    machine: M,
    /// In force; what the coordinator was started with may be older.
    numbers: M::Config,
    waiting: HashMap<Token, Sender<M::Answer>>,
    /// Requests whose answer waits for the log, oldest first.
    late: VecDeque<(Instant, Token)>,
    pipeline: Pipeline,
    last_token: u64,
    /// The newest image so far, while the log is being read.
    image_while_loading: Option<Arc<MetadataImage>>,
    /// Topics that went while the log was being read.
    deleted_while_loading: Vec<(String, Uuid)>,
}

enum Woken {
    Written(Outcome),
    Look,
}

impl<M: Machine> Coordinator<M> {
    /// A coordinator that has yet to [`run`](Self::run).
    pub fn new(config: CoordinatorConfig<M::Config>, log: Box<dyn CoordinatorLog>, perform: Perform<M>) -> Rc<Self> {
        let state = State {
            machine: M::new(&config.machine),
            numbers: config.machine.clone(),
            waiting: HashMap::new(),
            late: VecDeque::new(),
            pipeline: Pipeline::default(),
            last_token: 0,
            image_while_loading: None,
            deleted_while_loading: Vec::new(),
        };
        Rc::new_cyclic(|me| Self {
            config,
            log,
            perform,
            me: me.clone(),
            phase: Cell::new(Phase::Loading),
            epoch: Cell::new(LeaderEpoch::UNKNOWN),
            state: RefCell::new(state),
            wake: Event::default(),
            complained: Cell::new(None),
        })
    }

    /// The partition's name: `__consumer_offsets-7`.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Looks at the machine; `look` must not take long.
    pub fn look<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&self.state.borrow().machine)
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// The partition is led in `epoch`: to be said before [`run`](Self::run), and while loading.
    pub fn led_in(&self, epoch: LeaderEpoch) {
        self.epoch.set(epoch);
    }

    /// New numbers for the machine.
    pub fn configure(&self, numbers: M::Config) {
        let mut state = self.state.borrow_mut();
        state.machine.configure(&numbers);
        state.numbers = numbers;
    }

    /// Takes a request now; the answer comes through the receiver. A dropped receiver does no harm.
    pub fn ask(&self, request: M::Request, now: Now) -> Receiver<M::Answer> {
        let (sender, receiver) = local::oneshot();
        let refused = match self.phase.get() {
            Phase::Loading => Some(ErrorCode::CoordinatorLoadInProgress),
            Phase::Resigned => Some(ErrorCode::NotCoordinator),
            Phase::Active => None,
        };
        if let Some(error) = refused {
            sender.send(M::refuse(&request, error));
            return receiver;
        }
        let waits_for_log = M::waits_for_log(&request);
        let random = if M::wants_random(&request) { (self.config.random)() } else { [0; 16] };
        let mut state = self.state.borrow_mut();
        state.last_token += 1;
        let token = Token(state.last_token);
        state.waiting.insert(token, sender);
        let deadline_before = state.machine.next_deadline();
        let mut fx = Effects::default();
        state.machine.handle(request, &mut Step { token, now, random, fx: &mut fx });
        let wrote = !fx.appends.is_empty();
        let work = state.take(fx);
        if waits_for_log && state.waiting.contains_key(&token) {
            state.late.push_back((now.mono.plus(self.config.commit_timeout), token));
        }
        // Later deadlines are found when the earlier one rings.
        let sooner = state.machine.next_deadline() < deadline_before || deadline_before.is_none();
        drop(state);
        if wrote || sooner {
            self.wake.notify();
        }
        self.see_to(work);
        receiver
    }

    /// A newer metadata image; `delta` says what differs from the one before.
    pub fn take_image(&self, image: &Arc<MetadataImage>, delta: &MetadataDelta) {
        let mut state = self.state.borrow_mut();
        match self.phase.get() {
            Phase::Loading => state.image_while_loading = Some(image.clone()),
            Phase::Active => state.machine.on_metadata(image, delta),
            Phase::Resigned => {}
        }
    }

    /// Topics (name and id) are gone: so are the offsets in them.
    pub fn topics_deleted(&self, topics: &[(String, Uuid)], now: Now) {
        match self.phase.get() {
            Phase::Loading => self.state.borrow_mut().deleted_while_loading.extend_from_slice(topics),
            Phase::Active => {
                self.step(now, |machine, step| machine.topics_deleted(topics, step));
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
        state.machine.resign(now, &mut fx);
        fx.work.clear();
        state.take(fx);
        state.pipeline.clear();
        state.late.clear();
        drop(state);
        self.wake.notify();
    }

    /// Loads the partition, then serves timers and appends until it resigns. A log that cannot be read now may be
    /// readable in a moment: it is tried again. One that makes no sense is not.
    pub async fn run(self: Rc<Self>) {
        let mut pause = RELOAD_PAUSE;
        while !self.load().await {
            self.pause(pause).await;
            if self.phase.get() != Phase::Loading {
                return;
            }
            pause = (pause * 2).min(RELOAD_PAUSE_MAX);
        }
        self.serve().await;
    }

    /// So long, or until it resigns.
    async fn pause(&self, pause: Duration) {
        let mut sleep = pin!(runtime::sleep_until(clock::mono().plus(pause)));
        loop {
            let mut listener = pin!(self.wake.listen());
            if self.phase.get() != Phase::Loading {
                return;
            }
            let woken = poll_fn(|cx| {
                if sleep.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(false);
                }
                listener.as_mut().poll(cx).map(|_| true)
            });
            if !woken.await {
                return;
            }
        }
    }

    async fn load(&self) -> bool {
        let began = clock::now();
        let mut machine = M::new(&self.config.machine);
        let mut records = 0u64;
        let take = |entry: Entry<'_>| {
            records += 1;
            machine.replay(entry, began)
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
                        loaded = machine.len(),
                        records,
                        end = end.0,
                        ?took,
                        "{} loaded",
                        M::WHAT
                    );
                }
                let mut state = self.state.borrow_mut();
                machine.configure(&state.numbers);
                if let Some(image) = state.image_while_loading.take() {
                    machine.on_metadata(&image, &MetadataDelta::default());
                }
                state.machine = machine;
                let deleted = std::mem::take(&mut state.deleted_while_loading);
                drop(state);
                self.phase.set(Phase::Active);
                let epoch = self.epoch.get();
                self.step(clock::now(), |machine, step| {
                    machine.loaded(epoch, step);
                    machine.topics_deleted(&deleted, step);
                    if let Some(crash) = self.log.own_end_after_crash() {
                        machine.bound_by_log_ends(crash, &|partition| self.log.end_after_crash(partition), step);
                    }
                });
                true
            }
            Err(error) => {
                self.complain_of_load(&error);
                if let LoadError::Unreadable(_) = error {
                    self.phase.set(Phase::Resigned);
                }
                false
            }
        }
    }

    /// This coordinator refuses, for now or for good; nothing of its log is changed, and the others serve.
    fn complain_of_load(&self, error: &LoadError) {
        let partition = &*self.config.name;
        match error {
            LoadError::Read(error) => tracing::error!(partition, ?error, "{} could not be loaded yet", M::WHAT),
            LoadError::Unreadable(Unreadable { offset, why }) => {
                let (offset, file) = (offset.0, self.log.file_of(*offset));
                tracing::error!(partition, offset, file, "{} cannot be loaded and are not served: {why}", M::WHAT);
            }
        }
    }

    async fn serve(&self) {
        // The batches on their way, oldest first.
        let mut writing: VecDeque<Pending<Outcome>> = VecDeque::new();
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
            let mut sleep = pin!(sleep_until(deadline));
            let woken = poll_fn(|cx| {
                if let Some(first) = writing.front_mut()
                    && let Poll::Ready(outcome) = first.as_mut().poll(cx)
                {
                    return Poll::Ready(Woken::Written(outcome));
                }
                let look = listener.as_mut().poll(cx).is_ready() || sleep.as_mut().poll(cx).is_ready();
                if look { Poll::Ready(Woken::Look) } else { Poll::Pending }
            })
            .await;
            if let Woken::Written(outcome) = woken {
                writing.pop_front();
                if self.phase.get() == Phase::Active {
                    self.written(outcome);
                }
            }
        }
    }

    /// The outcome of the oldest batch. All that follows from it is told in one go: the machine decides nothing on what
    /// failed with it.
    fn written(&self, outcome: Outcome) {
        let now = clock::now();
        if let Err(error) = outcome {
            self.complain(error, now.mono);
        }
        let told = self.state.borrow_mut().pipeline.done(outcome);
        for (id, outcome) in told {
            self.step(now, |machine, step| machine.on_append(id, outcome, step));
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
        self.step(now, |machine, step| machine.on_timer(step));
        let mut work = Vec::new();
        let mut state = self.state.borrow_mut();
        // Answered ones are only forgotten.
        while let Some(&(deadline, token)) = state.late.front() {
            let answered = !state.waiting.contains_key(&token);
            if deadline > now.mono && !answered {
                break;
            }
            state.late.pop_front();
            let mut fx = Effects::default();
            state.machine.give_up(token, ErrorCode::CoordinatorNotAvailable, &mut fx);
            work.extend(state.take(fx));
        }
        drop(state);
        self.see_to(work);
    }

    fn write(&self, writing: &mut VecDeque<Pending<Outcome>>, now: Now) {
        let how = How { now: now.wall, codec: self.config.compression, bytes_max: self.log.batch_bytes_max() };
        loop {
            let packed = self.state.borrow_mut().pipeline.next_batch(how);
            let Some(packed) = packed else { return };
            writing.push_back(match packed.batch.is_empty() {
                true => Box::pin(std::future::ready(Err(ErrorCode::UnknownServerError))),
                false => self.log.append(packed.batch, packed.of),
            });
        }
    }

    fn step(&self, now: Now, f: impl FnOnce(&mut M, &mut Step<M>)) {
        let mut state = self.state.borrow_mut();
        let mut fx = Effects::default();
        f(&mut state.machine, &mut Step::timer(now, &mut fx));
        let work = state.take(fx);
        drop(state);
        self.see_to(work);
    }

    fn see_to(&self, work: Vec<M::Work>) {
        let Some(me) = self.me.upgrade().filter(|_| !work.is_empty()) else { return };
        work.into_iter().for_each(|work| (self.perform)(me.clone(), work));
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => runtime::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl<M: Machine> State<M> {
    /// Sends the answers, queues the appends; hands back what is to be done elsewhere.
    fn take(&mut self, fx: Effects<M>) -> Vec<M::Work> {
        for (token, answer) in fx.answers {
            if let Some(sender) = self.waiting.remove(&token) {
                sender.send(answer);
            }
        }
        self.pipeline.push(fx.appends);
        fx.work
    }

    fn next_deadline(&self) -> Option<Instant> {
        let late = self.late.front().map(|(deadline, _)| *deadline);
        self.machine.next_deadline().into_iter().chain(late).min()
    }
}
