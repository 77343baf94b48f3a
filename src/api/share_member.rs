//! What ShareFetch and ShareAcknowledge have in common: who asks, acknowledgements, sessions.

use super::RequestContext;
use crate::base::local::join_all;
use crate::base::{ErrorCode, Offset, TopicIdPartition, Uuid};
use crate::metadata::MetadataImage;
use crate::metadata::features::{SHARE_VERSION, SHARE_VERSION_GROUPS};
use crate::protocol::Str;
use crate::router::{self, Item};
use crate::shard::Shard;
use crate::shard::share::session::{SessionError, SessionId};
use crate::shard::share::{Acknowledge, ShareError};
use crate::share::AcknowledgementBatch;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// A member id is a Uuid, or shorter.
const MEMBER_ID_MAX: usize = 36;
/// The acknowledgement that prolongs a lock (KIP-1222).
const RENEW: i8 = 4;

/// A group and a member.
#[derive(Clone, Debug)]
pub struct Member {
    /// The group.
    pub group: Arc<str>,
    /// The member.
    pub member: Arc<str>,
}

impl Member {
    /// Who asks, where share groups are switched on and both are named.
    pub fn of(ctx: &RequestContext, group: Option<&Str>, member: Option<&Str>) -> Result<Self, ErrorCode> {
        if !enabled(ctx) {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let group = group.ok_or(ErrorCode::InvalidRequest)?;
        let valid = |id: &&Str| !id.is_empty() && id.encode_utf16().count() <= MEMBER_ID_MAX;
        let member = member.filter(valid).ok_or(ErrorCode::InvalidRequest)?;
        Ok(Self { group: Arc::from(&**group), member: Arc::from(&**member) })
    }
}

/// True where share groups are switched on.
pub fn enabled(ctx: &RequestContext) -> bool {
    ctx.shard.image().feature(SHARE_VERSION) >= SHARE_VERSION_GROUPS
}

/// What is acknowledged of one partition.
pub struct Acknowledged {
    /// The partition.
    pub id: TopicIdPartition,
    /// The acknowledgements, in order.
    pub batches: Vec<AcknowledgementBatch>,
}

/// A batch out of a request's fields.
pub fn batch(first: i64, last: i64, types: &[i8]) -> AcknowledgementBatch {
    AcknowledgementBatch { first: Offset(first), last: Offset(last), types: types.to_vec() }
}

/// Whether the acknowledgements of one partition make sense at all: ascending, and of types the version knows.
fn is_sound(batches: &[AcknowledgementBatch], type_max: i8, renew: bool) -> bool {
    let mut before = Offset(-1);
    batches.iter().all(|batch| {
        let count = i128::from(batch.last.0) - i128::from(batch.first.0) + 1;
        let sound = batch.first <= batch.last
            && batch.first >= before
            && !batch.types.is_empty()
            && (batch.types.len() == 1 || batch.types.len() as i128 == count)
            && batch.types.iter().all(|kind| (0..=type_max).contains(kind) && (*kind != RENEW || renew));
        before = batch.last;
        sound
    })
}

/// The error for a partition that does not exist.
pub fn missing(image: &MetadataImage, id: &TopicIdPartition) -> Option<ErrorCode> {
    match image.topic_by_id(&id.topic_id) {
        None => Some(ErrorCode::UnknownTopicId),
        Some(_) if image.partition(id).is_none() => Some(ErrorCode::UnknownTopicOrPartition),
        Some(_) => None,
    }
}

/// Has the acknowledgements taken, each by its owner; one outcome for each in their order, when they are persisted. They
/// are on their way when this returns. `renew`: the request says that it prolongs locks.
pub fn acknowledge(
    ctx: &RequestContext,
    who: &Member,
    asked: Vec<Acknowledged>,
    renew: bool,
) -> impl Future<Output = Vec<Result<(), ShareError>>> + use<> {
    let image = ctx.shard.image();
    let type_max = if ctx.api_version >= 2 { RENEW } else { RENEW - 1 };
    let ids: Vec<TopicIdPartition> = asked.iter().map(|asked| asked.id).collect();
    let mut outcomes = Vec::with_capacity(asked.len());
    let mut items = Vec::with_capacity(asked.len());
    for (slot, Acknowledged { id, batches }) in asked.into_iter().enumerate() {
        // In Kafka's order: the topic, the acknowledgements, the partition.
        let refused = match missing(&image, &id) {
            Some(ErrorCode::UnknownTopicId) => Some(ErrorCode::UnknownTopicId),
            _ if !is_sound(&batches, type_max, renew) => Some(ErrorCode::InvalidRequest),
            other => other,
        };
        if refused.is_none() {
            items.push(Item { slot, id, ask: batches });
        }
        outcomes.push(refused.map_or(Err(ErrorCode::NotLeaderOrFollower.into()), |error| Err(error.into())));
    }
    let who = Acknowledge { group: who.group.clone(), member: who.member.clone() };
    let shares = router::split(&ctx.shard, items);
    let taken =
        router::scatter(&ctx.shard, shares, move |shard: Rc<Shard>, items: Vec<Item<Vec<AcknowledgementBatch>>>| {
            shard.share_acknowledge(&who, items.into_iter().map(|item| (item.slot, item.id, item.ask)).collect())
        });
    let shard = ctx.shard.clone();
    async move {
        for (slot, outcome) in join_all(taken).await.into_iter().filter_map(Result::ok).flatten() {
            if let Some(place) = outcomes.get_mut(slot) {
                *place = outcome;
            }
        }
        let failed = ids.into_iter().zip(outcomes.iter().map(Result::is_err));
        shard.stats.share.acknowledged(failed, |topic| image.topic_by_id(topic).is_some());
        outcomes
    }
}

/// Ends the member's session: what it holds can be delivered again.
pub fn end_session(ctx: &RequestContext, who: &Member, session: SessionId) {
    ctx.connection.ending.forget(session.0);
    let closed = ctx.shard.share_queues.sessions.borrow_mut().close(&who.group, &who.member, session);
    if closed {
        ctx.shard.end_share_session(&who.group, &who.member, session);
    }
}

/// The session ends with the connection.
pub fn tie_session(ctx: &RequestContext, who: &Member, session: SessionId) {
    let (shard, who) = (Rc::downgrade(&ctx.shard), who.clone());
    ctx.connection.ending.add(session.0, move || {
        let Some(shard) = shard.upgrade() else { return };
        if shard.share_queues.sessions.borrow_mut().close(&who.group, &who.member, session) {
            shard.end_share_session(&who.group, &who.member, session);
        }
    });
}

/// The code for an error of the session.
pub fn session_error(error: SessionError) -> ErrorCode {
    match error {
        SessionError::NotFound => ErrorCode::ShareSessionNotFound,
        SessionError::InvalidEpoch => ErrorCode::InvalidShareSessionEpoch,
        SessionError::LimitReached => ErrorCode::ShareSessionLimitReached,
    }
}

/// An outcome's code and words.
pub fn told(outcome: Result<(), ShareError>) -> (i16, Option<Str>) {
    match outcome {
        Ok(()) => (0, None),
        Err(error) => (error.error.code(), error.message.map(Str::from)),
    }
}

/// A partition by the numbers of a request.
pub fn partition(topic_id: Uuid, partition: i32) -> TopicIdPartition {
    TopicIdPartition { topic_id, partition }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_must_ascend_and_be_of_known_types() {
        let sound = |batches: &[(i64, i64, &[i8])], max, renew| {
            let batches: Vec<_> = batches.iter().map(|(first, last, types)| batch(*first, *last, types)).collect();
            is_sound(&batches, max, renew)
        };
        assert!(sound(&[(0, 4, &[1]), (5, 6, &[0, 3])], 3, false));
        assert!(sound(&[(0, 4, &[4])], 4, true));
        for (batches, max, renew) in [
            (&[(4, 0, &[1i8][..])][..], 3, false),
            (&[(5, 9, &[1]), (0, 4, &[1])], 3, false),
            (&[(0, 4, &[])], 3, false),
            (&[(0, 4, &[1, 1])], 3, false),
            (&[(0, 4, &[5])], 4, false),
            (&[(0, 4, &[-1])], 4, false),
            (&[(0, 4, &[4])], 4, false),
            (&[(0, 4, &[4])], 3, true),
            (&[(i64::MIN, i64::MAX, &[1, 1])], 3, false),
        ] {
            assert!(!sound(batches, max, renew), "{batches:?}");
        }
    }
}
