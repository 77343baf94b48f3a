//! Load from raw sockets, by one thread with epoll.
//!
//! Open loop: requests are due by a schedule that does not wait for answers, and a latency counts from when its request
//! was due. Closed loop: each connection keeps a number of requests in flight.

mod connection;
mod frames;

pub use frames::{Frames, of_bytes};

use crate::interrupt;
use connection::Connection;
use hdrhistogram::Histogram;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// After so long without a reply the server is given up.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Of a run, so much comes before what is measured: buffers are faulted in, files opened.
const WARM_UP_PART: u32 = 4;

/// Told when something begins, by the load that does it.
pub trait Gate {
    /// All connections are open: the requests may begin as soon as this returns.
    fn connected(&self) -> io::Result<()>;
    /// The warm-up is over.
    fn measuring(&self) -> io::Result<()>;
    /// What is measured is over; nothing, where it is over with the load.
    fn done(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What replies look like.
#[derive(Clone, Copy)]
pub enum Replies {
    /// Frames with a size; the function finds the error code in the first bytes of one (0: none).
    Framed(fn(&[u8]) -> i16),
    /// As long as the request.
    Echo,
    /// There are none (acks=0): a request is done when it is written.
    None,
}

/// How long it takes, the warm-up not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// So many requests.
    Requests(u64),
    /// So long.
    Time(Duration),
}

/// What to send and how much of it.
pub struct Load<'a> {
    /// Where to.
    pub address: SocketAddr,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each, in the closed loop.
    pub in_flight: usize,
    /// What each connection sends, by its number.
    pub frames: &'a dyn Fn(usize) -> io::Result<Frames>,
    /// What comes back.
    pub replies: Replies,
    /// How much.
    pub length: Length,
    /// Requests per second in all (open loop); `None` is the closed loop.
    pub rate: Option<u64>,
}

/// What came of it, after the warm-up.
pub struct Outcome {
    /// Replies.
    pub replies: u64,
    /// Bytes of replies.
    pub bytes_in: u64,
    /// Nanoseconds: from when it was due (open loop), or from when it began, to the reply.
    pub latency: Histogram<u64>,
    /// Wall time.
    pub elapsed: Duration,
}

impl Outcome {
    fn new() -> io::Result<Self> {
        Ok(Self { replies: 0, bytes_in: 0, latency: histogram()?, elapsed: Duration::ZERO })
    }
}

/// An empty histogram of nanoseconds, of three digits.
pub fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new(3).map_err(io::Error::other)
}

/// Pins the calling thread to the last CPU: servers on one core have the first.
pub fn on_last_core() {
    if let Some(last) = core_affinity::get_core_ids().and_then(|ids| ids.last().copied()) {
        core_affinity::set_for_current(last);
    }
}

/// One run as it goes.
struct Progress<'a> {
    load: &'a Load<'a>,
    begun: Instant,
    issued: u64,
    replied: u64,
    /// When the measured part began.
    measured: Option<Instant>,
    last_reply: Instant,
}

impl Load<'_> {
    /// Runs until all replies are there.
    ///
    /// # Errors
    /// Sockets', a reply's error code, silence, or `Interrupted` after Ctrl-C.
    pub fn run(&self, gate: &dyn Gate) -> io::Result<Outcome> {
        if self.connections == 0 {
            return Err(io::Error::other("a load must have at least one connection (and one for each node)"));
        }
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let mut connections = Vec::with_capacity(self.connections);
        for number in 0..self.connections {
            let connection = Connection::open(self.address, (self.frames)(number)?, self.replies)?;
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            epoll.add(connection.socket(), EpollEvent::new(interest, number as u64))?;
            connections.push(connection);
        }
        // Timers of this thread fire when they are due, not up to 50 us later.
        // SAFETY: takes numbers only.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
        gate.connected()?;
        let mut outcome = Outcome::new()?;
        let now = Instant::now();
        let mut progress = Progress { load: self, begun: now, issued: 0, replied: 0, measured: None, last_reply: now };
        if self.rate.is_none() && !matches!(self.replies, Replies::None) {
            for connection in &mut connections {
                progress.issue(connection, self.in_flight, now);
                progress.replied += connection.write(&mut outcome)?;
            }
        }
        let mut events = vec![EpollEvent::empty(); 1024];
        let mut buffer = vec![0; 256 << 10];
        loop {
            let next = progress.begin_due(&mut connections, &mut outcome)?;
            let more = progress.refill(&mut connections, &mut outcome)?;
            progress.measure_if_warm(gate, &mut outcome)?;
            if progress.is_done() {
                break;
            }
            let next = if more { Some(Instant::now()) } else { next };
            let ready = wait(&epoll, &mut events, next)?;
            for event in &events[..ready] {
                let connection = &mut connections[event.data() as usize];
                let replies = connection.read(&mut buffer, &mut outcome)?;
                progress.replied += replies;
                if self.rate.is_none() && replies > 0 {
                    progress.issue(connection, replies as usize, Instant::now());
                }
                let written = connection.write(&mut outcome)?;
                progress.replied += written;
                if replies + written > 0 {
                    progress.last_reply = Instant::now();
                }
            }
            progress.check_silence()?;
        }
        outcome.elapsed =
            progress.measured.map_or(Duration::ZERO, |at| progress.last_reply.saturating_duration_since(at));
        Ok(outcome)
    }

    /// Requests, or time, that come before what is measured.
    fn warm_up(&self) -> Length {
        match self.length {
            Length::Requests(n) => Length::Requests(n / u64::from(WARM_UP_PART)),
            Length::Time(time) => Length::Time(time / WARM_UP_PART),
        }
    }
}

