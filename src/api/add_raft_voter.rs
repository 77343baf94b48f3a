//! AddRaftVoter (key 80, v0-1; KIP-853), as a quorum with static voters answers it.

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{AddRaftVoterRequest, AddRaftVoterResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: AddRaftVoterRequest) -> Result<AddRaftVoterResponse, Close> {
    let (code, text) = refusal(ctx, &request);
    Ok(AddRaftVoterResponse { error_code: code.code(), error_message: Some(text.into()), ..Default::default() })
}

fn refusal(ctx: &RequestContext, request: &AddRaftVoterRequest) -> (ErrorCode, String) {
    if let Err(refused) = check_cluster(ctx, request.cluster_id.as_deref()) {
        return refused;
    }
    if request.voter_id < 0 || request.voter_directory_id.is_zero() {
        return (ErrorCode::InvalidRequest, "Add voter request didn't include a valid voter".into());
    }
    let own = &ctx.shard.shared.config.listeners.controller;
    let name = own.first().map_or("CONTROLLER", |listener| &listener.name);
    if !request.listeners.iter().any(|listener| *listener.name == *name) {
        let given = request.listeners.iter().map(|l| {
            let (name, host, port) = (&l.name, &l.host, l.port);
            format!("ListenerName({name})={host}/<unresolved>:{port}")
        });
        let given = given.collect::<Vec<_>>().join(", ");
        let text = format!(
            "Add voter request didn't include the endpoint (Endpoints(endpoints={{{given}}})) for the default \
             listener ListenerName({name})"
        );
        return (ErrorCode::InvalidRequest, text);
    }
    let text = "Cluster doesn't support adding voter because the kraft.version feature is 0";
    (ErrorCode::UnsupportedVersion, text.into())
}

/// A request for another cluster is refused; one that names none is for this one.
pub(super) fn check_cluster(ctx: &RequestContext, given: Option<&str>) -> Result<(), (ErrorCode, String)> {
    let own = &*ctx.shard.shared.identity.cluster_id;
    match given {
        Some(other) if other != own => Err((
            ErrorCode::InconsistentClusterId,
            format!("The given id \"{other}\" doesn't match the cluster id \"{own}\""),
        )),
        _ => Ok(()),
    }
}
