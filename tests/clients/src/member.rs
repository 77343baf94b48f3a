//! One member of a consumer group, which tells all that happens to it.
//!
//! Lines: `assigned 0,1` (what it owns from now on), `revoked`, `consumed partition offset`,
//! `committed partition offset`, `left`.

use crate::{Failure, asked_to_finish};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Member {
    #[arg(long)]
    topic: String,
    #[arg(long)]
    group: String,
    /// commits after so many records, and before partitions are given up
    #[arg(long, default_value_t = 100)]
    commit_every: usize,
}

/// What it owns, kept from what it is told.
///
/// Nothing may be asked of librdkafka's group thread while it closes (`assignment`, `position` and, inside of each
/// rebalance, `rebalance_protocol`): a question that is under way when that thread ends is never answered. So partitions
/// are given up before the consumer is closed, see [`Told::owns_nothing`].
#[derive(Default)]
struct Told {
    owned: Mutex<BTreeSet<i32>>,
}

impl Told {
    fn owns_nothing(&self) -> bool {
        self.owned.lock().unwrap().is_empty()
    }
}

impl ClientContext for Told {}

impl ConsumerContext for Told {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let partitions = |list: &TopicPartitionList| -> BTreeSet<i32> {
            list.elements().iter().map(|element| element.partition()).collect()
        };
        let mut owned = self.owned.lock().unwrap();
        let word = match rebalance {
            Rebalance::Error(error) => return say(&format!("rebalance error {error}")),
            Rebalance::Assign(list) => {
                owned.extend(partitions(list));
                "assigned"
            }
            Rebalance::Revoke(list) => {
                let gone = partitions(list);
                owned.retain(|partition| !gone.contains(partition));
                "revoked"
            }
        };
        let owned: Vec<String> = owned.iter().map(i32::to_string).collect();
        say(&format!("{word} {}", owned.join(",")));
    }

    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Revoke(_)) {
            commit(consumer);
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe means that the scenario is gone.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Commits what was consumed since the last commit of what is still owned; a rebalance in the way is no
/// failure: the next owner reads those records again.
fn commit(consumer: &BaseConsumer<Told>) {
    let Ok(positions) = consumer.position() else { return };
    let mut offsets = TopicPartitionList::new();
    for element in positions.elements() {
        if let Offset::Offset(offset) = element.offset() {
            // Only a topic name with a zero byte fails here.
            let _ = offsets.add_partition_offset(element.topic(), element.partition(), Offset::Offset(offset));
        }
    }
    if offsets.count() == 0 {
        return;
    }
    match consumer.commit(&offsets, CommitMode::Sync) {
        Ok(()) => {
            for element in offsets.elements() {
                if let Offset::Offset(offset) = element.offset() {
                    say(&format!("committed {} {offset}", element.partition()));
                }
            }
        }
        Err(error) => say(&format!("commit refused {error}")),
    }
}

impl Member {
    pub fn run(self, mut config: ClientConfig) -> Result<(), Failure> {
        config
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "true")
            .set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer<Told> = config.create_with_context(Told::default())?;
        consumer.subscribe(&[&self.topic])?;
        let done = asked_to_finish();
        let mut since_commit = 0;
        while !done.load(Ordering::Acquire) {
            match consumer.poll(Duration::from_millis(50)) {
                None if since_commit > 0 => {
                    commit(&consumer);
                    since_commit = 0;
                }
                None => {}
                Some(Ok(message)) => {
                    say(&format!("consumed {} {}", message.partition(), message.offset()));
                    since_commit += 1;
                    if since_commit >= self.commit_every {
                        commit(&consumer);
                        since_commit = 0;
                    }
                }
                Some(Err(error)) if passes(&error) => say(&format!("for a while: {error}")),
                Some(Err(error)) => return Err(error.into()),
            }
        }
        commit(&consumer);
        consumer.unsubscribe();
        while !consumer.context().owns_nothing() {
            // What is fetched until then is for the next owner.
            consumer.poll(Duration::from_millis(50));
        }
        drop(consumer);
        say("left");
        Ok(())
    }
}

/// Errors that librdkafka reports and gets over by itself.
fn passes(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::OperationTimedOut
        )
    )
}
