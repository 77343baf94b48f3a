//! The floors' servers: one io_uring loop each, with nothing that is not needed. `unsafe` here is the bench's own.

use crate::child::{Kind, ServeArgs};
use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

const BUFFERS: u16 = 1024;
const BUFFER_BYTES: usize = 4096;
const REPLY_BYTES: usize = 64;
/// A file is given up for a new one at this size, so that appends go to new blocks and memory is not filled.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// ext4 gains from blocks reserved ahead.
const PREALLOCATE_BYTES: u64 = 64 << 20;

const ACCEPT: u64 = 1;
const RECEIVE: u64 = 2;
const SEND: u64 = 3;
const WRITE: u64 = 4;
const WRITABLE: u64 = 5;

struct Connection {
    /// The frame being received, or the range being sent.
    buffer: Vec<u8>,
    position: u64,
    left: usize,
}

struct Server {
    ring: IoUring,
    kind: Kind,
    size: usize,
    memory: Vec<u8>,
    entries: *mut BufRingEntry,
    tail: u16,
    connections: Vec<Option<Connection>>,
    file: File,
    append: Append,
    file_position: u64,
    preallocated: u64,
    dir: std::path::PathBuf,
    reply: Vec<u8>,
    /// The chunks of this turn: connection, buffer id, length.
    turn: Vec<(RawFd, u16, usize)>,
}

/// The better way to append on the file system at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Append {
    Plain,
    Ring,
}

pub fn serve(args: &ServeArgs) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // SAFETY: the descriptor is open; nodelay is inherited by accepted sockets.
    unsafe {
        let on = 1_i32;
        libc::setsockopt(listener.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), 4);
        libc::listen(listener.as_raw_fd(), 1024);
    }
    println!("{}", listener.local_addr()?);
    let mut server = Server::new(args)?;
    server.push(
        &opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_NONBLOCK).build().user_data(ACCEPT << 56),
    );
    loop {
        server.ring.submit_and_wait(1)?;
        loop {
            let next = server.ring.completion().next();
            let Some(cqe) = next else { break };
            server.completed(cqe.user_data(), cqe.result(), cqe.flags())?;
        }
        server.end_of_turn()?;
    }
}

