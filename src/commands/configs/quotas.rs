//! Quotas of users, clients and IP addresses, and the SCRAM credentials of users.

use super::super::Streams;
use super::super::print::{json, separated, text};
use super::entities::Kind;
use super::{Call, Failure};
use crate::base::java_hash::hash_map_order;
use crate::base::scram::Mechanism;
use crate::client::ClientError;
use crate::client::cluster::At;
use crate::client::configs::Change;
use crate::protocol::json::Json;
use crate::protocol::messages::alter_client_quotas_request as alter_quotas;
use crate::protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use crate::protocol::messages::describe_client_quotas_request::ComponentData;
use crate::protocol::messages::describe_client_quotas_response::{EntityData, EntryData};
use crate::protocol::messages::describe_user_scram_credentials_request::UserName;
use crate::protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest,
};
use crate::ring::process::random_bytes;
use std::io;

/// What RFC 7677 asks for at least, and Kafka takes when told nothing.
const ITERATIONS: i32 = 4096;
const QUOTAS: [&str; 5] = [
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
    "connection_creation_rate",
];

/// Kafka's name of an entity's type in a quota.
fn entity_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Client => "client-id",
        Kind::Ip => "ip",
        _ => "user",
    }
}

impl Call<'_> {
    /// Exactly the entity that is named; without a name all of the type.
    fn components(&self) -> Result<Vec<ComponentData>, Failure> {
        if self.entities.names.len() > self.entities.kinds.len() {
            return Err(Failure::Argument("More entity names specified than entity types".into()));
        }
        let component = |(at, kind): (usize, &Kind)| {
            let name = self.entities.names.get(at);
            ComponentData {
                entity_type: entity_type(*kind).into(),
                match_type: match name {
                    Some(name) if name.is_empty() => 1,
                    Some(_) => 0,
                    None => 2,
                },
                r#match: name.filter(|name| !name.is_empty()).map(|name| name.into()),
            }
        };
        Ok(self.entities.kinds.iter().enumerate().map(component).collect())
    }

    fn quotas(&mut self) -> Result<Vec<EntryData>, Failure> {
        let request = DescribeClientQuotasRequest { components: self.components()?, strict: true };
        let answer = self.cluster.call(|cluster| {
            let answer = cluster.ask(At::Any, &request)?;
            ClientError::check(answer.error_code, answer.error_message.as_deref()).map(|()| answer)
        })?;
        Ok(answer.entries.unwrap_or_default())
    }

    pub fn describe_quotas_and_credentials(&mut self, streams: &mut Streams<'_>) -> Result<(), Failure> {
        let quotas = self.quotas()?;
        let mut items = Vec::new();
        for entry in &quotas {
            match self.arguments.connect.json {
                true => items.push(quota_item(entry)),
                false => print_quota(entry, streams)?,
            }
        }
        // Credentials are those of users, not of a user with a client, and there are no default ones.
        let of_users = self.entities.kinds == [Kind::User] && !self.entities.names.iter().any(String::is_empty);
        if of_users {
            self.describe_credentials(&mut items, streams)?;
        }
        if self.arguments.connect.json {
            json(streams, &Json::Array(items))?;
        }
        Ok(())
    }

    fn describe_credentials(&mut self, items: &mut Vec<Json>, streams: &mut Streams<'_>) -> Result<(), Failure> {
        let names: Vec<UserName> = self.entities.names.iter().map(|name| UserName { name: name.into() }).collect();
        let all = names.is_empty();
        let request = DescribeUserScramCredentialsRequest { users: (!all).then_some(names) };
        let answer = self.cluster.call(|cluster| {
            let answer = cluster.ask(At::Any, &request)?;
            ClientError::check(answer.error_code, answer.error_message.as_deref()).map(|()| answer)
        })?;
        for user in answer.results {
            // A user without credentials is passed over, as Kafka's client does.
            if user.error_code == crate::base::ErrorCode::ResourceNotFound.code() {
                continue;
            }
            if let Some(error) = ClientError::of(user.error_code, user.error_message.as_deref()) {
                let kind = error.exception();
                let kind = kind.rsplit('.').next().unwrap_or_default();
                let name = &user.user;
                writeln!(
                    streams.out,
                    "Error retrieving SCRAM credential configs for user-principal '{name}': {kind}: {error}"
                )?;
                continue;
            }
            let infos = user.credential_infos.iter().map(|info| {
                let name = Mechanism::from_id(info.mechanism).map_or("UNKNOWN", Mechanism::name);
                format!("{name}=iterations={}", info.iterations)
            });
            let infos = separated(infos, ", ");
            match self.arguments.connect.json {
                true => items.push(Json::Object(vec![
                    ("user", Json::Text(user.user.to_string())),
                    ("scram", Json::Text(infos)),
                ])),
                false => {
                    writeln!(streams.out, "SCRAM credential configs for user-principal '{}' are {infos}", user.user)?;
                }
            }
        }
        Ok(())
    }

    pub fn alter_quotas_or_credentials(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let wrong = |why: String| Err(Failure::Argument(why));
        let is_scram = |(key, _): &&Change| Mechanism::named(key).is_some();
        let users = self.entities.kinds == [Kind::User];
        let unknown: Vec<&str> = changes
            .iter()
            .filter(|(key, _)| !QUOTAS.contains(&&**key) && !(users && Mechanism::named(key).is_some()))
            .map(|(key, _)| key.as_str())
            .collect();
        if !unknown.is_empty() {
            let kind = self.entities.kind().name();
            let names = unknown.join(",");
            return wrong(match users {
                true => format!(
                    "Only quota and SCRAM credential configs can be altered for '{kind}' using --bootstrap-server. \
                     Unexpected config names: {names}"
                ),
                false => format!(
                    "Only quota configs can be altered for '{kind}' using --bootstrap-server. Unexpected config \
                     names: {names}"
                ),
            });
        }
        let scram = changes.iter().filter(is_scram).count();
        if scram == 0 {
            return self.alter_quotas(changes);
        }
        if self.entities.names.iter().any(String::is_empty) {
            return wrong(
                "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using \
                 --bootstrap-server."
                    .into(),
            );
        }
        if scram < changes.len() {
            return wrong(
                "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using \
                 --bootstrap-server."
                    .into(),
            );
        }
        self.alter_credentials(changes)
    }

    fn alter_quotas(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let old = self.quotas()?;
        let has = |key: &str| old.iter().flat_map(|entry| &entry.values).any(|value| &*value.key == key);
        let gone: Vec<&str> =
            changes.iter().filter(|(key, value)| value.is_none() && !has(key)).map(|(key, _)| &**key).collect();
        if !gone.is_empty() {
            return Err(Failure::Argument(format!("Invalid config(s): {}", gone.join(","))));
        }
        let mut ops = Vec::new();
        for (key, value) in changes {
            let number = value.as_deref().map_or(Ok(0.0), str::parse::<f64>);
            let number = number.map_err(|_| {
                let value = value.as_deref().unwrap_or_default();
                Failure::Argument(format!("Cannot parse quota configuration value for {key}: {value}"))
            })?;
            ops.push(alter_quotas::OpData { key: key.into(), value: number, remove: value.is_none() });
        }
        let entity =
            self.entities.kinds.iter().zip(&self.entities.names).map(|(kind, name)| alter_quotas::EntityData {
                entity_type: entity_type(*kind).into(),
                entity_name: (!name.is_empty()).then(|| name.into()),
            });
        let request = AlterClientQuotasRequest {
            entries: vec![alter_quotas::EntryData { entity: entity.collect(), ops }],
            validate_only: false,
        };
        self.cluster.call(|cluster| {
            let answer = cluster.ask(At::Controller, &request)?;
            let mut entries = answer.entries.iter();
            entries.try_for_each(|entry| ClientError::check(entry.error_code, entry.error_message.as_deref()))
        })?;
        Ok(())
    }

    fn alter_credentials(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let user = self.entities.name().unwrap_or_default().to_owned();
        let mut request = AlterUserScramCredentialsRequest::default();
        for (mechanism, value) in changes {
            let Some(named) = Mechanism::named(mechanism) else { continue };
            match value {
                None => {
                    let deletion = ScramCredentialDeletion { name: user.as_str().into(), mechanism: named.id() };
                    request.deletions.push(deletion);
                }
                Some(text) => request.upsertions.push(upsertion(&user, named, text)?),
            }
        }
        self.cluster.call(|cluster| {
            let answer = cluster.ask(At::Controller, &request)?;
            let mut users = answer.results.iter();
            users.try_for_each(|user| ClientError::check(user.error_code, user.error_message.as_deref()))
        })?;
        Ok(())
    }
}

