//! Fetches that wait: their ears on this core, and this core's own fetches waiting elsewhere.

use super::{Shard, ShardIndex};
use crate::base::local::Event;
use crate::partition::Watch;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// A fetch of this core that waits for changes on any core.
#[derive(Default)]
pub struct FetchWait {
    event: Event,
    changed: RefCell<Vec<ShardIndex>>,
}

impl FetchWait {
    /// Partitions on `owner` changed.
    fn wake(&self, owner: ShardIndex) {
        self.changed.borrow_mut().push(owner);
        self.event.notify();
    }

    /// Takes the cores on which something changed, waiting for the first.
    pub async fn changed(&self) -> Vec<ShardIndex> {
        loop {
            let listener = self.event.listen();
            let changed = std::mem::take(&mut *self.changed.borrow_mut());
            if !changed.is_empty() {
                return changed;
            }
            listener.await;
        }
    }
}

/// The waiting fetches a core knows.
#[derive(Default)]
pub struct Waits {
    own: RefCell<HashMap<u64, Rc<FetchWait>>>,
    watches: RefCell<HashMap<(ShardIndex, u64), Rc<Watch>>>,
    next: Cell<u64>,
}

impl Shard {
    /// Begins to wait: a number under which owners report changes.
    pub fn begin_wait(&self) -> (u64, Rc<FetchWait>) {
        let id = self.waits.next.get();
        self.waits.next.set(id + 1);
        let wait = Rc::new(FetchWait::default());
        self.waits.own.borrow_mut().insert(id, wait.clone());
        (id, wait)
    }

    /// Ends a wait here and on the `owners` that were asked.
    pub fn end_wait(&self, id: u64, owners: &[ShardIndex]) {
        self.waits.own.borrow_mut().remove(&id);
        let home = self.index;
        for owner in owners {
            if *owner == home {
                self.waits.watches.borrow_mut().remove(&(home, id));
            } else {
                self.post(*owner, move |shard| {
                    shard.waits.watches.borrow_mut().remove(&(home, id));
                });
            }
        }
    }

    /// On an owner: the ear of fetch `id` of core `home`, made at its first round.
    pub fn watch_for(self: &Rc<Self>, home: ShardIndex, id: u64) -> Rc<Watch> {
        let mut watches = self.waits.watches.borrow_mut();
        let shard = Rc::downgrade(self);
        let make = || {
            Watch::new(move || {
                if let Some(shard) = shard.upgrade() {
                    shard.tell_wait(home, id);
                }
            })
        };
        watches.entry((home, id)).or_insert_with(make).clone()
    }

    fn tell_wait(&self, home: ShardIndex, id: u64) {
        let owner = self.index;
        if home == owner {
            self.wake_wait(id, owner);
        } else {
            self.post(home, move |shard| shard.wake_wait(id, owner));
        }
    }

    fn wake_wait(&self, id: u64, owner: ShardIndex) {
        let wait = self.waits.own.borrow().get(&id).cloned();
        if let Some(wait) = wait {
            wait.wake(owner);
        }
    }

    /// How many fetches of this core wait, and how many ears other cores' fetches have here.
    pub fn waiting_fetches(&self) -> (usize, usize) {
        (self.waits.own.borrow().len(), self.waits.watches.borrow().len())
    }
}
