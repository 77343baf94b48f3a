//! The blocking pool: a few threads for what io_uring cannot do, so that no shard ever blocks.
//!
//! Threads start when there is work and none is free, and end after ten idle seconds. They do not inherit the
//! pinning of the shard that started them: they run on the cores given by [`set_cores`], else wherever the process may.

use super::doorbell::RemoteWaker;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// More threads than this never run at once; further jobs queue.
pub const THREADS_MAX: usize = 16;
const IDLE_THREAD_ENDS_AFTER: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    cores: Vec<usize>,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    work: Condvar,
    /// Its threads run only when the cores have nothing better to do.
    gives_way: bool,
}

impl Pool {
    fn get() -> &'static Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(Self::default)
    }

    fn background() -> &'static Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(|| Self { gives_way: true, ..Self::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&'static self, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.idle < state.jobs.len() && state.threads < THREADS_MAX {
            state.threads += 1;
            let number = state.threads;
            drop(state);
            let builder = std::thread::Builder::new().name(format!("blocking-{number}"));
            if builder.spawn(move || self.run(number)).is_err() {
                self.lock().threads -= 1;
                self.run_here_if_nobody_else_does();
            }
        } else {
            drop(state);
            self.work.notify_one();
        }
    }

    /// No thread can be had (the process's limit): late is better than never.
    fn run_here_if_nobody_else_does(&self) {
        let mut state = self.lock();
        if state.threads == 0
            && let Some(job) = state.jobs.pop_front()
        {
            drop(state);
            job();
        }
    }

    fn run(&self, number: usize) {
        let cores = self.lock().cores.clone();
        super::process::cores::run_anywhere_or_on(&cores, number);
        if self.gives_way {
            super::process::cores::give_way();
        }
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, IDLE_THREAD_ENDS_AFTER);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if timeout.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

/// Which cores the pool's threads are pinned to, round robin; none means "wherever the process may run".
/// Takes effect for threads started later.
pub fn set_cores(cores: &[usize]) {
    Pool::get().lock().cores = cores.to_vec();
    Pool::background().lock().cores = cores.to_vec();
}

enum Outcome<T> {
    Running(Option<RemoteWaker>),
    Done(T),
    Panicked,
}

/// The result of a job of the blocking pool. Dropping it does not stop the job.
pub struct Blocking<T>(Arc<Mutex<Outcome<T>>>);

/// Runs `job` on the blocking pool. May be called from any thread.
pub fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
    run_on(Pool::get(), job)
}

/// Runs `job` on threads that give way to everything else in the process: for work that has all the time (compaction).
pub fn blocking_in_background<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
    run_on(Pool::background(), job)
}

fn run_on<T: Send + 'static>(pool: &'static Pool, job: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
    let outcome = Arc::new(Mutex::new(Outcome::Running(None)));
    let shared = outcome.clone();
    pool.submit(Box::new(move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        let done = result.map_or(Outcome::Panicked, Outcome::Done);
        let before = std::mem::replace(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner), done);
        if let Outcome::Running(Some(waker)) = before {
            waker.fire();
        }
    }));
    Blocking(outcome)
}

impl<T> Future for Blocking<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut outcome = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *outcome, Outcome::Running(None)) {
            Outcome::Done(value) => Poll::Ready(value),
            Outcome::Panicked => {
                drop(outcome);
                // The job's own message has been printed where it happened; the one who asked fails with it.
                panic!("a job of the blocking pool panicked")
            }
            Outcome::Running(_) => {
                *outcome = Outcome::Running(Some(RemoteWaker::new(cx)));
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::runtime;

    #[test]
    fn a_job_runs_off_the_shard_and_its_result_comes_back() {
        runtime::block_on_test(async {
            let shard = std::thread::current().id();
            let (sum, thread) = blocking(|| ((1..=10).sum::<u32>(), std::thread::current().id())).await;
            assert_eq!(sum, 55);
            assert_ne!(thread, shard);
        });
    }

    #[test]
    fn more_jobs_than_threads_all_finish() {
        runtime::block_on_test(async {
            let jobs: Vec<_> = (0..THREADS_MAX * 4).map(|n| blocking(move || n)).collect();
            for (n, job) in jobs.into_iter().enumerate() {
                assert_eq!(job.await, n);
            }
        });
    }
}
