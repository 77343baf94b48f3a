//! The pump: a glommio task that turns the data ring while there is work, and otherwise sleeps in the ring itself,
//! so that an idle core uses no CPU.
//!
//! The core sleeps in one `io_uring_enter` that submits, waits and times out. glommio's own way to sleep costs a
//! dozen system calls (three rings linked, a membarrier over all cores, a timer armed and cancelled), which was more
//! than a small request costs altogether. To sleep here the pump must know that nothing else is runnable: tasks of its
//! own queue are polled between two of its turns, and each poll is counted; runnable background tasks are counted when
//! they are woken.

use super::core::Core;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// After so many turns in a row the other task queue gets its share: less than a millisecond.
const TURNS_PER_QUEUE: u32 = 64;
/// Turns without an event and without a task run after which the pump sleeps.
const IDLE_TURNS_BEFORE_PARKING: u32 = 2;

/// Starts the pump of the calling core. It ends with [`Core::stop_pump`].
pub(crate) fn start(core: &Rc<Core>) {
    glommio::spawn_local(run(core.clone())).detach();
}

async fn run(core: Rc<Core>) {
    let (mut idle, mut turns) = (0, 0u32);
    let mut activity = core.activity.seen();
    while !core.stopping.get() {
        let found = or_end(core.turn(false));
        let now = core.activity.seen();
        idle = if found == 0 && now == activity { idle + 1 } else { 0 };
        activity = now;
        if idle >= IDLE_TURNS_BEFORE_PARKING {
            idle = 0;
            if core.activity.background_runnable() {
                let_background_run(&core).await;
            } else {
                or_end(core.sleep());
            }
            continue;
        }
        turns = turns.wrapping_add(1);
        if turns % TURNS_PER_QUEUE == 0 {
            core.ring_others();
            glommio::executor().yield_task_queue_now().await;
            // A background task may have woken one of this queue, which stands behind the pump: not idle, whatever was
            // counted.
            idle = 0;
        } else {
            glommio::executor().yield_now().await;
        }
    }
    core.ring_others();
}

fn or_end<T>(outcome: std::io::Result<T>) -> T {
    outcome.unwrap_or_else(|error| {
        // The ring itself is broken (bad descriptor, wrong thread): nothing on this core can go on.
        tracing::error!(%error, "io_uring_enter failed: the process ends");
        std::process::abort();
    })
}

/// Leaves the core to the background tasks until one of them has had a turn.
async fn let_background_run(core: &Core) {
    let mut first = true;
    poll_fn(|cx| {
        if !std::mem::take(&mut first) {
            return Poll::Ready(());
        }
        core.waiting_pump.set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
    core.waiting_pump.set(None);
}
