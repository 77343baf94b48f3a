//! What share consumers do: fetches, acknowledgements, locks that ran out.

use super::Snapshot;
use super::topics::{OTHERS, TOPICS_MAX};
use crate::admin::text::{Kind, Text};
use crate::shard::Counted;
use crate::shard::share::stats::{ACKNOWLEDGE_TYPES, ShareRequests};
use std::collections::BTreeMap;

/// All cores together.
pub fn write(snapshot: &Snapshot, out: &mut Text) {
    requests(snapshot, out);
    let name = "kafka_server_sharegroupmetrics_recordacknowledgements_total";
    let mut family = out.family(name, Kind::Counter, "Records acknowledged, by what was said of them.");
    for (at, kind) in ACKNOWLEDGE_TYPES.iter().enumerate() {
        let records = snapshot.cores.iter().filter_map(|core| core.share.acknowledged.get(at));
        family.sample(&[("ackType", kind)], records.sum::<u64>());
    }
    let timed_out: u64 = snapshot.cores.iter().map(|core| core.share.locks_timed_out).sum();
    let name = "kafka_server_sharepartitionmetrics_acquisitionlocktimeout_total";
    out.counter(name, "Records that share consumers held for too long.", timed_out);
}

/// Topics that share consumers never asked for have no lines.
fn requests(snapshot: &Snapshot, out: &mut Text) {
    let mut all = ShareRequests::default();
    let mut topics: BTreeMap<&str, ShareRequests> = BTreeMap::new();
    for traffic in snapshot.cores.iter().map(|core| &core.share) {
        all = all.plus(traffic.all);
        for (id, requests) in &traffic.by_topic {
            if let Some(topic) = snapshot.image.topic_by_id(id) {
                let sum = topics.entry(&topic.name).or_default();
                *sum = sum.plus(*requests);
            }
        }
    }
    if let Some(first_other) = topics.keys().nth(TOPICS_MAX).copied() {
        let others = topics.split_off(first_other).into_values();
        topics.insert(OTHERS, others.fold(ShareRequests::default(), Counted::plus));
    }
    let families: [(&str, &str, fn(&ShareRequests) -> u64); 4] = [
        ("totalsharefetchrequests", "Share fetches answered", |r| r.fetches),
        ("failedsharefetchrequests", "Those with an error", |r| r.fetches_failed),
        ("totalshareacknowledgementrequests", "Acknowledgements answered", |r| r.acknowledgements),
        ("failedshareacknowledgementrequests", "Those with an error", |r| r.acknowledgements_failed),
    ];
    for (name, help, value) in families {
        let name = format!("kafka_server_brokertopicmetrics_{name}_total");
        let mut family = out.family(&name, Kind::Counter, &format!("{help}; with a topic: those that named it."));
        family.sample(&[], value(&all));
        topics.iter().for_each(|(topic, requests)| family.sample(&[("topic", topic)], value(requests)));
    }
}
