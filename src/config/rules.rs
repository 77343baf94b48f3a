//! What a configuration as a whole must keep: guards, roles, old keys, and what is worth a warning.

use super::listeners::Listeners;
use super::settings::Settings;
use super::table::{KeyDef, Table, Treatment};
use super::value::{Value, split_list};
use super::{consumer_groups, share, streams_groups};
use std::collections::BTreeMap;

type Keys = BTreeMap<String, String>;

/// Set in the files of ZooKeeper-era nodes. Whether it stands in the way is for the log directories to say.
const ZOOKEEPER: &str = "zookeeper.connect";

/// Maps the keys of old files to today's, with a warning each.
pub(super) fn map_old_keys(mut given: Keys, warnings: &mut Vec<String>) -> Keys {
    let old = ["port", "host.name", "advertised.port", "advertised.host.name"].map(|key| given.remove(key));
    let [port, host, advertised_port, advertised_host] = old;
    if port.is_some() || host.is_some() {
        let port = port.as_deref().unwrap_or("9092").trim();
        let value = format!("PLAINTEXT://{}:{port}", bracketed(host.as_deref().unwrap_or_default()));
        map_to(&mut given, "listeners", "port and host.name", value, warnings);
    }
    if advertised_port.is_some() || advertised_host.is_some() {
        let listener = given.get("listeners").and_then(|l| split_list(l).into_iter().next()).unwrap_or_default();
        let (name, address) = listener.split_once("://").unwrap_or(("PLAINTEXT", ":9092"));
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "9092"));
        let host = advertised_host.map_or(host.to_owned(), |host| bracketed(&host));
        let port = advertised_port.as_deref().map_or(port, str::trim);
        let value = format!("{name}://{host}:{port}");
        map_to(&mut given, "advertised.listeners", "advertised.host.name and advertised.port", value, warnings);
    }
    // The two name one thing, and each answers for the other.
    if let Some(id) = given.get("broker.id").map(|id| id.trim().to_owned()).filter(|id| id != "-1") {
        given.entry("node.id".into()).or_insert(id);
    } else if let Some(id) = given.get("node.id").cloned() {
        given.insert("broker.id".into(), id);
    }
    given
}

