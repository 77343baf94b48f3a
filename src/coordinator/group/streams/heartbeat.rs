//! StreamsGroupHeartbeat (`GroupMetadataManager.streamsGroupHeartbeat`): a member joins, stays, says what it owns, and
//! is told what it may have, what stands in the way, and who else has what.

use super::beat::{Ground, Plan, Word, tasks_of};
use super::check::check;
use super::convert::Base;
use super::entry::{Current, Metadata};
use super::status::Status;
use super::tasks::{TaskSets, Tasks, without_epochs};
use super::{StreamsGroup, topology};
use crate::base::ErrorCode;
use crate::coordinator::group::config::StreamsSettings;
use crate::coordinator::group::consumer::{LEAVE_EPOCH, Refusal, STATIC_LEAVE_EPOCH, TopicHashes};
use crate::coordinator::group::records::own;
use crate::coordinator::group::request::{Caller, Request};
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{Groups, Step, str_of};
use crate::protocol::messages::create_topics_request::CreatableTopic;
use crate::protocol::messages::streams_group_heartbeat_response::TaskIds;
use crate::protocol::messages::{
    StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, StreamsGroupTopologyValue,
};
use std::sync::Arc;

/// What an answer to a heartbeat carries beside the response: internal topics to be created.
pub type Answered = (StreamsGroupHeartbeatResponse, Vec<CreatableTopic>);

impl Groups {
    pub(in crate::coordinator::group) fn streams_heartbeat(
        &mut self,
        caller: Caller,
        request: StreamsGroupHeartbeatRequest,
        step: &mut Step,
    ) {
        let topology = match check(&request) {
            Ok(topology) => topology,
            Err(refusal) => return step.answer(refused(&refusal)),
        };
        let id: Arc<str> = Arc::from(&*request.group_id);
        if self.is_busy(&id) || (self.is_writing(&id) && self.groups.contains_key(&id)) {
            return self.defer(&id, Request::StreamsHeartbeat(caller, request), step);
        }
        let outcome = match request.member_epoch {
            LEAVE_EPOCH | STATIC_LEAVE_EPOCH => self.streams_leave(&id, &request, step),
            _ => self.beat_streams(&id, &caller, &request, topology, step),
        };
        match outcome {
            Err(refusal) => step.answer(refused(&refusal)),
            Ok(answered) => {
                let refused = || Request::StreamsHeartbeat(caller, request);
                self.answer_written(&id, answered.into(), refused, step);
            }
        }
    }

    fn beat_streams(
        &mut self,
        id: &Arc<str>,
        caller: &Caller,
        request: &StreamsGroupHeartbeatRequest,
        topology: Option<StreamsGroupTopologyValue>,
        step: &mut Step,
    ) -> Result<Answered, Refusal> {
        let base = self.streams_base(id, request.member_epoch == 0)?;
        let is_new = !matches!(base, Base::Existing);
        let settings = self.config.streams_settings(&self.image, id);
        let mut hashes = std::mem::take(&mut self.hashes);
        let decided = self.decide_streams(&base, id, caller, request, topology, &settings, &mut hashes, step);
        self.hashes = hashes;
        let (plan, starts) = decided?;
        if starts {
            let at = step.now.mono.plus_ms(i64::from(settings.initial_rebalance_delay_ms));
            self.timers.schedule(Timer::StreamsStart(id.clone()), at);
        }
        let (before, after, member_id) = (plan.before, plan.current, plan.id);
        let mut told = plan.told;
        self.take_streams_base(id, base, plan.entries, step);
        self.restart_streams_session(id, &member_id, step.now);
        if before != after {
            self.schedule_streams_revocation(id, &member_id, step.now);
        }
        let mut missing = Vec::new();
        if let Some((status, detail)) = &plan.configured.problem {
            missing.clone_from(&plan.configured.missing);
            told.push(status.told(detail.as_str()));
        }
        let Some(group) = self.streams.get_mut(id) else { return Err(not_found(id, "not found")) };
        group.configured = Some(plan.configured);
        group.refresh = plan.refresh.or(group.refresh);
        if request.shutdown_application && group.shutdown_by.is_none() {
            tracing::info!(group = %id, member = %member_id, "a member asks its streams application to stop");
            group.shutdown_by = Some(member_id.clone());
        }
        if let Some(by) = &group.shutdown_by {
            let detail = format!("Member {by} failed and asked the whole application to stop.");
            told.push(Status::ShutdownApplication.told(detail));
        }
        let mut response = group.response(&member_id, request.member_epoch == 0 || plan.is_behind, &before, &after);
        response.heartbeat_interval_ms = settings.heartbeat_interval_ms;
        if group.endpoint_epoch != request.endpoint_information_epoch {
            response.partitions_by_user_endpoint = Some(group.endpoints(&self.image));
        }
        if is_new {
            // Kafka counts from the second member on: what the first is told of endpoints has the epoch 0.
            group.endpoint_epoch = 0;
            response.endpoint_information_epoch = 0;
        }
        response.status = Some(told);
        Ok((response, missing))
    }

