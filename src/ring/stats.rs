//! What a core's runtime knows of itself, as plain values for whoever asks on that core.

pub use super::turns::{STALL, Stall};
use super::uring::Core;
use crate::base::histogram::Distribution;

/// One core's runtime, at one moment.
#[derive(Clone, Debug, Default)]
pub struct CoreStats {
    /// Operations the kernel works on (io_uring's queue depth).
    pub in_flight: usize,
    /// Receives waiting for a buffer.
    pub receives_starved: usize,
    /// Bytes of receive buffers that hold something nobody is done with.
    pub receive_buffer_bytes_used: usize,
    /// Bytes of receive buffers there are.
    pub receive_buffer_bytes_max: usize,
    /// Bytes of large frames being received or in use.
    pub large_frame_bytes_used: usize,
    /// Their bound.
    pub large_frame_bytes_max: usize,
    /// How long the turns of the loop took, sleep excluded.
    pub turns: Distribution,
    /// Turns longer than [`STALL`], by the task that took it.
    pub stalls: Vec<Stall>,
    /// The CPU the core's thread runs on now, where it may change (several cores, packed while the load is light).
    pub cpu: Option<usize>,
}

/// Of the calling core; nothing but zeroes elsewhere.
pub fn of_this_core() -> CoreStats {
    Core::try_with(|core| core.stats()).unwrap_or_default()
}

/// Bytes of large buffers that the process keeps for the next use.
pub fn pooled_idle_bytes() -> usize {
    super::buffer::idle_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::runtime;
    use std::time::Duration;

    #[test]
    fn a_core_tells_its_bounds_its_turns_and_who_held_it_up() {
        let stats = runtime::block_on_test(async {
            let hog = runtime::spawn(async { std::thread::sleep(STALL * 3) });
            hog.await;
            // The turn in which it ran ends before this timer fires.
            runtime::sleep(Duration::from_millis(1)).await;
            of_this_core()
        });
        assert!(stats.receive_buffer_bytes_max > 0 && stats.large_frame_bytes_max > 0, "{stats:?}");
        assert!(stats.turns.count() > 0, "{stats:?}");
        assert!(!stats.stalls.is_empty(), "{stats:?}");
        assert_eq!(of_this_core().turns.count(), 0, "not a core");
    }
}
