//! What the requests of the share coordinator have in common (keys 83-87): their partitions are asked one by one, as
//! each may belong to another coordinator.

use super::RequestContext;
use crate::base::local::join_all;
use crate::base::{ErrorCode, TopicIdPartition, Uuid};
use crate::coordinator::share::{Answer, Key, Refusal, Request};
use crate::protocol::Str;
use std::future::Future;
use std::pin::Pin;

/// What is told of partitions that do not exist, where Kafka looks for the partition first.
pub const UNKNOWN_PARTITION: Refusal = Refusal { error: ErrorCode::UnknownTopicOrPartition, message: None };
/// Where it looks for the state first: there is none of a partition that does not exist.
pub const READ_UNINITIALIZED: Refusal =
    Refusal { error: ErrorCode::InvalidRequest, message: Some(crate::coordinator::share::READ_UNINITIALIZED) };
/// The same of writes.
pub const WRITE_UNINITIALIZED: Refusal =
    Refusal { error: ErrorCode::InvalidRequest, message: Some(crate::coordinator::share::WRITE_UNINITIALIZED) };

const NEGATIVE_PARTITION: Refusal =
    Refusal { error: ErrorCode::InvalidRequest, message: Some("The partition id cannot be a negative number.") };

/// Asks for each partition; the answers come in their order. `unknown` is told of those that do not exist.
pub async fn ask_each(
    ctx: &RequestContext,
    group: &str,
    partitions: impl IntoIterator<Item = (Uuid, i32)>,
    unknown: Refusal,
    request: impl Fn(Key, usize) -> Request,
) -> Vec<Answer> {
    let asked: Vec<_> = partitions
        .into_iter()
        .enumerate()
        .map(|(at, (topic_id, partition))| {
            ask(ctx, group, TopicIdPartition { topic_id, partition }, unknown.clone(), |key| request(key, at))
        })
        .collect();
    join_all(asked).await
}

fn ask(
    ctx: &RequestContext,
    group: &str,
    id: TopicIdPartition,
    unknown: Refusal,
    request: impl FnOnce(Key) -> Request,
) -> Pin<Box<dyn Future<Output = Answer>>> {
    let refused = if id.partition < 0 {
        Some(NEGATIVE_PARTITION)
    } else if ctx.shard.image().partition(&id).is_none() {
        Some(unknown)
    } else {
        None
    };
    let asked = match refused {
        Some(refusal) => Err(Answer::Refused(refusal)),
        None => {
            let key = Key::new(group, id);
            Ok(ctx.shard.ask_share_state(&key.clone(), request(key)))
        }
    };
    Box::pin(async move {
        match asked {
            Ok(asked) => asked.await,
            Err(refused) => refused,
        }
    })
}

/// Code and words of an answer.
pub fn told(answer: &Answer) -> (i16, Option<Str>) {
    match answer {
        Answer::Refused(refusal) => (refusal.error.code(), refusal.message.map(Str::from_static)),
        Answer::Done | Answer::State(..) | Answer::Summary(_) => (0, None),
    }
}
