//! Listening: every core has its own socket on the same address (SO_REUSEPORT); the kernel spreads connections.

use super::stream::{Socket, Stream};
use crate::ring::errno;
use crate::ring::patience::while_held;
use crate::ring::uring::{Completion, Core, Op};
use io_uring::{opcode, types};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// After "no descriptors left" accepting pauses this long: the connection stays in the backlog, and nothing spins.
const PAUSE_WITHOUT_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Socket options of a listener, inherited by the connections it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerOptions {
    /// Connections that may wait to be accepted (`socket.listen.backlog.size`).
    pub backlog: i32,
    /// `SO_SNDBUF` in bytes (`socket.send.buffer.bytes`); `None` leaves it to the kernel.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF` in bytes (`socket.receive.buffer.bytes`); `None` leaves it to the kernel.
    pub receive_buffer_bytes: Option<usize>,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self { backlog: 50, send_buffer_bytes: None, receive_buffer_bytes: None }
    }
}

/// The address `host` means; an empty host is every address, of both families where there is IPv6.
///
/// # Errors
/// When the name cannot be resolved.
pub fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    if host.is_empty() {
        let any: IpAddr = if Path::new("/proc/net/if_inet6").exists() {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        return Ok(SocketAddr::new(any, port));
    }
    (host, port).to_socket_addrs()?.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no address"))
}

/// An address bound by nobody else, kept until all cores have bound it.
pub struct Reservation {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl Reservation {
    /// The address, with the port the kernel chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Binds `address` without SO_REUSEPORT, so that a port taken by another process (even one that would share it)
/// is an error, and then keeps it for the listeners of all cores.
///
/// # Errors
/// A sentence naming the address.
pub fn reserve(address: SocketAddr) -> io::Result<Reservation> {
    let explain = |e: io::Error| io::Error::new(e.kind(), format!("cannot listen on {address}: {e}"));
    let bind = || -> io::Result<Reservation> {
        let socket = new_socket(address)?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        // From here on our own listeners may share it.
        setsockopt(&socket, sockopt::ReusePort, &true)?;
        let listener = TcpListener::from(socket);
        Ok(Reservation { address: listener.local_addr()?, _socket: listener.into() })
    };
    while_held(io::ErrorKind::AddrInUse, bind).map_err(explain)
}

fn new_socket(address: SocketAddr) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// One core's listening socket.
pub struct Listener {
    accepting: Rc<Accepting>,
}

impl Listener {
    /// Listens on `address` beside the other cores.
    ///
    /// # Errors
    /// Of the socket calls.
    pub fn bind(address: SocketAddr, options: ListenerOptions) -> io::Result<Self> {
        let socket = new_socket(address)?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        setsockopt(&socket, sockopt::ReusePort, &true)?;
        // Connections inherit these from the listener: no call per connection.
        setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
        if let Some(bytes) = options.send_buffer_bytes {
            setsockopt(&socket, sockopt::SndBuf, &bytes)?;
        }
        if let Some(bytes) = options.receive_buffer_bytes {
            setsockopt(&socket, sockopt::RcvBuf, &bytes)?;
        }
        socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        socket::listen(&socket, Backlog::new(options.backlog.max(1)).unwrap_or(Backlog::MAXCONN))?;
        let accepting = Accepting { socket: TcpListener::from(socket), inner: RefCell::default() };
        Ok(Self { accepting: Rc::new(accepting) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.accepting.socket.local_addr()
    }

    /// The next connection and its peer. When descriptors are used up it waits until there are some again.
    ///
    /// # Errors
    /// Only what makes the listener useless.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        loop {
            let next = poll_fn(|cx| self.accepting.poll_next(cx.waker())).await;
            match next {
                Ok(socket) => {
                    let socket = Socket::new(socket);
                    // A peer that is gone already has no address: not worth a word.
                    let Ok(peer) = socket.tcp().peer_addr() else { continue };
                    return Ok((Stream::new(socket), peer));
                }
                Err(e) if errno::is_out_of_descriptors(&e) => {
                    crate::ring::runtime::sleep(PAUSE_WITHOUT_DESCRIPTORS).await;
                }
                Err(e) if is_of_one_connection(&e) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// Errors that tell of the connection that was to be accepted, not of the listener (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    let passing = [libc::ECONNABORTED, libc::EINTR, libc::EAGAIN, libc::EPROTO, libc::EPERM, libc::ECANCELED];
    let network =
        [libc::ENETDOWN, libc::ENOPROTOOPT, libc::EHOSTDOWN, libc::ENONET, libc::EHOSTUNREACH, libc::ENETUNREACH];
    error.raw_os_error().is_some_and(|code| passing.contains(&code) || network.contains(&code))
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(id) = self.accepting.inner.borrow().armed {
            Core::try_with(|core| Op::cancel_multi(core, id));
        }
    }
}

#[derive(Default)]
struct Inner {
    armed: Option<u64>,
    accepted: VecDeque<io::Result<OwnedFd>>,
    waker: Option<Waker>,
}

/// The multishot accept's state. The kernel's slot and the listener share it, so the socket outlives the operation.
struct Accepting {
    socket: TcpListener,
    inner: RefCell<Inner>,
}

impl Accepting {
    fn poll_next(self: &Rc<Self>, waker: &Waker) -> Poll<io::Result<OwnedFd>> {
        let mut inner = self.inner.borrow_mut();
        if let Some(next) = inner.accepted.pop_front() {
            return Poll::Ready(next);
        }
        inner.waker = Some(waker.clone());
        if inner.armed.is_none() {
            let entry = opcode::AcceptMulti::new(types::Fd(self.socket.as_raw_fd()))
                // Non-blocking for sendfile; io_uring's own operations do not look at it.
                .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
            inner.armed = Some(Core::with(|core| Op::multi(core, entry.build(), self.clone())));
        }
        Poll::Pending
    }
}

impl Completion for Accepting {
    fn complete(self: Rc<Self>, _core: &Core, result: i32, flags: u32) {
        let mut inner = self.inner.borrow_mut();
        if !io_uring::cqueue::more(flags) {
            inner.armed = None;
        }
        let accepted = errno::of(result).map(|fd| {
            // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
            unsafe { OwnedFd::from_raw_fd(fd as i32) }
        });
        inner.accepted.push_back(accepted);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::clock::mono;
    use crate::ring::runtime::block_on_test;
    use std::net::TcpStream;

    #[test]
    fn without_descriptors_accepting_pauses_and_then_goes_on() {
        block_on_test(async {
            let listener = Listener::bind(([127, 0, 0, 1], 0).into(), ListenerOptions::default()).unwrap();
            let address = listener.local_addr().unwrap();
            Core::with(|core| listener.accepting.clone().complete(core, -libc::EMFILE, 0));
            let _client = TcpStream::connect(address).unwrap();
            let begun = mono();
            listener.accept().await.unwrap();
            assert!(mono().since(begun) >= PAUSE_WITHOUT_DESCRIPTORS);
        });
    }

    #[test]
    fn a_connection_that_broke_before_it_was_accepted_does_not_end_the_listener() {
        block_on_test(async {
            let listener = Listener::bind(([127, 0, 0, 1], 0).into(), ListenerOptions::default()).unwrap();
            let address = listener.local_addr().unwrap();
            Core::with(|core| listener.accepting.clone().complete(core, -libc::ECONNABORTED, 0));
            let client = TcpStream::connect(address).unwrap();
            assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
        });
    }
}
