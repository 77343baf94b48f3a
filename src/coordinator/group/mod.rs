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
mod rebalance;
mod records;
mod replay;
mod request;
mod state;
mod subscription;
mod survey;
mod sync;
#[cfg(test)]
mod tests;
mod timers;
mod transactions;

pub use config::GroupConfig;
pub use effects::{Append, AppendId, Batch, Effects, Record, Step, Token};
pub use fetch::failed_partition;
pub use request::{Answer, Caller, Request, TxnEnd, WrongAnswer, commit_error, txn_commit_error};
pub use survey::GroupFacts;

use crate::base::Instant;
use crate::protocol::Str;
use classic::ClassicGroup;
use in_flight::Then;
use offsets::Offsets;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use timers::{Timer, Timers};

/// The groups and offsets of one partition. Owned by the partition's shard.
pub struct Groups {
    config: GroupConfig,
    groups: HashMap<Arc<str>, ClassicGroup>,
    /// Ids of groups of kinds not served here, known from their records.
    foreign: HashSet<Arc<str>>,
    offsets: Offsets,
    timers: Timers,
    in_flight: VecDeque<(AppendId, Then)>,
    last_append: AppendId,
    /// Records of no use here, met while loading.
    passed_over: u64,
    /// Those among them that cannot be read.
    unreadable: u64,
}

impl Groups {
    /// Nothing loaded yet.
    pub fn new(config: GroupConfig) -> Self {
        Self {
            config,
            groups: HashMap::new(),
            foreign: HashSet::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
            in_flight: VecDeque::new(),
            last_append: AppendId(0),
            passed_over: 0,
            unreadable: 0,
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
            Request::Delete(groups) => self.delete(groups, step),
            Request::OffsetDelete(request) => self.delete_offsets(request, step),
            Request::TxnCommit(caller, request, sure) => self.txn_commit(caller, request, sure, step),
            Request::EndTransaction(end) => self.end_transaction(end, step),
        }
    }

    /// Does what is due.
    pub fn on_timer(&mut self, step: &mut Step) {
        while let Some(timer) = self.timers.pop_due(step.now.mono) {
            match timer {
                Timer::Session(group, member) => self.session_timer(&group, &member, step),
                Timer::Join(group) => self.join_timer(&group, step),
                Timer::Sync(group) => self.sync_timer(&group, step),
                Timer::Expiry => self.expire_offsets(step),
            }
        }
    }

    /// When [`on_timer`](Self::on_timer) has something to do next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// True without any group.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

fn str_of(text: &str) -> Str {
    Str::from(text)
}
