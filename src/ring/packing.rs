//! Light traffic runs on few CPUs. Waking a thread on another CPU (an interrupt between CPUs, a CPU that comes out of its
//! idle state) costs more than a small request does; so while all cores together need but a part of one CPU, their threads
//! share it, and a request for another core's partition costs a switch of threads. They spread as soon as they need more.
//!
//! Nothing wakes up for this: a core looks when it takes a turn anyway, some milliseconds after it last did.

use super::process::cores;
use crate::base::Instant;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Between two looks of a core.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Load of a CPU in use above which the threads spread over all CPUs.
const SPREAD_ABOVE: f64 = 0.5;
/// Load of a CPU up to which threads share it.
const PACK_BELOW: f64 = 0.3;
/// So long the load has to be light before threads are packed.
const LIGHT_FOR: Duration = Duration::from_secs(1);
/// A core's load is averaged over about this time.
const AVERAGED_OVER: Duration = Duration::from_millis(200);
/// A core that took no turn for so long has nothing to do.
const ASLEEP_AFTER: Duration = Duration::from_millis(500);

/// The CPUs of a process' cores, and how many of them are in use.
pub(crate) struct Packing {
    cpus: Vec<usize>,
    /// Of `cpus`, from the first on.
    used: AtomicUsize,
    /// What each core's thread used of a CPU, as it last said itself.
    loads: Vec<Load>,
    /// Whether threads share CPUs.
    packs: bool,
    watch: Mutex<Watch>,
}

/// One core's load, written by itself.
#[derive(Default)]
struct Load {
    /// Nanoseconds of CPU time per second.
    value: AtomicU64,
    /// When it last said so.
    at: AtomicU64,
    /// Its CPU time until then, in nanoseconds.
    spent: AtomicU64,
}

impl Load {
    /// The core has used the CPU for `spent` nanoseconds since it began.
    fn note(&self, spent: u64, now: Instant) {
        let before = Instant(self.at.swap(now.0, Ordering::Relaxed));
        let used = spent.saturating_sub(self.spent.swap(spent, Ordering::Relaxed));
        let passed = now.since(before).as_secs_f64();
        if before.0 == 0 || passed == 0.0 {
            return;
        }
        let latest = used as f64 / passed;
        let weight = (passed / AVERAGED_OVER.as_secs_f64()).min(1.0);
        let value = self.value.load(Ordering::Relaxed) as f64 * (1.0 - weight) + latest * weight;
        self.value.store(value as u64, Ordering::Relaxed);
    }

    /// The part of a CPU it uses. A core that has said nothing for long sleeps.
    fn at(&self, now: Instant) -> f64 {
        let silent = now.since(Instant(self.at.load(Ordering::Relaxed)));
        if silent >= ASLEEP_AFTER { 0.0 } else { self.value.load(Ordering::Relaxed) as f64 / 1e9 }
    }
}

/// What one CPU's worth of load is found from.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// When it was last looked, and the CPU time of all cores then.
    last: Option<(Instant, u64)>,
    /// Since when fewer CPUs would do.
    light_since: Option<Instant>,
}

impl Watch {
    /// How many of `all` CPUs to use, where `used` are in use and the cores have `spent` so many nanoseconds until `now`.
    fn decide(&mut self, now: Instant, spent: u64, used: usize, all: usize) -> usize {
        let Some((then, before)) = self.last else {
            self.last = Some((now, spent));
            return used;
        };
        let passed = now.since(then);
        if passed < LOOK_EVERY {
            return used;
        }
        self.last = Some((now, spent));
        let load = spent.saturating_sub(before) as f64 / passed.as_nanos() as f64;
        let enough = ((load / PACK_BELOW).ceil() as usize).clamp(1, all);
        if load > SPREAD_ABOVE * used as f64 {
            self.light_since = None;
            return all;
        }
        if enough >= used {
            self.light_since = None;
            return used;
        }
        // A long sleep since the last look was light too.
        let since = *self.light_since.get_or_insert(then);
        if now.since(since) < LIGHT_FOR {
            return used;
        }
        self.light_since = None;
        enough
    }
}

impl Packing {
    /// For cores on these CPUs, one thread each. All are in use at first, and for good unless it `packs`.
    pub(crate) fn new(cpus: &[usize], packs: bool) -> Self {
        Self {
            packs,
            loads: cpus.iter().map(|_| Load::default()).collect(),
            cpus: cpus.to_vec(),
            used: AtomicUsize::new(cpus.len()),
            watch: Mutex::default(),
        }
    }

    /// The CPU that core `index` belongs on now.
    fn cpu_of(&self, index: usize) -> usize {
        self.cpus[index % self.used.load(Ordering::Relaxed).clamp(1, self.cpus.len())]
    }

    /// Core `index` has used the CPU for `spent` nanoseconds since it began. Decides anew when it is time.
    fn look(&self, index: usize, spent: u64, now: Instant) {
        self.loads[index].note(spent, now);
        if !self.packs {
            return;
        }
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.loads.iter().map(|load| load.spent.load(Ordering::Relaxed)).sum();
        let used = watch.decide(now, all, self.used.load(Ordering::Relaxed), self.cpus.len());
        self.used.store(used, Ordering::Relaxed);
    }
}

