//! One pinned glommio executor per core, with its data ring; tasks, timers and the blocking pool.

use super::packing::{Packing, Place};
use super::timer::Sleep;
use super::uring::{self, Core};
use crate::base::Instant;
use glommio::{Latency, LocalExecutorBuilder, Placement, Shares};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

pub use super::pool::{Blocking, blocking, blocking_in_background};

/// glommio registers this much memory per core for its own direct I/O, which we do not use: its minimum.
const GLOMMIO_IO_MEMORY: usize = 64 << 10;
/// Background tasks get this share against 1000 of the ordinary ones.
const BACKGROUND_SHARES: usize = 50;
/// When glommio's own timer takes a queue off the core. The pump and `yield_now` hand over far earlier, and the pump
/// never lets glommio itself look for events or sleep. A short timer would be dangerous: where it has expired before the executor looks for the first time (the thread lost its CPU just
/// then), glommio 0.9 takes "ran nothing" for "nothing to run" and sleeps on runnable tasks until something outside
/// wakes it. At 5 ms that stalled brokers for half a minute on a machine with more runnable threads than CPUs; a stopped
/// process or a paused machine would do it at a second.
const PREEMPT_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The sizes of one core's ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// Entries of the submission queue; the completion queue has four times as many. A power of two.
    pub ring_entries: u32,
    /// Receive buffers the kernel picks from. A power of two, at most 32768.
    pub receive_buffers: u16,
    /// Bytes of each.
    pub receive_buffer_bytes: u32,
    /// Bytes that large frames being received may occupy on this core together.
    pub large_frames_budget_bytes: usize,
    /// A large frame of which nothing arrives for this long is given up: it holds memory others wait for.
    pub large_frame_stalls_after: Duration,
    /// While all cores together need but a part of one CPU, their threads share it.
    pub pack_light_load: bool,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            ring_entries: 1024,
            receive_buffers: 512,
            receive_buffer_bytes: 32 << 10,
            large_frames_budget_bytes: 256 << 20,
            large_frame_stalls_after: Duration::from_secs(10),
            pack_light_load: true,
        }
    }
}

/// A task of the calling core. Awaiting it gives its result; dropping it cancels it.
pub struct Task<T>(glommio::Task<T>);

impl<T: 'static> Task<T> {
    /// Lets the task run on by itself.
    pub fn detach(self) {
        self.0.detach();
    }

    /// Stops the task and waits until it is gone. Its result, if it had finished.
    pub async fn cancel(self) -> Option<T> {
        self.0.cancel().await
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Starts a task on the calling core.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    Task(Core::with(|core| glommio::spawn_local(core.activity.counted(future))))
}

/// Starts a task on the calling core that gets only a small share of its time while others want it.
pub fn spawn_background<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    let (queue, future) = Core::with(|core| (core.background.get(), core.activity.background(future)));
    match glommio::spawn_local_into(future, queue.unwrap_or_default()) {
        Ok(task) => Task(task),
        Err(_) => unreachable!("a core's queues live as long as its executor"),
    }
}

/// Completes after `d`.
pub fn sleep(d: Duration) -> Sleep {
    sleep_until(super::clock::mono().plus(d))
}

/// Completes at `at` (at once when it has passed).
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep::new(at)
}

/// Lets the other tasks of this core run, those of the other queue too, and the ring turn.
pub async fn yield_now() {
    glommio::executor().yield_task_queue_now().await;
}

/// Lets the tasks of this queue run that are runnable now, and the ring turn at most once.
pub async fn let_others_run() {
    glommio::executor().yield_now().await;
}

/// The part of a CPU that core `index` of [`run_cores`] used in the last fifth of a second, as it told last. `None` where
/// there is only one core, or no such one.
pub fn load_of(index: usize) -> Option<f64> {
    Core::with(|core| core.load_of(index))
}

/// The threads of [`run_cores`].
pub struct Cores<T>(Vec<JoinHandle<io::Result<T>>>);

impl<T> Cores<T> {
    /// Waits for all cores. In the order of the cores given.
    pub fn join(self) -> Vec<io::Result<T>> {
        let join = |thread: JoinHandle<_>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the core's thread panicked")))
        };
        self.0.into_iter().map(join).collect()
    }
}

