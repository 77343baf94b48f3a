//! AlterClientQuotas (key 49, v0-1): limits of users, client ids and addresses (KIP-546). They are kept and described;
//! nobody is held to them yet.

use super::RequestContext;
use super::reply::Close;
use crate::controller::{QuotaEntity, Refusal, alter_client_quotas};
use crate::protocol::messages::alter_client_quotas_request::AlterClientQuotasRequest;
use crate::protocol::messages::alter_client_quotas_response::{AlterClientQuotasResponse, EntityData, EntryData};

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: AlterClientQuotasRequest,
) -> Result<AlterClientQuotasResponse, Close> {
    let named: Vec<_> = request.entries.iter().map(|entry| entry.entity.clone()).collect();
    let altered = ctx.shard.change_metadata(move |image, _| alter_client_quotas(image, &request));
    let entries = match altered.await {
        Ok(outcomes) => outcomes.into_iter().map(entry).collect(),
        Err(error) => {
            let failed = |entity: Vec<crate::protocol::messages::alter_client_quotas_request::EntityData>| {
                let entity =
                    entity.into_iter().map(|e| EntityData { entity_type: e.entity_type, entity_name: e.entity_name });
                EntryData { error_code: error.code(), error_message: None, entity: entity.collect() }
            };
            named.into_iter().map(failed).collect()
        }
    };
    Ok(AlterClientQuotasResponse { entries, ..Default::default() })
}

fn entry((entity, outcome): (QuotaEntity, Result<(), Refusal>)) -> EntryData {
    let refusal = outcome.err();
    let part = |(kind, name): (String, Option<String>)| EntityData {
        entity_type: kind.into(),
        entity_name: name.map(Into::into),
    };
    EntryData {
        error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
        error_message: refusal.and_then(|refusal| refusal.message).map(Into::into),
        entity: entity.into_iter().map(part).collect(),
    }
}
