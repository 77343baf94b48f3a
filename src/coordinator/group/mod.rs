//! The group coordinator of one partition of `__consumer_offsets`, as a pure state machine: the
//! classic protocol whole (`GroupMetadataManager`, `OffsetMetadataManager` of Kafka 4.3).
//!
//! In: requests, outcomes of appends, time. Out: [`Effects`], that is records to append and
//! answers. It reads no clock and draws no random number; timers run on the monotonic clock, what
//! is written into records is wall time. docs/GROUPS.md tells the whole story.

mod admin;
mod bound;
mod classic;
mod commit;
mod config;
mod consumer;
mod effects;
mod expiry;
mod fetch;
mod heartbeat;
mod in_flight;
mod join;
mod leave;
mod machine;
mod member;
mod offset_delete;
mod offsets;
mod open_transactions;
mod rebalance;
mod records;
mod refresh;
mod replay;
mod request;
pub mod share;
mod state;
pub mod streams;
mod subscription;
mod survey;
mod sync;
#[cfg(test)]
mod tests;
mod timers;
mod transactions;

pub use config::{GroupConfig, ShareGroups};
pub use effects::{Append, AppendId, Batch, Effects, Record, Step, Token};
pub use fetch::failed_partition;
pub use request::{Answer, Caller, Request, TxnEnd, WrongAnswer, commit_error, txn_commit_error};
pub use survey::{Counts, GroupFacts, GroupsFacts};

use crate::base::Instant;
use crate::metadata::{MetadataDelta, MetadataImage};
use crate::protocol::Str;
use classic::ClassicGroup;
use consumer::{ConsumerGroup, Deferred, RegexScan, TopicHashes};
use in_flight::Then;
use offsets::Offsets;
use share::ShareGroup;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use streams::StreamsGroup;
use timers::{Timer, Timers};

/// The groups and offsets of one partition. Owned by the partition's shard.
pub struct Groups {
    config: GroupConfig,
    /// The classic groups. An id is among these or among the consumer groups, not both.
    groups: HashMap<Arc<str>, ClassicGroup>,
    /// The groups of the new protocol.
    consumers: HashMap<Arc<str>, ConsumerGroup>,
    /// The share groups.
    shares: HashMap<Arc<str>, ShareGroup>,
    /// The streams groups.
    streams: HashMap<Arc<str>, StreamsGroup>,
    offsets: Offsets,
    timers: Timers,
    in_flight: VecDeque<(AppendId, Then)>,
    /// How many writes each consumer or streams group has on its way, and the newest.
    writing: HashMap<Arc<str>, (usize, AppendId)>,
    /// Groups that cannot be asked until their writes are done, and who waits.
    busy: HashMap<Arc<str>, VecDeque<Deferred>>,
    /// Look-ups of patterns under way.
    scans: HashMap<Arc<str>, RegexScan>,
    /// The look for expired offsets, while it is under way.
    sweep: Option<expiry::Sweep>,
    image: Arc<MetadataImage>,
    hashes: TopicHashes,
    /// The offset of the last image that brought topics.
    topics_since: i64,
    last_append: AppendId,
    /// The newest append that failed.
    last_failed: AppendId,
    counts: Counts,
    /// Records of no use here, met while loading.
    passed_over: u64,
}

impl Groups {
    /// Nothing loaded yet.
    pub fn new(config: GroupConfig) -> Self {
        Self {
            config,
            groups: HashMap::new(),
            consumers: HashMap::new(),
            shares: HashMap::new(),
            streams: HashMap::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
            in_flight: VecDeque::new(),
            writing: HashMap::new(),
            busy: HashMap::new(),
            scans: HashMap::new(),
            sweep: None,
            image: Arc::default(),
            hashes: TopicHashes::default(),
            topics_since: -1,
            last_append: AppendId(0),
            last_failed: AppendId(0),
            counts: Counts::default(),
            passed_over: 0,
        }
    }

