//! Buffers to fill: small ones from the allocator, large ones from a pool, so that the pages of a large frame or
//! read are not faulted in and zeroed again each time. (Faulting in 1 MiB costs as much as copying it.)

use super::net::Charge;
use bytes::Bytes;
use std::sync::{Mutex, PoisonError};

/// Buffers of at least this many bytes are pooled.
pub const POOLED_BYTES_MIN: usize = 32 << 10;
/// Larger ones go back to the allocator: they are rare, and their pages dear.
const POOLED_BYTES_MAX: usize = 4 << 20;

/// The pool: buffers nobody uses, the one used last on top.
struct Pool {
    idle: Vec<Vec<u8>>,
    idle_bytes: usize,
    /// Counts the buffers taken, so that "not used for a while" can be told.
    taken: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { idle: Vec::new(), idle_bytes: 0, taken: 0 });
/// Idle bytes kept at most by the process.
const IDLE_BYTES_MAX: usize = 32 << 20;

/// A buffer being filled. Its memory returns to the pool when it, or the [`Bytes`] made of it, is dropped.
pub struct Buffer {
    memory: Vec<u8>,
    /// The budget its bytes are charged to, if any.
    charge: Option<Charge>,
}

impl Buffer {
    /// An empty buffer with room for at least `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        if !(POOLED_BYTES_MIN..=POOLED_BYTES_MAX).contains(&capacity) {
            return Self { memory: Vec::with_capacity(capacity), charge: None };
        }
        let size = size_class(capacity);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        pool.taken += 1;
        let fitting = pool.idle.iter().rposition(|memory| memory.capacity() == size);
        let memory = match fitting {
            Some(index) => {
                pool.idle_bytes -= size;
                pool.idle.remove(index)
            }
            None => Vec::with_capacity(size),
        };
        Self { memory, charge: None }
    }

    /// Bytes filled.
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether nothing has been filled.
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    /// Copies `bytes` behind what is filled.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
        self.charge_more(bytes.len());
    }

    /// From now on what is filled is charged.
    pub(super) fn charge_to(&mut self, charge: Charge) {
        self.charge = Some(charge);
    }

    fn charge_more(&mut self, more: usize) {
        if let Some(charge) = &mut self.charge {
            charge.add(more);
        }
    }

    /// Makes room behind what is filled if there is none, doubling, but not beyond `len_max` bytes in all.
    /// False when there is no memory.
    pub(super) fn make_room(&mut self, len_max: usize) -> bool {
        let len = self.memory.len();
        if len < self.memory.capacity() {
            return true;
        }
        self.make_room_for(len.max(4096).min(len_max - len))
    }

    /// Makes room for `more` bytes behind what is filled. False when there is no memory.
    pub(super) fn make_room_for(&mut self, more: usize) -> bool {
        self.memory.try_reserve_exact(more).is_ok()
    }

    /// The room behind what is filled: where and how much.
    pub(crate) fn spare(&mut self) -> (*mut u8, usize) {
        let spare = self.memory.spare_capacity_mut();
        (spare.as_mut_ptr().cast(), spare.len())
    }

    /// Says that `more` bytes of [`Self::spare`] have been written.
    ///
    /// # Safety
    /// They must have been, and be within the spare room.
    pub(crate) unsafe fn filled(&mut self, more: usize) {
        debug_assert!(more <= self.memory.capacity() - self.memory.len());
        // SAFETY: the caller's promise.
        unsafe { self.memory.set_len(self.memory.len() + more) };
        self.charge_more(more);
    }

    /// What was filled, without a copy.
    pub fn freeze(self) -> Bytes {
        if self.charge.is_some() || is_pooled(self.memory.capacity()) {
            Bytes::from_owner(self)
        } else {
            let mut this = self;
            Bytes::from(std::mem::take(&mut this.memory))
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let size = self.memory.capacity();
        if !is_pooled(size) {
            return;
        }
        let mut memory = std::mem::take(&mut self.memory);
        memory.clear();
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.idle_bytes + size <= IDLE_BYTES_MAX {
            pool.idle_bytes += size;
            pool.idle.push(memory);
        }
    }
}

/// Sizes are rounded up to a multiple of an eighth of the next power of two, so that frames of nearly the same
/// size share buffers and at most a quarter is wasted.
fn size_class(capacity: usize) -> usize {
    let step = (capacity.next_power_of_two() / 8).max(4096);
    capacity.div_ceil(step) * step
}

fn is_pooled(capacity: usize) -> bool {
    (POOLED_BYTES_MIN..=POOLED_BYTES_MAX).contains(&capacity) && size_class(capacity) == capacity
}

/// How many buffers were ever taken from the pool; `None` when it holds no idle memory to give back.
pub(crate) fn uses_if_idle_memory() -> Option<u64> {
    let pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    (pool.idle_bytes > 0).then_some(pool.taken)
}

/// Bytes the pool keeps that nobody uses.
pub(crate) fn idle_bytes() -> usize {
    POOL.lock().unwrap_or_else(PoisonError::into_inner).idle_bytes
}

/// Gives the pool's idle memory back to the system.
pub(crate) fn release_idle() {
    let freed = {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        pool.idle_bytes = 0;
        std::mem::take(&mut pool.idle)
    };
    drop(freed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_class_is_its_own_class_and_wastes_at_most_a_quarter() {
        for capacity in (POOLED_BYTES_MIN..=POOLED_BYTES_MAX).step_by(997) {
            let size = size_class(capacity);
            assert_eq!(size_class(size), size, "{capacity}");
            assert!(size >= capacity && size - capacity <= capacity / 4 + 4096, "{capacity} -> {size}");
        }
    }

    #[test]
    fn what_was_filled_is_what_comes_out() {
        for size in [10, POOLED_BYTES_MIN, 1 << 20, 5 << 20] {
            let mut buffer = Buffer::with_capacity(size);
            buffer.extend(&vec![7; size]);
            assert_eq!(buffer.freeze(), vec![7; size]);
        }
    }
}
