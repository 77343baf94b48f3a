//! Partitions go to the core whose connections ask them.
//!
//! The owner sees from which core a partition is asked ([`Askers`]) and asks the first core for a move; [`super::stay`] says
//! when one is worth it. The first core lets one partition move at a time and no metadata change meanwhile:
//!
//! 1. Every core closes its gate: no connection begins a request. When all have said so, whatever had begun has sent what it
//!    asks of the partition, and stands in the owner's mailbox before the next step.
//! 2. The owner waits until all that was accepted is committed and nobody uses the partition, takes it apart and gives the log
//!    away. Where that takes long nothing moves.
//! 3. The other core opens the partition on that log.
//! 4. Every core learns the new place and opens its gate; fetches that wait for the partition are told, and ask there.
//!
//! So the order of a connection's requests holds, as without a move. Partitions of internal topics stay with their
//! coordinators, those in a share group's queue with that, those that are moved between log dirs or compacted where they
//! are until that is over. Where acknowledgements wait for the device a hop is the least, and a partition is seldom at rest.

use super::failure::dir_of;
use super::stay::{PARTITION_PATIENCE, Stay};
use super::{CONTROLLER, Shard, ShardIndex};
use crate::base::local::{Event, join_all};
use crate::base::topic::is_internal;
use crate::base::{Instant, TopicIdPartition, TopicPartition, Uuid};
use crate::log::Log;
use crate::partition::{Askers, Counts, Partition, Watches};
use crate::ring::runtime;
use futures_lite::future::or;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// Requests after which it is asked again whether a partition had better move.
const LOOK_AGAIN: u32 = 32;
/// Looks at a partition that is still used before it stays where it is, and the pause between them: so long no connection
/// begins a request.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_micros(100);
/// A core that closes its gate later is busy with something long: the others do not wait for it.
const CLOSING_MAX: Duration = Duration::from_millis(3);
/// After a move the next one is not begun for so long.
const BETWEEN_MOVES: Duration = Duration::from_millis(10);
/// Doubled so often at most, where moves are in vain: a broker that has no time for them waits a second.
const PAUSE_DOUBLINGS_MAX: u32 = 7;

/// Where this core believes partitions to be, and whether requests may begin.
#[derive(Default)]
pub(super) struct Places {
    /// Partitions that are not on the core that their id says.
    away: RefCell<HashMap<TopicIdPartition, ShardIndex>>,
    closed: Cell<bool>,
    opened: Event,
    /// What this core has given away, and who waits for it; the others do not know yet.
    given: RefCell<Option<(TopicIdPartition, Watches)>>,
    /// On the first core: a partition is moving, or one has just moved.
    busy: Cell<bool>,
    /// On the first core: moves in a row for which all waited in vain.
    in_vain: Cell<u32>,
    /// On the first core: those for whom partitions stay where they are.
    held: Cell<u32>,
}

/// While it lives no partition changes its core.
pub struct Held<'a>(&'a Cell<u32>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A partition on its way to another core.
struct Leaving {
    log: Log,
    name: TopicPartition,
    counts: Counts,
    moves: u32,
    /// When what is not flushed yet has to be, by `flush.ms`: on the way no time is won.
    flush_at: Option<Instant>,
}

impl Shard {
    /// The core that owns `partition`: the one its id says ([`Self::home_of`]), or where it has moved to since.
    pub fn owner_of(&self, partition: &TopicIdPartition) -> ShardIndex {
        let away = self.places.away.borrow();
        if away.is_empty() {
            return self.home_of(partition);
        }
        away.get(partition).copied().unwrap_or_else(|| self.home_of(partition))
    }

    /// The core on which a partition is opened: those of a topic go round the cores, beginning at a place its id decides.
    fn home_of(&self, partition: &TopicIdPartition) -> ShardIndex {
        let id = partition.topic_id.0;
        let start = u32::from_be_bytes([id[0], id[1], id[2], id[3]]) as usize;
        ShardIndex((start + partition.partition.unsigned_abs() as usize) % self.shard_count())
    }