/// Starts one thread per core of `cores` (CPU numbers), pinned to it (and while the load is light together on fewer of
/// them, see [`RingConfig::pack_light_load`]), each running `make(index)` on its own
/// executor and data ring until that future ends. Returns once all rings are up.
///
/// # Errors
/// The first core's that could not be set up; the others are then told nothing and end with the process.
pub fn run_cores<T, F, Make>(cores: &[usize], config: RingConfig, make: Make) -> io::Result<Cores<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
    Make: Fn(usize) -> F + Send + Sync + 'static,
{
    let make = Arc::new(make);
    let packing = (cores.len() > 1).then(|| Arc::new(Packing::new(cores, config.pack_light_load)));
    let (ready, readiness) = mpsc::channel();
    let mut threads = Vec::with_capacity(cores.len());
    for (index, &cpu) in cores.iter().enumerate() {
        let (make, ready, packing) = (make.clone(), ready.clone(), packing.clone());
        let body = move || {
            let place = packing.map(|packing| Place::new(packing, index));
            let outcome = run_one(Placement::Fixed(cpu), place, config, &ready, || make(index));
            if let Err(error) = &outcome {
                // The receiver has gone when everything was up before.
                let _ = ready.send(Err(io::Error::new(error.kind(), error.to_string())));
            }
            outcome
        };
        threads.push(std::thread::Builder::new().name(format!("core-{cpu}")).spawn(body)?);
    }
    for _ in cores {
        readiness.recv().map_err(|_| io::Error::other("a core's thread ended before it was up"))??;
    }
    Ok(Cores(threads))
}

fn run_one<F: Future>(
    placement: Placement,
    place: Option<Place>,
    config: RingConfig,
    ready: &mpsc::Sender<io::Result<()>>,
    make: impl FnOnce() -> F,
) -> io::Result<F::Output> {
    let executor = LocalExecutorBuilder::new(placement)
        .io_memory(GLOMMIO_IO_MEMORY)
        .preempt_timer(PREEMPT_AFTER)
        .make()
        .map_err(|error| io::Error::other(format!("glommio executor: {error}")))?;
    let result = executor.run(async {
        let core = Core::install(config, place)?;
        let background = glommio::executor().create_task_queue(
            Shares::Static(BACKGROUND_SHARES),
            Latency::NotImportant,
            "background",
        );
        core.background.set(Some(background));
        uring::start(&core);
        let _ = ready.send(Ok(()));
        let output = core.activity.counted(make()).await;
        core.shut_down();
        core.stop_pump();
        Ok(output)
    });
    // Tasks still there are dropped with the executor, while their core is still known to the thread.
    drop(executor);
    Core::uninstall();
    result
}

/// For tests: runs `future` on a fresh runtime of one core, on the calling thread, not pinned.
///
/// # Panics
/// When the runtime cannot be set up, or the future panics.
pub fn block_on_test<T>(future: impl Future<Output = T>) -> T {
    block_on_test_with(RingConfig::default(), future)
}

