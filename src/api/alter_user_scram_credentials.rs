//! AlterUserScramCredentials (key 51, v0): users' SCRAM credentials (KIP-554). Kept in Kafka's bytes; no listener asks
//! for them yet.

use super::RequestContext;
use super::reply::Close;
use crate::controller::alter_scram_credentials;
use crate::protocol::messages::alter_user_scram_credentials_request::AlterUserScramCredentialsRequest;
use crate::protocol::messages::alter_user_scram_credentials_response::{
    AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
};
use std::collections::BTreeSet;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: AlterUserScramCredentialsRequest,
) -> Result<AlterUserScramCredentialsResponse, Close> {
    let deleted = request.deletions.iter().map(|deletion| deletion.name.clone());
    let named: BTreeSet<_> = deleted.chain(request.upsertions.iter().map(|upsertion| upsertion.name.clone())).collect();
    let altered = ctx.shard.change_metadata(move |image, _| alter_scram_credentials(image, &request));
    let outcomes =
        altered.await.unwrap_or_else(|error| named.into_iter().map(|name| (name, Err(error.into()))).collect());
    let results = outcomes.into_iter().map(|(user, outcome)| {
        let refusal = outcome.err();
        AlterUserScramCredentialsResult {
            user,
            error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
            error_message: refusal.and_then(|refusal| refusal.message).map(Into::into),
        }
    });
    Ok(AlterUserScramCredentialsResponse { results: results.collect(), ..Default::default() })
}
