//! The pump: a glommio task that turns the data ring while there is work, and otherwise sleeps on the bell, so
//! that the executor parks and an idle core uses no CPU.

use super::core::Core;
use glommio::io::BufferedFile;
use std::future::{Future, poll_fn};
use std::os::fd::{AsRawFd, FromRawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

type BellRead = Pin<Box<dyn Future<Output = ()>>>;

/// After so many turns in a row the other task queue gets its share: less than a millisecond.
const TURNS_PER_QUEUE: u32 = 64;
/// Turns without an event after which the pump parks.
const IDLE_TURNS_BEFORE_PARKING: u32 = 2;

/// Starts the pump of the calling core.
///
/// # Errors
/// When the bell's descriptor cannot be duplicated (no descriptors left).
pub(crate) fn start(core: &Rc<Core>) -> std::io::Result<()> {
    let copy = nix::unistd::dup(core.doorbell.event())?;
    let raw = copy.as_raw_fd();
    std::mem::forget(copy);
    // SAFETY: the descriptor is ours, freshly duplicated, and from here on owned by the BufferedFile alone.
    let bell = Rc::new(unsafe { BufferedFile::from_raw_fd(raw) });
    core.completions_ring_the_bell(false);
    glommio::spawn_local(run(core.clone(), bell)).detach();
    Ok(())
}

async fn run(core: Rc<Core>, bell: Rc<BufferedFile>) {
    let (mut idle, mut turns) = (0, 0u32);
    let mut bell_read: Option<BellRead> = None;
    loop {
        let found = turn(&core, false);
        idle = if found == 0 { idle + 1 } else { 0 };
        if idle >= IDLE_TURNS_BEFORE_PARKING {
            park(&core, &bell, &mut bell_read).await;
            idle = 0;
            continue;
        }
        turns = turns.wrapping_add(1);
        if turns % TURNS_PER_QUEUE == 0 {
            glommio::executor().yield_task_queue_now().await;
        } else {
            glommio::executor().yield_now().await;
        }
    }
}

fn turn(core: &Core, force_enter: bool) -> usize {
    match core.turn(force_enter) {
        Ok(found) => found,
        Err(error) => {
            // The ring itself is broken (bad descriptor, wrong thread): nothing on this core can go on.
            tracing::error!(%error, "io_uring_enter failed: the process ends");
            std::process::abort();
        }
    }
}

/// Sleeps until a completion, a message, a timer or a submission on this core. The order matters: first the bell
/// is switched on, then the ring is drained once more, then we sleep: what comes later rings.
async fn park(core: &Rc<Core>, bell: &Rc<BufferedFile>, bell_read: &mut Option<BellRead>) {
    core.completions_ring_the_bell(true);
    core.release_unused_buffers();
    core.arm_timeout();
    if turn(core, true) == 0 && core.doorbell.prepare_to_park() {
        let read = bell_read.get_or_insert_with(|| {
            let bell = bell.clone();
            Box::pin(async move {
                // The value does not matter, and an error means "take a turn" as well.
                let _ = bell.read_at(0, 8).await;
            })
        });
        let mut first = true;
        let rung = poll_fn(|cx| {
            if read.as_mut().poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            // Whoever submits takes the waker out and wakes us.
            if !std::mem::take(&mut first) && core.woken_by_hand() {
                return Poll::Ready(false);
            }
            core.parked_pump.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
        if rung {
            *bell_read = None;
        }
        core.parked_pump.set(None);
        core.doorbell.awake();
    }
    core.completions_ring_the_bell(false);
}

impl Core {
    /// Whether [`Core::wake_pump`] was called since the pump put its waker there.
    fn woken_by_hand(&self) -> bool {
        let waker = self.parked_pump.take();
        let woken = waker.is_none();
        self.parked_pump.set(waker);
        woken
    }
}
