//! A waiting fetch: told once that some of its partitions changed, it reads only those again.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// A fetch's ear on the partitions of one core.
pub struct Watch {
    changed: RefCell<Vec<usize>>,
    fired: Cell<bool>,
    read: Cell<bool>,
    on_fire: Box<dyn Fn()>,
}

impl Watch {
    /// `on_fire` is called at the first change after each [`take_changed`](Self::take_changed).
    pub fn new(on_fire: impl Fn() + 'static) -> Rc<Self> {
        Rc::new(Self {
            changed: RefCell::default(),
            fired: Cell::new(false),
            read: Cell::new(false),
            on_fire: Box::new(on_fire),
        })
    }

    /// The slots that changed since the last call. Their partitions no longer know this watch.
    pub fn take_changed(&self) -> Vec<usize> {
        self.fired.set(false);
        std::mem::take(&mut *self.changed.borrow_mut())
    }

    /// True once a whole round was read under this watch: later rounds read only what changed.
    pub fn was_read(&self) -> bool {
        self.read.get()
    }

    /// Notes that a whole round was read.
    pub fn set_read(&self) {
        self.read.set(true);
    }

    fn fire(&self, slot: usize) {
        self.changed.borrow_mut().push(slot);
        if !self.fired.replace(true) {
            (self.on_fire)();
        }
    }
}

/// The watches on one partition.
#[derive(Default)]
pub struct Watches {
    waiting: RefCell<Vec<(Weak<Watch>, usize)>>,
}

impl Watches {
    /// Tells `watch` of the next change, under `slot`. Register before reading.
    pub fn add(&self, watch: &Rc<Watch>, slot: usize) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == waiting.capacity() {
            // Fetches that ended leave dead entries; sweep them before growing.
            waiting.retain(|(w, _)| w.strong_count() > 0);
        }
        waiting.push((Rc::downgrade(watch), slot));
    }

    /// Something a fetch may wait for happened: tells and forgets all watches.
    pub fn fire(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for (watch, slot) in waiting {
            if let Some(watch) = watch.upgrade() {
                watch.fire(slot);
            }
        }
    }

    /// How many entries are held, dead ones included.
    pub fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// True when nobody watches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_fires_once_and_names_every_changed_partition() {
        let fired = Rc::new(Cell::new(0));
        let seen = fired.clone();
        let watch = Watch::new(move || seen.set(seen.get() + 1));
        let (a, b) = (Watches::default(), Watches::default());
        a.add(&watch, 3);
        b.add(&watch, 5);
        a.fire();
        b.fire();
        a.fire();
        assert_eq!(fired.get(), 1);
        assert_eq!(watch.take_changed(), vec![3, 5]);
        a.add(&watch, 3);
        a.fire();
        assert_eq!(fired.get(), 2);
    }

    #[test]
    fn ended_fetches_do_not_pile_up() {
        let watches = Watches::default();
        for slot in 0..10_000 {
            watches.add(&Watch::new(|| ()), slot);
        }
        assert!(watches.len() < 16, "{} kept", watches.len());
    }
}
