//! Blocking work of a start or a stop, side by side on threads of its own.

use super::process::cores;
use std::sync::{Mutex, PoisonError};

/// Does `work` for each of `items` on up to `threads` threads, in the items' order, and gives the answers in that
/// order. Blocking: for the main thread or the blocking pool. The threads run wherever the process may.
///
/// # Panics
/// When `work` does.
pub fn for_each<T: Send, R: Send>(threads: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = threads.clamp(1, items.len().max(1));
    let count = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let answers = Mutex::new(Vec::with_capacity(count));
    let take_turns = |number: usize| {
        cores::run_anywhere_or_on(&[], number);
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((place, item)) = next else { break };
            let answer = work(item);
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((place, answer));
        }
    };
    std::thread::scope(|scope| {
        for number in 0..threads {
            let take_turns = &take_turns;
            scope.spawn(move || take_turns(number));
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_unstable_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn answers_come_in_the_order_of_the_items() {
        let answers = for_each(4, (0..1000).collect(), |n: u32| n * 2);
        assert_eq!(answers, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(for_each(4, Vec::<u32>::new(), |n| n), Vec::<u32>::new());
    }

    #[test]
    fn so_many_threads_work_at_once() {
        // Each item waits for two others to be under way: with fewer threads nobody would get on.
        let meeting = Barrier::new(3);
        let answers = for_each(3, vec![(); 6], |()| drop(meeting.wait()));
        assert_eq!(answers.len(), 6);
    }
}
