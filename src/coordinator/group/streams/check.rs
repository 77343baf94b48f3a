//! Whether a StreamsGroupHeartbeat says what it may (`GroupCoordinatorService`): what Apache Kafka 4.3 does not do yet
//! is refused with 42, as there.

use super::topology;
use crate::base::ErrorCode;
use crate::coordinator::group::consumer::{LEAVE_EPOCH, Refusal, STATIC_LEAVE_EPOCH};
use crate::protocol::Str;
use crate::protocol::messages::streams_group_heartbeat_request::TaskIds;
use crate::protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupTopologyValue};

/// Checks the request by itself; the topology, where it has one, comes back as it is written.
///
/// # Errors
/// 42, 130.
pub fn check(request: &StreamsGroupHeartbeatRequest) -> Result<Option<StreamsGroupTopologyValue>, Refusal> {
    unsupported(request)?;
    let invalid = |text: &str| Err(Refusal::new(ErrorCode::InvalidRequest, text));
    let is_blank = |text: &Option<Str>| text.as_deref().is_some_and(|text| text.trim().is_empty());
    if request.member_id.trim().is_empty() {
        return invalid("MemberId can't be empty.");
    }
    if request.group_id.trim().is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if is_blank(&request.rack_id) {
        return invalid("RackId can't be empty.");
    }
    let owned = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    let names = ["ActiveTasks", "StandbyTasks", "WarmupTasks"];
    let mut topology = None;
    match request.member_epoch {
        0 => {
            if request.rebalance_timeout_ms == -1 {
                return invalid("RebalanceTimeoutMs must be provided in first request.");
            }
            let has_tasks = |tasks: &&Option<Vec<TaskIds>>| tasks.as_ref().is_none_or(|tasks| !tasks.is_empty());
            if let Some((_, name)) = owned.iter().zip(names).find(|(tasks, _)| has_tasks(tasks)) {
                return invalid(&format!("{name} must be empty when (re-)joining."));
            }
            let Some(given) = &request.topology else {
                return invalid("Topology must be non-null when (re-)joining.");
            };
            let checked = topology::of_request(given);
            topology = Some(checked.map_err(|(code, text)| Refusal::new(code, text))?);
        }
        STATIC_LEAVE_EPOCH => return invalid("InstanceId can't be null."),
        epoch if epoch < STATIC_LEAVE_EPOCH => {
            return invalid(&format!("MemberEpoch is {epoch}, but must be greater than or equal to -2."));
        }
        LEAVE_EPOCH | 1.. => {}
        _ => return invalid("MemberEpoch is invalid."),
    }
    if owned.iter().any(|tasks| tasks.is_some()) && owned.iter().any(|tasks| tasks.is_none()) {
        return invalid("If one task-type is non-null, all must be non-null.");
    }
    if request.member_epoch != 0 && request.topology.is_some() {
        return invalid("Topology can only be provided when (re-)joining.");
    }
    Ok(topology)
}

fn unsupported(request: &StreamsGroupHeartbeatRequest) -> Result<(), Refusal> {
    let regexes = request.topology.iter().flat_map(|topology| &topology.subtopologies);
    let text = if request.instance_id.is_some() {
        "Static membership is not yet supported."
    } else if request.task_offsets.is_some() {
        "TaskOffsets are not supported yet."
    } else if request.task_end_offsets.is_some() {
        "TaskEndOffsets are not supported yet."
    } else if request.warmup_tasks.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
        "WarmupTasks are not supported yet."
    } else if regexes.into_iter().any(|subtopology| !subtopology.source_topic_regex.is_empty()) {
        "Regular expressions for source topics are not supported yet."
    } else {
        return Ok(());
    };
    Err(Refusal::new(ErrorCode::InvalidRequest, text))
}
