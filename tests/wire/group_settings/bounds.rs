//! What a group and a broker may set, and what becomes of it when the bounds change.

use super::member::{Kind, Member};
use super::share_consumer::{ShareConsumer, Source};
use super::{Of, SETTINGS, alter, topic, try_alter, unique};
use crate::support::{Broker, Wire};
use corelog::protocol::messages::describe_configs_request::DescribeConfigsResource;
use corelog::protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

/// INVALID_CONFIG.
const INVALID: i16 = 40;
/// INVALID_REQUEST.
const REFUSED: i16 = 42;

#[test]
fn what_is_out_of_bounds_is_refused_in_kafkas_words_and_changes_nothing() {
    let broker = Broker::start_with(SETTINGS);
    let topic = topic(&mut broker.connect(), "of-refusals-of-settings", 1);
    let group = unique("refusals");
    let mut member = Member::join(&broker, Kind::Consumer, &group, "a", &topic);
    alter(&broker, Of::Group(&group), &[("consumer.heartbeat.interval.ms", Some("7000"))]);
    let mut wrong = Vec::new();
    // Below the least and above the most that the broker allows a group.
    for (key, least, most) in [
        ("consumer.heartbeat.interval.ms", "9", "15001"),
        ("consumer.session.timeout.ms", "99", "60001"),
        ("share.heartbeat.interval.ms", "9", "15001"),
        ("share.session.timeout.ms", "99", "60001"),
        ("share.record.lock.duration.ms", "", "60001"),
        ("share.delivery.count.limit", "", "11"),
        ("share.partition.max.record.locks", "", "4001"),
        ("streams.heartbeat.interval.ms", "9", "15001"),
        ("streams.session.timeout.ms", "99", "60001"),
        ("consumer.assignment.interval.ms", "", "600001"),
        ("share.assignment.interval.ms", "", "600001"),
        ("streams.assignment.interval.ms", "", "600001"),
    ] {
        let (kind, name) = key.split_once('.').expect("a kind");
        for (value, bound, words) in [(least, "min", "greater"), (most, "max", "less")] {
            let told = format!("{key} must be {words} than or equal to group.{kind}.{bound}.{name}");
            wrong.extend((!value.is_empty()).then_some((key, value, told)));
        }
    }
    let reset = "Invalid value by_duration:PT1 for configuration share.auto.offset.reset: Invalid value \
                 `by_duration:PT1` for configuration share.auto.offset.reset. The value must be either 'earliest', \
                 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.";
    let level = "Invalid value READ_COMMITTED for configuration share.isolation.level: String must be one of: \
                 read_committed, read_uncommitted";
    let standby = "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas";
    let session = "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms";
    let lock = "Invalid value 999 for configuration share.record.lock.duration.ms: Value must be at least 1000";
    let unknown = "Unknown group config name: consumer.sesion.timeout.ms";
    for (key, value, told) in [
        ("streams.num.standby.replicas", "3", standby),
        ("consumer.session.timeout.ms", "7000", session),
        ("share.record.lock.duration.ms", "999", lock),
        ("share.auto.offset.reset", "by_duration:PT1", reset),
        ("share.isolation.level", "READ_COMMITTED", level),
        ("consumer.sesion.timeout.ms", "1", unknown),
    ] {
        wrong.push((key, value, told.to_owned()));
    }
    for (key, value, told) in wrong {
        assert_eq!(try_alter(&broker, Of::Group(&group), &[(key, Some(value))]), (INVALID, told), "{key}={value}");
    }
    for kind in ["consumer", "share", "streams"] {
        let key = format!("group.{kind}.assignment.interval.ms");
        let told = format!("{key} must be less than or equal to group.{kind}.max.assignment.interval.ms");
        for of in [Of::Node, Of::AllBrokers] {
            assert_eq!(try_alter(&broker, of, &[(&key, Some("600001"))]), (REFUSED, told.clone()));
        }
        let key = format!("group.{kind}.session.timeout.ms");
        let told = format!("Cannot update these configs dynamically: [{key}]");
        assert_eq!(try_alter(&broker, Of::Node, &[(&key, Some("50000"))]), (REFUSED, told));
    }
    assert_eq!(member.beat().interval_ms, 7_000);
}

