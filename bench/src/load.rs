//! Load from raw sockets. Closed loop: each connection keeps a fixed number of requests in flight.

use crate::cpu;
use hdrhistogram::Histogram;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What to send and how much of it.
pub struct Load<'a> {
    /// Where to.
    pub address: SocketAddr,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each.
    pub in_flight: usize,
    /// The frame, size included; sent again and again (by connection number).
    pub request: &'a dyn Fn(usize) -> Vec<u8>,
    /// Whether replies are frames with a size, or as long as the request (an echo).
    pub framed_replies: bool,
    /// The serving process, whose CPU time is read.
    pub server: u32,
    /// Requests in all.
    pub requests: u64,
    /// How many of them come before what is measured: buffers are faulted in, files opened.
    pub warm_up: u64,
    /// Core to run on.
    pub core: usize,
    /// Requests per second in all (open loop); `None` is a closed loop with `in_flight` requests per connection.
    /// In the open loop a request's latency counts from when it was due, not from when it could be sent.
    pub rate: Option<u64>,
}

/// What came of it.
pub struct Outcome {
    /// Replies.
    pub replies: u64,
    /// Bytes of requests and of replies.
    pub bytes_out: u64,
    /// As above.
    pub bytes_in: u64,
    /// From request to reply, nanoseconds.
    pub latency: Histogram<u64>,
    /// Wall time.
    pub elapsed: Duration,
    /// CPU time of the serving process.
    pub cpu: Duration,
    /// The last reply.
    pub last_reply: Vec<u8>,
}

struct Connection {
    socket: TcpStream,
    request: Vec<u8>,
    /// Bytes of the requests still to be written; more than one frame when several are in flight.
    to_write: usize,
    written: usize,
    sent_at: std::collections::VecDeque<Instant>,
    /// Bytes of the reply received so far, and its first four.
    received: usize,
    size: [u8; 4],
    head: Vec<u8>,
}

impl Outcome {
    fn new() -> io::Result<Self> {
        Ok(Self {
            replies: 0,
            bytes_out: 0,
            bytes_in: 0,
            latency: Histogram::new(3).map_err(io::Error::other)?,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
            last_reply: Vec::new(),
        })
    }
}

impl Load<'_> {
    /// Runs until all replies are there. One thread, epoll.
    pub fn run(&self) -> io::Result<Outcome> {
        core_affinity::set_for_current(core_affinity::CoreId { id: self.core });
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let mut connections = Vec::new();
        for number in 0..self.connections {
            let socket = TcpStream::connect(self.address)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            epoll.add(&socket, EpollEvent::new(interest, number as u64))?;
            let request = (self.request)(number);
            connections.push(Connection {
                socket,
                request,
                to_write: 0,
                written: 0,
                sent_at: std::collections::VecDeque::new(),
                received: 0,
                size: [0; 4],
                head: Vec::new(),
            });
        }
        let mut begun = Instant::now();
        let mut cpu_before = cpu::of_process(self.server)?;
        let mut warm = self.warm_up == 0;
        let mut outcome = Outcome::new()?;
        let mut left = self.requests;
        if self.rate.is_none() {
            for connection in &mut connections {
                for _ in 0..self.in_flight {
                    connection.begin_request(&mut left, Instant::now());
                }
                connection.write(&mut outcome)?;
            }
        }
        let mut events = [EpollEvent::empty(); 256];
        let mut buffer = vec![0; 256 << 10];
        while !warm || outcome.replies + self.warm_up < self.requests {
            let due = self.begin_due(begun, &mut connections, &mut left, &mut outcome)?;
            let ready = epoll.wait(&mut events, EpollTimeout::from(if due { 1 } else { 10_000_u16 }))?;
            if ready == 0 && !due {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no reply for 10 s"));
            }
            for event in &events[..ready] {
                let connection = &mut connections[event.data() as usize];
                connection.read(&mut buffer, self, &mut left, &mut outcome)?;
                connection.write(&mut outcome)?;
            }
            if !warm && outcome.replies >= self.warm_up {
                let ahead = outcome.replies - self.warm_up;
                outcome = Outcome { replies: ahead, ..Outcome::new()? };
                (warm, begun, cpu_before) = (true, Instant::now(), cpu::of_process(self.server)?);
            }
        }
        outcome.elapsed = begun.elapsed();
        outcome.cpu = cpu::of_process(self.server)?.saturating_sub(cpu_before);
        Ok(outcome)
    }

    /// Open loop: begins the requests that are due. Whether more will be.
    fn begin_due(
        &self,
        begun: Instant,
        connections: &mut [Connection],
        left: &mut u64,
        outcome: &mut Outcome,
    ) -> io::Result<bool> {
        let Some(rate) = self.rate else { return Ok(false) };
        loop {
            let number = self.requests - *left;
            let due = begun + Duration::from_nanos(number * 1_000_000_000 / rate.max(1));
            if *left == 0 || due > Instant::now() {
                return Ok(*left > 0);
            }
            let index = number as usize % connections.len();
            connections[index].begin_request(left, due);
            connections[index].write(outcome)?;
        }
    }
}

