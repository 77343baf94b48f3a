//! Operations in flight. A slot owns everything the kernel may touch, from the push of the entry until its last
//! completion is reaped, also when the future that waits for it is dropped: then the operation is cancelled and
//! the slot lives on alone.

use super::core::Core;
use bytes::Bytes;
use io_uring::squeue;
use std::any::Any;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub(super) mod user_data {
    /// Completions nobody waits for (of cancel requests).
    pub(crate) const IGNORED: u64 = u64::MAX;
    /// Another core's wake-up.
    pub(crate) const BELL: u64 = u64::MAX - 1;
}

/// What multishot operations (accept, receive) do with each of their completions.
pub(crate) trait Completion {
    /// Called once per completion on the owning core. `flags` are the CQE's.
    fn complete(self: Rc<Self>, core: &Core, result: i32, flags: u32);
}

/// Whose descriptor an operation uses: kept open until its last completion. Held for its drop only.
pub(crate) struct Owner {
    _file: Option<Arc<dyn Any + Send + Sync>>,
    _socket: Option<Rc<dyn Any>>,
}

impl Owner {
    /// A file, shared between cores.
    pub(crate) fn file(file: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _file: Some(file), _socket: None }
    }

    /// A descriptor that is never closed.
    pub(crate) fn nobody() -> Self {
        Self { _file: None, _socket: None }
    }

    /// A socket of this core.
    pub(crate) fn socket(socket: Rc<dyn Any>) -> Self {
        Self { _file: None, _socket: Some(socket) }
    }
}

/// A vectored write or send in flight: the parts, and the vectors that point into them.
pub(crate) struct SendParts {
    parts: Vec<Bytes>,
    iovecs: Vec<libc::iovec>,
    header: libc::msghdr,
}

/// The most vectors one call takes (`IOV_MAX`).
pub(crate) const IOVECS_MAX: usize = 1024;

impl SendParts {
    /// The first [`IOVECS_MAX`] of `parts`, described for the kernel.
    pub(crate) fn new(parts: Vec<Bytes>) -> Box<Self> {
        let iovecs = parts
            .iter()
            .take(IOVECS_MAX)
            .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() })
            .collect();
        // SAFETY: all zeroes is a valid msghdr: no name, no control data, no vectors.
        let header = unsafe { std::mem::zeroed() };
        let mut this = Box::new(Self { parts, iovecs, header });
        this.header.msg_iov = this.iovecs.as_mut_ptr();
        this.header.msg_iovlen = this.iovecs.len() as _;
        this
    }

    /// For `sendmsg`.
    pub(crate) fn header(&self) -> *const libc::msghdr {
        &raw const self.header
    }

    /// For `writev`.
    pub(crate) fn iovecs(&self) -> &[libc::iovec] {
        &self.iovecs
    }

    /// Bytes described.
    pub(crate) fn len(&self) -> usize {
        self.iovecs.iter().map(|part| part.iov_len).sum()
    }

    /// What is left after `done` bytes went out.
    pub(crate) fn rest(mut self, mut done: usize) -> Vec<Bytes> {
        let whole = self.parts.iter().take_while(|part| {
            let fits = part.len() <= done;
            if fits {
                done -= part.len();
            }
            fits
        });
        let whole = whole.count();
        self.parts.drain(..whole);
        if done > 0
            && let Some(first) = self.parts.first_mut()
        {
            *first = first.slice(done..);
        }
        self.parts
    }
}

