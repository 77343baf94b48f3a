//! FindCoordinator (key 10, v0-6): which node keeps a group (type 0), a transactional id (1) or a share partition's
//! state (2).

use super::RequestContext;
use super::coordinate::partition_of;
use super::reply::Close;
use crate::base::{BrokerId, ErrorCode};
use crate::coordinator::group::Groups;
use crate::coordinator::share::{Key, ShareStates};
use crate::coordinator::transaction::Transactions;
use crate::protocol::Str;
use crate::protocol::messages::find_coordinator_response::Coordinator;
use crate::protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use crate::shard::Hosted;

/// Since this version a request names several keys.
const KEYS_FROM: i16 = 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// The text of INVALID_REQUEST where Kafka has no other.
const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the \
                         message was sent to an incompatible broker. See the broker logs for more details.";

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: FindCoordinatorRequest) -> Result<FindCoordinatorResponse, Close> {
    if ctx.api_version >= KEYS_FROM {
        let found = request.coordinator_keys.iter().map(|key| find(ctx, request.key_type, key));
        // Kafka tells the codes alone, but where the whole request is wrong.
        let told = if (GROUP..=SHARE).contains(&request.key_type) { "" } else { MALFORMED };
        let coordinators = found.map(|found| Coordinator { error_message: Some(told.into()), ..found }).collect();
        return Ok(FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() });
    }
    let found = find(ctx, request.key_type, &request.key);
    Ok(FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: found.error_message.or_else(|| Some(ErrorCode::None.name().into())),
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..FindCoordinatorResponse::default()
    })
}

fn find(ctx: &RequestContext, key_type: i8, key: &Str) -> Coordinator {
    let outcome = match key_type {
        GROUP => find_keeper::<Groups>(ctx, key),
        TRANSACTION => find_keeper::<Transactions>(ctx, key),
        SHARE if Key::parse(key).is_none() => Err((ErrorCode::InvalidRequest, MALFORMED)),
        SHARE => find_keeper::<ShareStates>(ctx, key),
        _ => Err((ErrorCode::InvalidRequest, MALFORMED)),
    };
    match outcome {
        Ok((node_id, host, port)) => Coordinator {
            key: key.clone(),
            node_id: node_id.0,
            host,
            port: i32::from(port),
            error_code: 0,
            error_message: None,
        },
        Err((error, message)) => Coordinator {
            key: key.clone(),
            node_id: -1,
            host: Str::new(),
            port: -1,
            error_code: error.code(),
            error_message: Some(Str::from_static(message)),
        },
    }
}

type Found = Result<(BrokerId, Str, u16), (ErrorCode, &'static str)>;

fn find_keeper<M: Hosted>(ctx: &RequestContext, key: &str) -> Found {
    const NOT_AVAILABLE: (ErrorCode, &str) = (ErrorCode::CoordinatorNotAvailable, "The coordinator is not available.");
    let Some(id) = partition_of::<M>(ctx, key) else {
        ctx.shard.create_internal_topic(M::TOPIC);
        return Err(NOT_AVAILABLE);
    };
    let image = ctx.shard.image();
    let leader = image.partition(&id).map_or(BrokerId::NONE, |p| p.leader);
    let own = ctx.own_endpoint().filter(|(node, ..)| *node == leader);
    if let Some((node, host, port)) = own {
        return Ok((node, (&*host).into(), port));
    }
    let endpoint = image.broker(leader).and_then(|b| b.endpoint(&ctx.connection.listener).cloned());
    let endpoint = endpoint.ok_or(NOT_AVAILABLE)?;
    Ok((leader, (&*endpoint.host).into(), endpoint.port))
}
