//! What a core's tasks do, as far as the pump must know it before it puts the core to sleep.

use super::uring::Core;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// Counts what tasks do on one core.
#[derive(Default)]
pub(crate) struct Activity {
    steps: Rc<Steps>,
    background_runnable: Arc<AtomicUsize>,
}

/// The polls of a core's tasks. Which one ran how long is looked at only while somebody wants to know.
#[derive(Default)]
struct Steps {
    count: Cell<u64>,
    /// Polls alone, those of background tasks too.
    polls: Cell<u64>,
    /// The task polled last.
    last: Cell<&'static str>,
    watched: Cell<bool>,
    /// While watched: the longest poll since [`Activity::take_slowest`].
    slowest: Cell<(&'static str, Duration)>,
}

impl Steps {
    fn poll<T>(&self, task: &'static str, poll: impl FnOnce() -> T) -> T {
        self.last.set(task);
        self.polls.set(self.polls.get() + 1);
        if !self.watched.get() {
            return poll();
        }
        let began = super::clock::mono();
        let outcome = poll();
        let took = super::clock::mono().since(began);
        if took > self.slowest.get().1 {
            self.slowest.set((task, took));
        }
        outcome
    }
}

impl Activity {
    /// A number that changes whenever a task was polled or dropped.
    pub(crate) fn seen(&self) -> u64 {
        self.steps.count.get()
    }

    /// How often tasks were polled.
    pub(crate) fn polls(&self) -> u64 {
        self.steps.polls.get()
    }

    /// The task polled last.
    pub(crate) fn last(&self) -> &'static str {
        self.steps.last.get()
    }

    /// From now on each poll is timed, or no more.
    pub(crate) fn watch(&self, watched: bool) {
        self.steps.watched.set(watched);
    }

    /// The longest poll since the last call, while they are timed; `None` where they are not.
    pub(crate) fn take_slowest(&self) -> Option<(&'static str, Duration)> {
        self.steps.watched.get().then(|| self.steps.slowest.take())
    }

    /// Whether a background task is waiting for its turn.
    pub(crate) fn background_runnable(&self) -> bool {
        self.background_runnable.load(Ordering::SeqCst) > 0
    }

    /// `future`, counted.
    pub(crate) fn counted<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        // Dropping a task may wake others, so that counts as well.
        let steps = Step(self.steps.clone());
        let task = std::any::type_name::<F>();
        async move {
            let mut future = pin!(future);
            poll_fn(|cx| {
                steps.count();
                steps.0.poll(task, || future.as_mut().poll(cx))
            })
            .await
        }
    }

    /// `future` as a background task: whether it is runnable is known from its wakes.
    pub(crate) fn background<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let turn = Arc::new(BackgroundTurn {
            runnable: AtomicBool::new(true),
            all: self.background_runnable.clone(),
            task: Mutex::new(None),
        });
        self.background_runnable.fetch_add(1, Ordering::SeqCst);
        let leaves = Leaves(turn.clone());
        let (steps, task) = (self.steps.clone(), std::any::type_name::<F>());
        async move {
            let mut future = pin!(future);
            let waker = Waker::from(turn);
            poll_fn(|cx| {
                leaves.0.begins(cx);
                let outcome = steps.poll(task, || future.as_mut().poll(&mut Context::from_waker(&waker)));
                // What it started must be looked at, and the core may sleep now.
                Core::try_with(|core| core.wake_pump());
                outcome
            })
            .await
        }
    }
}

struct Step(Rc<Steps>);

impl Step {
    fn count(&self) {
        self.0.count.set(self.0.count.get() + 1);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.count();
    }
}

/// Whether one background task waits for its turn.
struct BackgroundTurn {
    runnable: AtomicBool,
    /// Of the whole core.
    all: Arc<AtomicUsize>,
    task: Mutex<Option<Waker>>,
}

impl BackgroundTurn {
    fn begins(&self, cx: &Context<'_>) {
        self.is_not_runnable();
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
    }

    fn is_not_runnable(&self) {
        if self.runnable.swap(false, Ordering::SeqCst) {
            self.all.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Wake for BackgroundTurn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            if !self.runnable.swap(true, Ordering::SeqCst) {
                self.all.fetch_add(1, Ordering::SeqCst);
            }
            task.wake();
        }
    }
}

/// A background task that is gone is not runnable, and its wakers wake nobody.
struct Leaves(Arc<BackgroundTurn>);

impl Drop for Leaves {
    fn drop(&mut self) {
        drop(self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.0.is_not_runnable();
        Core::try_with(|core| core.wake_pump());
    }
}