    /// The plan; true where the group begins to wait for more members.
    #[expect(clippy::too_many_arguments, reason = "the parts of the state that a decision reads and the request")]
    fn decide_streams(
        &self,
        base: &Base,
        id: &Arc<str>,
        caller: &Caller,
        request: &StreamsGroupHeartbeatRequest,
        topology: Option<StreamsGroupTopologyValue>,
        settings: &StreamsSettings,
        hashes: &mut TopicHashes,
        step: &Step,
    ) -> Result<(Plan, bool), Refusal> {
        let group = match base {
            Base::Existing => self.streams_group(id)?,
            Base::Fresh(group) | Base::Emptied(group) => group,
        };
        let member_id: Arc<str> = Arc::from(&*request.member_id);
        let joins = request.member_epoch == 0;
        if joins {
            self.check_streams_room(group, &member_id)?;
        } else if !group.members.contains_key(&member_id) {
            return Err(unknown(id, &member_id));
        }
        let owned = match (&request.active_tasks, &request.standby_tasks, &request.warmup_tasks) {
            (Some(active), Some(standby), Some(warmup)) => {
                Some(Tasks { active: tasks_of(active), standby: tasks_of(standby), warmup: tasks_of(warmup) })
            }
            _ => None,
        };
        check_epoch(&group.current_of(&member_id), request.member_epoch, owned.as_ref())?;
        if let Some(topology) = topology.as_ref().filter(|_| group.topology.is_none()) {
            self.check_size(topology)?;
        }
        let waits = self.timers.is_set(&Timer::StreamsStart(id.clone()));
        let starts = !waits && group.is_empty() && settings.initial_rebalance_delay_ms > 0;
        let mut ground = Ground {
            group,
            image: &self.image,
            hashes,
            standbys: settings.standby_replicas,
            assignment_interval_ms: i64::from(settings.assignment_interval_ms),
            is_delayed: waits || starts,
            now: step.now,
        };
        let metadata = metadata(group, &member_id, caller, request);
        let word = Word { id: member_id, epoch: request.member_epoch, metadata, topology, owned: owned.as_ref() };
        Ok((Plan::decide(&mut ground, word)?, starts))
    }

