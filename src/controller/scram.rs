//! AlterUserScramCredentials (`ScramControlManager`; KIP-554). What is kept is Kafka's: never the password.

use super::{Decision, Refusal};
use crate::base::ErrorCode;
use crate::base::scram::{ITERATIONS_MAX, ITERATIONS_MIN, Mechanism};
use crate::metadata::{MetadataImage, MetadataRecord};
use crate::protocol::Str;
use crate::protocol::messages::alter_user_scram_credentials_request::{
    AlterUserScramCredentialsRequest, ScramCredentialDeletion, ScramCredentialUpsertion,
};
use crate::protocol::messages::{RemoveUserScramCredentialRecord, UserScramCredentialRecord};
use std::collections::BTreeMap;

/// The first `metadata.version` whose log may hold credentials: 3.5-IV2.
const METADATA_VERSION_MIN: i16 = 11;

/// Alters credentials: each user by itself succeeds or fails. One answer for each user, by name.
pub fn alter_scram_credentials(
    image: &MetadataImage,
    request: &AlterUserScramCredentialsRequest,
) -> Decision<Vec<(Str, Result<(), Refusal>)>> {
    let mut users: BTreeMap<Str, Result<Change<'_>, Refusal>> = BTreeMap::new();
    let mut put = |name: &Str, decided: Result<_, Refusal>| {
        let twice = "A user credential cannot be altered twice in the same request";
        match users.get_mut(name) {
            None => drop(users.insert(name.clone(), decided)),
            Some(known @ Ok(_)) => *known = Err(Refusal::new(ErrorCode::DuplicateResource, twice)),
            Some(Err(_)) => {}
        }
    };
    let supported = image.metadata_version() >= METADATA_VERSION_MIN;
    let supported = supported.then_some(()).ok_or_else(|| {
        Refusal::new(ErrorCode::UnsupportedVersion, "The current metadata.version does not support SCRAM")
    });
    for deletion in &request.deletions {
        put(&deletion.name, supported.clone().and_then(|()| delete(image, deletion)));
    }
    for upsertion in &request.upsertions {
        put(&upsertion.name, supported.clone().and_then(|()| upsert(upsertion)));
    }
    let mut records = Vec::new();
    let mut answer = |(name, decided): (Str, Result<Change<'_>, Refusal>)| {
        (name, decided.and_then(record).map(|record| records.push(record)))
    };
    let response = users.into_iter().map(&mut answer).collect();
    Decision { records, response }
}

fn check(name: &str, mechanism: i8) -> Result<Mechanism, Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(ErrorCode::UnacceptableCredential, "Username must not be empty"));
    }
    let unknown = || Refusal::new(ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism");
    Mechanism::from_id(mechanism).ok_or_else(unknown)
}

/// What is right by itself; keys are derived once it is known that nothing else of the request stands against it.
enum Change<'a> {
    Delete(&'a ScramCredentialDeletion),
    Upsert(Mechanism, &'a ScramCredentialUpsertion),
}

fn delete<'a>(image: &MetadataImage, deletion: &'a ScramCredentialDeletion) -> Result<Change<'a>, Refusal> {
    check(&deletion.name, deletion.mechanism)?;
    if !image.scram_credentials().any(|known| known.name == deletion.name && known.mechanism == deletion.mechanism) {
        let text = "Attempt to delete a user credential that does not exist";
        return Err(Refusal::new(ErrorCode::ResourceNotFound, text));
    }
    Ok(Change::Delete(deletion))
}

fn upsert(upsertion: &ScramCredentialUpsertion) -> Result<Change<'_>, Refusal> {
    let mechanism = check(&upsertion.name, upsertion.mechanism)?;
    let unacceptable = |text: &str| Refusal::new(ErrorCode::UnacceptableCredential, text);
    if upsertion.iterations < ITERATIONS_MIN {
        return Err(unacceptable("Too few iterations"));
    }
    if upsertion.iterations > ITERATIONS_MAX {
        return Err(unacceptable("Too many iterations"));
    }
    Ok(Change::Upsert(mechanism, upsertion))
}

fn record(change: Change<'_>) -> Result<MetadataRecord, Refusal> {
    let (mechanism, upsertion) = match change {
        Change::Delete(deletion) => {
            let (name, mechanism) = (deletion.name.clone(), deletion.mechanism);
            return Ok(RemoveUserScramCredentialRecord { name, mechanism }.into());
        }
        Change::Upsert(mechanism, upsertion) => (mechanism, upsertion),
    };
    // Java's HMAC takes no empty key.
    let salted = &upsertion.salted_password;
    if salted.is_empty() {
        return Err(ErrorCode::UnknownServerError.into());
    }
    let record = UserScramCredentialRecord {
        name: upsertion.name.clone(),
        mechanism: upsertion.mechanism,
        salt: upsertion.salt.clone(),
        stored_key: mechanism.hash(&mechanism.hmac(salted, b"Client Key")).into(),
        server_key: mechanism.hmac(salted, b"Server Key").into(),
        iterations: upsertion.iterations,
    };
    Ok(record.into())
}