/// Where one core's thread runs. Lives on that thread, which moves itself.
pub(crate) struct Place {
    packing: Arc<Packing>,
    index: usize,
    cpu: Cell<usize>,
    look_at: Cell<Instant>,
}

impl Place {
    /// For core `index` of `packing`, whose thread is pinned to its own CPU.
    pub(crate) fn new(packing: Arc<Packing>, index: usize) -> Self {
        let cpu = Cell::new(packing.cpus[index]);
        Self { packing, index, cpu, look_at: Cell::new(Instant(0)) }
    }

    /// Called in each turn of the core.
    pub(crate) fn turn(&self, now: Instant) {
        if now >= self.look_at.get() {
            self.look_at.set(now.plus(LOOK_EVERY));
            self.packing.look(self.index, super::clock::cpu_of_this_thread(), now);
        }
        let cpu = self.packing.cpu_of(self.index);
        if cpu != self.cpu.replace(cpu) {
            cores::run_on(cpu);
        }
    }

    /// The part of a CPU that core `index` uses; `None` where there is no such core.
    pub(crate) fn load_of(&self, index: usize, now: Instant) -> Option<f64> {
        self.packing.loads.get(index).map(|load| load.at(now))
    }

    /// The CPU it runs on.
    pub(crate) fn cpu(&self) -> usize {
        self.cpu.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// `used` after each of `looks` 20 ms apart in which `all` cores needed `load` CPUs together.
    fn run(watch: &mut Watch, clock: &mut (u64, u64), looks: usize, load: f64, mut used: usize, all: usize) -> usize {
        for _ in 0..looks {
            clock.0 += 20 * MS;
            clock.1 += (load * 20.0 * MS as f64) as u64;
            used = watch.decide(Instant(clock.0), clock.1, used, all);
        }
        used
    }

    #[test]
    fn light_load_is_packed_after_a_second_and_spread_at_the_first_heavy_look() {
        let (mut watch, mut clock) = (Watch::default(), (MS, 0));
        assert_eq!(run(&mut watch, &mut clock, 50, 0.2, 4, 4), 4, "not yet");
        assert_eq!(run(&mut watch, &mut clock, 2, 0.2, 4, 4), 1);
        assert_eq!(run(&mut watch, &mut clock, 500, 0.45, 1, 4), 1, "more, but not too much for one");
        assert_eq!(run(&mut watch, &mut clock, 1, 0.6, 1, 4), 4);
    }

    #[test]
    fn as_many_cpus_as_the_load_asks_for() {
        for (load, used) in [(0.0, 1), (0.29, 1), (0.31, 2), (0.59, 2), (0.8, 3), (1.1, 4), (3.0, 8)] {
            let (mut watch, mut clock) = (Watch::default(), (MS, 0));
            assert_eq!(run(&mut watch, &mut clock, 100, load, 8, 8), used, "{load}");
        }
    }

    #[test]
    fn a_heavy_moment_begins_the_second_anew() {
        let (mut watch, mut clock) = (Watch::default(), (MS, 0));
        for _ in 0..20 {
            assert_eq!(run(&mut watch, &mut clock, 40, 0.1, 2, 2), 2);
            assert_eq!(run(&mut watch, &mut clock, 1, 0.9, 2, 2), 2);
        }
    }

    #[test]
    fn what_was_asleep_for_long_is_packed_at_its_first_look_and_one_core_stays_one() {
        let (mut watch, mut clock) = (Watch::default(), (MS, 0));
        run(&mut watch, &mut clock, 1, 0.9, 2, 2);
        clock.0 += 60_000 * MS;
        assert_eq!(run(&mut watch, &mut clock, 1, 0.9, 2, 2), 1);
        let (mut watch, mut clock) = (Watch::default(), (MS, 0));
        assert_eq!(run(&mut watch, &mut clock, 200, 0.9, 1, 1), 1);
    }

    #[test]
    fn cores_share_the_first_cpus() {
        let packing = Packing::new(&[4, 5, 6, 7], true);
        let place = |packing: &Packing| (0..4).map(|core| packing.cpu_of(core)).collect::<Vec<_>>();
        assert_eq!(place(&packing), [4, 5, 6, 7]);
        packing.look(0, 0, Instant(MS));
        packing.look(3, 400 * MS, Instant(1_001 * MS));
        assert_eq!(place(&packing), [4, 5, 4, 5], "0.4 of a CPU");
        packing.look(3, 1_900 * MS, Instant(2_001 * MS));
        assert_eq!(place(&packing), [4, 5, 6, 7]);
    }

    #[test]
    fn a_core_that_is_not_packed_stays_and_tells_its_load() {
        let packing = Packing::new(&[4, 5], false);
        let load = |core: usize, ms: u64| packing.loads[core].at(Instant(ms * MS));
        for turn in 0..100 {
            packing.look(1, turn * 8 * MS, Instant((1 + turn * 20) * MS));
        }
        assert_eq!((packing.cpu_of(0), packing.cpu_of(1)), (4, 5), "light, and yet not packed");
        assert_eq!(load(0, 2_000), 0.0, "it never had a turn");
        assert!((load(1, 2_000) - 0.4).abs() < 0.01, "{}", load(1, 2_000));
        assert_eq!(load(1, 2_600), 0.0, "asleep");
    }
}