fn new_file(dir: &Path, kind: Kind, size: usize) -> io::Result<File> {
    let path = dir.join(format!("floor-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    if matches!(kind, Kind::Sendfile | Kind::ReadSend) {
        // A file to fetch from, resident in the page cache.
        let block = vec![0x5A; 1 << 20];
        for n in 0..(64 << 20_u64).max(size as u64) >> 20 {
            file.write_all_at(&block, n << 20)?;
        }
        file.sync_all()?;
    }
    // Only the descriptor keeps it: gone with the process.
    std::fs::remove_file(&path)?;
    Ok(file)
}

impl Server {
    fn new(args: &ServeArgs) -> io::Result<Self> {
        let ring: IoUring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_cqsize(4096)
            .build(1024)?;
        let layout = std::alloc::Layout::from_size_align(usize::from(BUFFERS) * 16, 4096).map_err(io::Error::other)?;
        // SAFETY: the layout has a size; the memory is never freed.
        let entries = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<BufRingEntry>();
        // SAFETY: page aligned, large enough, never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, BUFFERS, 0, 0)? };
        let xfs = nix::sys::statfs::statfs(&args.dir)?.filesystem_type() == nix::sys::statfs::XFS_SUPER_MAGIC;
        let mut reply = vec![0; REPLY_BYTES];
        reply[..4].copy_from_slice(&(REPLY_BYTES as u32 - 4).to_be_bytes());
        let mut server = Self {
            ring,
            kind: args.kind,
            size: args.size,
            memory: vec![0; usize::from(BUFFERS) * BUFFER_BYTES],
            entries,
            tail: 0,
            connections: Vec::new(),
            file: new_file(&args.dir, args.kind, args.size)?,
            append: if xfs { Append::Ring } else { Append::Plain },
            file_position: 0,
            preallocated: 0,
            dir: args.dir.clone(),
            reply,
            turn: Vec::new(),
        };
        (0..BUFFERS).for_each(|id| server.provide(id));
        Ok(server)
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: all memory entries point to lives as long as the server.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            let _ = self.ring.submit();
        }
    }

    fn provide(&mut self, id: u16) {
        // SAFETY: the index lies within the ring, the buffer within `memory`, which is never moved.
        unsafe {
            let entry = &mut *self.entries.add(usize::from(self.tail & (BUFFERS - 1)));
            entry.set_addr(self.memory.as_ptr().add(usize::from(id) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()).store(self.tail, Ordering::Release);
        }
    }

    fn chunk(&self, id: u16, len: usize) -> &[u8] {
        let start = usize::from(id) * BUFFER_BYTES;
        &self.memory[start..start + len]
    }

    fn completed(&mut self, data: u64, result: i32, flags: u32) -> io::Result<()> {
        let (op, id, fd) = (data >> 56, (data >> 32) as u16, data as u32 as RawFd);
        match op {
            ACCEPT => self.accepted(result),
            RECEIVE if result <= 0 => {
                // SAFETY: the descriptor was accepted by us and is closed once, here.
                unsafe { libc::close(fd) };
                self.connections[fd as usize] = None;
            }
            RECEIVE if self.kind == Kind::Produce => return self.frame_received(fd, result as usize),
            RECEIVE => self.chunk_received(fd, cqueue::buffer_select(flags).unwrap_or(0), result as usize, flags),
            SEND if self.kind == Kind::BareEcho => self.provide(id),
            SEND if self.kind == Kind::ReadSend => return self.range_goes_on(fd),
            WRITABLE => return self.range_goes_on(fd),
            WRITE if result < 0 => return Err(io::Error::from_raw_os_error(-result)),
            WRITE => self.frame_written(fd),
            _ => {}
        }
        Ok(())
    }

    fn accepted(&mut self, fd: i32) {
        if fd < 0 {
            return;
        }
        let index = fd as usize;
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        let buffer =
            if matches!(self.kind, Kind::Produce | Kind::ReadSend) { vec![0; self.size + 4096] } else { Vec::new() };
        self.connections[index] = Some(Connection { buffer, position: 0, left: 0 });
        self.receive(fd);
    }

    fn receive(&mut self, fd: RawFd) {
        let entry = if self.kind == Kind::Produce {
            let size = self.size;
            let Some(connection) = &mut self.connections[fd as usize] else { return };
            opcode::Recv::new(Fd(fd), connection.buffer.as_mut_ptr(), size as u32).flags(libc::MSG_WAITALL).build()
        } else {
            opcode::RecvMulti::new(Fd(fd), 0).build()
        };
        self.push(&entry.user_data(RECEIVE << 56 | fd as u64));
    }

    fn chunk_received(&mut self, fd: RawFd, id: u16, len: usize, flags: u32) {
        match self.kind {
            Kind::BareEcho => {
                let at = self.chunk(id, len).as_ptr();
                let entry = opcode::Send::new(Fd(fd), at, len as u32).build();
                self.push(&entry.user_data(SEND << 56 | u64::from(id) << 32 | fd as u64));
            }
            Kind::Sendfile | Kind::ReadSend => {
                self.provide(id);
                self.range_begins(fd);
            }
            _ => self.turn.push((fd, id, len)),
        }
        if !cqueue::more(flags) {
            self.receive(fd);
        }
    }

    /// Small requests: crc of each, one append of all, a reply to each.
    fn end_of_turn(&mut self) -> io::Result<()> {
        if self.turn.is_empty() {
            return Ok(());
        }
        let turn = std::mem::take(&mut self.turn);
        let mut sum = 0;
        for &(_, id, len) in &turn {
            sum ^= crc32c::crc32c(self.chunk(id, len));
        }
        std::hint::black_box(sum);
        if self.kind == Kind::SmallAppend {
            let slices: Vec<_> = turn.iter().map(|&(_, id, len)| io::IoSlice::new(self.chunk(id, len))).collect();
            let written = nix::sys::uio::pwritev(&self.file, &slices, self.file_position as i64)?;
            drop(slices);
            self.advance(written as u64)?;
        }
        for (fd, id, len) in turn {
            if self.kind == Kind::SmallSync {
                self.file.write_all_at(self.chunk(id, len), self.file_position)?;
                self.file.sync_data()?;
                self.advance(len as u64)?;
            }
            self.provide(id);
            self.send_reply(fd);
        }
        Ok(())
    }

    fn send_reply(&mut self, fd: RawFd) {
        let entry = opcode::Send::new(Fd(fd), self.reply.as_ptr(), self.reply.len() as u32).build();
        self.push(&entry.user_data(SEND << 56 | fd as u64));
    }

    fn frame_received(&mut self, fd: RawFd, len: usize) -> io::Result<()> {
        let Some(connection) = &self.connections[fd as usize] else { return Ok(()) };
        std::hint::black_box(crc32c::crc32c(&connection.buffer[..len]));
        if self.append == Append::Ring {
            let entry = opcode::Write::new(Fd(self.file.as_raw_fd()), connection.buffer.as_ptr(), len as u32);
            let entry = entry.offset(self.file_position).build().user_data(WRITE << 56 | fd as u64);
            self.push(&entry);
            return self.advance(len as u64);
        }
        self.file.write_all_at(&connection.buffer[..len], self.file_position)?;
        self.advance(len as u64)?;
        self.frame_written(fd);
        Ok(())
    }

    fn frame_written(&mut self, fd: RawFd) {
        self.send_reply(fd);
        self.receive(fd);
    }

    /// The append position moves; now and then blocks are reserved, or a new file is begun.
    fn advance(&mut self, len: u64) -> io::Result<()> {
        self.file_position += len;
        if self.file_position > FILE_BYTES_MAX && self.append == Append::Plain {
            self.file = new_file(&self.dir, self.kind, self.size)?;
            (self.file_position, self.preallocated) = (0, 0);
        }
        if self.append == Append::Plain && self.file_position + (self.size as u64) > self.preallocated {
            let keep = nix::fcntl::FallocateFlags::FALLOC_FL_KEEP_SIZE;
            nix::fcntl::fallocate(&self.file, keep, self.preallocated as i64, PREALLOCATE_BYTES as i64)?;
            self.preallocated += PREALLOCATE_BYTES;
        }
        Ok(())
    }

    /// A request for a range: its size goes first, then the bytes.
    fn range_begins(&mut self, fd: RawFd) {
        let size = self.size;
        let kind = self.kind;
        let position = self.file_position;
        self.file_position = (self.file_position + size as u64) % (64 << 20);
        let Some(connection) = &mut self.connections[fd as usize] else { return };
        connection.position = if position + size as u64 > 64 << 20 { 0 } else { position };
        connection.left = size;
        let mut head = [0_u8; 64];
        head[..4].copy_from_slice(&(60 + size as u32).to_be_bytes());
        if kind == Kind::ReadSend {
            connection.buffer[..64].copy_from_slice(&head);
            let read = self.file.read_at(&mut connection.buffer[64..64 + size], connection.position).unwrap_or(0);
            connection.left = 0;
            let entry =
                opcode::Send::new(Fd(fd), connection.buffer.as_ptr(), 64 + read as u32).flags(libc::MSG_WAITALL);
            self.push(&entry.build().user_data(SEND << 56 | fd as u64));
            return;
        }
        // SAFETY: the head's 64 bytes fit into an empty socket buffer.
        unsafe { libc::send(fd, head.as_ptr().cast(), 64, libc::MSG_MORE) };
        let _ = self.range_goes_on(fd);
    }

    fn range_goes_on(&mut self, fd: RawFd) -> io::Result<()> {
        let Some(connection) = &mut self.connections[fd as usize] else { return Ok(()) };
        while connection.left > 0 {
            let mut offset = connection.position as i64;
            // SAFETY: both descriptors are open, the offset is ours.
            let sent = unsafe { libc::sendfile(fd, self.file.as_raw_fd(), &raw mut offset, connection.left) };
            if sent <= 0 {
                let entry = opcode::PollAdd::new(Fd(fd), libc::POLLOUT as u32).build();
                self.push(&entry.user_data(WRITABLE << 56 | fd as u64));
                return Ok(());
            }
            connection.position += sent as u64;
            connection.left -= sent as usize;
        }
        Ok(())
    }
}