    /// True where a partition is not here because it has just moved to another core. Who asked for it finds out where by
    /// waiting [until its own core's gate is open](Self::until_gate_is_open).
    pub fn has_moved_away(&self, partition: &TopicIdPartition) -> bool {
        let given = self.places.given.borrow().as_ref().is_some_and(|(given, _)| given == partition);
        // Where a topic is being deleted some cores know no place of its partitions any more, and some still do.
        let is_known = || self.image().partition(partition).is_some();
        given || (self.owner_of(partition) != self.index && is_known())
    }

    /// False while a partition is changing its core.
    pub fn is_gate_open(&self) -> bool {
        !self.places.closed.get()
    }

    /// Waits, where a partition is changing its core just now, until requests may begin again and everybody knows where it
    /// is. Whoever has waited for something since the request began, and asks an owner now, calls this first.
    pub async fn until_gate_is_open(&self) {
        while self.places.closed.get() {
            self.places.opened.listen().await;
        }
    }

    /// A connection of core `from` asked `partition`, which is on this core.
    pub fn note_asked(&self, partition: &Partition, from: ShardIndex) {
        if let Some(requests) = partition.askers.asked_from(from.0) {
            self.look_for_place(partition, from, requests);
        }
    }

    #[cold]
    fn look_for_place(&self, partition: &Partition, from: ShardIndex, requests: u32) {
        partition.askers.look_again_in(LOOK_AGAIN);
        let (id, here) = (partition.id, self.index);
        let stay = Stay::partition(self.home_of(&id), here, partition.askers.moves);
        // Most are asked from the core they are on: nothing else is looked at.
        let Some(to) = stay.next(from, requests, |core| runtime::load_of(core.0)) else { return };
        if self.shared.config.move_partitions && self.may_leave(partition) {
            self.post(CONTROLLER, move |first| first.relocate(id, here, to));
        }
    }

    /// Whether nothing binds a partition to this core.
    fn may_leave(&self, partition: &Partition) -> bool {
        let id = &partition.id;
        let bound = self.move_of(id).is_some() || self.has_share_queue(id) || self.is_left_alone(id);
        let waits_for_device = partition.with_log(|log| log.config().flush_messages < i64::MAX);
        !bound && !waits_for_device && !is_internal(&partition.name.topic) && !self.is_stopping()
    }