impl Progress<'_> {
    /// Requests in all, where it is them that count.
    fn limit(&self) -> Option<u64> {
        match (self.load.length, self.load.warm_up()) {
            (Length::Requests(n), Length::Requests(warm)) => Some(n + warm),
            _ => None,
        }
    }

    /// When no more requests begin, where it is time that counts.
    fn end(&self) -> Option<Instant> {
        match (self.load.length, self.load.warm_up()) {
            (Length::Time(time), Length::Time(warm)) => Some(self.begun + warm + time),
            _ => None,
        }
    }

    /// Begins up to `count` requests on `connection`, due at `due`.
    fn issue(&mut self, connection: &mut Connection, count: usize, due: Instant) {
        let left = self.limit().map_or(u64::MAX, |limit| limit - self.issued);
        let count = if self.end().is_some_and(|end| due >= end) { 0 } else { left.min(count as u64) };
        connection.begin(count as usize, due);
        self.issued += count;
    }

    /// Open loop: begins the requests that are due. When the next one is.
    fn begin_due(&mut self, connections: &mut [Connection], outcome: &mut Outcome) -> io::Result<Option<Instant>> {
        let Some(rate) = self.load.rate else { return Ok(self.end()) };
        loop {
            let due = self.begun
                + Duration::from_nanos((u128::from(self.issued) * 1_000_000_000 / u128::from(rate.max(1))) as u64);
            if self.limit().is_some_and(|limit| self.issued == limit) || self.end().is_some_and(|end| due >= end) {
                return Ok(None);
            }
            if due > Instant::now() {
                return Ok(Some(due));
            }
            let index = self.issued as usize % connections.len();
            self.issue(&mut connections[index], 1, due);
            let written = connections[index].write(outcome)?;
            self.replied += written;
            if written > 0 {
                self.last_reply = Instant::now();
            }
        }
    }

    /// Closed loop without replies: whoever has written all it had begins more. Whether there may be more yet.
    fn refill(&mut self, connections: &mut [Connection], outcome: &mut Outcome) -> io::Result<bool> {
        if self.load.rate.is_some() || !matches!(self.load.replies, Replies::None) {
            return Ok(false);
        }
        let before = self.issued;
        for connection in connections.iter_mut().filter(|connection| connection.waits_for_nothing()) {
            self.issue(connection, self.load.in_flight, Instant::now());
            self.replied += connection.write(outcome)?;
        }
        if self.issued > before {
            self.last_reply = Instant::now();
        }
        Ok(self.issued > before)
    }

    fn measure_if_warm(&mut self, gate: &dyn Gate, outcome: &mut Outcome) -> io::Result<()> {
        let warm = match self.load.warm_up() {
            Length::Requests(n) => self.replied >= n,
            Length::Time(time) => self.begun.elapsed() >= time,
        };
        if self.measured.is_none() && warm {
            *outcome = Outcome::new()?;
            gate.measuring()?;
            self.measured = Some(Instant::now());
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let all_begun =
            self.limit().map_or(self.end().is_some_and(|end| Instant::now() >= end), |limit| self.issued == limit);
        all_begun && self.replied == self.issued
    }

    fn check_silence(&mut self) -> io::Result<()> {
        if interrupt::requested() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.replied == self.issued {
            self.last_reply = self.last_reply.max(self.begun);
            return Ok(());
        }
        if self.last_reply.elapsed() > SILENCE_MAX {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("no reply for {} s", SILENCE_MAX.as_secs())));
        }
        Ok(())
    }
}

/// Waits for events, or until `next`. Milliseconds would be too coarse for a schedule.
fn wait(epoll: &Epoll, events: &mut [EpollEvent], next: Option<Instant>) -> io::Result<usize> {
    let left = next.map_or(Duration::from_millis(100), |at| at.saturating_duration_since(Instant::now()));
    let left = left.min(Duration::from_millis(100));
    let timeout = libc::timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
    // SAFETY: `EpollEvent` is a transparent `epoll_event`; as many as the slice has are written.
    let ready = unsafe {
        libc::epoll_pwait2(
            epoll.0.as_raw_fd(),
            events.as_mut_ptr().cast(),
            events.len() as i32,
            &raw const timeout,
            std::ptr::null(),
        )
    };
    match ready {
        0.. => Ok(ready as usize),
        _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => Ok(0),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
