//! How long the turns of a core take, and which task held one up.
//!
//! A turn is timed with the clock that the pump reads anyway. Who was slow is known for sure when a single task ran in the
//! turn; else polls are timed one by one for a while after a slow turn, so that the next one has a name.

use super::activity::Activity;
use crate::base::Instant;
use crate::base::histogram::Histogram;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// A turn that takes longer holds up everybody else on the core: a stall.
pub const STALL: Duration = Duration::from_millis(10);
/// Polls are timed so long after a stall.
const WATCH_FOR: Duration = Duration::from_secs(60);
/// Tasks told apart; those beyond are told of together.
const TASKS_MAX: usize = 32;
/// Whose fault it was is not known.
const UNKNOWN: &str = "unknown";
/// More tasks than are told apart.
const OTHERS: &str = "others";

/// One core's turns.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) times: Histogram,
    stalls: RefCell<Vec<Stall>>,
    /// When the last turn ended; `None` while the core slept since.
    last: Cell<Option<Instant>>,
    polls_before: Cell<u64>,
    watch_until: Cell<Option<Instant>>,
}

/// The stalls of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The path of the task's function, or `unknown`.
    pub task: &'static str,
    /// How many there were.
    pub count: u64,
    /// How long they took together.
    pub total: Duration,
}

impl Turns {
    /// The core goes to sleep: the time until the next turn is nobody's.
    pub(crate) fn pause(&self) {
        self.last.set(None);
    }

    /// A turn ended.
    pub(crate) fn ended(&self, now: Instant, activity: &Activity) {
        let polls = activity.polls();
        let polled = polls.wrapping_sub(self.polls_before.replace(polls));
        let slowest = activity.take_slowest();
        if let Some(last) = self.last.replace(Some(now)) {
            let took = now.since(last);
            self.times.record(took);
            if took >= STALL {
                self.stalled(took, now, polled, slowest, activity);
            }
        }
        if self.watch_until.get().is_some_and(|until| now >= until) {
            self.watch_until.set(None);
            activity.watch(false);
        }
    }

    #[cold]
    fn stalled(
        &self,
        took: Duration,
        now: Instant,
        polled: u64,
        slowest: Option<(&'static str, Duration)>,
        activity: &Activity,
    ) {
        let task = match slowest {
            // Where no task took most of it, the thread had lost its CPU, or the kernel worked.
            Some((task, its)) if its * 2 >= took => task,
            None if polled == 1 => activity.last(),
            _ => UNKNOWN,
        };
        self.watch_until.set(Some(now.plus(WATCH_FOR)));
        activity.watch(true);
        let mut stalls = self.stalls.borrow_mut();
        let task = if stalls.len() < TASKS_MAX || stalls.iter().any(|s| s.task == task) { task } else { OTHERS };
        match stalls.iter_mut().find(|s| s.task == task) {
            Some(stall) => {
                stall.count += 1;
                stall.total += took;
            }
            None => stalls.push(Stall { task, count: 1, total: took }),
        }
    }

    /// The stalls so far, by task.
    pub(crate) fn stalls(&self) -> Vec<Stall> {
        self.stalls.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    fn poll_once(activity: &Activity) {
        let task = activity.counted(async {});
        let mut task = std::pin::pin!(task);
        assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }

    #[test]
    fn a_turn_is_timed_but_not_the_sleep_before_it() {
        let (turns, activity) = (Turns::default(), Activity::default());
        turns.ended(at(1000), &activity);
        turns.ended(at(1001), &activity);
        turns.pause();
        turns.ended(at(9000), &activity);
        turns.ended(at(9002), &activity);
        let times = turns.times.snapshot();
        assert_eq!((times.count(), times.sum_ns), (2, 3_000_000));
        assert_eq!(turns.stalls(), []);
    }

    #[test]
    fn the_only_task_of_a_slow_turn_is_named_and_among_several_nobody_until_they_are_watched() {
        let (turns, activity) = (Turns::default(), Activity::default());
        turns.ended(at(1000), &activity);
        poll_once(&activity);
        turns.ended(at(1050), &activity);
        let stalls = turns.stalls();
        assert!(stalls[0].task.contains("turns::tests"), "{stalls:?}");
        assert_eq!((stalls[0].count, stalls[0].total), (1, Duration::from_millis(50)));
        assert!(activity.take_slowest().is_some(), "polls are timed now");
        turns.pause();
        turns.ended(at(70_000), &activity);
        assert!(activity.take_slowest().is_none(), "a minute later no more");
        poll_once(&activity);
        poll_once(&activity);
        turns.ended(at(70_100), &activity);
        assert!(turns.stalls().iter().any(|s| s.task == UNKNOWN));
    }

    #[test]
    fn a_watched_poll_that_takes_most_of_a_turn_is_named() {
        let (turns, activity) = (Turns::default(), Activity::default());
        activity.watch(true);
        turns.ended(crate::ring::clock::mono(), &activity);
        let slow = activity.counted(async { std::thread::sleep(STALL * 2) });
        let mut slow = std::pin::pin!(slow);
        assert!(slow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        poll_once(&activity);
        turns.ended(crate::ring::clock::mono(), &activity);
        assert!(turns.stalls()[0].task.contains("a_watched_poll"), "{:?}", turns.stalls());
    }

    #[test]
    fn no_more_than_so_many_tasks_are_told_apart() {
        let (turns, activity) = (Turns::default(), Activity::default());
        let names: Vec<&'static str> = (0..100).map(|n| &*Box::leak(format!("task {n}").into_boxed_str())).collect();
        for name in &names {
            turns.stalled(STALL, at(1), 2, Some((name, STALL)), &activity);
        }
        let stalls = turns.stalls();
        assert_eq!(stalls.len(), TASKS_MAX + 1);
        assert_eq!(stalls.last().map(|s| (s.task, s.count)), Some((OTHERS, 100 - TASKS_MAX as u64)));
    }
}
