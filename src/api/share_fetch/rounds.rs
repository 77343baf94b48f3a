//! The rounds of a share fetch: the owners are asked one after the other, each for what the ones before left of the
//! limits; while nobody has anything the fetch waits for new records, or for old ones that come free.

use crate::base::Instant;
use crate::base::local::oneshot;
use crate::ring::runtime;
use crate::router::{self, Item, Share};
use crate::shard::share::{ShareAsk, ShareBudget, ShareFetched};
use crate::shard::{Shard, ShardIndex};
use futures_lite::future;
use std::rc::Rc;

/// What the partitions of `items` give under `budget`, by slot; at `deadline` nothing.
pub async fn run(
    shard: &Rc<Shard>,
    ask: &ShareAsk,
    items: Vec<Item<()>>,
    budget: ShareBudget,
    deadline: Instant,
) -> Vec<(usize, ShareFetched)> {
    let shares = router::split(shard, items);
    if shares.is_empty() || budget.records <= 0 {
        return Vec::new();
    }
    if shard.now().mono >= deadline {
        return round(shard, ask, &shares, budget, None).await.answers;
    }
    let (id, wait) = shard.begin_wait();
    let owners: Vec<ShardIndex> = shares.iter().map(|share| share.owner).collect();
    let _ended = EndWait { shard, id, owners: &owners };
    loop {
        let Round { answers, is_whole } = round(shard, ask, &shares, budget, Some(id)).await;
        if !answers.is_empty() || !is_whole {
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
    owners: &'a [ShardIndex],
}

impl Drop for EndWait<'_> {
    fn drop(&mut self) {
        self.shard.end_wait(self.id, self.owners);
    }
}

/// What the owners gave.
struct Round {
    answers: Vec<(usize, ShareFetched)>,
    /// False where a partition changed its core meanwhile, and was not asked: the client asks again.
    is_whole: bool,
}

async fn round(
    shard: &Rc<Shard>,
    ask: &ShareAsk,
    shares: &[Share<()>],
    mut budget: ShareBudget,
    wait: Option<u64>,
) -> Round {
    let home = shard.index;
    let mut answers = Vec::new();
    for share in shares {
        if budget.records <= 0 || budget.bytes == 0 {
            break;
        }
        // While the owners before were asked a partition may have moved.
        shard.until_gate_is_open().await;
        if share.items.iter().any(|item| shard.owner_of(&item.id) != share.owner) {
            return Round { answers, is_whole: false };
        }
        let items = share.items.iter().map(|item| (item.slot, item.id)).collect();
        let ask = ask.clone();
        let call = shard.call(share.owner, move |owner| {
            // Made when the call arrives, not when its task runs: the end of a given-up fetch comes after it.
            let watch = wait.map(|id| owner.watch_for(home, id));
            owner.share_fetch(ask, items, budget, watch)
        });
        // A task of its own here too: it has the turn to read of each queue, which others wait for, and a handler behind
        // another that waits is not looked after.
        let (tell, told) = oneshot();
        runtime::spawn(async move { tell.send(call.await) }).detach();
        if let Ok(Ok((found, left))) = told.await {
            answers.extend(found);
            budget = left;
        }
    }
    Round { answers, is_whole: true }
}
