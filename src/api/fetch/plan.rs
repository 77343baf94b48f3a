//! What a fetch reads: its session's partitions, resolved to owners.

use super::BY_TOPIC_ID;
use crate::api::RequestContext;
use crate::base::{ErrorCode, LeaderEpoch, Offset, TopicIdPartition, Uuid};
use crate::metadata::MetadataImage;
use crate::partition::{Fetched, ReadAsk, Reader};
use crate::protocol::messages::FetchRequest;
use crate::router::Item;
use crate::shard::Shard;
use crate::shard::fetch_session::{Cached, Key, NO_SESSION, SessionError, SessionPlan, SessionRequest};
use std::sync::Arc;

/// The partitions of one fetch, in the order in which they are served.
pub struct Plan {
    /// 0 without a session.
    pub session_id: i32,
    /// Only what changed is answered.
    pub incremental: bool,
    /// The partitions and what is asked of each.
    pub partitions: Vec<(Key, Cached)>,
}

impl Plan {
    /// Applies the request to its session.
    pub fn make(ctx: &RequestContext, request: &FetchRequest) -> Result<Self, SessionError> {
        let by_id = ctx.api_version >= BY_TOPIC_ID;
        let session_request = SessionRequest {
            id: request.session_id,
            epoch: request.session_epoch,
            uses_ids: by_id,
            asked: asked(request, by_id),
            forgotten: forgotten(request, by_id),
        };
        let mut sessions = ctx.shard.fetch_sessions.borrow_mut();
        let fresh =
            if request.session_epoch == 0 { fresh_session_id(&ctx.shard, |id| sessions.contains(id)) } else { 0 };
        let (session_id, incremental) = match sessions.begin(session_request, fresh)? {
            SessionPlan::Sessionless(partitions) => {
                return Ok(Self { session_id: NO_SESSION, incremental: false, partitions });
            }
            SessionPlan::Full(id) => (id, false),
            SessionPlan::Incremental(id) => (id, true),
        };
        let partitions = sessions
            .get_mut(session_id)
            .map(|session| session.partitions().map(|(k, c)| (k.clone(), c.clone())).collect())
            .unwrap_or_default();
        Ok(Self { session_id, incremental, partitions })
    }

    /// What to ask the owners, and the answers that are clear without asking.
    pub fn items(&self, ctx: &RequestContext, reader: Reader) -> (Vec<Item<ReadAsk>>, Vec<Option<Fetched>>) {
        let image = ctx.shard.image();
        let mut items = Vec::with_capacity(self.partitions.len());
        let mut early = Vec::with_capacity(self.partitions.len());
        for (slot, (key, cached)) in self.partitions.iter().enumerate() {
            match resolve(&image, key) {
                Ok(id) => {
                    items.push(Item { slot, id, ask: ask(cached, reader) });
                    early.push(None);
                }
                Err(error) => early.push(Some(Fetched::failed(error))),
            }
        }
        (items, early)
    }
}

fn ask(cached: &Cached, reader: Reader) -> ReadAsk {
    ReadAsk {
        offset: cached.fetch_offset,
        max_bytes: cached.max_bytes.max(0) as u32,
        current_leader_epoch: LeaderEpoch(cached.current_leader_epoch),
        last_fetched_epoch: LeaderEpoch(cached.last_fetched_epoch),
        reader,
    }
}

fn resolve(image: &MetadataImage, key: &Key) -> Result<TopicIdPartition, ErrorCode> {
    let topic = if key.topic_id.is_zero() {
        image.topic_by_name(&key.topic).ok_or(ErrorCode::UnknownTopicOrPartition)?
    } else {
        image.topic_by_id(&key.topic_id).ok_or(ErrorCode::UnknownTopicId)?
    };
    let id = TopicIdPartition { topic_id: topic.id, partition: key.partition };
    image.partition(&id).map(|_| id).ok_or(ErrorCode::UnknownTopicOrPartition)
}

fn asked(request: &FetchRequest, by_id: bool) -> Vec<(Key, Cached)> {
    let mut asked = Vec::new();
    for topic in request.topics.iter() {
        let name: Arc<str> = if by_id { "".into() } else { Arc::from(&*topic.topic) };
        let topic_id = if by_id { topic.topic_id } else { Uuid::ZERO };
        for p in topic.partitions.iter() {
            let key = Key { topic: name.clone(), topic_id, partition: p.partition };
            let cached = Cached {
                fetch_offset: Offset(p.fetch_offset),
                max_bytes: p.partition_max_bytes,
                current_leader_epoch: p.current_leader_epoch,
                last_fetched_epoch: p.last_fetched_epoch,
                log_start_offset: p.log_start_offset,
                told_high_watermark: -1,
                told_log_start: -1,
            };
            asked.push((key, cached));
        }
    }
    asked
}

fn forgotten(request: &FetchRequest, by_id: bool) -> Vec<Key> {
    let mut forgotten = Vec::new();
    for topic in request.forgotten_topics_data.iter() {
        let name: Arc<str> = if by_id { "".into() } else { Arc::from(&*topic.topic) };
        let topic_id = if by_id { topic.topic_id } else { Uuid::ZERO };
        for partition in topic.partitions.iter() {
            forgotten.push(Key { topic: name.clone(), topic_id, partition });
        }
    }
    forgotten
}

/// A random positive id that no session of this core has.
fn fresh_session_id(shard: &Shard, taken: impl Fn(i32) -> bool) -> i32 {
    loop {
        let id = (shard.random_u64() >> 33) as i32;
        if id != NO_SESSION && !taken(id) {
            return id;
        }
    }
}
