//! The rounds of a share fetch: the owners are asked one after the other, each for what the ones before left of the
//! limits; while nobody has anything the fetch waits for new records, or for old ones that come free.

use crate::base::Instant;
use crate::ring::runtime;
use crate::router::{self, Item};
use crate::shard::share::{ShareAsk, ShareBudget, ShareFetched};
use crate::shard::{Shard, ShardIndex};
use futures_lite::future;
use std::cell::RefCell;
use std::rc::Rc;

/// The owners that a share fetch has asked.
type Asked = RefCell<Vec<ShardIndex>>;

/// What the partitions of `items` give under `budget`, by slot; at `deadline` nothing.
pub async fn run(
    shard: &Rc<Shard>,
    ask: &ShareAsk,
    items: Vec<Item<()>>,
    budget: ShareBudget,
    deadline: Instant,
) -> Vec<(usize, ShareFetched)> {
    if items.is_empty() || budget.records <= 0 {
        return Vec::new();
    }
    let asked = RefCell::default();
    if shard.now().mono >= deadline {
        return round(shard, ask, &items, budget, (None, &asked)).await;
    }
    let (id, wait) = shard.begin_wait();
    let _ended = EndWait { shard, id, asked: &asked };
    loop {
        let answers = round(shard, ask, &items, budget, (Some(id), &asked)).await;
        if !answers.is_empty() {
            return answers;
        }
        let timeout = async {
            runtime::sleep_until(deadline).await;
            Vec::new()
        };
        let changed = future::or(wait.changed(), timeout).await;
        // Changes may arrive without end; the time is over all the same.
        if changed.is_empty() || shard.now().mono >= deadline {
            return Vec::new();
        }
    }
}

/// Ends the wait also when the connection goes away in the middle of it.
struct EndWait<'a> {
    shard: &'a Rc<Shard>,
    id: u64,
    asked: &'a Asked,
}

impl Drop for EndWait<'_> {
    fn drop(&mut self) {
        self.shard.end_wait(self.id, &self.asked.borrow());
    }
}

async fn round(
    shard: &Rc<Shard>,
    ask: &ShareAsk,
    items: &[Item<()>],
    mut budget: ShareBudget,
    (wait, asked): (Option<u64>, &Asked),
) -> Vec<(usize, ShareFetched)> {
    let home = shard.index;
    let mut answers = Vec::new();
    let mut left: Vec<Item<()>> = items.iter().map(|item| Item { slot: item.slot, id: item.id, ask: () }).collect();
    while budget.records > 0 && budget.bytes > 0 {
        // A partition may change its core while the owners before it are asked.
        shard.until_gate_is_open().await;
        let mut shares = router::split(shard, left).into_iter();
        let Some(share) = shares.next() else { break };
        left = shares.flat_map(|share| share.items).collect();
        if !asked.borrow().contains(&share.owner) {
            asked.borrow_mut().push(share.owner);
        }
        let items = share.items.iter().map(|item| (item.slot, item.id)).collect();
        let ask = ask.clone();
        let call = shard.call(share.owner, move |owner| {
            // Made when the call arrives, not when its task runs: the end of a given-up fetch comes after it.
            let watch = wait.map(|id| owner.watch_for(home, id));
            owner.share_fetch(ask, items, budget, watch)
        });
        if let Ok((found, rest)) = call.await {
            answers.extend(found);
            budget = rest;
        }
    }
    answers
}
