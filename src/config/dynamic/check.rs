//! What a change of a running broker's settings must keep (`DynamicBrokerConfig.validate`).

use super::{Dynamic, LiveSettings, Map, TopicDefaults, keys, overlaid};
use crate::config::broker::Config;
use crate::config::log_dirs::check_cordoned;
use crate::config::rules;
use crate::config::settings::Settings;
use crate::config::table::{Table, Treatment};

/// Checks `changed`, all that would be set for this broker (`for_all` false) or for all brokers; `live` is what holds
/// now. The error is a sentence for INVALID_REQUEST.
pub fn check_change(config: &Config, live: &LiveSettings, changed: &Map, for_all: bool) -> Result<(), String> {
    none_of(changed, keys::not_dynamic, "Cannot update these configs dynamically")?;
    let prefix = "These security configs can be dynamically updated only per-listener using the listener prefix";
    none_of(changed, keys::needs_listener, prefix)?;
    for (name, text) in changed {
        keys::parse(name, text)?;
    }
    if for_all {
        let told = "Cannot update these configs at default cluster level, broker id must be specified";
        none_of(changed, keys::is_per_broker, told)?;
    }
    for (name, text) in changed {
        may_act_on(config, name, text)?;
    }
    let dynamic =
        if for_all { Dynamic { own: &live.own, all: changed } } else { Dynamic { own: changed, all: &live.all } };
    together(config, &live.settings, &overlaid(&config.settings, dynamic))
}

fn none_of(changed: &Map, refused: fn(&str) -> bool, told: &str) -> Result<(), String> {
    let names: Vec<_> = changed.keys().map(String::as_str).filter(|name| refused(name)).collect();
    if names.is_empty() { Ok(()) } else { Err(format!("{told}: [{}]", names.join(", "))) }
}

/// Kafka acts on these at once; corelog cannot, and does not say that it did.
fn may_act_on(config: &Config, name: &str, text: &str) -> Result<(), String> {
    let base = keys::base_of_listener(name).unwrap_or(name);
    let guards = Table::broker().get(base).is_some_and(|key| key.treatment == Treatment::Guard);
    if guards || base.contains("sasl.") || base.contains("ssl.") {
        return Err(format!("{name} guards a listener, and corelog cannot act on it yet"));
    }
    match name {
        "listeners" | "listener.security.protocol.map"
            if config.settings.get(name).and_then(|setting| setting.value.text()).as_deref() != Some(text.trim()) =>
        {
            Err(format!("{name} cannot change while corelog runs: change it in the properties file and restart"))
        }
        "metric.reporters" if !matches!(text.trim(), "" | "org.apache.kafka.common.metrics.JmxReporter") => {
            Err(format!("Invalid value {text} for configuration {name}: corelog loads no Java classes"))
        }
        _ => Ok(()),
    }
}

/// What must hold between the settings that would be in force, `new`, and those that are, `now`.
fn together(config: &Config, now: &Settings, new: &Settings) -> Result<(), String> {
    if let Some(told) = rules::contradictions(new).into_iter().next() {
        return Err(told);
    }
    threads(now, new)?;
    let int = |name: &str| new.int(name).unwrap_or_default();
    if int("log.roll.jitter.ms") < 0 {
        return Err("log.roll.jitter.ms must be greater than or equal to 0".into());
    }
    if int("log.cleaner.dedupe.buffer.size") / int("log.cleaner.threads").max(1) < 1 << 20 {
        return Err("log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".into());
    }
    if int("max.connections.per.ip") == 0 && new.text("max.connections.per.ip.overrides").is_none() {
        return Err("max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is \
                    set."
            .into());
    }
    crate::config::broker::connections_per_ip_overrides(new)?;
    check_cordoned(&config.log_dirs, new)?;
    let retention_ms = TopicDefaults::from_settings(new)?.config().retention_ms;
    local_retention(new, "log.local.retention.ms", "log.retention.ms", retention_ms)?;
    local_retention(new, "log.local.retention.bytes", "log.retention.bytes", int("log.retention.bytes"))
}

/// Numbers of threads at most double, and at most halve.
fn threads(now: &Settings, new: &Settings) -> Result<(), String> {
    const THREADS: &[&str] = &[
        "background.threads",
        "log.cleaner.threads",
        "num.io.threads",
        "num.network.threads",
        "num.recovery.threads.per.data.dir",
        "num.replica.fetchers",
        "remote.log.manager.copier.thread.pool.size",
        "remote.log.manager.expiration.thread.pool.size",
        "remote.log.manager.follower.thread.pool.size",
        "remote.log.reader.threads",
    ];
    for name in THREADS {
        let (old, n) = (now.int(name).unwrap_or_default(), new.int(name).unwrap_or_default());
        let told = format!("Dynamic thread count update validation failed for {name}={n}, value should");
        if n == old {
        } else if n < 1 {
            return Err(format!("{told} be at least 1"));
        } else if n < old / 2 {
            return Err(format!("{told} be at least half the current value {old}"));
        } else if n > old * 2 {
            return Err(format!("{told} not be greater than double the current value {old}"));
        }
    }
    Ok(())
}

fn local_retention(new: &Settings, local: &str, whole: &str, limit: i64) -> Result<(), String> {
    let value = new.int(local).unwrap_or(-2);
    if limit < 0 || value == -2 {
        return Ok(());
    }
    let told = format!("Invalid value {value} for configuration {local}: Value must not be");
    if value == -1 {
        return Err(format!("{told} -1 as {whole} value is set as {limit}."));
    }
    if value > limit { Err(format!("{told} more than {whole} property value: {limit}")) } else { Ok(()) }
}
