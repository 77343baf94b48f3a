//! Groups as the shell runs them.

use super::effects::{AppendId, Effects, Step, Token};
use super::request::{Answer, Request};
use super::{GroupConfig, Groups};
use crate::base::{ErrorCode, Instant, LeaderEpoch, Now, Offset, TopicPartition, Uuid};
use crate::coordinator::machine::{Entry, Machine, Unreadable};
use crate::metadata::{MetadataDelta, MetadataImage};
use std::convert::Infallible;
use std::sync::Arc;

impl Machine for Groups {
    type Config = GroupConfig;
    type Request = Request;
    type Answer = Answer;
    type Work = Infallible;

    const WHAT: &'static str = "groups";

    fn new(config: &GroupConfig) -> Self {
        Self::new(config.clone())
    }

    fn configure(&mut self, config: &GroupConfig) {
        self.config = config.clone();
    }

    fn replay(&mut self, entry: Entry, began: Now) -> Result<(), Unreadable> {
        match entry {
            Entry::Record { offset, producer, key, value } => self.replay(offset, producer, key, value, began),
            Entry::Marker { producer, committed } => {
                self.replay_marker(producer, committed);
                Ok(())
            }
        }
    }

    fn loaded(&mut self, _: LeaderEpoch, step: &mut Step) {
        self.loaded(step);
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn handle(&mut self, request: Request, step: &mut Step) {
        self.handle(request, step);
    }

    fn on_timer(&mut self, step: &mut Step) {
        self.on_timer(step);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.next_deadline()
    }

    fn on_append(&mut self, id: AppendId, outcome: Result<Offset, ErrorCode>, step: &mut Step) {
        self.on_append(id, outcome, step);
    }

    fn give_up(&mut self, token: Token, error: ErrorCode, fx: &mut Effects) {
        self.give_up(token, error, fx);
    }

    fn resign(&mut self, now: Now, fx: &mut Effects) {
        self.resign(now, fx);
    }

    fn on_metadata(&mut self, image: &Arc<MetadataImage>, delta: &MetadataDelta) {
        self.on_metadata(image, delta);
    }

    fn topics_deleted(&mut self, topics: &[(String, Uuid)], step: &mut Step) {
        self.topics_deleted(topics, step);
    }

    fn bound_by_log_ends(
        &mut self,
        crash: Offset,
        end_of: &dyn Fn(&TopicPartition) -> Option<(Uuid, Offset)>,
        step: &mut Step,
    ) {
        self.bound_by_log_ends(crash, end_of, step);
    }

    fn refuse(request: &Request, error: ErrorCode) -> Answer {
        request.refuse(error)
    }

    fn waits_for_log(request: &Request) -> bool {
        match request {
            Request::Fetch(_, stable) => *stable,
            Request::Join(..)
            | Request::Sync(_)
            | Request::Heartbeat(_)
            | Request::Describe(..)
            | Request::List(_)
            | Request::ConsumerDescribe(_)
            | Request::EndTransaction(_)
            | Request::ShareDescribe(_)
            | Request::StreamsDescribe(_)
            | Request::SharePartitions(_) => false,
            Request::Commit(..)
            | Request::Leave(_)
            | Request::Delete(_)
            | Request::TxnCommit(..)
            | Request::OffsetDelete(_)
            | Request::ConsumerHeartbeat(..)
            | Request::ShareHeartbeat(..)
            | Request::StreamsHeartbeat(..)
            | Request::ShareInitialized(..)
            | Request::ShareAlter(..)
            | Request::ShareDelete(..)
            | Request::ShareDeleted(..) => true,
        }
    }

    fn wants_random(request: &Request) -> bool {
        match request {
            Request::Join(..) => true,
            Request::ConsumerHeartbeat(_, request) => request.member_id.is_empty(),
            _ => false,
        }
    }
}