fn bracketed(host: &str) -> String {
    let host = host.trim();
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

fn map_to(given: &mut Keys, key: &str, old: &str, value: String, warnings: &mut Vec<String>) {
    match given.get(key) {
        Some(present) => {
            warnings.push(format!("{old} are keys of an old file and give way to {key}={present}: remove them"));
        }
        None => {
            warnings.push(format!("{old} are keys of an old file and mean {key}={value}: write that instead"));
            given.insert(key.into(), value);
        }
    }
}

/// Lets a node be looked into that guards what corelog cannot guard yet.
const UNGUARDED: &str = "corelog.takeover.unguarded.loopback";

/// Why this node must not start with these keys; empty when it may.
pub(super) fn refusals(given: &Keys, warnings: &mut Vec<String>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let guards: Vec<_> = given.iter().filter(|(name, text)| is_guard(name, text)).map(|(name, _)| name).collect();
    if given.get(UNGUARDED).is_some_and(|text| text.trim().eq_ignore_ascii_case("true")) {
        warnings.extend(guards.iter().map(|name| format!("{name} is set and not acted on, as {UNGUARDED} allows")));
    } else {
        told.extend(guards.iter().map(|name| refusal(name)));
    }
    told.extend(roles(given));
    told
}

/// Without guards only this machine may reach the node.
pub(super) fn loopback(settings: &Settings, listeners: &Listeners) -> Vec<String> {
    let open = listeners.broker.iter().filter(|listener| settings.flag(UNGUARDED) && !listener.is_loopback());
    open.map(|listener| {
        format!(
            "{UNGUARDED} is true, and the listener {listener} can be reached from other machines: it must be a \
             loopback address, such as PLAINTEXT://127.0.0.1:{}",
            listener.port
        )
    })
    .collect()
}

/// Whether a key guards something.
fn is_guard(name: &str, text: &str) -> bool {
    // What stands behind `listener.name.<listener>.` guards that listener.
    let plain = match name.strip_prefix("listener.name.") {
        Some(rest) => rest.find("ssl.").or_else(|| rest.find("sasl.")).map_or("", |at| &rest[at..]),
        None => name,
    };
    let known = Table::broker().get(plain);
    let guards = known.is_some_and(|key| key.treatment == Treatment::Guard)
        || plain.starts_with("ssl.")
        || plain.starts_with("sasl.")
        || matches!(plain, "super.users" | "delegation.token.master.key" | "password.encoder.secret")
        || (plain == "security.inter.broker.protocol" && text.trim() != "PLAINTEXT")
        || (name.starts_with("listener.name.") && name.ends_with("principal.builder.class"));
    guards && !known.is_some_and(|key| is_default(key, text)) && !text.trim().is_empty()
}

fn refusal(name: &str) -> String {
    format!(
        "{name} is set, and corelog cannot act on it yet: it does not start rather than serve unguarded what the file \
         says is guarded. Remove the key if this node may be open to everyone who reaches it, or set {UNGUARDED}=true \
         to look at it from this machine alone"
    )
}

fn is_default(key: &KeyDef, text: &str) -> bool {
    key.parse(text).is_ok_and(|value| value == key.default_value()) && key.default.is_some()
}

fn roles(given: &Keys) -> Option<String> {
    let text = given.get("process.roles")?.trim();
    let roles = split_list(text);
    let has = |role: &str| roles.iter().any(|r| r == role);
    if has("broker") && has("controller") {
        return None;
    }
    if text.is_empty() {
        return Some("Invalid value for configuration process.roles: it must be broker,controller".into());
    }
    (has("broker") || has("controller")).then(|| {
        format!(
            "process.roles is {text}: corelog cannot join a cluster yet and runs as a standalone node only, whose \
             process.roles are broker,controller"
        )
    })
}

/// What contradicts itself among well-typed values.
pub(super) fn contradictions(settings: &Settings) -> Vec<String> {
    let mut told = Vec::new();
    told.extend(voters(settings));
    if settings.is_given("broker.id") && settings.int("broker.id") != Some(-1) {
        let (broker, node) = (settings.int("broker.id"), settings.int("node.id"));
        if broker != node {
            told.push("broker.id and node.id are both set, to different numbers: they name the same thing".into());
        }
    }
    for (key, least) in [("log.retention.ms", -1), ("log.retention.minutes", -1), ("log.retention.hours", -1)] {
        if settings.int(key).is_some_and(|n| n < least || n == 0) {
            let value = settings.int(key).unwrap_or_default();
            told.push(format!(
                "Invalid value {value} for configuration {key}: Value must be -1 (no limit) or at least 1"
            ));
        }
    }
    if settings.int("log.roll.ms").is_some_and(|n| n < 1) {
        told.push("Invalid value for configuration log.roll.ms: Value must be at least 1".into());
    }
    if !(0..=4).contains(&settings.int("offsets.topic.compression.codec").unwrap_or_default()) {
        told.push(
            "Invalid value for configuration offsets.topic.compression.codec: Value must be 0 (none), 1 (gzip), 2 \
             (snappy), 3 (lz4) or 4 (zstd)"
                .into(),
        );
    }
    told.extend(consumer_groups::contradictions(settings));
    told.extend(share::contradictions(settings));
    told.extend(streams_groups::contradictions(settings));
    told
}

/// Only this node itself may vote.
fn voters(settings: &Settings) -> Option<String> {
    const KEY: &str = "controller.quorum.voters";
    let list = settings.list(KEY);
    let node_id = settings.int("node.id").unwrap_or_default();
    let mut foreign = list.is_empty().then_some(false);
    for voter in list {
        let id = voter.split_once('@').and_then(|(id, address)| {
            let port =
                address.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
            port.and(id.trim().parse::<i64>().ok())
        });
        match id {
            None => {
                return Some(format!(
                    "Invalid value {voter} for configuration {KEY}: each voter is written id@host:port"
                ));
            }
            Some(id) => foreign = Some(foreign.unwrap_or(false) || id != node_id),
        }
    }
    foreign.unwrap_or(false).then(|| {
        format!(
            "{KEY} is {}: it names other nodes than this one ({node_id}), and corelog cannot join a cluster yet. A \
             standalone node's only voter is itself",
            list.join(",")
        )
    })
}

/// One line each for keys without effect and for keys nobody knows.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(servers) = settings.unknown.get(ZOOKEEPER) {
        told.push(format!("{ZOOKEEPER} is set to {servers}: corelog needs no ZooKeeper and does not speak to one"));
    }
    let given = settings.all().iter().filter(|s| settings.is_given(s.key.name) && s.value != Value::Null);
    let later: Vec<_> = given.filter(|s| s.key.treatment == Treatment::Later).map(|s| s.key.name).collect();
    if !later.is_empty() {
        told.push(format!("known, but without effect yet: {}", later.join(", ")));
    }
    if settings.unknown.keys().any(|name| name != ZOOKEEPER) {
        let names: Vec<_> = settings.unknown.keys().map(String::as_str).filter(|name| *name != ZOOKEEPER).collect();
        told.push(format!("unknown keys: {}", names.join(", ")));
    }
    told
}

#[cfg(test)]
mod tests;
