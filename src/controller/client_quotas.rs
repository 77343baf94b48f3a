//! AlterClientQuotas (`ClientQuotaControlManager`; KIP-546): limits of users, client ids and addresses.

use super::{Decision, RECORDS_PER_REQUEST_MAX, Refusal};
use crate::base::ErrorCode;
use crate::metadata::{MetadataImage, MetadataRecord};
use crate::protocol::Str;
use crate::protocol::messages::ClientQuotaRecord;
use crate::protocol::messages::alter_client_quotas_request::{AlterClientQuotasRequest, EntryData, OpData};
use crate::protocol::messages::client_quota_record;
use std::collections::{BTreeMap, HashMap};

/// Who is limited: by type (`user`, `client-id`, `ip`) the name, `None` for the default of all.
pub type QuotaEntity = BTreeMap<String, Option<String>>;

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

/// What a quota's value may be.
#[derive(Clone, Copy)]
enum Kind {
    Long,
    Int,
    Double,
}

const OF_USERS: &[(&str, Kind)] = &[
    ("producer_byte_rate", Kind::Long),
    ("consumer_byte_rate", Kind::Long),
    ("request_percentage", Kind::Double),
    ("controller_mutation_rate", Kind::Double),
];
const OF_ADDRESSES: &[(&str, Kind)] = &[("connection_creation_rate", Kind::Int)];

/// Alters quotas: each entity by itself succeeds or fails, the records of all that succeed go in together. One answer
/// for each entity, in the order of their first appearance.
pub fn alter_client_quotas(
    image: &MetadataImage,
    request: &AlterClientQuotasRequest,
) -> Decision<Vec<(QuotaEntity, Result<(), Refusal>)>> {
    let mut records = Vec::new();
    let mut order: Vec<QuotaEntity> = Vec::new();
    let mut outcomes: HashMap<QuotaEntity, Result<(), Refusal>> = HashMap::new();
    for entry in &request.entries {
        let entity = entity_of(entry);
        let outcome = if outcomes.contains_key(&entity) {
            Err(invalid(format!("Ignoring duplicate entity {}", shown(&entity))))
        } else {
            order.push(entity.clone());
            alter(image, &entity, &entry.ops).map(|mut new| records.append(&mut new))
        };
        outcomes.insert(entity, outcome);
    }
    let too_many = records.len() > RECORDS_PER_REQUEST_MAX;
    let answer = |entity: QuotaEntity| {
        let outcome = match too_many {
            true => {
                Err(Refusal::new(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation."))
            }
            false => outcomes.remove(&entity).unwrap_or(Ok(())),
        };
        (entity, outcome)
    };
    let response = order.into_iter().map(answer).collect();
    if request.validate_only || too_many {
        records.clear();
    }
    Decision { records, response }
}

/// A type named twice has its last name, as in a map.
fn entity_of(entry: &EntryData) -> QuotaEntity {
    entry.entity.iter().map(|e| (e.entity_type.to_string(), e.entity_name.as_ref().map(ToString::to_string))).collect()
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, text)
}

/// As Java prints it.
fn shown(entity: &QuotaEntity) -> String {
    let part = |(kind, name): (&String, &Option<String>)| format!("{kind}={}", name.as_deref().unwrap_or("null"));
    format!("ClientQuotaEntity(entries={{{}}})", entity.iter().map(part).collect::<Vec<_>>().join(", "))
}

fn alter(image: &MetadataImage, entity: &QuotaEntity, ops: &[OpData]) -> Result<Vec<MetadataRecord>, Refusal> {
    let mut changes: BTreeMap<&str, Option<f64>> = BTreeMap::new();
    for op in ops {
        if changes.insert(&op.key, (!op.remove).then_some(op.value)).is_some() {
            return Err(invalid(format!("Ignoring duplicate entity {}", shown(entity))));
        }
    }
    let keys = check_entity(entity)?;
    let mut records = Vec::new();
    for (key, value) in changes {
        let present = image.client_quota(entity, key);
        match value {
            None if present.is_none() => continue,
            None => {}
            Some(value) => {
                check_value(keys, key, value)?;
                // To the bit, as Java compares them.
                if present.map(f64::to_bits) == Some(value.to_bits()) {
                    continue;
                }
            }
        }
        records.push(record(entity, key, value));
    }
    Ok(records)
}

fn record(entity: &QuotaEntity, key: &str, value: Option<f64>) -> MetadataRecord {
    let part = |(kind, name): (&String, &Option<String>)| client_quota_record::EntityData {
        entity_type: kind.as_str().into(),
        entity_name: name.as_deref().map(Str::from),
    };
    ClientQuotaRecord {
        entity: entity.iter().map(part).collect(),
        key: key.into(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
    }
    .into()
}

/// The keys an entity may have.
fn check_entity(entity: &QuotaEntity) -> Result<&'static [(&'static str, Kind)], Refusal> {
    for (kind, name) in entity {
        if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
            return Err(invalid(format!("Unhandled client quota entity type: {kind}")));
        }
        if name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {kind} not supported")));
        }
    }
    let Some(address) = entity.get(IP) else {
        return if entity.is_empty() { Err(invalid("Invalid empty client quota entity")) } else { Ok(OF_USERS) };
    };
    if entity.len() > 1 {
        let text = "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId";
        return Err(invalid(text));
    }
    match address {
        // Apache Kafka would resolve a name here, once; a quota goes by the address a connection has.
        Some(address) if address.parse::<std::net::IpAddr>().is_err() && address != "localhost" => {
            Err(invalid(format!("{address} is not a valid IP or resolvable host.")))
        }
        _ => Ok(OF_ADDRESSES),
    }
}

fn check_value(keys: &[(&str, Kind)], key: &str, value: f64) -> Result<(), Refusal> {
    let Some((_, kind)) = keys.iter().find(|(known, _)| *known == key) else {
        return Err(invalid(format!("Invalid configuration key {key}")));
    };
    if value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    let (max, name) = match kind {
        Kind::Double => return Ok(()),
        Kind::Int => (f64::from(i32::MAX), "an INT"),
        Kind::Long => (i64::MAX as f64, "a LONG"),
    };
    if value > max {
        return Err(invalid(format!("Proposed value for {key} is too large for {name}.")));
    }
    if (value % 1.0).abs() > 1e-6 {
        return Err(invalid(format!("{key} cannot be a fractional value.")));
    }
    Ok(())
}
