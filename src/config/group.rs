//! Settings of one group (`GroupConfig`): `consumer.*`, `share.*`, `streams.*`, within the broker's bounds.

use super::group_numbers::KINDS;
use super::settings::Settings;
use super::table::Table;
use std::collections::BTreeMap;

/// What has bounds, in the order in which Kafka looks at it.
const BOUNDED: [&str; 7] = [
    "heartbeat.interval.ms",
    "session.timeout.ms",
    "record.lock.duration.ms",
    "delivery.count.limit",
    "partition.max.record.locks",
    "num.standby.replicas",
    "assignment.interval.ms",
];

/// Checks all that is set for one group against the types, the broker's least and most, and what must fit together.
/// The error names the key.
pub fn validate(set: &BTreeMap<String, String>, broker: &Settings) -> Result<(), String> {
    for (key, text) in set {
        let definition = Table::group().get(key).ok_or_else(|| format!("Unknown group config name: {key}"))?;
        definition.parse(text)?;
    }
    for kind in KINDS {
        for name in BOUNDED {
            check_bounds(kind, name, set, broker)?;
        }
    }
    for kind in KINDS {
        let (session, heartbeat) = (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
        if number(&session, set, broker) <= number(&heartbeat, set, broker) {
            return Err(format!("{session} must be greater than {heartbeat}"));
        }
    }
    Ok(())
}

/// What is set, or the broker's own for groups that set nothing.
fn number(key: &str, set: &BTreeMap<String, String>, broker: &Settings) -> Option<i64> {
    match set.get(key) {
        Some(text) => text.trim().parse().ok(),
        // Not every setting of a group is also one of the broker.
        None => {
            let name = format!("group.{key}");
            Table::broker().get(&name).and_then(|_| broker.int(&name))
        }
    }
}

fn check_bounds(kind: &str, name: &str, set: &BTreeMap<String, String>, broker: &Settings) -> Result<(), String> {
    let key = format!("{kind}.{name}");
    // The one whose bound is named otherwise.
    let rest = name.strip_prefix("num.").unwrap_or(name);
    let Some(value) = number(&key, set, broker) else { return Ok(()) };
    if rest == "assignment.interval.ms" && !set.contains_key(&key) {
        return Ok(());
    }
    let bound = |which: &str| {
        let name = format!("group.{kind}.{which}.{rest}");
        Table::broker().get(&name)?;
        Some((broker.int(&name)?, name))
    };
    match (bound("min"), bound("max")) {
        (Some((min, name)), _) if value < min => Err(format!("{key} must be greater than or equal to {name}")),
        (_, Some((max, name))) if value > max => Err(format!("{key} must be less than or equal to {name}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Result<(), String> {
        let set = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let broker = Settings::new(&BTreeMap::new()).unwrap();
        validate(&set, &broker)
    }

    #[test]
    fn what_is_set_fits_types_and_bounds() {
        for pair in [
            ("consumer.session.timeout.ms", "50000"),
            ("consumer.heartbeat.interval.ms", "6000"),
            ("consumer.assignment.interval.ms", "0"),
            ("share.auto.offset.reset", "by_duration:PT1H"),
            ("share.auto.offset.reset", " earliest"),
            ("share.delivery.count.limit", "10"),
            ("streams.num.standby.replicas", "2"),
        ] {
            assert_eq!(check(&[pair]), Ok(()), "{pair:?}");
        }
        for (pair, expected) in [
            (
                ("consumer.session.timeout.ms", "44999"),
                "greater than or equal to group.consumer.min.session.timeout.ms",
            ),
            (("consumer.session.timeout.ms", "60001"), "less than or equal to group.consumer.max.session.timeout.ms"),
            (("consumer.heartbeat.interval.ms", "4999"), "group.consumer.min.heartbeat.interval.ms"),
            (("consumer.assignment.interval.ms", "15001"), "group.consumer.max.assignment.interval.ms"),
            (("share.delivery.count.limit", "11"), "group.share.max.delivery.count.limit"),
            (("streams.num.standby.replicas", "3"), "group.streams.max.standby.replicas"),
            (("consumer.session.timeout.ms", "soon"), "Invalid value soon"),
            (("share.auto.offset.reset", "by_duration:Pfoo"), "Invalid value by_duration:Pfoo"),
            (("share.auto.offset.reset", "by_duration:PT-1S"), "The value must be either 'earliest', 'latest' or"),
            (("consumer.sesion.timeout.ms", "1"), "Unknown group config name: consumer.sesion.timeout.ms"),
        ] {
            let why = check(&[pair]).unwrap_err();
            assert!(why.contains(expected), "{pair:?}: {why}");
        }
    }
}
