//! Partition -> shard: a request's partitions are split by owning core, each core is asked at most
//! once, the answers are put back in the request's order. What is all local does not hop.

use crate::base::TopicIdPartition;
use crate::base::local::join_all;
use crate::shard::{CallFuture, Shard, ShardIndex};
use std::future::Future;
use std::rc::Rc;

/// One partition's share of a request: its place in the request, the partition, what is asked.
pub struct Item<T> {
    /// Index of this item in the request; answers return under it.
    pub slot: usize,
    /// The partition.
    pub id: TopicIdPartition,
    /// What is asked of it.
    pub ask: T,
}

/// The items of one owning core.
pub struct Share<T> {
    /// The core.
    pub owner: ShardIndex,
    /// Its items, in the request's order.
    pub items: Vec<Item<T>>,
}

/// Groups `items` by owning core, in the order in which the cores first appear.
pub fn split<T>(shard: &Shard, items: impl IntoIterator<Item = Item<T>>) -> Vec<Share<T>> {
    let mut shares: Vec<Share<T>> = Vec::new();
    for item in items {
        let owner = shard.owner_of(&item.id);
        match shares.iter_mut().find(|share| share.owner == owner) {
            Some(share) => share.items.push(item),
            None => shares.push(Share { owner, items: vec![item] }),
        }
    }
    shares
}

/// Starts `work` on each owning core with that core's items. All calls are under way when this
/// returns, in the order of the shares; poll the futures to have the answers.
pub fn scatter<T, R, F, Fut>(shard: &Rc<Shard>, shares: Vec<Share<T>>, work: F) -> Vec<CallFuture<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(Rc<Shard>, Vec<Item<T>>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = R> + 'static,
{
    shares
        .into_iter()
        .map(|share| {
            let work = work.clone();
            shard.call(share.owner, move |owner| work(owner, share.items))
        })
        .collect()
}

/// Asks every item's owner and puts the answers into `answers`, under the items' slots. What is there stays where a core
/// went away before it answered.
pub async fn ask_into<T, R, F, Fut>(shard: &Rc<Shard>, items: Vec<Item<T>>, answers: &mut [Option<R>], work: F)
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(Rc<Shard>, Vec<Item<T>>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Vec<(usize, R)>> + 'static,
{
    let mut put = |slot: usize, answer: R| {
        if let Some(place) = answers.get_mut(slot) {
            *place = Some(answer);
        }
    };
    if items.iter().all(|item| shard.owner_of(&item.id) == shard.index) {
        return work(shard.clone(), items).await.into_iter().for_each(|(slot, answer)| put(slot, answer));
    }
    // All at once: the owners' ordered steps happen in the order of the requests, not of the answers.
    let shares = join_all(scatter(shard, split(shard, items), work)).await;
    shares.into_iter().filter_map(Result::ok).flatten().for_each(|(slot, answer)| put(slot, answer));
}

/// [`ask_into`] so many empty slots: `None` where a core went away before it answered.
pub async fn ask<T, R, F, Fut>(shard: &Rc<Shard>, items: Vec<Item<T>>, slots: usize, work: F) -> Vec<Option<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(Rc<Shard>, Vec<Item<T>>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Vec<(usize, R)>> + 'static,
{
    let mut answers: Vec<Option<R>> = std::iter::repeat_with(|| None).take(slots).collect();
    ask_into(shard, items, &mut answers, work).await;
    answers
}
