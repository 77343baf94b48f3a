//! Requests of members or of groups by a schedule, in pieces of a millisecond: those of a piece are sent together, their
//! answers taken afterwards. A latency counts from when its piece was due.

use super::Measured;
use crate::interrupt;
use crate::load::histogram;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

const PIECES_PER_SECOND: u64 = 1000;

/// Sends with `send` and takes each answer with `receive`, by the number of the request, at `rate` a second.
pub fn paced<T>(
    on: &mut T,
    rate: u64,
    seconds: f64,
    send: impl Fn(&mut T, u64) -> io::Result<()>,
    receive: impl Fn(&mut T, u64) -> io::Result<()>,
) -> io::Result<Measured> {
    let (began, mut latency) = (Instant::now(), histogram()?);
    for piece in 0..(seconds.max(0.01) * PIECES_PER_SECOND as f64) as u64 {
        interrupt::check()?;
        let due = began + Duration::from_micros(piece * 1_000_000 / PIECES_PER_SECOND);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let numbers = rate * piece / PIECES_PER_SECOND..rate * (piece + 1) / PIECES_PER_SECOND;
        numbers.clone().try_for_each(|number| send(on, number))?;
        for number in numbers {
            receive(on, number)?;
            let _ = latency.record(due.elapsed().as_nanos() as u64);
        }
    }
    let (requests, seconds) = (latency.len(), began.elapsed().as_secs_f64());
    Ok(Measured { requests, records: 0, bytes: 0, seconds, latency, figures: BTreeMap::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn all_requests_of_the_schedule_are_sent_and_answered_in_order() {
        let (sent, taken) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let send = |_: &mut (), n| {
            sent.borrow_mut().push(n);
            Ok(())
        };
        let receive = |_: &mut (), n| {
            taken.borrow_mut().push(n);
            Ok(())
        };
        let measured = paced(&mut (), 2500, 0.1, send, receive).unwrap();
        assert_eq!(*sent.borrow(), (0..250).collect::<Vec<u64>>());
        assert_eq!(*taken.borrow(), *sent.borrow());
        assert_eq!((measured.requests, measured.latency.len()), (250, 250));
        assert!(measured.seconds >= 0.099, "{}", measured.seconds);
    }
}
