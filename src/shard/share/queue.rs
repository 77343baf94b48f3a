//! One queue: a share partition, and who waits for it.

use super::session::SessionId;
use crate::base::local::Event;
use crate::base::{ErrorCode, Instant, LeaderEpoch, TopicIdPartition};
use crate::coordinator::share::Key;
use crate::partition::Watches;
use crate::share::SharePartition;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

enum Phase {
    /// Its state is being read.
    Starting,
    /// Serving.
    Active(Box<SharePartition>),
    /// Over; whoever still has it is told why.
    Ended(ErrorCode),
}

/// A share partition of this core.
pub struct Queue {
    /// Which one.
    pub key: Key,
    /// The epoch in which the partition is led.
    pub epoch: LeaderEpoch,
    /// Fetches waiting for something to acquire.
    pub watches: Watches,
    /// Fetches waiting for their turn to read.
    pub turned_away: Watches,
    /// Locks may expire earlier than the timer believes.
    pub timer: Event,
    /// From the persister: with each beginning of the group's progress it is raised.
    pub state_epoch: Cell<i32>,
    phase: RefCell<Phase>,
    reading: Cell<bool>,
    users: RefCell<HashMap<Arc<str>, SessionId>>,
}

impl Queue {
    /// A queue whose state has yet to be read.
    pub fn new(key: Key, epoch: LeaderEpoch) -> Rc<Self> {
        Rc::new(Self {
            key,
            epoch,
            watches: Watches::default(),
            turned_away: Watches::default(),
            timer: Event::default(),
            state_epoch: Cell::new(0),
            phase: RefCell::new(Phase::Starting),
            reading: Cell::new(false),
            users: RefCell::default(),
        })
    }

    /// The partition.
    pub fn id(&self) -> TopicIdPartition {
        TopicIdPartition { topic_id: self.key.topic_id, partition: self.key.partition }
    }

    /// Begins to serve, unless the queue has ended meanwhile.
    pub fn activate(&self, partition: SharePartition) {
        let mut phase = self.phase.borrow_mut();
        if matches!(*phase, Phase::Starting) {
            *phase = Phase::Active(Box::new(partition));
        }
        drop(phase);
        self.watches.fire();
    }

    /// Ends for good.
    pub fn end(&self, error: ErrorCode) {
        let mut phase = self.phase.borrow_mut();
        if !matches!(*phase, Phase::Ended(_)) {
            *phase = Phase::Ended(error);
        }
        drop(phase);
        self.watches.fire();
        self.timer.notify();
    }

    /// Why it ended, once it has.
    pub fn ended(&self) -> Option<ErrorCode> {
        match &*self.phase.borrow() {
            Phase::Ended(error) => Some(*error),
            Phase::Starting | Phase::Active(_) => None,
        }
    }

    /// Does something with the share partition while it serves; the lock timer looks again.
    pub fn with<R>(&self, f: impl FnOnce(&mut SharePartition) -> R) -> Option<R> {
        let mut phase = self.phase.borrow_mut();
        let Phase::Active(partition) = &mut *phase else { return None };
        let before = partition.next_deadline();
        let result = f(partition);
        let after = partition.next_deadline();
        drop(phase);
        // Later deadlines are found when the earlier one rings.
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.timer.notify();
        }
        Some(result)
    }

    /// When the next lock expires.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &*self.phase.borrow() {
            Phase::Active(partition) => partition.next_deadline(),
            Phase::Starting | Phase::Ended(_) => None,
        }
    }

    /// Takes the turn to read; `None` while another fetch has it. Who was turned away is told when it ends.
    pub fn take_turn(self: &Rc<Self>) -> Option<Turn> {
        (!self.reading.replace(true)).then(|| Turn(self.clone()))
    }

    /// A member fetches in this session.
    pub fn join(&self, member: &Arc<str>, session: SessionId) {
        self.users.borrow_mut().insert(member.clone(), session);
    }

    /// True while the member fetches in this session.
    pub fn is_user(&self, member: &str, session: SessionId) -> bool {
        self.users.borrow().get(member) == Some(&session)
    }

    /// A member's session is over. False where it has another by now, or never had this one here.
    pub fn leave(&self, member: &str, session: SessionId) -> bool {
        let mut users = self.users.borrow_mut();
        users.get(member) == Some(&session) && users.remove(member).is_some()
    }

    /// True where no member uses it.
    pub fn is_unused(&self) -> bool {
        self.users.borrow().is_empty()
    }
}

/// The right to read the log for a queue: two at once would read the same records.
pub struct Turn(Rc<Queue>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.reading.set(false);
        self.0.turned_away.fire();
    }
}