/// [`block_on_test`] with another configuration.
///
/// # Panics
/// As that.
pub fn block_on_test_with<T>(config: RingConfig, future: impl Future<Output = T>) -> T {
    let (ready, _readiness) = mpsc::channel();
    run_one(Placement::Unbound, None, config, &ready, || future).expect("a runtime for the test")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::clock::mono;

    #[test]
    fn tasks_run_and_give_their_results() {
        let sum = block_on_test(async {
            let tasks: Vec<_> = (0..10).map(|n| spawn(async move { n })).collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await;
            }
            sum
        });
        assert_eq!(sum, 45);
    }

    #[test]
    fn timers_fire_in_the_order_of_their_deadlines() {
        let order = block_on_test(async {
            let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let tasks: Vec<_> = [30, 10, 20]
                .map(|ms| {
                    let order = order.clone();
                    spawn(async move {
                        sleep(Duration::from_millis(ms)).await;
                        order.borrow_mut().push(ms);
                    })
                })
                .into();
            for task in tasks {
                task.await;
            }
            order.take()
        });
        assert_eq!(order, [10, 20, 30]);
    }

    #[test]
    fn a_timer_fires_while_the_core_is_busy() {
        block_on_test(async {
            let busy = spawn(async {
                loop {
                    yield_now().await;
                }
            });
            let before = mono();
            sleep(Duration::from_millis(5)).await;
            assert!(mono().since(before) >= Duration::from_millis(5));
            drop(busy);
        });
    }

    #[test]
    fn background_tasks_get_their_turn_beside_a_busy_one() {
        block_on_test(async {
            let busy = spawn(async {
                loop {
                    yield_now().await;
                }
            });
            assert_eq!(spawn_background(async { 7 }).await, 7);
            drop(busy);
        });
    }

    #[test]
    fn each_core_runs_its_own_future() {
        let cpu = crate::ring::process::cores::available()[0];
        let cores = run_cores(&[cpu, cpu], RingConfig::default(), |index| async move { index * 10 }).unwrap();
        let results: Vec<_> = cores.join().into_iter().map(Result::unwrap).collect();
        assert_eq!(results, [0, 10]);
    }

    #[test]
    fn idle_cores_share_a_cpu_and_a_busy_one_spreads_them() {
        let available = crate::ring::process::cores::available();
        let (Some(&first), Some(&second)) = (available.first(), available.get(1)) else {
            eprintln!("one CPU only: nothing to pack");
            return;
        };
        let here = crate::ring::process::cores::of_this_thread;
        let body = move |index: usize| async move {
            let own = [first, second][index];
            // Looked at by a core that takes a turn now and then.
            while here() != [first] {
                sleep(Duration::from_millis(5)).await;
            }
            while index == 1 && here() != [own] {
                // All of a CPU, in turns.
                let until = mono().plus(Duration::from_millis(1));
                while mono() < until {}
                yield_now().await;
            }
            here()
        };
        let cores = run_cores(&[first, second], RingConfig::default(), body).unwrap();
        let places: Vec<_> = cores.join().into_iter().map(Result::unwrap).collect();
        assert_eq!(places, [[first], [second]]);
    }

    #[test]
    fn a_chain_of_wakes_and_drops_is_followed_to_its_end_before_the_core_sleeps() {
        // Each link drops the next task, whose end wakes the one after: nothing of it is seen by the ring.
        block_on_test(async {
            let (done, finished) = crate::base::local::oneshot::<()>();
            let mut last = spawn(async move {
                let _held = done;
                std::future::pending::<()>().await;
            });
            for _ in 0..20 {
                let next = last;
                last = spawn(async move {
                    let _held = next;
                    std::future::pending::<()>().await;
                });
            }
            yield_now().await;
            drop(last);
            assert!(finished.await.is_err());
        });
    }

    #[test]
    fn a_background_task_waits_for_jobs_timers_and_its_own_yields_on_an_idle_core() {
        block_on_test(async {
            let before = mono();
            let steps = spawn_background(async {
                let mut steps = 0;
                for _ in 0..50 {
                    steps += blocking(|| 1).await;
                    yield_now().await;
                    sleep(Duration::from_micros(100)).await;
                }
                steps
            });
            assert_eq!(steps.await, 50);
            assert!(mono().since(before) >= Duration::from_millis(5));
        });
    }

    #[test]
    fn the_core_does_not_sleep_on_what_a_background_task_has_just_woken() {
        use crate::ring::mailbox::channel;
        block_on_test(async {
            let (ask, mut asked) = channel();
            let (answer, mut answers) = channel();
            let answering = spawn_background(async move {
                while let Some(n) = asked.recv().await {
                    if answer.send(n).is_err() {
                        return;
                    }
                }
            });
            for n in 0..5_000u32 {
                // In each place of the pump's turns.
                for _ in 0..n % 67 {
                    yield_now().await;
                }
                assert!(ask.send(n).is_ok());
                let answered = async { answers.recv().await };
                let given_up = async {
                    sleep(Duration::from_secs(10)).await;
                    None
                };
                // The timer first: it would wake a core that sleeps on the answer.
                assert_eq!(futures_lite::future::or(given_up, answered).await, Some(n));
            }
            drop(answering);
        });
    }

    #[test]
    fn a_dropped_background_task_leaves_the_core_idle() {
        block_on_test(async {
            let task = spawn_background(async {
                loop {
                    yield_now().await;
                }
            });
            sleep(Duration::from_millis(1)).await;
            drop(task);
            sleep(Duration::from_millis(1)).await;
            assert!(!Core::with(|core| core.activity.background_runnable()));
        });
    }
}
