//! One core's data ring and what belongs to it. Lives in a thread-local; nothing of it leaves its thread.

use super::op::{Slots, user_data};
use super::provided::Provided;
use crate::base::Instant;
use crate::ring::activity::Activity;
use crate::ring::doorbell::Doorbell;
use crate::ring::net::{Budget, Receive};
use crate::ring::packing::Place;
use crate::ring::runtime::RingConfig;
use crate::ring::stats::CoreStats;
use crate::ring::timer::Timers;
use crate::ring::turns::Turns;
use io_uring::{IoUring, opcode, squeue, types};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

/// `io_uring_enter`'s flag that lets it run deferred work and post completions.
const GETEVENTS: u32 = 1;
/// How long the end of a core waits for the kernel to give back what is in flight.
const CANCEL_ROUNDS: usize = 1000;

/// Idle large buffers are given back to the system after this time.
const IDLE_BUFFERS_KEPT_FOR: std::time::Duration = std::time::Duration::from_secs(5);

thread_local! {
    static CORE: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// One core's data ring, operations in flight, timers and bell.
pub(crate) struct Core {
    pub(super) ring: RefCell<IoUring>,
    pub(super) slots: RefCell<Slots>,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) doorbell: Arc<Doorbell>,
    /// Cores for which this one has something; if they are parked they are woken with the next turn.
    to_ring: RefCell<Vec<Arc<Doorbell>>>,
    pub(crate) config: RingConfig,
    pub(crate) provided: Provided,
    /// Receives that found no buffer, the longest waiting first.
    pub(crate) starved: RefCell<VecDeque<Rc<Receive>>>,
    pub(crate) budget: Arc<Budget>,
    /// The pump's waker while it has left the core to a background task: that one wakes it when it has had its turn.
    pub(super) waiting_pump: Cell<Option<Waker>>,
    /// Whether the bell completes something in the ring when it is rung.
    bell_is_heard: Cell<bool>,
    /// The core's work is over: the pump ends.
    pub(super) stopping: Cell<bool>,
    pub(crate) activity: Activity,
    /// How long the turns took.
    pub(crate) turns: Turns,
    /// When idle large buffers go back to the system, unless they are used before (told by the count).
    release_at: Cell<Option<(Instant, u64)>>,
    pub(crate) background: Cell<Option<glommio::TaskQueueHandle>>,
    /// Where the thread runs, if there are several cores.
    place: Option<Place>,
}

