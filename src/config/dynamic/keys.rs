//! Which broker keys may change while the broker runs, and at which level.

use crate::config::table::{KeyDef, Table};
use crate::config::value::{ConfigType, Valid, Value, parse as parse_value};

/// Keys of brokers that may change while they run (`DynamicBrokerConfig.AllDynamicConfigs`, 4.3), sorted.
const DYNAMIC: &[&str] = &[
    "background.threads",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "config.providers",
    "cordoned.log.dirs",
    "follower.fetch.last.tiered.offset.enable",
    "follower.replication.throttled.rate",
    "group.consumer.assignment.interval.ms",
    "group.coordinator.cached.buffer.max.bytes",
    "group.share.assignment.interval.ms",
    "group.streams.assignment.interval.ms",
    "leader.replication.throttled.rate",
    "listener.security.protocol.map",
    "listeners",
    "log.cleaner.backoff.ms",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.delete.retention.ms",
    "log.cleaner.io.buffer.load.factor",
    "log.cleaner.io.buffer.size",
    "log.cleaner.io.max.bytes.per.second",
    "log.cleaner.max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "log.cleaner.threads",
    "log.cleanup.policy",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    "log.index.interval.bytes",
    "log.index.size.max.bytes",
    "log.local.retention.bytes",
    "log.local.retention.ms",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.preallocate",
    "log.retention.bytes",
    "log.retention.ms",
    "log.roll.jitter.ms",
    "log.roll.ms",
    "log.segment.bytes",
    "log.segment.delete.delay.ms",
    "max.connection.creation.rate",
    "max.connections",
    "max.connections.per.ip",
    "max.connections.per.ip.overrides",
    "message.max.bytes",
    "metric.reporters",
    "min.insync.replicas",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "principal.builder.class",
    "producer.id.expiration.ms",
    "remote.fetch.max.wait.ms",
    "remote.list.offsets.request.timeout.ms",
    "remote.log.index.file.cache.total.size.bytes",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.copy.max.bytes.per.second",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.fetch.max.bytes.per.second",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
    "replica.alter.log.dirs.io.max.bytes.per.second",
    "sasl.enabled.mechanisms",
    "sasl.jaas.config",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.principal.to.local.rules",
    "sasl.kerberos.service.name",
    "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.ticket.renew.window.factor",
    "sasl.login.refresh.buffer.seconds",
    "sasl.login.refresh.min.period.seconds",
    "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter",
    "sasl.mechanism.inter.broker.protocol",
    "share.coordinator.cached.buffer.max.bytes",
    "ssl.cipher.suites",
    "ssl.client.auth",
    "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class",
    "ssl.key.password",
    "ssl.keymanager.algorithm",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
    "transaction.partition.verification.enable",
    "unclean.leader.election.enable",
];

/// Keys without a place in the properties file: throttles of replication, in bytes a second (`QuotaConfig`).
const RATES: &[&str] = &[
    "follower.replication.throttled.rate",
    "leader.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];

/// True for a broker key that may change while the broker runs.
pub fn is_dynamic(name: &str) -> bool {
    DYNAMIC.binary_search(&name).is_ok()
}

/// True for a key that the properties file knows and that cannot change while the broker runs.
pub(super) fn not_dynamic(name: &str) -> bool {
    Table::broker().get(name).is_some() && !is_dynamic(name)
}

/// True for a key of TLS, which may change for one listener only: by its name with the listener's before it.
pub(super) fn needs_listener(name: &str) -> bool {
    name.starts_with("ssl.") && name != "ssl.client.auth" && is_dynamic(name)
}

/// True for a key that is one broker's own and cannot be set for all.
pub(super) fn is_per_broker(name: &str) -> bool {
    let of_listener =
        |base: &str| !matches!(base, "max.connections" | "max.connection.creation.rate" | "num.network.threads");
    match base_of_listener(name) {
        Some(base) => of_listener(base),
        None => {
            matches!(
                name,
                "cordoned.log.dirs" | "listener.security.protocol.map" | "listeners" | "principal.builder.class"
            ) || (is_dynamic(name) && (name.starts_with("ssl.") || name.starts_with("sasl.")))
        }
    }
}

/// `ssl.client.auth` of `listener.name.external.ssl.client.auth`.
pub(super) fn base_of_listener(name: &str) -> Option<&str> {
    name.strip_prefix("listener.name.")?.split_once('.').map(|(_, base)| base)
}

fn definition(name: &str) -> Option<&'static KeyDef> {
    Table::broker().get(base_of_listener(name).unwrap_or(name))
}

/// The type of a key, also of one that only a running broker has; `None` for a plugin's.
pub(in crate::config) fn kind_of(name: &str) -> Option<ConfigType> {
    if RATES.contains(&name) { Some(ConfigType::Long) } else { definition(name).map(|key| key.kind) }
}

/// Reads and checks a value; a key that nobody knows may have any.
pub(super) fn parse(name: &str, text: &str) -> Result<Value, String> {
    if RATES.contains(&name) {
        return parse_value(ConfigType::Long, &Valid::Range { min: 0, max: None, or: None }, text)
            .map_err(|reason| format!("Invalid value {text} for configuration {name}: {reason}"));
    }
    definition(name).map_or_else(|| Ok(Value::Text(text.to_owned())), |key| key.parse(text))
}

#[cfg(test)]
pub(super) fn dynamic_count() -> usize {
    assert!(DYNAMIC.is_sorted());
    DYNAMIC.len()
}