    /// `group.streams.max.size`, and the bound on members of all groups.
    fn check_streams_room(&self, group: &StreamsGroup, member_id: &str) -> Result<(), Refusal> {
        let max = self.config.streams.members_per_group_max;
        let is_full = group.len() >= max || self.timers.len() >= self.config.members_max;
        if is_full && !group.members.contains_key(member_id) {
            let text = format!("The streams group has reached its maximum capacity of {max} members.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, text));
        }
        Ok(())
    }

    /// A topology that fits no record is refused before it is anybody's.
    fn check_size(&self, topology: &StreamsGroupTopologyValue) -> Result<(), Refusal> {
        let (bytes, max) = (topology::size_of(topology), self.config.topology_bytes_max);
        if bytes > max {
            let text = format!("The topology takes {bytes} bytes, at most {max} are kept.");
            return Err(Refusal::new(ErrorCode::StreamsInvalidTopology, text));
        }
        Ok(())
    }
}

/// What the member says of itself over what it said before.
fn metadata(group: &StreamsGroup, id: &str, caller: &Caller, request: &StreamsGroupHeartbeatRequest) -> Metadata {
    let new = || Metadata { rebalance_timeout_ms: -1, topology_epoch: -1, ..Metadata::default() };
    let mut metadata = group.members.get(id).map_or_else(new, |known| Metadata::clone(known));
    metadata.client_id = own(&caller.client_id);
    metadata.client_host = own(&caller.client_host);
    if let Some(rack) = &request.rack_id {
        metadata.rack_id = Some(own(rack));
    }
    if request.rebalance_timeout_ms != -1 {
        metadata.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(topology) = &request.topology {
        metadata.topology_epoch = topology.epoch;
    }
    if let Some(process) = &request.process_id {
        metadata.process_id = own(process);
    }
    if let Some(endpoint) = &request.user_endpoint {
        metadata.endpoint = Some((own(&endpoint.host), endpoint.port));
    }
    if let Some(tags) = &request.client_tags {
        metadata.tags = tags.iter().map(|tag| (own(&tag.key), own(&tag.value))).collect();
    }
    metadata
}

/// 110 unless the epoch is the member's, or the one before while it owns nothing else: then it missed an answer.
fn check_epoch(current: &Current, epoch: i32, owned: Option<&Tasks>) -> Result<(), Refusal> {
    let missed_answer = || epoch == current.previous_epoch && owned.is_some_and(|all| all.is_within(&current.assigned));
    if epoch == 0 || epoch == current.epoch || (epoch < current.epoch && missed_answer()) {
        return Ok(());
    }
    let text = format!(
        "The member's epoch {epoch} is not the {} that the coordinator knows: it must give up all and rejoin.",
        current.epoch
    );
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, text))
}

impl StreamsGroup {
    /// What the member is told of itself; its tasks where it `must_know` them or they have changed.
    fn response(
        &mut self,
        id: &Arc<str>,
        must_know: bool,
        before: &Current,
        after: &Current,
    ) -> StreamsGroupHeartbeatResponse {
        let mut response =
            StreamsGroupHeartbeatResponse { member_id: str_of(id), member_epoch: after.epoch, ..Default::default() };
        let changed = before.assigned != after.assigned;
        if must_know || changed {
            response.active_tasks = Some(ids(&without_epochs(&after.assigned.active)));
            response.standby_tasks = Some(ids(&after.assigned.standby));
            response.warmup_tasks = Some(ids(&after.assigned.warmup));
            if self.members.get(id).is_some_and(|member| member.endpoint.is_some()) {
                self.endpoint_epoch = self.endpoint_epoch.wrapping_add(1);
            }
        }
        response.endpoint_information_epoch = self.endpoint_epoch;
        response
    }
}

fn ids(tasks: &TaskSets) -> Vec<TaskIds> {
    let ids = tasks.iter().map(|(subtopology, partitions)| TaskIds {
        subtopology_id: str_of(subtopology),
        partitions: partitions.iter().copied().collect(),
    });
    ids.collect()
}

/// No such group, or one of another kind.
pub fn not_found(id: &str, what: &str) -> Refusal {
    Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {id} {what}."))
}

/// No such member.
pub fn unknown(id: &str, member_id: &str) -> Refusal {
    Refusal::new(ErrorCode::UnknownMemberId, format!("Member {member_id} is not a member of group {id}."))
}

fn refused(refusal: &Refusal) -> Answered {
    let response = StreamsGroupHeartbeatResponse {
        error_code: refusal.code.code(),
        error_message: Some(refusal.message.as_str().into()),
        ..Default::default()
    };
    (response, Vec::new())
}
