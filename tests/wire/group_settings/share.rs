//! What share groups alone have: locks, deliveries, where consumption begins, which records count, renewal.

use super::share_consumer::{ACCEPT, RELEASE, RENEW, ShareConsumer, Source};
use super::{SETTINGS, alter_group, unique, until};
use crate::support::{Broker, now};
use corelog::base::TimestampMs;

const HOUR_MS: i64 = 3_600_000;

/// A group that begins with the first record.
fn from_the_start(broker: &Broker, name: &str) -> String {
    let group = unique(name);
    alter_group(broker, &group, "share.auto.offset.reset", Some("earliest"));
    group
}

#[test]
fn records_are_locked_as_long_as_the_group_says() {
    const KEY: &str = "share.record.lock.duration.ms";
    let broker = Broker::start_with(SETTINGS);
    let mut source = Source::new(&broker, "of-locks");
    let group = from_the_start(&broker, "locks");
    let mut holder = ShareConsumer::join(&broker, &group, "a", &source.topic);
    let mut taker = ShareConsumer::join(&broker, &group, "b", &source.topic);
    source.write();
    let got = holder.fetch(1);
    assert_eq!((got.records.as_slice(), got.lock_ms), (&[(0, 1)][..], 30_000), "the broker's");

    alter_group(&broker, &group, KEY, Some("1000"));
    source.write();
    let got = holder.fetch(1);
    assert_eq!((got.records.as_slice(), got.lock_ms), (&[(1, 1)][..], 1_000), "the group's");
    // The lock of the first record is as long as it was when it was taken.
    let got = taker.fetch(500);
    assert_eq!((got.records.as_slice(), got.lock_ms), (&[(1, 2)][..], 1_000), "a lock that has ended");

    alter_group(&broker, &group, KEY, None);
    source.write();
    assert_eq!(taker.fetch(1).lock_ms, 30_000, "the broker's again");
}

#[test]
fn records_are_delivered_as_often_as_the_group_says() {
    const KEY: &str = "share.delivery.count.limit";
    let broker = Broker::start_with(SETTINGS);
    let mut source = Source::new(&broker, "of-deliveries");
    let group = from_the_start(&broker, "deliveries");
    let mut consumer = ShareConsumer::join(&broker, &group, "a", &source.topic);
    source.write();
    let mut got = consumer.fetch(1).records;
    // Released again and again: how often the record at this offset comes before the next one does.
    for (offset, (limit, deliveries)) in (0i64..).zip([(Some("2"), 2), (Some("7"), 7), (None, 5)]) {
        alter_group(&broker, &group, KEY, limit);
        source.write();
        let mut counts = Vec::new();
        while got[0].0 == offset {
            counts.push(got[0].1);
            assert_eq!(consumer.acknowledge((offset, offset), RELEASE), 0);
            got = consumer.fetch(1).records;
        }
        assert_eq!(counts, (1..=deliveries).collect::<Vec<_>>(), "{limit:?}");
        assert_eq!(got, [(offset + 1, 1)]);
    }
}

#[test]
fn as_many_records_are_locked_as_the_group_says() {
    const KEY: &str = "share.partition.max.record.locks";
    let broker = Broker::start_with(SETTINGS);
    let mut source = Source::new(&broker, "of-many-locks");
    let group = from_the_start(&broker, "many-locks");
    (0..150).for_each(|_| source.write());
    alter_group(&broker, &group, KEY, Some("100"));
    let mut consumer = ShareConsumer::join(&broker, &group, "a", &source.topic);
    let mut locked = 0;
    while locked < 100 {
        locked += consumer.fetch(500).records.len();
    }
    let mut more = || consumer.fetch_at_once(500).records.len();
    assert_eq!((locked, more()), (100, 0));
    alter_group(&broker, &group, KEY, Some("120"));
    assert_eq!((more(), more()), (20, 0));
    alter_group(&broker, &group, KEY, None);
    assert_eq!((more(), more()), (30, 0));
}

#[test]
fn a_partition_is_begun_where_the_group_says_then() {
    const KEY: &str = "share.auto.offset.reset";
    let broker = Broker::start_with(SETTINGS);
    let group = unique("resets");
    // Each topic has a record of two hours ago, one of half an hour ago and one of after the first look.
    for (index, (value, first)) in
        [(None, 2), (Some("earliest"), 0), (Some("by_duration:pt1h"), 1), (Some(" earliest "), 0), (None, 2)]
            .into_iter()
            .enumerate()
    {
        let mut source = Source::new(&broker, &format!("of-resets-{index}"));
        source.write_at(TimestampMs(now().0 - 2 * HOUR_MS));
        source.write_at(TimestampMs(now().0 - HOUR_MS / 2));
        alter_group(&broker, &group, KEY, value);
        let mut consumer = ShareConsumer::join(&broker, &group, &index.to_string(), &source.topic);
        // A group that begins behind all there is gets what is written from then on: written until something comes.
        let mut end = 2;
        let got = until(&format!("a record by {value:?}"), || {
            if first == 2 {
                source.write();
                end += 1;
            }
            Some(consumer.fetch_at_once(500).records).filter(|records| !records.is_empty())
        });
        let begin = if first == 2 { got[0].0.max(2) } else { first };
        assert_eq!(got, (begin..end).map(|offset| (offset, 1)).collect::<Vec<_>>(), "{value:?}");
    }
}

#[test]
fn open_and_aborted_records_are_delivered_as_the_group_says() {
    const KEY: &str = "share.isolation.level";
    let broker = Broker::start_with(SETTINGS);
    let mut source = Source::new(&broker, "of-isolation");
    let group = from_the_start(&broker, "isolation");
    let mut consumer = ShareConsumer::join(&broker, &group, "a", &source.topic);
    source.write();
    assert_eq!(consumer.fetch(1).records, [(0, 1)]);
    assert_eq!(consumer.acknowledge((0, 0), ACCEPT), 0);

    alter_group(&broker, &group, KEY, Some(" read_committed"));
    let id = unique("isolation");
    let producer = source.write_in_transaction(&id);
    assert_eq!(consumer.fetch_at_once(500).records, [], "a record of an open transaction");
    alter_group(&broker, &group, KEY, None);
    assert_eq!(consumer.fetch(500).records, [(1, 1)]);
    assert_eq!(consumer.acknowledge((1, 1), RELEASE), 0);

    alter_group(&broker, &group, KEY, Some("read_committed"));
    source.abort(&id, producer);
    source.write();
    let got = consumer.fetch(500).records;
    // The marker of the abort is at 2; Apache Kafka counts it among what is acquired.
    assert!(got.contains(&(3, 1)) && !got.iter().any(|(offset, _)| *offset == 1), "{got:?}");
}

#[test]
fn locks_are_renewed_where_the_group_lets_them_be() {
    const KEY: &str = "share.renew.acknowledge.enable";
    let broker = Broker::start_with(SETTINGS);
    let mut source = Source::new(&broker, "of-renewal");
    let group = from_the_start(&broker, "renewal");
    let mut consumer = ShareConsumer::join(&broker, &group, "a", &source.topic);
    source.write();
    assert_eq!(consumer.fetch(1).records, [(0, 1)]);
    assert_eq!(consumer.acknowledge((0, 0), RENEW), 0);
    alter_group(&broker, &group, KEY, Some("FALSE"));
    assert_eq!(consumer.acknowledge((0, 0), RENEW), 121);
    alter_group(&broker, &group, KEY, None);
    assert_eq!(consumer.acknowledge((0, 0), RENEW), 0);
}
