//! The settings of groups that act while the broker runs: each is followed from the next heartbeat, fetch or assignment
//! on, within the broker's bounds, and its removal goes back to what the broker has.
//!
//! An Apache Kafka to ask instead wants `SETTINGS`, and one test after the other (`--test-threads=1`): some change what
//! holds for all groups.

mod bounds;
mod intervals;
mod member;
mod share;
mod share_consumer;
mod streams;

use crate::support::{Broker, DEADLINE, Wire};
use corelog::protocol::Str;
use corelog::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use corelog::protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use std::time::{Duration, Instant};

/// Room for short times and for long ones, so that a test waits for the first and never for the second; and nothing
/// between two assignments, so that whoever waits for one does so by a test's setting.
const SETTINGS: &[&str] = &[
    "corelog.admin.listener=",
    "group.consumer.min.session.timeout.ms=100",
    "group.consumer.min.heartbeat.interval.ms=10",
    "group.consumer.max.assignment.interval.ms=600000",
    "group.consumer.assignment.interval.ms=0",
    "group.share.min.session.timeout.ms=100",
    "group.share.min.heartbeat.interval.ms=10",
    "group.share.max.assignment.interval.ms=600000",
    "group.share.assignment.interval.ms=0",
    "group.share.min.record.lock.duration.ms=1000",
    "group.streams.min.session.timeout.ms=100",
    "group.streams.min.heartbeat.interval.ms=10",
    "group.streams.max.assignment.interval.ms=600000",
    "group.streams.assignment.interval.ms=0",
    "group.streams.initial.rebalance.delay.ms=60000",
];

/// Whose settings: of a group, of this node, of all brokers.
#[derive(Clone, Copy)]
enum Of<'a> {
    Group(&'a str),
    Node,
    AllBrokers,
}

/// Sets keys, or ends them where there is no value; code and words of the answer.
fn try_alter(broker: &Broker, of: Of<'_>, changes: &[(&str, Option<&str>)]) -> (i16, String) {
    let change = |(name, value): &(&str, Option<&str>)| AlterableConfig {
        name: Str::from(*name),
        config_operation: i8::from(value.is_none()),
        value: value.map(Str::from),
    };
    let (resource_type, name) = match of {
        Of::Group(name) => (32, name),
        Of::Node => (4, "1"),
        Of::AllBrokers => (4, ""),
    };
    let configs = changes.iter().map(change).collect();
    let resource = AlterConfigsResource { resource_type, resource_name: name.into(), configs };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer: IncrementalAlterConfigsResponse = broker.connect().call(&request, 1);
    if !broker.is_corelog() {
        // Apache Kafka answers before its coordinators have heard, and tells nobody when they have.
        std::thread::sleep(Duration::from_millis(1_500));
    }
    let told = &answer.responses[0];
    (told.error_code, told.error_message.as_deref().unwrap_or_default().to_owned())
}

/// The same, which must succeed.
fn alter(broker: &Broker, of: Of<'_>, changes: &[(&str, Option<&str>)]) {
    assert_eq!(try_alter(broker, of, changes), (0, String::new()), "{changes:?}");
}

/// Sets one key of a group, or ends it.
fn alter_group(broker: &Broker, group: &str, key: &str, value: Option<&str>) {
    alter(broker, Of::Group(group), &[(key, value)]);
}

/// Asks again until the answer is there; what never comes is told as `what`.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A name that no test before has used, not on a broker that goes on either.
fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// A topic of so many partitions, for members to read.
fn topic(wire: &mut Wire, name: &str, partitions: i32) -> member::Topic {
    let name = unique(name);
    let id = wire.create_topic_of(&name, partitions);
    member::Topic { name: name.as_str().into(), id }
}
