//! The cores the process may use.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::OnceLock;

/// The CPU numbers the process may run on (as it was when this was first asked, before any thread was pinned).
pub fn available() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        let cores: Vec<usize> = ids.into_iter().map(|core| core.id).collect();
        if cores.is_empty() { vec![0] } else { cores }
    })
}

/// Pins the calling thread to one of `cores`, counted by `number`; to none, that is wherever the process may run,
/// when `cores` is empty (a thread inherits the pinning of the one that started it).
pub(crate) fn run_anywhere_or_on(cores: &[usize], number: usize) {
    if let Some(&cpu) = cores.get(number % cores.len().max(1)) {
        return run_on(cpu);
    }
    let mut set = CpuSet::new();
    for &core in available() {
        // Out of range cannot be: the kernel named them.
        let _ = set.set(core);
    }
    let _ = sched_setaffinity(Pid::from_raw(0), &set);
}

/// Pins the calling thread to `cpu`. Where that is refused it stays where it is.
pub(crate) fn run_on(cpu: usize) {
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
}

/// The calling thread gets about a tenth of a core that others want too, and is taken off it when they wake. For good.
pub(crate) fn give_way() {
    const NICE: i32 = 10;
    // SAFETY: takes plain numbers; zero is the calling thread. Where it is refused the thread is as others are.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// The cores the calling thread may run on.
pub fn of_this_thread() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    (0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect()
}
