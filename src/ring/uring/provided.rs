//! Receive buffers the kernel picks from (a provided buffer ring), lent out as [`Bytes`].
//!
//! The kernel takes buffers in the order in which they were given. It is given no more than it needs in a turn, the one
//! used last first of those that wait: so few of them are touched, and those are still in the core's cache.
//!
//! A lease goes back when the last clone of its bytes is dropped: straight into the kernel's ring on the home
//! core, by way of a list on any other. Small chunks are copied out instead of lent, and so is everything while
//! buffers are short or a connection already holds its share: nobody can starve the others by holding on.

use crate::ring::doorbell::Doorbell;
use bytes::Bytes;
use io_uring::{IoUring, types::BufRingEntry};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The one buffer group of each ring.
pub(crate) const GROUP: u16 = 0;
/// Chunks up to this size are copied: that costs less than a lease and frees the buffer at once.
const COPIED_BYTES_MAX: usize = 512;
/// The kernel is given this many buffers at first; twice as many each time a receive found none.
const PUBLISHED_AT_FIRST: u16 = 64;
/// At most this many buffers are held by one connection; what else comes is copied.
const LEASES_PER_CONNECTION_MAX: usize = 16;

/// Anonymous memory of its own mapping.
struct Mapping {
    start: NonNull<c_void>,
    len: usize,
}

// SAFETY: it is plain memory; who may touch which part of it when is said where that is done.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        let size = NonZeroUsize::new(len).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new private mapping at an address of the kernel's choice touches nothing existing.
        let start =
            unsafe { mmap_anonymous(None, size, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE)? };
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nobody refers to it any more: leases hold the `Home` it is in, and the ring is gone or empty.
        let _ = unsafe { munmap(self.start, self.len) };
    }
}

/// What leases refer to, from whichever core they are.
struct Home {
    memory: Mapping,
    buffer_bytes: usize,
    returned: Mutex<Vec<u16>>,
    any_returned: AtomicBool,
    /// Set while a receive waits for a buffer: then a return from elsewhere rings.
    wanted: AtomicBool,
    doorbell: Arc<Doorbell>,
}

/// One core's provided buffers. Owned by its core.
pub(crate) struct Provided {
    entries: Mapping,
    home: Arc<Home>,
    count: u16,
    tail: Cell<u16>,
    /// Buffers the kernel may still pick, as far as completions have told us.
    free: Cell<u16>,
    /// How many it shall have to pick from.
    wanted_free: Cell<u16>,
    /// Buffers nobody holds and the kernel does not know, the one used last on top.
    spare: RefCell<Vec<u16>>,
}

impl Provided {
    /// Maps `count` (a power of two) buffers of `buffer_bytes` and gives the first of them to the ring.
    pub(crate) fn new(ring: &IoUring, count: u16, buffer_bytes: u32, doorbell: Arc<Doorbell>) -> io::Result<Self> {
        let entries = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let buffer_bytes = buffer_bytes as usize;
        let home = Arc::new(Home {
            memory: Mapping::new(usize::from(count) * buffer_bytes)?,
            buffer_bytes,
            returned: Mutex::default(),
            any_returned: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            doorbell,
        });
        // SAFETY: the mapping is page aligned, holds `count` entries and lives until the ring is gone (`Core`
        // holds both and drops the ring first).
        unsafe { ring.submitter().register_buf_ring_with_flags(entries.start.as_ptr() as u64, count, GROUP, 0)? };
        let this = Self {
            entries,
            home,
            count,
            tail: Cell::new(0),
            free: Cell::new(0),
            wanted_free: Cell::new(count.min(PUBLISHED_AT_FIRST)),
            spare: RefCell::new((0..count).rev().collect()),
        };
        this.refill();
        Ok(this)
    }

    /// Takes a buffer back that nobody holds any more.
    fn give_back(&self, id: u16) {
        self.spare.borrow_mut().push(id);
        self.refill();
    }

    /// Lets the kernel have as many as it should.
    fn refill(&self) {
        while self.free.get() < self.wanted_free.get() {
            let Some(id) = self.spare.borrow_mut().pop() else { return };
            self.publish(id);
        }
    }

    /// A receive found no buffer: from now on there are more to pick from.
    pub(crate) fn ran_out(&self) {
        self.wanted_free.set(self.wanted_free.get().saturating_mul(2).min(self.count));
        self.refill();
    }

