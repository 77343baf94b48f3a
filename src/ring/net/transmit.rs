//! Sending a range of a file: from the page cache where it is, without stalling the core where it is not.

use super::stream::Stream;
use crate::base::Instant;
use crate::ring::ahead;
use crate::ring::buffer::Buffer;
use crate::ring::clock;
use crate::ring::errno;
use crate::ring::file::{ColdBytes, File};
use crate::ring::runtime::yield_now;
use crate::ring::uring::{Core, Keep, Op, Owner};
use io_uring::{opcode, types};
use std::io;
use std::time::Duration;

/// How the bytes of a fetch leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FetchPath {
    /// The cheaper one for this size, as measured (docs/PERFORMANCE.md).
    #[default]
    Auto,
    /// `sendfile(2)` for what is in the page cache, read and send for the rest.
    Sendfile,
    /// Read into a buffer and send that.
    ReadSend,
    /// io_uring splice through a pipe.
    Splice,
}

impl FetchPath {
    /// `Auto` resolved: sendfile took a half to a third of the CPU of read and send from 64 KiB on, over loopback
    /// too (where the copy moves to the receiver).
    fn resolve(self, len: u64) -> Self {
        match self {
            Self::Auto if len < SENDFILE_BYTES_MIN => Self::ReadSend,
            Self::Auto => Self::Sendfile,
            other => other,
        }
    }
}

/// Ranges below this are copied: the calls cost more than the bytes.
const SENDFILE_BYTES_MIN: u64 = 8 << 10;
/// Bytes sent between two chances for the other tasks of the core.
const CHUNK_BYTES: usize = ahead::CHUNK_BYTES;

/// How long pages that were seen in the page cache are believed to be there still.
const SEEN_FOR: Duration = Duration::from_millis(50);

/// The part of a file whose pages were last seen in the page cache: a socket takes it in several steps.
#[derive(Default)]
struct Seen {
    until: u64,
    at: Instant,
}

impl Seen {
    /// How many of the `left` bytes from `position` on may be sent now; `None` where some are not in the page cache.
    fn resident(&mut self, file: &File, position: u64, left: u64) -> Option<usize> {
        let now = clock::mono();
        if position >= self.until || now.since(self.at) > SEEN_FOR {
            let chunk = left.min(CHUNK_BYTES as u64);
            if !file.is_resident(position, chunk as usize) {
                return None;
            }
            *self = Self { until: position + chunk, at: now };
        }
        Some(left.min(self.until - position) as usize)
    }
}

impl Stream {
    /// Sends `len` bytes of `file` from `position`. The shard never waits for the disk.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file is shorter than promised (close the connection: the peer was told a length);
    /// those of the connection and the file. A file that cannot be read is looked at from then on before it is promised
    /// ([`File::check_readable`]).
    pub async fn send_file(&self, file: &File, position: u64, len: u64, path: FetchPath) -> io::Result<()> {
        match path.resolve(len) {
            FetchPath::Sendfile => self.send_file_pages(file, position, len).await,
            FetchPath::Splice => self.splice(file, position, len).await,
            FetchPath::ReadSend | FetchPath::Auto => self.read_and_send(file, position, len).await,
        }
    }

    async fn read_and_send(&self, file: &File, mut position: u64, mut left: u64) -> io::Result<()> {
        while left > 0 {
            let chunk = left.min(CHUNK_BYTES as u64) as usize;
            let room = Buffer::with_capacity(chunk);
            let read = file.read_into(room, position, chunk, ColdBytes::PassThrough).await;
            let buffer = read.map_err(|e| unreadable(file, &e))?;
            if buffer.len() < chunk {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= chunk as u64;
            position += chunk as u64;
            let more = if left > 0 { libc::MSG_MORE } else { 0 };
            self.send_buffer(buffer.freeze(), more).await?;
        }
        Ok(())
    }

    async fn send_file_pages(&self, file: &File, mut position: u64, mut left: u64) -> io::Result<()> {
        let mut seen = Seen::default();
        while left > 0 {
            let Some(chunk) = seen.resident(file, position, left) else {
                let chunk = left.min(CHUNK_BYTES as u64) as usize;
                let read = ahead::read(file, position, chunk, left > chunk as u64).await;
                let bytes = read.map_err(|e| unreadable(file, &e))?;
                if bytes.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                position += bytes.len() as u64;
                left -= bytes.len() as u64;
                self.send_buffer(bytes, if left > 0 { libc::MSG_MORE } else { 0 }).await?;
                continue;
            };
            match self.sendfile_now(file, position, chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sent) => {
                    position += sent as u64;
                    left -= sent as u64;
                    if left > 0 {
                        yield_now().await;
                    }
                }
                Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => self.writable().await?,
                Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
                Err(e) if e.raw_os_error() == Some(libc::EIO) => return Err(unreadable(file, &e)),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// One `sendfile(2)`. It does not block: the socket is non-blocking and the pages are there.
    fn sendfile_now(&self, file: &File, position: u64, len: usize) -> io::Result<usize> {
        let mut offset = position as libc::off_t;
        // SAFETY: both descriptors are open as long as `self` and `file` live; `offset` is ours.
        let n = unsafe { libc::sendfile(self.socket().fd(), file.fd(), &raw mut offset, len) };
        errno::of_call(n)
    }

    /// Waits until the socket takes more.
    async fn writable(&self) -> io::Result<()> {
        let core = Core::with(Clone::clone);
        let fd = types::Fd(self.socket().fd());
        let entry = opcode::PollAdd::new(fd, libc::POLLOUT as u32).build();
        let owner = Owner::socket(self.socket().clone());
        let (result, _) = Op::new(&core, entry, Keep::Nothing, owner).await;
        errno::of(result).map(drop)
    }

    async fn splice(&self, file: &File, mut position: u64, mut left: u64) -> io::Result<()> {
        let pipe = std::rc::Rc::new(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?);
        let (read_end, write_end) = (as_fd(&pipe.0), as_fd(&pipe.1));
        let socket = types::Fd(self.socket().fd());
        let core = Core::with(Clone::clone);
        while left > 0 {
            // A pipe holds 64 KiB unless told otherwise; what is in it must leave before more goes in.
            let chunk = left.min(64 << 10) as u32;
            let from_file = opcode::Splice::new(types::Fd(file.fd()), position as i64, write_end, -1, chunk).build();
            let into_pipe = Op::new(&core, from_file, Keep::File(file.clone()), Owner::socket(pipe.clone())).await.0;
            let mut in_pipe = errno::of(into_pipe)?;
            if in_pipe == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            position += in_pipe as u64;
            left -= in_pipe as u64;
            while in_pipe > 0 {
                let to_socket = opcode::Splice::new(read_end, -1, socket, -1, in_pipe as u32).build();
                let keep = Keep::Pipe(pipe.clone());
                let result = Op::new(&core, to_socket, keep, Owner::socket(self.socket().clone())).await.0;
                match errno::of(result) {
                    Ok(n) => in_pipe -= n,
                    Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => self.writable().await?,
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }
}

fn unreadable(file: &File, why: &io::Error) -> io::Error {
    file.distrust();
    io::Error::other(format!("what was to be sent could not be read: {why}"))
}

fn as_fd(fd: &std::os::fd::OwnedFd) -> types::Fd {
    use std::os::fd::AsRawFd;
    types::Fd(fd.as_raw_fd())
}
