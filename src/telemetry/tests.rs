//! Subscriptions, too early pushes, and what is kept of the values.

use super::instances::{Push, Telemetry, TelemetryConfig};
use super::{ClientAttributes, Subscription, otlp};
use crate::base::{ErrorCode, Instant, Uuid};
use bytes::Bytes;

const CONFIG: TelemetryConfig = TelemetryConfig { instances_max: 2, series_per_instance_max: 3, push_bytes_max: 1000 };

fn client(id: u8) -> ClientAttributes {
    ClientAttributes { instance_id: Uuid([id; 16]), client_id: format!("client-{id}"), ..Default::default() }
}

fn at(ms: i64) -> Instant {
    Instant(0).plus_ms(1_000_000 + ms)
}

fn asked(id: i32) -> impl Fn(&ClientAttributes) -> Subscription {
    move |_| Subscription { metrics: vec!["org.".into()], push_interval_ms: 1000, id }
}

fn push(subscription_id: i32, metrics: &[u8]) -> Push {
    Push { subscription_id, terminating: false, compression: 0, metrics: Bytes::copy_from_slice(metrics) }
}

/// A message of protobuf: fields with bytes in them.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, bytes) in fields {
        out.extend([number << 3 | 2, bytes.len() as u8]);
        out.extend(*bytes);
    }
    out
}

/// MetricsData with one sum: `name{label="x"} = value`, told as a difference.
fn sum(name: &str, value: f64) -> Vec<u8> {
    let label = message(&[(1, b"label"), (2, &message(&[(1, b"x")]))]);
    let mut point = message(&[(7, &label)]);
    point.push(4 << 3 | 1);
    point.extend(value.to_le_bytes());
    let mut sum = message(&[(1, &point)]);
    sum.extend([2 << 3, 1, 3 << 3, 1]);
    let metric = message(&[(1, name.as_bytes()), (7, &sum)]);
    message(&[(1, &message(&[(2, &message(&[(2, &metric)]))]))])
}

#[test]
fn a_client_is_asked_once_an_interval_and_at_once_after_a_change() {
    let mut telemetry = Telemetry::new(CONFIG);
    let mut ask = |version, ms| telemetry.subscribe(client(1), version, asked(7), at(ms)).map(|s| s.id);
    assert_eq!(ask(1, 0), Ok(7));
    assert_eq!(ask(1, 500), Err(ErrorCode::ThrottlingQuotaExceeded));
    assert_eq!(ask(2, 600), Ok(7), "a subscription has changed");
    assert_eq!(ask(2, 1600), Ok(7));
}

#[test]
fn a_push_is_taken_or_refused_as_kafka_does() {
    let mut telemetry = Telemetry::new(CONFIG);
    telemetry.subscribe(client(1), 1, asked(7), at(0)).unwrap();
    let mut give = |push: &Push, ms| telemetry.push(client(1), 1, asked(7), push, at(ms));
    assert_eq!(give(&push(7, b""), 100), Ok(()), "the first may come early");
    assert_eq!(give(&push(7, b""), 200), Err(ErrorCode::ThrottlingQuotaExceeded));
    assert_eq!(give(&push(8, b""), 1100), Err(ErrorCode::UnknownSubscriptionId));
    assert_eq!(give(&Push { compression: 9, ..push(7, b"") }, 2100), Err(ErrorCode::UnsupportedCompressionType));
    assert_eq!(give(&push(7, &[0; 1001]), 3100), Err(ErrorCode::TelemetryTooLarge));
    assert_eq!(give(&push(7, b"\xff"), 4100), Err(ErrorCode::InvalidRecord));
    assert_eq!(give(&Push { terminating: true, ..push(7, b"") }, 4200), Ok(()), "last words may come early");
    assert_eq!(give(&push(7, b""), 9000), Err(ErrorCode::InvalidRequest), "after its last words");
}

#[test]
fn the_newest_values_are_kept_and_differences_added_up() {
    let mut telemetry = Telemetry::new(CONFIG);
    for (ms, value) in [(0, 2.0), (1000, 3.0)] {
        telemetry.push(client(1), 1, asked(7), &push(7, &sum("org.sent", value)), at(ms)).unwrap();
    }
    let series: Vec<_> = telemetry.series().collect();
    let [only] = &series[..] else { panic!("{series:?}") };
    assert_eq!((only.series.name.as_str(), only.value, only.series.is_counter), ("org.sent", 5.0, true));
    assert_eq!(only.series.labels, [("label".to_owned(), "x".to_owned())]);
    assert_eq!(only.client.client_id, "client-1");
}

#[test]
fn instances_and_their_series_are_bounded() {
    let mut telemetry = Telemetry::new(CONFIG);
    for n in 0..5 {
        let name = format!("org.n{n}");
        telemetry.push(client(1), 1, asked(7), &push(7, &sum(&name, 1.0)), at(n * 1000)).unwrap();
    }
    assert_eq!(telemetry.series().count(), CONFIG.series_per_instance_max);
    telemetry.subscribe(client(2), 1, asked(7), at(5000)).unwrap();
    telemetry.subscribe(client(3), 1, asked(7), at(6000)).unwrap();
    assert_eq!(telemetry.len(), CONFIG.instances_max);
    assert_eq!(telemetry.series().count(), 0, "the one that was silent longest made room");
}

#[test]
fn whatever_the_bytes_they_are_read_or_refused() {
    let good = sum("org.sent", 1.0);
    for end in 0..good.len() {
        // Cut between two fields it is a shorter message: only no panic is asked.
        let _ = otlp::read(&good[..end], &mut |_| {});
    }
    for at in 0..good.len() {
        for bad in [0x00, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = bad;
            let _ = otlp::read(&bytes, &mut |_| {});
        }
    }
    assert_eq!(otlp::read(&[0xff; 11], &mut |_| {}), Err(otlp::Malformed));
}