    /// On the first core: keeps partitions where they are, for a look at all cores.
    pub async fn hold_partitions(&self) -> Held<'_> {
        self.until_gate_is_open().await;
        self.places.held.set(self.places.held.get() + 1);
        Held(&self.places.held)
    }

    /// On the first core: lets a partition move, unless another does.
    fn relocate(self: &Rc<Self>, id: TopicIdPartition, from: ShardIndex, to: ShardIndex) {
        if self.places.busy.replace(true) {
            return;
        }
        let first = self.clone();
        runtime::spawn(async move {
            first.clone().relocate_in_turn(id, from, to).await;
            let doublings = first.places.in_vain.get().min(PAUSE_DOUBLINGS_MAX);
            runtime::sleep(BETWEEN_MOVES * (1 << doublings)).await;
            first.places.busy.set(false);
        })
        .detach();
    }

    async fn relocate_in_turn(self: Rc<Self>, id: TopicIdPartition, from: ShardIndex, to: ShardIndex) {
        let _turn = self.writer.turn.lock().await;
        if self.is_stopping() || self.places.held.get() > 0 {
            return;
        }
        let closing = async {
            self.on_all_cores(|core| core.places.closed.set(true)).await;
            true
        };
        let too_long = async {
            runtime::sleep(CLOSING_MAX).await;
            false
        };
        let closed = or(closing, too_long).await;
        let leaving = match closed {
            true => self.call(from, move |owner| async move { owner.give_away(id).await }).await,
            false => Ok(self.stays(id, from)),
        };
        let moved = match leaving {
            Ok(Some(leaving)) => {
                let taken = self.call(to, move |owner| async move { owner.take_in(id, leaving) });
                taken.await.unwrap_or(false)
            }
            _ => false,
        };
        if moved {
            self.places.in_vain.set(0);
        } else {
            self.places.in_vain.set(self.places.in_vain.get().saturating_add(1));
            self.stats.moves_in_vain.set(self.stats.moves_in_vain.get() + 1);
        }
        self.on_all_cores(move |core| {
            if moved {
                core.settle_at(id, to);
            }
            let given = core.places.given.take();
            core.places.closed.set(false);
            core.places.opened.notify();
            given.into_iter().for_each(|(_, waiting)| waiting.fire());
        })
        .await;
    }

    async fn on_all_cores(self: &Rc<Self>, act: impl Fn(&Shard) + Clone + Send + 'static) {
        let acts = (0..self.shard_count()).map(|core| {
            let act = act.clone();
            self.call(ShardIndex(core), move |shard| async move { act(&shard) })
        });
        join_all(acts.collect()).await;
    }

    /// A gate has not closed in time: nothing moves, and it is not tried again soon.
    fn stays(&self, id: TopicIdPartition, on: ShardIndex) -> Option<Leaving> {
        self.post(on, move |owner| {
            owner.partition(&id).inspect(|partition| partition.askers.be_more_patient());
        });
        None
    }

    /// On the owner: the partition's log, once nobody uses it.
    async fn give_away(self: Rc<Self>, id: TopicIdPartition) -> Option<Leaving> {
        for _ in 0..TRIES {
            // What came before the gates closed is a task of this core: it has its turn first, and who writes it after it.
            runtime::yield_now().await;
            runtime::yield_now().await;
            let partition = self.partition(&id).filter(|partition| self.may_leave(partition))?;
            // Two: this one and the core's own.
            if partition.is_at_rest() && Rc::strong_count(&partition) == 2 {
                self.partitions.borrow_mut().remove(&id);
                match Rc::try_unwrap(partition) {
                    Ok(alone) => return Some(self.part_with(alone)),
                    Err(used) => drop(self.partitions.borrow_mut().insert(id, used)),
                }
            } else {
                drop(partition);
            }
            runtime::sleep(PAUSE).await;
        }
        // All connections have waited for it: it is not tried again soon.
        self.partition(&id)?.askers.be_more_patient();
        None
    }

    fn part_with(&self, partition: Partition) -> Leaving {
        let (id, name, moves) = (partition.id, partition.name.clone(), partition.askers.moves);
        let flush_at = partition.timed_flush();
        let (log, counts, waiting) = partition.into_parts();
        *self.places.given.borrow_mut() = Some((id, waiting));
        Leaving { log, name, counts, moves, flush_at }
    }

    /// On the core it comes to: opens the partition on its log.
    fn take_in(self: &Rc<Self>, id: TopicIdPartition, leaving: Leaving) -> bool {
        let Leaving { log, name, counts, moves, flush_at } = leaving;
        let health = log.health().clone();
        let askers = Askers::new(moves.saturating_add(1), PARTITION_PATIENCE);
        let Some(partition) = self.insert_moved(id, log, (counts, askers)) else {
            // No metadata change is under way, so it is there; were it not, nobody closes this log.
            self.shared.log_dirs.of_partition(&name).into_iter().for_each(|dir| dir.leave_unclean());
            return false;
        };
        self.stats.partitions_moved.set(self.stats.partitions_moved.get() + 1);
        self.holds_files(&partition);
        flush_at.into_iter().for_each(|due| self.flush_at(&partition, due));
        self.flush_as_asked(&partition);
        if partition.with_log(|log| log.config().compact) {
            self.wake_cleaner();
        }
        if health.has_failed() {
            // It was on its way when the directories' partitions were closed.
            let dir = dir_of(&partition);
            drop(partition);
            dir.into_iter().for_each(|dir| self.take_dir_offline(&dir));
        }
        true
    }

    /// From here on `id` is asked on core `at`.
    fn settle_at(&self, id: TopicIdPartition, at: ShardIndex) {
        let mut away = self.places.away.borrow_mut();
        if at == self.home_of(&id) {
            away.remove(&id);
        } else {
            away.insert(id, at);
        }
    }

    /// Deleted topics have no place.
    pub(super) fn forget_places(&self, topics: &[Uuid]) {
        self.places.away.borrow_mut().retain(|id, _| !topics.contains(&id.topic_id));
    }

    /// Waits until no partition is between two cores. The broker has begun to stop: none will be.
    pub async fn until_all_have_a_place(&self) {
        drop(self.writer.turn.lock().await);
    }
}
