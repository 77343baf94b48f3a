//! Blocking sockets, standard input, and waiting for any of them: for the tools, which run without a core or a ring.

use super::clock;
use super::process::signals;
use crate::base::Instant;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, IsTerminal, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A connection. Reads give what there is; [`wait`] waits for more.
#[derive(Debug)]
pub struct Socket(TcpStream);

impl Socket {
    /// Connects to the first address of `host` that takes the connection.
    ///
    /// # Errors
    /// The name is not known, or no address took it `within` that time; the last one's error.
    pub fn connect(host: &str, port: u16, within: Duration) -> io::Result<Self> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, within.max(Duration::from_millis(1))) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_nonblocking(true)?;
                    return Ok(Self(stream));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// What has arrived: `None` when nothing has, zero when the peer has closed.
    pub fn read(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match (&self.0).read(into) {
                Ok(n) => return Ok(Some(n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// `TimedOut` when the peer did not take them until then.
    pub fn write_all(&self, mut bytes: &[u8], until: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&self.0).write(bytes) {
                Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
                    if clock::mono() >= until {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    poll_until(&mut fds, until)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Standard input, unbuffered.
#[derive(Debug)]
pub struct Input(io::Stdin);

impl Input {
    /// The process's.
    pub fn new() -> Self {
        Self(io::stdin())
    }

    /// True where somebody types.
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// Waits for input and reads what there is; zero at the end.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match nix::unistd::read(self.0.as_fd(), into) {
                Ok(n) => return Ok(n),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self::new()
    }
}

/// Why [`wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woken {
    /// Standard input has something, or has ended.
    pub input: bool,
    /// SIGINT or SIGTERM came, after `Signals::install`.
    pub stop: bool,
}

/// Waits until a socket can be read, or `until` has passed; also after a signal.
///
/// # Errors
/// Of poll(2).
pub fn wait_for_sockets<'a>(sockets: impl Iterator<Item = &'a Socket>, until: Instant) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> = sockets.map(|socket| PollFd::new(socket.0.as_fd(), PollFlags::POLLIN)).collect();
    poll_until(&mut fds, until)
}

/// Waits until a socket or the input can be read, a signal has come, or `until` has passed.
///
/// # Errors
/// Of poll(2).
pub fn wait<'a>(sockets: impl Iterator<Item = &'a Socket>, input: Option<&Input>, until: Instant) -> io::Result<Woken> {
    let readable = |fd: BorrowedFd<'a>| PollFd::new(fd, PollFlags::POLLIN);
    let mut fds: Vec<PollFd<'_>> = sockets.map(|socket| readable(socket.0.as_fd())).collect();
    let input_at = input.map(|input| {
        fds.push(PollFd::new(input.0.as_fd(), PollFlags::POLLIN));
        fds.len() - 1
    });
    if let Some(event) = signals::event() {
        fds.push(PollFd::new(event, PollFlags::POLLIN));
    }
    if signals::first().is_none() {
        poll_until(&mut fds, until)?;
    }
    let input = input_at.and_then(|at| fds.get(at)).is_some_and(|fd| fd.any() == Some(true));
    Ok(Woken { input, stop: signals::first().is_some() })
}

fn poll_until(fds: &mut [PollFd<'_>], until: Instant) -> io::Result<()> {
    // Rounded up, so that the time has passed when nothing else has happened.
    let left = until.since(clock::mono()).as_nanos().div_ceil(1_000_000);
    let timeout = PollTimeout::from(u16::try_from(left).unwrap_or(u16::MAX));
    match poll(fds, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// True when SIGINT or SIGTERM has come, after `Signals::install`.
pub fn stopped() -> bool {
    signals::first().is_some()
}

/// Does nothing for a while, or until a signal comes.
pub fn pause(how_long: Duration) {
    let until = clock::mono().plus(how_long);
    while clock::mono() < until && signals::first().is_none() {
        // A failing poll(2) without descriptors cannot be; then the pause is short.
        if wait(std::iter::empty(), None, until).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_the_peer_sends_is_read_and_its_end_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = Socket::connect("localhost", port, Duration::from_secs(5))
            .or_else(|_| Socket::connect("127.0.0.1", port, Duration::from_secs(5)))
            .unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(socket.read(&mut buffer).unwrap(), None);
        let soon = clock::mono().plus(Duration::from_millis(5));
        wait(std::iter::once(&socket), None, soon).unwrap();
        assert!(clock::mono() >= soon, "nothing came, so it waited");
        peer.write_all(b"abc").unwrap();
        wait(std::iter::once(&socket), None, clock::mono().plus(Duration::from_secs(5))).unwrap();
        assert_eq!(socket.read(&mut buffer).unwrap(), Some(3));
        socket.write_all(b"xyz", clock::mono().plus(Duration::from_secs(5))).unwrap();
        peer.read_exact(&mut buffer[..3]).unwrap();
        assert_eq!(&buffer[..3], b"xyz");
        drop(peer);
        wait(std::iter::once(&socket), None, clock::mono().plus(Duration::from_secs(5))).unwrap();
        assert_eq!(socket.read(&mut buffer).unwrap(), Some(0));
    }

    #[test]
    fn a_peer_that_reads_nothing_does_not_hold_a_writer_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = Socket::connect("127.0.0.1", port, Duration::from_secs(5)).unwrap();
        let soon = clock::mono().plus(Duration::from_millis(50));
        let error = socket.write_all(&vec![0; 64 << 20], soon).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_port_where_nobody_listens_is_refused() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = Socket::connect("127.0.0.1", port, Duration::from_secs(5)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