impl Core {
    /// Sets up the data ring of the calling thread, which becomes its single issuer.
    pub(crate) fn install(config: RingConfig, place: Option<Place>) -> io::Result<Rc<Self>> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_taskrun_flag()
            .setup_clamp()
            .setup_cqsize(config.ring_entries * 4)
            .build(config.ring_entries)?;
        let doorbell = Arc::new(Doorbell::new()?);
        let provided = Provided::new(&ring, config.receive_buffers, config.receive_buffer_bytes, doorbell.clone())?;
        let core = Rc::new(Self {
            ring: RefCell::new(ring),
            slots: RefCell::default(),
            timers: RefCell::default(),
            doorbell,
            to_ring: RefCell::default(),
            config,
            provided,
            starved: RefCell::default(),
            budget: Budget::new(config.large_frames_budget_bytes),
            waiting_pump: Cell::new(None),
            bell_is_heard: Cell::new(false),
            stopping: Cell::new(false),
            activity: Activity::default(),
            turns: Turns::default(),
            release_at: Cell::new(None),
            background: Cell::new(None),
            place,
        });
        CORE.set(Some(core.clone()));
        Ok(core)
    }

    /// Forgets the calling thread's core.
    pub(crate) fn uninstall() {
        drop(CORE.take());
    }

    /// Runs `f` with the calling thread's core.
    ///
    /// # Panics
    /// Outside a core's runtime: a mistake of the caller, not of an input.
    pub(crate) fn with<R>(f: impl FnOnce(&Rc<Self>) -> R) -> R {
        Self::try_with(f).expect("ring's futures run on a core's runtime only (run_cores, block_on_test)")
    }

    /// Runs `f` with the calling thread's core, if it has one.
    pub(crate) fn try_with<R>(f: impl FnOnce(&Rc<Self>) -> R) -> Option<R> {
        CORE.try_with(|cell| cell.borrow().as_ref().map(f)).ok().flatten()
    }

    /// Queues an operation; it is submitted by the pump's next turn. A full queue is submitted at once.
    pub(super) fn push(&self, entry: &squeue::Entry) {
        let mut ring = self.ring.borrow_mut();
        loop {
            // SAFETY: what the entry points to is owned by its slot, which lives until the entry's CQE is reaped
            // (`Op` keeps it there even when the future is dropped), and by the caller for entries without a slot.
            if unsafe { ring.submission().push(entry) }.is_ok() {
                break;
            }
            // EBUSY and EAGAIN pass with the completions reaped later; nothing is lost, the entry is not in yet.
            let _ = ring.submit();
        }
    }

    /// What there is to tell of it now.
    pub(crate) fn stats(&self) -> CoreStats {
        let buffer_bytes = self.config.receive_buffer_bytes as usize;
        CoreStats {
            in_flight: self.slots.borrow().in_flight(),
            receives_starved: self.starved.borrow().len(),
            receive_buffer_bytes_used: self.provided.lent() * buffer_bytes,
            receive_buffer_bytes_max: usize::from(self.config.receive_buffers) * buffer_bytes,
            large_frame_bytes_used: self.budget.used(),
            large_frame_bytes_max: self.config.large_frames_budget_bytes,
            turns: self.turns.times.snapshot(),
            stalls: self.turns.stalls(),
            cpu: self.place.as_ref().map(Place::cpu),
        }
    }

    /// The load of one of the cores beside this one, or of this one.
    pub(crate) fn load_of(&self, index: usize) -> Option<f64> {
        self.place.as_ref()?.load_of(index, crate::ring::clock::mono())
    }

    /// Wakes another core with the next turn of this one, if it is parked then.
    pub(crate) fn ring_later(&self, bell: Arc<Doorbell>) {
        if self.stopping.get() {
            return bell.end_park();
        }
        let mut to_ring = self.to_ring.borrow_mut();
        if !to_ring.iter().any(|other| Arc::ptr_eq(other, &bell)) {
            to_ring.push(bell);
        }
    }

    /// Wakes the cores for which there is something.
    pub(crate) fn ring_others(&self) {
        for bell in self.to_ring.borrow_mut().drain(..) {
            bell.end_park();
        }
    }

    /// Makes a pump that waits for background tasks take a turn.
    pub(crate) fn wake_pump(&self) {
        if let Some(waker) = self.waiting_pump.take() {
            waker.wake();
        }
    }

    /// Asks the kernel to cancel the operation in slot `id`. Its CQE still comes.
    pub(super) fn cancel(&self, id: u64) {
        self.push(&opcode::AsyncCancel::new(id).build().user_data(user_data::IGNORED));
    }

    /// Whether the kernel has something for us: queued submissions, deferred work, completions.
    fn has_work(ring: &mut IoUring) -> bool {
        let submission = ring.submission();
        if !submission.is_empty() || submission.taskrun() || submission.cq_overflow() {
            return true;
        }
        drop(submission);
        !ring.completion().is_empty()
    }

    /// One turn: submit, let deferred work run, reap. Returns the number of events found.
    pub(super) fn turn(&self, force_enter: bool) -> io::Result<usize> {
        let mut found = 0;
        self.ring_others();
        {
            let mut ring = self.ring.borrow_mut();
            if force_enter || Self::has_work(&mut ring) {
                let to_submit = ring.submission().len() as u32;
                // SAFETY: no argument is passed; the entries themselves are sound by `push`'s reason.
                passing(unsafe { ring.submitter().enter::<libc::sigset_t>(to_submit, 0, GETEVENTS, None) })?;
                found += to_submit as usize;
            }
        }
        found += self.reap();
        self.provided.collect();
        self.rearm_starved();
        let now = crate::ring::clock::mono();
        self.turns.ended(now, &self.activity);
        if let Some(place) = &self.place {
            place.turn(now);
        }
        found += self.fire_timers(now);
        found += self.doorbell.answer();
        Ok(found)
    }

    /// Hands each completion to its slot. No borrow is held while tasks are woken or states called.
    fn reap(&self) -> usize {
        let mut found = 0;
        loop {
            let next = self.ring.borrow_mut().completion().next();
            let Some(cqe) = next else { return found };
            found += 1;
            let (id, result, flags) = (cqe.user_data(), cqe.result(), cqe.flags());
            match id {
                user_data::IGNORED => {}
                user_data::BELL => self.bell_is_heard.set(io_uring::cqueue::more(flags)),
                id => {
                    let call = self.slots.borrow_mut().complete(id, result, flags);
                    call.run(self, result, flags);
                }
            }
        }
    }

    /// As many as there are buffers, the longest waiting first.
    fn rearm_starved(&self) {
        if self.starved.borrow().is_empty() {
            return;
        }
        for _ in 0..self.provided.free() {
            let next = self.starved.borrow_mut().pop_front();
            let Some(receive) = next else { break };
            receive.buffers_are_back(self);
        }
        self.provided.set_wanted(!self.starved.borrow().is_empty());
    }

    fn fire_timers(&self, now: Instant) -> usize {
        let mut fired = 0;
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            let Some(waker) = due else { return fired };
            waker.wake();
            fired += 1;
        }
    }

    /// Sleeps until a completion, another core's bell or the earliest timer. Called when nothing is runnable. The order
    /// matters: first "asleep" is said, then the bell is looked at once more: what comes later rings.
    pub(super) fn sleep(&self) -> io::Result<()> {
        self.ring_others();
        self.release_unused_buffers();
        if !self.bell_is_heard.replace(true) {
            let bell = types::Fd(self.doorbell.event().as_raw_fd());
            let poll = opcode::PollAdd::new(bell, libc::POLLIN as u32).multi(true).build();
            self.push(&poll.user_data(user_data::BELL));
        }
        let left = self.wakes_at().map(|at| at.since(crate::ring::clock::mono()));
        if left == Some(std::time::Duration::ZERO) || !self.doorbell.prepare_to_park() {
            return Ok(());
        }
        self.turns.pause();
        let spec = left.map(|left| types::Timespec::new().sec(left.as_secs()).nsec(left.subsec_nanos()));
        let ring = self.ring.borrow();
        let waited = match &spec {
            Some(spec) => ring.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(spec)),
            None => ring.submitter().submit_and_wait(1),
        };
        self.doorbell.awake();
        passing(waited)
    }

    /// When the core has to wake up by itself.
    fn wakes_at(&self) -> Option<Instant> {
        let release = self.release_at.get().map(|(at, _)| at);
        let timer = self.timers.borrow().earliest();
        timer.into_iter().chain(release).min()
    }

    /// Before sleeping: large buffers unused since the last look, long enough ago, are given back.
    fn release_unused_buffers(&self) {
        let Some(uses) = crate::ring::buffer::uses_if_idle_memory() else { return self.release_at.set(None) };
        let now = crate::ring::clock::mono();
        let next = match self.release_at.get() {
            Some((at, before)) if before == uses && now < at => Some((at, before)),
            Some((_, before)) if before == uses => {
                crate::ring::buffer::release_idle();
                None
            }
            _ => Some((now.plus(IDLE_BUFFERS_KEPT_FOR), uses)),
        };
        self.release_at.set(next);
    }

    /// Ends the pump with its next turn: while it runs the executor does not look whether its work is done.
    pub(crate) fn stop_pump(&self) {
        self.stopping.set(true);
        self.wake_pump();
    }

    /// Takes back from the kernel all that is in flight, before the buffers are freed.
    pub(crate) fn shut_down(&self) {
        for _ in 0..CANCEL_ROUNDS {
            if self.slots.borrow().in_flight() == 0 {
                return;
            }
            let cancel = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build().user_data(user_data::IGNORED);
            self.push(&cancel);
            if self.ring.borrow().submit_and_wait(1).is_err() || self.turn(true).is_err() {
                break;
            }
        }
        // The kernel would not give them back: leaking is sound, freeing is not.
        self.slots.borrow_mut().leak();
        self.provided.leak();
    }
}

/// An outcome of `io_uring_enter` after which the next turn simply goes on: interrupted, short of memory, completions
/// to be reaped first, or the time is up.
fn passing(entered: io::Result<usize>) -> io::Result<()> {
    match entered {
        Ok(_) => Ok(()),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ETIME)) => Ok(()),
        Err(e) => Err(e),
    }
}
