//! A share group's progress is kept in two places: the group knows which partitions it has begun, the share coordinator
//! how far each has come. What changes both is done here, in tasks that go on when the client has gone.

use super::RequestContext;
use super::coordinate::ask;
use crate::base::local::{self, join_all};
use crate::base::{ErrorCode, TopicIdPartition, Uuid};
use crate::coordinator::group::Request as GroupRequest;
use crate::coordinator::group::share::Initialize;
use crate::coordinator::share::{Answer, Key, Request};
use crate::ring::runtime;
use crate::shard::Shard;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How often the share coordinator is asked while it is on its way, and the first pause; each is twice the last.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Has partitions begun, and tells the group which were.
pub async fn initialize(ctx: &Rc<RequestContext>, initialize: Initialize) -> Result<(), ErrorCode> {
    let (sender, receiver) = local::oneshot();
    let ctx = ctx.clone();
    runtime::spawn(async move {
        let Initialize { group, epoch, partitions } = initialize;
        let asks = partitions.iter().map(|(topic_id, partition, offset)| {
            let key = key(&group, *topic_id, *partition);
            (key.clone(), Request::Initialize(key, epoch, *offset))
        });
        let outcomes = ask_each(&ctx.shard, asks.collect()).await;
        let error = outcomes.iter().find_map(|outcome| outcome.as_ref().err()).copied();
        let (mut begun, mut failed) = (Vec::new(), Vec::new());
        for ((topic, partition, _), outcome) in partitions.iter().zip(&outcomes) {
            if outcome.is_ok() { begun.push((*topic, *partition)) } else { failed.push((*topic, *partition)) }
        }
        let mut told = Ok(());
        for (partitions, done) in [(begun, true), (failed, false)] {
            if partitions.is_empty() {
                continue;
            }
            let request = GroupRequest::ShareInitialized(group.clone(), partitions, done);
            let answer: Result<Result<(), ErrorCode>, _> = ask(&ctx, &group, request).await;
            told = told.and(answer.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable)));
        }
        sender.send(error.map_or(told, Err));
    })
    .detach();
    receiver.await.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
}

/// Has progress deleted, and tells the group which topics are done with. By topic, what went wrong.
pub async fn delete(
    ctx: &Rc<RequestContext>,
    group: &Arc<str>,
    partitions: Vec<(Uuid, i32)>,
) -> Vec<(Uuid, Result<(), ErrorCode>)> {
    let (sender, receiver) = local::oneshot();
    let (ctx, group) = (ctx.clone(), group.clone());
    runtime::spawn(async move {
        let asks = partitions.iter().map(|(topic_id, partition)| {
            let key = key(&group, *topic_id, *partition);
            (key.clone(), Request::Delete(key))
        });
        let outcomes = ask_each(&ctx.shard, asks.collect()).await;
        let topics: BTreeSet<Uuid> = partitions.iter().map(|(topic, _)| *topic).collect();
        let mut results = Vec::with_capacity(topics.len());
        let mut done = BTreeSet::new();
        for topic in topics {
            let of_topic = partitions.iter().zip(&outcomes).filter(|((other, _), _)| *other == topic);
            let error = of_topic.filter_map(|(_, outcome)| outcome.as_ref().err().copied()).next();
            if error.is_none() {
                done.insert(topic);
            }
            results.push((topic, error.map_or(Ok(()), Err)));
        }
        if !done.is_empty() {
            let told: Result<Result<(), ErrorCode>, _> =
                ask(&ctx, &group, GroupRequest::ShareDeleted(group.clone(), done)).await;
            if let Err(error) = told.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable)) {
                results.iter_mut().for_each(|(_, result)| *result = Err(error));
            }
        }
        sender.send(results);
    })
    .detach();
    receiver.await.unwrap_or_default()
}

fn key(group: &str, topic_id: Uuid, partition: i32) -> Key {
    Key::new(group, TopicIdPartition { topic_id, partition })
}

/// Asks for each share partition; asks again while its coordinator is loading or its topic is being created.
async fn ask_each(shard: &Rc<Shard>, asks: Vec<(Key, Request)>) -> Vec<Result<(), ErrorCode>> {
    let mut outcomes: Vec<Result<(), ErrorCode>> = vec![Err(ErrorCode::CoordinatorNotAvailable); asks.len()];
    let mut pause = FIRST_PAUSE;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            runtime::sleep(pause).await;
            pause *= 2;
        }
        let open: Vec<usize> = (0..asks.len()).filter(|at| is_passing(outcomes.get(*at))).collect();
        if open.is_empty() {
            break;
        }
        let asked = open.iter().filter_map(|at| asks.get(*at));
        let asked = asked.map(|(key, request)| Box::pin(shard.ask_share_state(key, request.clone()))).collect();
        for (at, answer) in open.iter().zip(join_all(asked).await) {
            if let Some(outcome) = outcomes.get_mut(*at) {
                *outcome = match answer {
                    Answer::Refused(refusal) => Err(refusal.error),
                    Answer::Done | Answer::State(..) | Answer::Summary(_) => Ok(()),
                };
            }
        }
    }
    outcomes
}

fn is_passing(outcome: Option<&Result<(), ErrorCode>>) -> bool {
    use ErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    matches!(outcome, Some(Err(CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)))
}
