//! The rounds of a fetch: read, and while there is too little, wait and read what changed.
//!
//! Each owner registers the watch before it reads, so no append falls between. An owner on another
//! core tells the fetch's home core once; the home asks it again, for the changed partitions only.

use crate::base::local::join_all;
use crate::base::{ErrorCode, Instant};
use crate::partition::{Fetched, ReadAsk, Watch};
use crate::ring::runtime;
use crate::router::{self, Item, Share};
use crate::shard::{Shard, ShardIndex};
use futures_lite::future;
use std::rc::Rc;

/// Limits of a whole fetch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes to wait for.
    pub min_bytes: u64,
    /// Bytes to return at most, over all partitions (the first batch always fits).
    pub max_bytes: u32,
    /// When to answer with what there is.
    pub deadline: Instant,
}

/// Reads all `items` under `limits`; one answer per slot.
pub async fn run(shard: &Rc<Shard>, mut items: Vec<Item<ReadAsk>>, slots: usize, limits: Limits) -> Vec<Fetched> {
    let mut answers = vec![Fetched::failed(ErrorCode::NotLeaderOrFollower); slots];
    let mut is_first = true;
    while let Some(again) = attempt(shard, items, limits, is_first, &mut answers).await {
        items = again;
        is_first = false;
    }
    answers
}

/// Reads and waits, on the cores on which the partitions are now. Gives the items back where one of them may have changed
/// its core meanwhile.
async fn attempt(
    shard: &Rc<Shard>,
    items: Vec<Item<ReadAsk>>,
    limits: Limits,
    is_first: bool,
    answers: &mut [Fetched],
) -> Option<Vec<Item<ReadAsk>>> {
    let owners = router::split(shard, items);
    let at_once = shard.now().mono >= limits.deadline || limits.min_bytes == 0;
    let all_local = owners.iter().all(|share| share.owner == shard.index);
    let look_first = at_once || all_local;
    if look_first {
        // Local reads cost no hop, so whether to wait is decided after looking.
        let asking = Asking { home: shard.index, wait: None, is_first };
        let found = round(shard, owners.iter().map(copy_share).collect(), limits, asking, answers).await;
        if found == Found::Elsewhere {
            return Some(items_again(shard, owners).await);
        }
        if at_once || satisfied(answers, limits) {
            return None;
        }
    }
    let (id, wait) = shard.begin_wait();
    let owners_asked: Vec<ShardIndex> = owners.iter().map(|share| share.owner).collect();
    let _ended = EndWait { shard, id, owners: &owners_asked };
    let asking = Asking { home: shard.index, wait: Some(id), is_first: is_first && !look_first };
    let mut found = round(shard, owners.iter().map(copy_share).collect(), limits, asking, answers).await;
    loop {
        if found == Found::Elsewhere {
            return Some(items_again(shard, owners).await);
        }
        if satisfied(answers, limits) {
            return None;
        }
        let timeout = async {
            runtime::sleep_until(limits.deadline).await;
            Vec::new()
        };
        let changed = future::or(wait.changed(), timeout).await;
        // Changes may arrive without end; the time is over all the same.
        if changed.is_empty() || shard.now().mono >= limits.deadline {
            return None;
        }
        let again = owners.iter().filter(|share| changed.contains(&share.owner)).map(copy_share).collect();
        found = round(shard, again, limits, Asking { is_first: false, ..asking }, answers).await;
    }
}

/// Whose round it is.
#[derive(Clone, Copy)]
struct Asking {
    /// The core of the fetch.
    home: ShardIndex,
    /// Under which number it waits, if it does.
    wait: Option<u64>,
    /// True for the first round of a client's request.
    is_first: bool,
}

/// What a round has found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// All that it asked for.
    All,
    /// A partition has moved to another core.
    Elsewhere,
}

/// The items, once it is known where their partitions are.
async fn items_again(shard: &Shard, owners: Vec<Share<ReadAsk>>) -> Vec<Item<ReadAsk>> {
    shard.until_gate_is_open().await;
    owners.into_iter().flat_map(|share| share.items).collect()
}

/// Ends the wait also when the connection goes away in the middle of it.
struct EndWait<'a> {
    shard: &'a Rc<Shard>,
    id: u64,
    owners: &'a [ShardIndex],
}

impl Drop for EndWait<'_> {
    fn drop(&mut self) {
        self.shard.end_wait(self.id, self.owners);
    }
}

fn copy_share(share: &Share<ReadAsk>) -> Share<ReadAsk> {
    let items = share.items.iter().map(|i| Item { slot: i.slot, id: i.id, ask: i.ask.clone() }).collect();
    Share { owner: share.owner, items }
}

fn satisfied(answers: &[Fetched], limits: Limits) -> bool {
    let bytes: u64 = answers.iter().map(|a| u64::from(a.len())).sum();
    bytes >= limits.min_bytes || answers.iter().any(Fetched::is_urgent)
}

/// One reading round: every share on its owner, side by side.
async fn round(
    shard: &Rc<Shard>,
    shares: Vec<Share<ReadAsk>>,
    limits: Limits,
    asking: Asking,
    answers: &mut [Fetched],
) -> Found {
    let work = move |owner: Rc<Shard>, items: Vec<Item<ReadAsk>>| {
        // Made when the call arrives, not when its task runs: the end of a given-up fetch comes after it.
        let watch = asking.wait.map(|id| owner.watch_for(asking.home, id));
        async move { read_here(&owner, items, limits, (asking, watch)).await }
    };
    let mut found = Found::All;
    for (read, here) in join_all(router::scatter(shard, shares, work)).await.into_iter().flatten() {
        if here == Found::Elsewhere {
            found = here;
        }
        for (slot, fetched) in read {
            if let Some(place) = answers.get_mut(slot) {
                *place = fetched;
            }
        }
    }
    found
}

/// On the owner: the partitions in order, each within what the ones before left.
async fn read_here(
    shard: &Rc<Shard>,
    items: Vec<Item<ReadAsk>>,
    limits: Limits,
    (asking, watch): (Asking, Option<Rc<Watch>>),
) -> (Vec<(usize, Fetched)>, Found) {
    let changed = watch.as_ref().map(|w| w.take_changed());
    let first_round = watch.as_ref().is_none_or(|w| !w.was_read());
    let mut left = limits.max_bytes;
    let mut nothing_yet = true;
    let mut answers = Vec::with_capacity(items.len());
    let mut found = Found::All;
    for Item { slot, id, mut ask } in items {
        // In later rounds only what changed is read: the rest still stands at home.
        if !first_round && changed.as_ref().is_some_and(|c| !c.contains(&slot)) {
            continue;
        }
        let Some(partition) = shard.partition(&id) else {
            if shard.has_moved_away(&id) {
                found = Found::Elsewhere;
            } else {
                answers.push((slot, Fetched::failed(shard.why_absent(&id))));
            }
            continue;
        };
        if asking.is_first {
            shard.note_asked(&partition, asking.home);
        }
        if let Some(watch) = &watch {
            partition.watches.add(watch, slot);
        }
        ask.max_bytes = ask.max_bytes.min(left);
        let fetched = partition.read(ask, nothing_yet).await;
        shard.holds_files(&partition);
        shard.mend_if_damaged(&partition);
        if shard.files_are_scarce() {
            // Ranges hold their files until they are sent: what comes behind waits for the client's next fetch.
            left = 0;
        }
        nothing_yet &= fetched.is_empty();
        left = left.saturating_sub(fetched.len());
        answers.push((slot, fetched));
    }
    if let Some(watch) = &watch {
        watch.set_read();
    }
    (answers, found)
}
