//! ShareFetch (key 78, v1-2): acknowledgements, then records nobody else holds (KIP-932, KIP-1206, KIP-1222).

mod respond;
mod rounds;

use super::RequestContext;
use super::reply::{Close, Reply};
use super::share_member::{self, Acknowledged, Member, batch, session_error};
use crate::base::{ErrorCode, TopicIdPartition};
use crate::protocol::decode_request;
use crate::protocol::messages::ShareFetchRequest;
use crate::ring::runtime;
use crate::router::Item;
use crate::shard::Fetches;
use crate::shard::share::session::{FINAL_EPOCH, INITIAL_EPOCH, SessionError, SessionId, ShareSession};
use crate::shard::share::{ShareAsk, ShareBudget, ShareFetched};
use crate::share::AcquireMode;
use bytes::Bytes;
use std::collections::HashSet;
use std::rc::Rc;

const RECORD_LIMIT: i8 = 1;

/// What a request does to its session.
enum Plan {
    /// Fetches its partitions.
    Fetch(ShareSession),
    /// Ends it.
    End(SessionId),
}

/// Answers one request.
pub async fn handle(ctx: Rc<RequestContext>, body: Bytes) -> Reply {
    let request: ShareFetchRequest = match decode_request(body, ctx.api_version) {
        Ok(request) => request,
        Err(e) => return Reply::Close(Close::Malformed(e)),
    };
    let checked = Member::of(&ctx, request.group_id.as_ref(), request.member_id.as_ref()).and_then(|who| {
        check(&request)?;
        Ok(who)
    });
    let who = match checked {
        Ok(who) => who,
        Err(error) => return respond::failed(&ctx, error),
    };
    let acknowledged = acknowledged(&request);
    let plan = match plan(&ctx, &who, &request, !acknowledged.is_empty()) {
        Ok(plan) => plan,
        Err(error) => {
            if error == ErrorCode::ShareSessionLimitReached {
                // The client asks again at once: it is held as long as it would have waited for records.
                runtime::sleep_until(ctx.now.mono.plus_ms(i64::from(request.max_wait_ms))).await;
            }
            return respond::failed(&ctx, error);
        }
    };
    let ids: Vec<TopicIdPartition> = acknowledged.iter().map(|a| a.id).collect();
    let outcomes = share_member::acknowledge(&ctx, &who, acknowledged, request.is_renew_ack);
    let fetched = fetch(&ctx, &who, &request, &plan);
    let (outcomes, fetched) = futures_lite::future::zip(outcomes, fetched).await;
    count(&ctx, &fetched);
    let fresh = match plan {
        Plan::Fetch(session) => session.fresh,
        Plan::End(session) => {
            share_member::end_session(&ctx, &who, session);
            HashSet::new()
        }
    };
    let lock_timeout_ms = ctx.shard.share_settings(&who.group).record_lock_duration_ms;
    respond::answer(&ctx, lock_timeout_ms, &fresh, fetched, ids.into_iter().zip(outcomes).collect())
}

/// For the metrics.
fn count(ctx: &RequestContext, fetched: &[(TopicIdPartition, ShareFetched)]) {
    let (stats, image) = (&ctx.shard.stats, ctx.shard.image());
    let failed = fetched.iter().map(|(id, fetched)| (*id, fetched.error.is_some()));
    stats.share.fetched(failed, |topic| image.topic_by_id(topic).is_some());
    for (id, fetched) in fetched {
        let bytes = fetched.records.as_ref().map_or(0, |range| u64::from(range.len));
        if bytes > 0 {
            stats.fetched.count(id.topic_id, Fetches { bytes, ..Fetches::default() });
        }
    }
}

/// A request that only prolongs locks fetches nothing.
fn check(request: &ShareFetchRequest) -> Result<(), ErrorCode> {
    let fetches =
        request.max_bytes != 0 || request.min_bytes != 0 || request.max_records != 0 || request.max_wait_ms != 0;
    if request.is_renew_ack && fetches { Err(ErrorCode::InvalidRequest) } else { Ok(()) }
}