/// One value as DescribeConfigs tells it.
fn described(wire: &mut Wire, of: Of<'_>, key: &str) -> Option<String> {
    let (resource_type, name) = match of {
        Of::Group(name) => (32, name),
        Of::Node | Of::AllBrokers => (4, "1"),
    };
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: Some(vec![key.into()]),
    };
    let answer: DescribeConfigsResponse =
        wire.call(&DescribeConfigsRequest { resources: vec![resource], ..Default::default() }, 4);
    answer.results[0].configs[0].value.as_deref().map(str::to_owned)
}

/// The bounds themselves change with a start alone. A broker that is not ours keeps them.
#[test]
fn what_was_set_within_wider_bounds_is_brought_within_narrower_ones() {
    let mut broker = Broker::start_with(SETTINGS);
    if !broker.is_corelog() {
        return;
    }
    let source = Source::new(&broker, "of-narrower-bounds");
    let [consumers, shares, streams] =
        ["consumers", "shares", "streams"].map(|kind| unique(&format!("narrower-{kind}")));
    let wide = [
        ("consumer.heartbeat.interval.ms", Some("14000")),
        ("share.heartbeat.interval.ms", Some("14000")),
        ("streams.heartbeat.interval.ms", Some("14000")),
        ("share.record.lock.duration.ms", Some("60000")),
        ("streams.initial.rebalance.delay.ms", Some("0")),
    ];
    for group in [&consumers, &shares, &streams] {
        alter(&broker, Of::Group(group), &wide);
    }
    let interval = "group.consumer.assignment.interval.ms";
    alter(&broker, Of::AllBrokers, &[(interval, Some("15000"))]);
    let told = |broker: &Broker, source: &Source| {
        let interval_of = |kind, group: &str| Member::join(broker, kind, group, "a", &source.topic).beat().interval_ms;
        let lock_ms = ShareConsumer::join(broker, &shares, "b", &source.topic).fetch_at_once(1).lock_ms;
        let intervals = [
            interval_of(Kind::Consumer, &consumers),
            interval_of(Kind::Share, &shares),
            interval_of(Kind::Streams, &streams),
        ];
        (intervals, lock_ms)
    };
    assert_eq!(told(&broker, &source), ([14_000; 3], 60_000));

    let narrow = [
        "group.consumer.max.heartbeat.interval.ms=6000",
        "group.share.max.heartbeat.interval.ms=6001",
        "group.streams.max.heartbeat.interval.ms=6002",
        "group.share.max.record.lock.duration.ms=31000",
        "group.consumer.max.assignment.interval.ms=9000",
    ];
    broker.restart_with(&[SETTINGS, &narrow].concat());
    assert_eq!(told(&broker, &source), ([6_000, 6_001, 6_002], 31_000));
    let mut wire = broker.connect();
    // A group's stay as they were set, as in Apache Kafka; of the broker's those in force are told.
    let heartbeat = described(&mut wire, Of::Group(&consumers), "consumer.heartbeat.interval.ms");
    assert_eq!(heartbeat.as_deref(), Some("14000"));
    assert_eq!(described(&mut wire, Of::Node, interval).as_deref(), Some("9000"));
    let group_interval = described(&mut wire, Of::Group(&consumers), "consumer.assignment.interval.ms");
    assert_eq!(group_interval.as_deref(), Some("9000"));
    let (error, why) = try_alter(&broker, Of::Group(&consumers), &[("consumer.session.timeout.ms", Some("50000"))]);
    assert_eq!(error, INVALID, "all that is set must be within bounds when any of it changes");
    assert_eq!(
        why,
        "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"
    );
}