    /// Puts buffer `id` into the kernel's ring.
    fn publish(&self, id: u16) {
        let tail = self.tail.get();
        let base = self.entries.start.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the index is below `count`, so it lies within the mapping; the kernel reads the entry only
        // after the tail below says so, and only this thread writes entries.
        unsafe {
            let entry = &mut *base.add(usize::from(tail & (self.count - 1)));
            entry.set_addr(self.home.buffer(id).as_ptr() as u64);
            entry.set_len(self.home.buffer_bytes as u32);
            entry.set_bid(id);
        }
        let tail = tail.wrapping_add(1);
        self.tail.set(tail);
        // SAFETY: `base` is the ring's first entry, whose reserved field is the tail; the kernel reads it with
        // acquire, as a u16 aligned to two.
        let shared_tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(base).cast_mut()) };
        shared_tail.store(tail, Ordering::Release);
        self.free.set(self.free.get() + 1);
    }

    /// The `len` bytes the kernel received into buffer `id`. `held` counts the connection's leases by its clones.
    pub(crate) fn take(&self, id: u16, len: usize, held: &Arc<()>) -> Bytes {
        self.free.set(self.free.get().saturating_sub(1));
        let left = usize::from(self.free.get()) + self.spare.borrow().len();
        let scarce = left < usize::from(self.count / 4);
        if len <= COPIED_BYTES_MAX || scarce || Arc::strong_count(held) > LEASES_PER_CONNECTION_MAX {
            // SAFETY: the kernel has written these bytes and will not touch the buffer until it is published again.
            let bytes = unsafe { std::slice::from_raw_parts(self.home.buffer(id).as_ptr(), len) };
            let copy = Bytes::copy_from_slice(bytes);
            self.give_back(id);
            return copy;
        }
        self.refill();
        Bytes::from_owner(Lease { home: self.home.clone(), id, len, _held: held.clone() })
    }

    /// Gives back a buffer the kernel picked without putting anything into it.
    pub(crate) fn unused(&self, id: u16) {
        self.free.set(self.free.get().saturating_sub(1));
        self.give_back(id);
    }

    /// Takes home what other cores returned.
    pub(crate) fn collect(&self) {
        if !self.home.any_returned.load(Ordering::Relaxed) {
            return;
        }
        self.home.any_returned.store(false, Ordering::Relaxed);
        let returned = std::mem::take(&mut *self.home.returned.lock().unwrap_or_else(PoisonError::into_inner));
        returned.into_iter().for_each(|id| self.give_back(id));
    }

    /// Buffers the kernel may pick.
    pub(crate) fn free(&self) -> u16 {
        self.free.get()
    }

    /// Buffers that hold something nobody is done with.
    pub(crate) fn lent(&self) -> usize {
        usize::from(self.count).saturating_sub(usize::from(self.free.get()) + self.spare.borrow().len())
    }

    /// Says whether a receive waits for a buffer.
    pub(crate) fn set_wanted(&self, wanted: bool) {
        self.home.wanted.store(wanted, Ordering::SeqCst);
    }

    /// Never frees the memory: the kernel may still write to it.
    pub(crate) fn leak(&self) {
        std::mem::forget(self.home.clone());
    }
}

impl Home {
    fn buffer(&self, id: u16) -> NonNull<u8> {
        // SAFETY: `id` is below `count` (the kernel only knows ids we published), so it lies within the mapping.
        unsafe { self.memory.start.cast::<u8>().add(usize::from(id) * self.buffer_bytes) }
    }
}

/// A buffer lent out.
struct Lease {
    home: Arc<Home>,
    id: u16,
    len: usize,
    _held: Arc<()>,
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the kernel has written `len` bytes and will not touch the buffer until the lease is dropped.
        unsafe { std::slice::from_raw_parts(self.home.buffer(self.id).as_ptr(), self.len) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let at_home = super::Core::try_with(|core| {
            let at_home = Arc::ptr_eq(&core.provided.home, &self.home);
            if at_home {
                core.provided.give_back(self.id);
            }
            at_home
        });
        if at_home == Some(true) {
            return;
        }
        self.home.returned.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
        self.home.any_returned.store(true, Ordering::Release);
        if self.home.wanted.load(Ordering::SeqCst) {
            self.home.doorbell.ring();
        }
    }
}