/// `iterations=8192,password=secret`, or the password alone.
fn upsertion(user: &str, mechanism: Mechanism, text: &str) -> Result<ScramCredentialUpsertion, Failure> {
    let invalid =
        || Failure::Argument(format!("Invalid credential property {}: give [password=...]", mechanism.name()));
    let (iterations, rest) = match text.strip_prefix("iterations=") {
        Some(rest) => rest.split_once(',').map(|(count, rest)| (Some(count), rest)).ok_or_else(invalid)?,
        None => (None, text),
    };
    let password = rest.strip_prefix("password=").ok_or_else(invalid)?;
    let iterations = match iterations {
        None | Some("-1") => ITERATIONS,
        Some(count) => count.parse().map_err(|_| invalid())?,
    };
    if iterations < ITERATIONS {
        let name = mechanism.name();
        return Err(Failure::Argument(format!(
            "Iterations {iterations} is less than the minimum {ITERATIONS} required for {name}"
        )));
    }
    let mut salt = [0; 24];
    random_bytes(&mut salt);
    Ok(ScramCredentialUpsertion {
        name: user.into(),
        mechanism: mechanism.id(),
        iterations,
        salt: salt.to_vec().into(),
        salted_password: mechanism.salted(password.as_bytes(), &salt, iterations).into(),
    })
}

