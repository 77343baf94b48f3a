//! DescribeClientQuotas (key 48, v0-1): the quotas a filter matches (KIP-546, `ClientQuotasImage.describe`).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::protocol::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use crate::protocol::messages::describe_client_quotas_response::{
    DescribeClientQuotasResponse, EntityData, EntryData, ValueData,
};
use std::collections::BTreeMap;

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

/// What an entity's name must be: `Some` one name (or the default), `None` any.
type Filter<'a> = BTreeMap<&'a str, Option<Option<&'a str>>>;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: DescribeClientQuotasRequest,
) -> Result<DescribeClientQuotasResponse, Close> {
    let filter = match filter(&request.components) {
        Ok(filter) => filter,
        Err((code, why)) => {
            return Ok(DescribeClientQuotasResponse {
                error_code: code.code(),
                error_message: Some(why.into()),
                entries: None,
                ..Default::default()
            });
        }
    };
    let image = ctx.shard.image();
    let mut entries: Vec<EntryData> = Vec::new();
    let mut last: Option<&[(String, Option<String>)]> = None;
    for (entity, key, value) in image.client_quotas().filter(|(entity, ..)| matches(entity, &filter, request.strict)) {
        if last.replace(entity) != Some(entity) {
            let part = |(kind, name): &(String, Option<String>)| EntityData {
                entity_type: kind.as_str().into(),
                entity_name: name.as_deref().map(Into::into),
            };
            entries.push(EntryData { entity: entity.iter().map(part).collect(), values: Vec::new() });
        }
        if let Some(entry) = entries.last_mut() {
            entry.values.push(ValueData { key: key.into(), value });
        }
    }
    Ok(DescribeClientQuotasResponse { entries: Some(entries), error_message: Some("".into()), ..Default::default() })
}

fn filter(components: &[ComponentData]) -> Result<Filter<'_>, (ErrorCode, String)> {
    let invalid = |why: &str| (ErrorCode::InvalidRequest, why.to_owned());
    let mut filter = Filter::new();
    for component in components {
        let kind = &*component.entity_type;
        if kind.is_empty() {
            return Err(invalid("Invalid empty entity type."));
        }
        if filter.contains_key(kind) {
            return Err(invalid(&format!("Entity type {kind} cannot appear more than once in the filter.")));
        }
        if !["ip", "user", "client-id"].contains(&kind) {
            return Err((ErrorCode::UnsupportedVersion, format!("Unsupported entity type {kind}")));
        }
        let wanted = match (component.match_type, component.r#match.as_deref()) {
            (EXACT, Some(name)) => Some(Some(name)),
            (EXACT, None) => {
                return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null."));
            }
            (DEFAULT, None) => Some(None),
            (SPECIFIED, None) => None,
            (DEFAULT | SPECIFIED, Some(_)) => {
                let name = if component.match_type == DEFAULT { "DEFAULT" } else { "SPECIFIED" };
                return Err(invalid(&format!(
                    "Request specified MATCH_TYPE_{name}, but also specified a match string."
                )));
            }
            (unknown, _) => return Err(invalid(&format!("Unknown match type {unknown}"))),
        };
        filter.insert(kind, wanted);
    }
    if filter.contains_key("ip") && filter.len() > 1 {
        return Err(invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or \
             clientId filter component.",
        ));
    }
    Ok(filter)
}

fn matches(entity: &[(String, Option<String>)], filter: &Filter<'_>, strict: bool) -> bool {
    if strict && entity.len() != filter.len() {
        return false;
    }
    filter.iter().all(|(kind, wanted)| {
        let name = entity.iter().find(|(known, _)| known == kind).map(|(_, name)| name.as_deref());
        name.is_some_and(|name| wanted.is_none_or(|wanted| wanted == name))
    })
}
