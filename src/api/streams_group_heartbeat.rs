//! StreamsGroupHeartbeat (key 88, v0): a member of a streams group joins, stays or leaves (KIP-1071). Internal topics
//! that the group lacks are created; nobody waits for them.

use super::RequestContext;
use super::coordinate::{ask_keeper, caller};
use super::reply::Close;
use crate::base::ErrorCode;
use crate::base::topic::{is_internal, validate_topic_name};
use crate::coordinator::group::streams::{Answered, MISSING_INTERNAL_TOPICS};
use crate::coordinator::group::{Groups, Request};
use crate::metadata::features::{STREAMS_VERSION, STREAMS_VERSION_GROUPS};
use crate::protocol::Str;
use crate::protocol::messages::streams_group_heartbeat_request::Topology;
use crate::protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use std::collections::BTreeSet;

/// So many topics are named where they cannot be created.
const NAMED_MAX: usize = 3;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: StreamsGroupHeartbeatRequest,
) -> Result<StreamsGroupHeartbeatResponse, Close> {
    if !is_enabled(ctx) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return Ok(StreamsGroupHeartbeatResponse { error_code, ..Default::default() });
    }
    if let Some(why) = request.topology.as_ref().and_then(wrong_topics) {
        let error_code = ErrorCode::StreamsInvalidTopology.code();
        return Ok(StreamsGroupHeartbeatResponse { error_code, error_message: Some(why.into()), ..Default::default() });
    }
    let group = request.group_id.clone();
    let asked = ask_keeper::<Groups>(ctx, &group, Request::StreamsHeartbeat(caller(ctx), request), None).await?;
    let (mut response, missing) = Answered::try_from(asked).map_err(|_| Close::Stopping)?;
    if missing.is_empty() {
        return Ok(response);
    }
    // As long as two heartbeats.
    let keep_failures_ms = i64::from(response.heartbeat_interval_ms) * 2;
    let failures = ctx.shard.create_streams_topics(missing, keep_failures_ms);
    let told = response.status.iter_mut().flatten().find(|status| status.status_code == MISSING_INTERNAL_TOPICS);
    if let (Some(told), false) = (told, failures.is_empty()) {
        told.status_detail = format!("{} {}", told.status_detail, summary(&failures)).into();
    }
    Ok(response)
}

/// True where streams groups are served: by the configuration, and in the cluster's features.
pub fn is_enabled(ctx: &RequestContext) -> bool {
    ctx.shard.shared.config.groups.streams.enabled
        && ctx.shard.image().feature(STREAMS_VERSION) >= STREAMS_VERSION_GROUPS
}

/// Names in the topology that no topic may have, or none of an application.
fn wrong_topics(topology: &Topology) -> Option<String> {
    let names = topology.subtopologies.iter().flat_map(|subtopology| {
        let internal = subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
        let named = subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics);
        named.chain(internal.map(|topic| &topic.name))
    });
    let names: BTreeSet<&Str> = names.collect();
    let list = |wrong: Vec<&str>| (!wrong.is_empty()).then(|| wrong.join(","));
    let reserved = list(names.iter().filter(|name| is_internal(name)).map(|name| &***name).collect());
    let reserved = reserved.map(|names| format!("A topology cannot use the broker's own topics {names}."));
    reserved.or_else(|| {
        let invalid =
            list(names.iter().filter(|name| validate_topic_name(name).is_err()).map(|name| &***name).collect());
        invalid.map(|names| format!("No topic can have the names {names}."))
    })
}

fn summary(failures: &[(Str, String)]) -> String {
    let first: Vec<String> = failures.iter().take(NAMED_MAX).map(|(name, why)| format!("{name} ({why})")).collect();
    let more = failures.len().saturating_sub(NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("They could not be created: {}{more}.", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::streams_group_heartbeat_request::Subtopology;

    #[test]
    fn names_that_no_application_may_use_are_told() {
        let topology = |names: &[&str]| Topology {
            epoch: 0,
            subtopologies: vec![Subtopology {
                source_topics: names.iter().map(|name| (*name).into()).collect(),
                ..Default::default()
            }],
        };
        assert_eq!(wrong_topics(&topology(&["in", "in"])), None);
        assert!(
            wrong_topics(&topology(&["in", "__consumer_offsets"])).unwrap().contains("own topics __consumer_offsets")
        );
        assert!(wrong_topics(&topology(&["in", "a b", ".."])).unwrap().contains("names ..,a b"));
    }

    #[test]
    fn three_failures_are_told() {
        let all: Vec<(Str, String)> = (0..5).map(|i| (format!("t{i}").into(), "no".to_owned())).collect();
        assert_eq!(summary(&all[..1]), "They could not be created: t0 (no).");
        assert!(summary(&all).ends_with("t2 (no) and 2 more."));
    }
}