fn acknowledged(request: &ShareFetchRequest) -> Vec<Acknowledged> {
    let mut asked = Vec::new();
    for topic in &request.topics {
        for partition in topic.partitions.iter().filter(|p| !p.acknowledgement_batches.is_empty()) {
            let batches = partition.acknowledgement_batches.iter();
            asked.push(Acknowledged {
                id: share_member::partition(topic.topic_id, partition.partition_index),
                batches: batches.map(|b| batch(b.first_offset, b.last_offset, &b.acknowledge_types)).collect(),
            });
        }
    }
    asked
}

fn plan(
    ctx: &RequestContext,
    who: &Member,
    request: &ShareFetchRequest,
    acknowledges: bool,
) -> Result<Plan, ErrorCode> {
    let mut sessions = ctx.shard.share_queues.sessions.borrow_mut();
    let asked: Vec<TopicIdPartition> = request
        .topics
        .iter()
        .flat_map(|t| t.partitions.iter().map(|p| share_member::partition(t.topic_id, p.partition_index)))
        .collect();
    match request.share_session_epoch {
        FINAL_EPOCH => {
            let session = sessions.get(&who.group, &who.member).ok_or(session_error(SessionError::NotFound))?;
            Ok(Plan::End(session.id))
        }
        INITIAL_EPOCH if acknowledges => Err(ErrorCode::InvalidRequest),
        INITIAL_EPOCH => {
            let (before, opened) = sessions.open(&who.group, &who.member, asked);
            drop(sessions);
            if let Some(before) = before {
                ctx.connection.ending.forget(before.0);
            }
            let session = opened.map_err(session_error)?;
            share_member::tie_session(ctx, who, session.id);
            Ok(Plan::Fetch(session))
        }
        epoch => {
            let forgotten: Vec<TopicIdPartition> = request
                .forgotten_topics_data
                .iter()
                .flat_map(|t| t.partitions.iter().map(|p| share_member::partition(t.topic_id, *p)))
                .collect();
            let session = sessions.advance(&who.group, &who.member, epoch, &asked, &forgotten);
            Ok(Plan::Fetch(session.map_err(session_error)?))
        }
    }
}

/// What the session's partitions give, in the order in which they are served.
async fn fetch(
    ctx: &RequestContext,
    who: &Member,
    request: &ShareFetchRequest,
    plan: &Plan,
) -> Vec<(TopicIdPartition, ShareFetched)> {
    let Plan::Fetch(session) = plan else { return Vec::new() };
    if request.is_renew_ack || session.partitions.is_empty() {
        return Vec::new();
    }
    let image = ctx.shard.image();
    let mut partitions = session.partitions.clone();
    // Each request begins with the next partition, so that none starves.
    let turns = usize::try_from(session.epoch).unwrap_or(0) % partitions.len();
    partitions.rotate_left(turns);
    let mut answers: Vec<ShareFetched> = Vec::with_capacity(partitions.len());
    let mut items = Vec::with_capacity(partitions.len());
    for (slot, id) in partitions.iter().enumerate() {
        match share_member::missing(&image, id) {
            Some(error) => answers.push(ShareFetched::failed(error)),
            None => {
                items.push(Item { slot, id: *id, ask: () });
                answers.push(ShareFetched::default());
            }
        }
    }
    let broker_max = ctx.shard.shared.config.network.fetch_max_bytes;
    let budget = ShareBudget {
        records: i64::from(request.max_records),
        bytes: request.max_bytes.min(broker_max).max(0).unsigned_abs(),
    };
    let ask = ShareAsk {
        group: who.group.clone(),
        member: who.member.clone(),
        session: session.id,
        mode: if request.share_acquire_mode == RECORD_LIMIT {
            AcquireMode::RecordLimit
        } else {
            AcquireMode::BatchOptimized
        },
        batch_size: i64::from(request.batch_size),
    };
    let failed = items.len() < partitions.len();
    let wait_ms = if failed { 0 } else { i64::from(request.max_wait_ms) };
    let deadline = ctx.now.mono.plus_ms(wait_ms);
    for (slot, fetched) in rounds::run(&ctx.shard, &ask, items, budget, deadline).await {
        if let Some(place) = answers.get_mut(slot) {
            *place = fetched;
        }
    }
    partitions.into_iter().zip(answers).collect()
}
