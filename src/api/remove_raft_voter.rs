//! RemoveRaftVoter (key 81, v0; KIP-853), as a quorum with static voters answers it.

use super::RequestContext;
use super::add_raft_voter::check_cluster;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: RemoveRaftVoterRequest) -> Result<RemoveRaftVoterResponse, Close> {
    let (code, text) = match check_cluster(ctx, request.cluster_id.as_deref()) {
        Err(refused) => refused,
        Ok(()) if request.voter_id < 0 || request.voter_directory_id.is_zero() => {
            (ErrorCode::InvalidRequest, "Remove voter request didn't include a valid voter".into())
        }
        Ok(()) => {
            let text = "Cluster doesn't support removing voter because the kraft.version feature is 0";
            (ErrorCode::UnsupportedVersion, text.into())
        }
    };
    Ok(RemoveRaftVoterResponse { error_code: code.code(), error_message: Some(text.into()), ..Default::default() })
}
