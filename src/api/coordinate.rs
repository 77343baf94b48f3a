//! From a group's id, or another coordinator's key, to the core of the coordinator and back.

use super::RequestContext;
use super::reply::Close;
use crate::base::{ErrorCode, TopicIdPartition, java_hash};
use crate::coordinator::group::{Answer, Caller, Groups, Request};
use crate::router::{self, Item};
use crate::shard::{Hosted, Shard};
use std::future::Future;
use std::net::IpAddr;
use std::rc::Rc;

/// The partition of `M`'s topic that keeps `key`; `None` before that topic exists.
pub fn partition_of<M: Hosted>(ctx: &RequestContext, key: &str) -> Option<TopicIdPartition> {
    let image = ctx.shard.image();
    let topic = image.topic_by_name(M::TOPIC)?;
    let partition = java_hash::partition_for(key, topic.partition_count());
    Some(TopicIdPartition { topic_id: topic.id, partition })
}

/// All partitions of `M`'s topic.
pub fn all_partitions<M: Hosted>(ctx: &RequestContext) -> Vec<TopicIdPartition> {
    let image = ctx.shard.image();
    let Some(topic) = image.topic_by_name(M::TOPIC) else { return Vec::new() };
    topic.partitions.keys().map(|&partition| TopicIdPartition { topic_id: topic.id, partition }).collect()
}

/// Asks the coordinator of `group`. The request is on its way when this returns.
pub fn ask<T: TryFrom<Answer>>(
    ctx: &RequestContext,
    group: &str,
    request: Request,
) -> impl Future<Output = Result<T, Close>> + use<T> {
    // Only offsets may belong to the group without a name; who has no coordinator yet is told so too.
    let nameless = group.is_empty() && !matches!(request, Request::Commit(..) | Request::Fetch(..));
    let refused = nameless.then_some(ErrorCode::InvalidGroupId);
    let asked = ask_keeper::<Groups>(ctx, group, request, refused);
    async move { T::try_from(asked.await?).map_err(|_| Close::Stopping) }
}

/// Asks the coordinator of kind `M` that keeps `key`, unless the request is `refused` without it. The request is on its
/// way when this returns.
pub fn ask_keeper<M: Hosted>(
    ctx: &RequestContext,
    key: &str,
    request: M::Request,
    refused: Option<ErrorCode>,
) -> impl Future<Output = Result<M::Answer, Close>> + use<M> {
    let now = ctx.now;
    let asked = match (refused, partition_of::<M>(ctx, key)) {
        (Some(error), _) => Err(M::refuse(&request, error)),
        (None, None) => Err(M::refuse(&request, ErrorCode::NotCoordinator)),
        (None, Some(id)) => Ok(ctx.shard.call(ctx.shard.owner_of(&id), move |owner| {
            let answer = owner.ask_coordinator::<M>(&id, request, now);
            async move { answer.await.ok() }
        })),
    };
    async move {
        match asked {
            Ok(asked) => asked.await.ok().flatten().ok_or(Close::Stopping),
            Err(refused) => Ok(refused),
        }
    }
}

/// Asks several coordinators, each core once. Answers come in the order of the requests, without
/// those of coordinators that went away.
pub async fn ask_all<M: Hosted>(ctx: &RequestContext, requests: Vec<(TopicIdPartition, M::Request)>) -> Vec<M::Answer> {
    let now = ctx.now;
    let slots = requests.len();
    let items = requests.into_iter().enumerate().map(|(slot, (id, ask))| Item { slot, id, ask }).collect();
    let here = move |shard: Rc<Shard>, items: Vec<Item<M::Request>>| {
        let asked: Vec<_> =
            items.into_iter().map(|item| (item.slot, shard.ask_coordinator::<M>(&item.id, item.ask, now))).collect();
        async move {
            let mut answers = Vec::with_capacity(asked.len());
            for (slot, answer) in asked {
                if let Ok(answer) = answer.await {
                    answers.push((slot, answer));
                }
            }
            answers
        }
    };
    router::ask(&ctx.shard, items, slots, here).await.into_iter().flatten().collect()
}

/// Splits `keys` by coordinator of kind `M`; those without a coordinator come back in the first of the pair.
pub fn by_partition<M: Hosted, G: AsRef<str>>(
    ctx: &RequestContext,
    keys: impl IntoIterator<Item = G>,
) -> (Vec<G>, Vec<(TopicIdPartition, Vec<G>)>) {
    let mut homeless = Vec::new();
    let mut shares: Vec<(TopicIdPartition, Vec<G>)> = Vec::new();
    for key in keys {
        match partition_of::<M>(ctx, key.as_ref()) {
            None => homeless.push(key),
            Some(id) => match shares.iter_mut().find(|(other, _)| *other == id) {
                Some((_, share)) => share.push(key),
                None => shares.push((id, vec![key])),
            },
        }
    }
    (homeless, shares)
}

/// The client as groups see it.
pub fn caller(ctx: &RequestContext) -> Caller {
    Caller {
        client_id: ctx.client_id().to_string(),
        client_host: java_address(ctx.connection.peer.ip()),
        api_version: ctx.api_version,
    }
}

/// As `java.net.InetAddress.toString` prints an address without a name.
fn java_address(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("/{ip}"),
        IpAddr::V6(ip) => format!("/{}", ip.segments().map(|s| format!("{s:x}")).join(":")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_printed_as_java_does() {
        assert_eq!(java_address("127.0.0.1".parse().unwrap()), "/127.0.0.1");
        assert_eq!(java_address("::ffff:10.0.0.1".parse().unwrap()), "/10.0.0.1");
        assert_eq!(java_address("::1".parse().unwrap()), "/0:0:0:0:0:0:0:1");
    }
}