    /// Takes a request; its answer comes under `step.token`, now or in a later step.
    pub fn handle(&mut self, request: Request, step: &mut Step) {
        match request {
            Request::Join(caller, request) => self.join(&caller, request, step),
            Request::Sync(request) => self.sync(request, step),
            Request::Heartbeat(request) => self.heartbeat(request, step),
            Request::Leave(request) => self.leave(request, step),
            Request::Commit(caller, request) => self.commit(caller, request, step),
            Request::Fetch(request, stable) => self.fetch(request, stable, step),
            Request::Describe(caller, groups) => step.answer(self.describe(&caller, &groups)),
            Request::List(request) => step.answer(Ok(self.list(&request))),
            Request::ConsumerHeartbeat(caller, request) => self.consumer_heartbeat(caller, request, step),
            Request::ConsumerDescribe(groups) => step.answer(self.consumer_describe(&groups)),
            Request::Delete(groups) => self.delete(groups, step),
            Request::OffsetDelete(request) => self.delete_offsets(request, step),
            Request::TxnCommit(caller, request, sure) => self.txn_commit(caller, request, sure, step),
            Request::EndTransaction(end) => self.end_transaction(end, step),
            Request::ShareHeartbeat(caller, request) => self.share_heartbeat(caller, request, step),
            Request::ShareDescribe(groups) => step.answer(self.share_describe(&groups)),
            Request::StreamsHeartbeat(caller, request) => self.streams_heartbeat(caller, request, step),
            Request::StreamsDescribe(groups) => step.answer(self.streams_describe(&groups)),
            Request::ShareInitialized(group, begun, done) => self.share_initialized(&group, &begun, done, step),
            Request::SharePartitions(group) => step.answer(self.share_partitions(&group)),
            Request::ShareAlter(group, ask) => self.share_alter(&group, ask, step),
            Request::ShareDelete(group, topics) => self.share_delete(&group, topics, step),
            Request::ShareDeleted(group, topics) => self.share_deleted(&group, &topics, step),
        }
    }

    /// Does what is due.
    pub fn on_timer(&mut self, step: &mut Step) {
        while let Some(timer) = self.timers.pop_due(step.now.mono) {
            match &timer {
                Timer::Session(group, _) if self.streams.contains_key(group) => {
                    self.streams_member_timer(&timer, "it was silent", step);
                }
                Timer::Revocation(group, _) if self.streams.contains_key(group) => {
                    self.streams_member_timer(&timer, "it did not give up its tasks in time", step);
                }
                Timer::StreamsStart(group) => self.streams_start_timer(group, step),
                Timer::Session(group, _) if self.consumers.contains_key(group) || self.is_busy(group) => {
                    self.member_timer(timer, "it was silent", step);
                }
                Timer::Revocation(..) => self.member_timer(timer, "it did not give up its partitions in time", step),
                Timer::Rejoin(..) => self.member_timer(timer, "it did not join again in time", step),
                Timer::Resync(..) => self.member_timer(timer, "it did not ask for its assignment in time", step),
                Timer::Regex(group) => self.regex_timer(group, step),
                Timer::Session(group, member) if self.shares.contains_key(group) => {
                    self.share_member_silent(group, member, step);
                }
                Timer::Session(group, member) => self.session_timer(group, member, step),
                Timer::Join(group) => self.join_timer(group, step),
                Timer::Sync(group) => self.sync_timer(group, step),
                Timer::Expiry => self.expire_offsets(step),
            }
        }
    }

    /// Takes a newer metadata image; `delta` says what differs from the one before. Groups look at their topics again
    /// with the next heartbeat.
    pub fn on_metadata(&mut self, image: &Arc<MetadataImage>, delta: &MetadataDelta) {
        if self.topics_since < 0 || delta.topics.values().any(|topic| topic.created) {
            self.topics_since = image.offset().0;
        }
        self.image = image.clone();
        let changed = delta.topics.keys().filter_map(|id| image.topic_by_id(id)).chain(&delta.deleted);
        let names: HashSet<&Arc<str>> = changed.map(|topic| &topic.name).collect();
        names.iter().for_each(|name| self.hashes.forget(name));
        if !delta.brokers.is_empty() {
            // Racks are part of what a topic is.
            self.hashes.clear();
        }
        if !names.is_empty() {
            self.consumers.values_mut().for_each(|group| group.look_again_if_any(&names));
            self.streams.values_mut().for_each(|group| group.look_again_if_any(&names));
            self.shares.values_mut().for_each(|group| group.look_again = true);
        }
    }

    /// When [`on_timer`](Self::on_timer) has something to do next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len() + self.consumers.len() + self.shares.len() + self.streams.len()
    }

    /// True where the id is that of a group that is no share group.
    fn is_other_kind(&self, id: &str) -> bool {
        self.groups.contains_key(id) || self.consumers.contains_key(id) || self.streams.contains_key(id)
    }

    /// True without any group.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn str_of(text: &str) -> Str {
    Str::from(text)
}