/// The memory an operation in flight reads or fills.
pub(crate) enum Keep {
    /// None.
    Nothing,
    /// One buffer to send or write.
    Bytes(Bytes),
    /// Several of them.
    Parts(Box<SendParts>),
    /// A buffer to fill.
    Buffer(crate::ring::buffer::Buffer),
    /// Eight bytes to fill (of an eventfd).
    Counter(#[expect(dead_code, reason = "only its coming counts")] Box<u64>),
    /// No memory, but a second descriptor beside the owner's.
    File(#[expect(dead_code, reason = "held for its drop")] crate::ring::file::File),
    /// As above.
    Pipe(#[expect(dead_code, reason = "held for its drop")] Rc<(OwnedFd, OwnedFd)>),
}

enum State {
    Waiting(Option<Waker>),
    Done(i32),
    Abandoned,
    Multi(Rc<dyn Completion>),
}

pub(super) struct Slot {
    state: State,
    keep: Keep,
    /// Dropped with the slot, after the memory.
    _owner: Option<Owner>,
}

/// All operations in flight on a core. An id is slot number and generation, so a late cancel never hits a newer operation.
#[derive(Default)]
pub(crate) struct Slots {
    slots: Vec<(u32, Option<Slot>)>,
    free: Vec<u32>,
}

/// What is to be done after the borrow of the slots ended.
pub(super) enum Call {
    Nothing,
    Wake(Waker),
    Multi(Rc<dyn Completion>),
    Drop(#[expect(dead_code, reason = "held only to be dropped outside the borrow")] Box<Slot>),
}

impl Call {
    pub(super) fn run(self, core: &Core, result: i32, flags: u32) {
        match self {
            Self::Nothing | Self::Drop(_) => {}
            Self::Wake(waker) => waker.wake(),
            Self::Multi(state) => state.complete(core, result, flags),
        }
    }
}

impl Slots {
    fn insert(&mut self, slot: Slot) -> u64 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            (self.slots.len() - 1) as u32
        });
        let entry = &mut self.slots[number as usize];
        entry.1 = Some(slot);
        (u64::from(entry.0) << 32) | u64::from(number)
    }

    fn get(&mut self, id: u64) -> Option<&mut Slot> {
        let entry = self.slots.get_mut(id as u32 as usize)?;
        if u64::from(entry.0) == id >> 32 { entry.1.as_mut() } else { None }
    }

    fn remove(&mut self, id: u64) -> Option<Slot> {
        self.get(id)?;
        let entry = &mut self.slots[id as u32 as usize];
        // The two highest generations would make ids that look like the reserved ones.
        entry.0 = (entry.0 + 1) % (u32::MAX - 1);
        self.free.push(id as u32);
        entry.1.take()
    }

    pub(super) fn complete(&mut self, id: u64, result: i32, flags: u32) -> Call {
        let Some(slot) = self.get(id) else { return Call::Nothing };
        let last = !io_uring::cqueue::more(flags);
        match &mut slot.state {
            State::Waiting(waker) => {
                let waker = waker.take();
                slot.state = State::Done(result);
                waker.map_or(Call::Nothing, Call::Wake)
            }
            State::Done(_) => Call::Nothing,
            State::Abandoned => self.remove(id).map_or(Call::Nothing, |slot| Call::Drop(Box::new(slot))),
            State::Multi(state) => {
                let state = state.clone();
                if last {
                    // The owner is kept by the state itself, which the caller holds now.
                    self.remove(id);
                }
                Call::Multi(state)
            }
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        let done = |slot: &Slot| matches!(slot.state, State::Done(_));
        self.slots.iter().filter(|(_, slot)| slot.as_ref().is_some_and(|slot| !done(slot))).count()
    }

    pub(super) fn leak(&mut self) {
        std::mem::forget(std::mem::take(&mut self.slots));
    }
}

/// One operation in flight: resolves to its result (negative: an errno) and its memory.
pub(crate) struct Op {
    core: Rc<Core>,
    id: u64,
    finished: bool,
}

impl Op {
    /// Submits `entry`, which uses `owner`'s descriptor and the memory of `keep`.
    pub(crate) fn new(core: &Rc<Core>, entry: squeue::Entry, keep: Keep, owner: Owner) -> Self {
        let slot = Slot { state: State::Waiting(None), keep, _owner: Some(owner) };
        let id = core.slots.borrow_mut().insert(slot);
        core.push(&entry.user_data(id));
        Self { core: core.clone(), id, finished: false }
    }

    /// Submits a multishot operation whose completions go to `state`. Returns its id, for [`Self::cancel_multi`].
    pub(crate) fn multi(core: &Core, entry: squeue::Entry, state: Rc<dyn Completion>) -> u64 {
        let slot = Slot { state: State::Multi(state), keep: Keep::Nothing, _owner: None };
        let id = core.slots.borrow_mut().insert(slot);
        core.push(&entry.user_data(id));
        id
    }

    /// Cancels a multishot operation; its last completion still comes.
    pub(crate) fn cancel_multi(core: &Core, id: u64) {
        core.cancel(id);
    }
}

impl Future for Op {
    type Output = (i32, Keep);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut slots = this.core.slots.borrow_mut();
        match slots.get(this.id).map(|slot| &mut slot.state) {
            Some(State::Done(result)) => {
                let result = *result;
                let slot = slots.remove(this.id);
                drop(slots);
                this.finished = true;
                // The owner's descriptor may close here, outside the borrow.
                Poll::Ready((result, slot.map_or(Keep::Nothing, |slot| slot.keep)))
            }
            Some(State::Waiting(waker)) => {
                match waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            // Polled again after its end, or its ring is gone.
            _ => Poll::Ready((-libc::ECANCELED, Keep::Nothing)),
        }
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let mut slots = self.core.slots.borrow_mut();
        let Some(slot) = slots.get(self.id) else { return };
        if matches!(slot.state, State::Done(_)) {
            let slot = slots.remove(self.id);
            drop(slots);
            drop(slot);
            return;
        }
        let waker = std::mem::replace(&mut slot.state, State::Abandoned);
        drop(slots);
        drop(waker);
        self.core.cancel(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_short_write_begins_at_the_first_byte_not_written() {
        let parts = || vec![Bytes::from_static(b"abc"), Bytes::from_static(b"defg"), Bytes::from_static(b"h")];
        let left = |done| SendParts::new(parts()).rest(done).concat();
        assert_eq!(left(0), b"abcdefgh");
        assert_eq!(left(3), b"defgh");
        assert_eq!(left(4), b"efgh");
        assert_eq!(left(8), b"");
    }

    #[test]
    fn a_slot_is_reused_under_another_id() {
        let mut slots = Slots::default();
        let slot = || Slot { state: State::Waiting(None), keep: Keep::Nothing, _owner: None };
        let first = slots.insert(slot());
        slots.remove(first);
        let second = slots.insert(slot());
        assert_ne!(first, second);
        assert!(slots.get(first).is_none() && slots.get(second).is_some());
    }
}
