//! DescribeUserScramCredentials (key 50, v0): who has which credentials; never the keys (KIP-554).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::metadata::MetadataImage;
use crate::protocol::messages::describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest;
use crate::protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResponse, DescribeUserScramCredentialsResult,
};
use std::collections::BTreeMap;

/// Answers one request; all users where none are named.
pub async fn handle(
    ctx: &RequestContext,
    request: DescribeUserScramCredentialsRequest,
) -> Result<DescribeUserScramCredentialsResponse, Close> {
    let image = ctx.shard.image();
    // How often each was named.
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    for user in request.users.iter().flatten() {
        *users.entry(&user.name).or_default() += 1;
    }
    if users.is_empty() {
        users.extend(image.scram_credentials().map(|credential| (&*credential.name, 1)));
    }
    let results = users.into_iter().map(|(user, times)| describe(&image, user, times > 1));
    Ok(DescribeUserScramCredentialsResponse {
        error_message: Some("".into()),
        results: results.collect(),
        ..Default::default()
    })
}

fn describe(image: &MetadataImage, user: &str, twice: bool) -> DescribeUserScramCredentialsResult {
    let mut result =
        DescribeUserScramCredentialsResult { user: user.into(), error_message: Some("".into()), ..Default::default() };
    let mut refuse = |code: ErrorCode, text: &str| {
        result.error_code = code.code();
        result.error_message = Some(format!("{text}{user}").into());
    };
    let own = image.scram_credentials().filter(|credential| *credential.name == *user);
    let infos: Vec<_> = own
        .map(|credential| CredentialInfo { mechanism: credential.mechanism, iterations: credential.iterations })
        .collect();
    if twice {
        let text = "Cannot describe SCRAM credentials for the same user twice in a single request: ";
        refuse(ErrorCode::DuplicateResource, text);
    } else if infos.is_empty() {
        refuse(ErrorCode::ResourceNotFound, "Attempt to describe a user credential that does not exist: ");
    } else {
        result.credential_infos = infos;
    }
    result
}