fn part<'a>(entry: &'a EntryData, kind: &str) -> Option<&'a EntityData> {
    entry.entity.iter().find(|entity| &*entity.entity_type == kind)
}

fn print_quota(entry: &EntryData, streams: &mut Streams<'_>) -> io::Result<()> {
    let parts = [("user", "user-principal"), ("client-id", "client-id"), ("ip", "ip")];
    let parts = parts.into_iter().filter_map(|(kind, shown)| {
        Some(match part(entry, kind)?.entity_name.as_deref() {
            Some(name) => format!("{shown} '{name}'"),
            None => format!("the default {shown}"),
        })
    });
    let mut values: Vec<_> = entry.values.iter().collect();
    hash_map_order(&mut values, |value| &value.key);
    let values = values.iter().map(|value| format!("{}={}", value.key, java_double(value.value)));
    writeln!(streams.out, "Quota configs for {} are {}", separated(parts, ", "), separated(values, ", "))
}

fn quota_item(entry: &EntryData) -> Json {
    let entity = |entity: &EntityData| {
        Json::Object(vec![
            ("type", Json::Text(entity.entity_type.to_string())),
            ("name", text(entity.entity_name.as_deref())),
        ])
    };
    let quota = |value: &crate::protocol::messages::describe_client_quotas_response::ValueData| {
        Json::Object(vec![("key", Json::Text(value.key.to_string())), ("value", Json::Float(value.value))])
    };
    Json::Object(vec![
        ("entity", Json::Array(entry.entity.iter().map(entity).collect())),
        ("quotas", Json::Array(entry.values.iter().map(quota).collect())),
    ])
}

/// `Double.toString`: from ten million on, and below a thousandth, with an exponent.
fn java_double(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) || !value.is_finite() {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        let table = [(1024.0, "1024.0"), (1e7, "1.0E7"), (10_485_760.0, "1.048576E7"), (0.5, "0.5"), (1e-4, "1.0E-4")];
        for (value, text) in table {
            assert_eq!(java_double(value), text);
        }
    }

    #[test]
    fn credentials_are_salted_here_and_weak_ones_refused() {
        let made = upsertion("a", Mechanism::Sha256, "iterations=8192,password=a,b").ok().unwrap();
        assert_eq!((made.iterations, made.salted_password.len()), (8192, 32));
        for wrong in ["iterations=10,password=a", "secret", "iterations=x,password=a"] {
            assert!(upsertion("a", Mechanism::Sha512, wrong).is_err(), "{wrong}");
        }
    }
}
