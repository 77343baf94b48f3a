//! A connection. Stays on the core that accepted it; its clones are the same connection.

use super::receive::Receive;
use crate::ring::uring::{Core, Op};
use bytes::Bytes;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

/// An open socket, closed when neither a stream nor an operation in flight refers to it.
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(super) fn new(fd: OwnedFd) -> Rc<Self> {
        Rc::new(Self(fd.into()))
    }

    pub(super) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.0
    }

    /// The socket counts as readable when `bytes` wait in it (the kernel may take less), or when it ends
    /// (`SO_RCVLOWAT`). A socket that refuses is woken more often, nothing else.
    pub(super) fn readable_from(&self, bytes: usize) {
        let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the kernel reads `size` bytes of an integer that lives on.
        unsafe { libc::setsockopt(self.fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, (&raw const bytes).cast(), size) };
    }
}

/// A connection that is on no core.
pub struct Detached {
    socket: TcpStream,
    /// Received and not used yet.
    received: Vec<Bytes>,
}

/// One connection. Receiving and sending may go on at once; at most one of each at a time.
#[derive(Clone)]
pub struct Stream(Rc<Inner>);

struct Inner {
    socket: Rc<Socket>,
    receive: Rc<Receive>,
}

impl Stream {
    pub(super) fn new(socket: Rc<Socket>) -> Self {
        let receive = Receive::new(socket.clone());
        Self(Rc::new(Inner { socket, receive }))
    }

    pub(super) fn socket(&self) -> &Rc<Socket> {
        &self.0.socket
    }

    pub(super) fn receive(&self) -> &Rc<Receive> {
        &self.0.receive
    }

    /// Who is at the other end.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.socket.tcp().peer_addr()
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.socket.tcp().local_addr()
    }

    /// Ends both directions at once: a receive waiting gets the end of the stream, a send an error.
    pub fn shutdown(&self) {
        // The only error is "not connected any more".
        let _ = self.0.socket.tcp().shutdown(Shutdown::Both);
    }

    /// Takes the connection off this core, to go on elsewhere with [`Self::attach`]. `rest` was received and not used;
    /// no send and no receive may be under way. This end is then of no use; dropping it does not end the connection.
    ///
    /// # Errors
    /// No descriptor is left (EMFILE).
    pub async fn detach(&self, rest: Vec<Bytes>) -> io::Result<Detached> {
        self.receive().disarm().await;
        // Of its own memory: the ring's buffers stay here.
        let mut received: Vec<Bytes> = rest.iter().map(|chunk| Bytes::copy_from_slice(chunk)).collect();
        received.extend(self.receive().leave().iter().map(|chunk| Bytes::copy_from_slice(chunk)));
        Ok(Detached { socket: self.0.socket.tcp().try_clone()?, received })
    }

    /// Goes on with a connection on the calling core.
    pub fn attach(detached: Detached) -> Self {
        let stream = Self::new(Socket::new(detached.socket.into()));
        detached.received.into_iter().rev().for_each(|chunk| stream.receive().put_back(chunk));
        stream
    }

    /// How long ago the kernel received the last data from the peer, read or not: whether a large frame makes progress.
    /// Exact to a tick of the kernel's (at most 10 ms). One syscall: for a timer, not for each turn.
    pub(super) fn silent_for(&self) -> Duration {
        // SAFETY: all zeroes is a valid tcp_info, and the kernel writes at most `len` bytes into it.
        let (status, info) = unsafe {
            let mut info: libc::tcp_info = std::mem::zeroed();
            let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
            let at = (&raw mut info).cast();
            let status = libc::getsockopt(self.0.socket.fd(), libc::IPPROTO_TCP, libc::TCP_INFO, at, &raw mut len);
            (status, info)
        };
        if status == 0 { Duration::from_millis(info.tcpi_last_data_recv.into()) } else { Duration::MAX }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The slot holds the receive and with it the socket until the cancelled operation's last completion.
        if let Some(id) = self.receive.armed() {
            Core::try_with(|core| Op::cancel_multi(core, id));
        }
    }
}