impl Connection {
    fn begin_request(&mut self, left: &mut u64, due: Instant) {
        if *left > 0 {
            *left -= 1;
            self.to_write += self.request.len();
            self.sent_at.push_back(due);
        }
    }

    fn write(&mut self, outcome: &mut Outcome) -> io::Result<()> {
        while self.to_write > 0 {
            let end = self.request.len().min(self.written + self.to_write);
            match self.socket.write(&self.request[self.written..end]) {
                Ok(n) => {
                    self.to_write -= n;
                    self.written = (self.written + n) % self.request.len();
                    outcome.bytes_out += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], load: &Load<'_>, left: &mut u64, outcome: &mut Outcome) -> io::Result<()> {
        loop {
            let n = match self.socket.read(buffer) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            outcome.bytes_in += n as u64;
            let mut rest = &buffer[..n];
            while !rest.is_empty() {
                rest = self.take(rest, load, left, outcome);
            }
            if n < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Takes of `bytes` what belongs to the current reply. What is left.
    fn take<'b>(&mut self, bytes: &'b [u8], load: &Load<'_>, left: &mut u64, outcome: &mut Outcome) -> &'b [u8] {
        let framed = load.framed_replies;
        if framed && self.received < 4 {
            let n = bytes.len().min(4 - self.received);
            self.size[self.received..self.received + n].copy_from_slice(&bytes[..n]);
            self.received += n;
            self.head.clear();
            return self.end_if_complete(&bytes[n..], load, left, outcome);
        }
        let n = bytes.len().min(self.reply_len(framed) - self.received);
        self.received += n;
        if self.head.len() < 512 {
            self.head.extend_from_slice(&bytes[..n.min(512)]);
        }
        self.end_if_complete(&bytes[n..], load, left, outcome)
    }

    fn reply_len(&self, framed: bool) -> usize {
        if framed { 4 + u32::from_be_bytes(self.size) as usize } else { self.request.len() }
    }

    fn end_if_complete<'b>(
        &mut self,
        rest: &'b [u8],
        load: &Load<'_>,
        left: &mut u64,
        outcome: &mut Outcome,
    ) -> &'b [u8] {
        if self.received >= 4 && self.received == self.reply_len(load.framed_replies) {
            self.received = 0;
            outcome.replies += 1;
            if let Some(sent_at) = self.sent_at.pop_front() {
                let _ = outcome.latency.record(sent_at.elapsed().as_nanos() as u64);
            }
            outcome.last_reply.clone_from(&self.head);
            if load.rate.is_none() {
                self.begin_request(left, Instant::now());
            }
        }
        rest
    }
}

/// A frame of `len` bytes in all that says so in its first four.
pub fn frame(len: usize) -> Vec<u8> {
    let mut frame = vec![0xA5; len];
    frame[..4].copy_from_slice(&(len as u32 - 4).to_be_bytes());
    frame
}
