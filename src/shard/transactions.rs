//! Transactions on their cores: hosting the coordinators, and writing markers to the partitions of all cores.

use super::coordinators::{Coordinators, Family, Hosted, random};
use super::{Shard, ShardIndex};
use crate::base::local::join_all;
use crate::base::topic::{GROUP_METADATA_TOPIC, TRANSACTION_STATE_TOPIC};
use crate::base::{ErrorCode, Instant, ProducerEpoch, ProducerId, TopicIdPartition, TopicPartition};
use crate::coordinator::group::{self, Groups, TxnEnd};
use crate::coordinator::transaction::{MarkerWork, Request, TransactionNumbers, Transactions, Work, bumps_epochs};
use crate::coordinator::{Coordinator, CoordinatorConfig};
use crate::log::{AppendOrigin, Guard, Seen, Verification};
use crate::metadata::features::TRANSACTION_VERSION;
use crate::record::{BatchBuilder, Compression};
use crate::ring::runtime;
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

impl Hosted for Transactions {
    const TOPIC: &'static str = TRANSACTION_STATE_TOPIC;

    fn family(all: &Coordinators) -> &Family<Self> {
        &all.transactions
    }

    fn config(shard: &Shard, name: String) -> CoordinatorConfig<TransactionNumbers> {
        let settings = &shard.shared.config.transactions;
        let commit_timeout = Duration::from_millis(u64::try_from(settings.append_timeout_ms).unwrap_or(0));
        // Kafka writes this log uncompressed whatever the topic says.
        let compression = Compression::None;
        CoordinatorConfig { name, compression, machine: shard.transaction_numbers(), commit_timeout, random }
    }

    fn perform(shard: &Rc<Shard>, coordinator: Rc<Coordinator<Self>>, work: Work) {
        let shard = shard.clone();
        runtime::spawn(async move {
            let outcome = match work {
                Work::ProducerId => Request::NextId(shard.next_producer_id().await),
                Work::Markers(work) => {
                    let results = shard.write_transaction_markers(&work).await;
                    Request::Written(work, results)
                }
            };
            drop(coordinator.ask(outcome, shard.now()));
        })
        .detach();
    }
}

impl Shard {
    /// The finalized `transaction.version`.
    pub fn transaction_version(&self) -> i16 {
        self.image().feature(TRANSACTION_VERSION)
    }

    /// `transaction.partition.verification.enable`, as it is now.
    pub fn verifies_transactions(&self) -> bool {
        self.live().settings.flag("transaction.partition.verification.enable")
    }

    pub(super) fn transaction_numbers(&self) -> TransactionNumbers {
        let settings = &self.shared.config.transactions;
        TransactionNumbers {
            timeout_ms_max: settings.max_timeout_ms,
            id_expiration_ms: i64::from(settings.id_expiration_ms),
            expiry_interval_ms: i64::from(settings.expiry_interval_ms),
            abort_retry_ms: i64::from(settings.abort_interval_ms),
            two_phase_commit: settings.two_phase_commit,
            parked_ms_max: i64::from(settings.add_partitions_backoff_ms_max),
            version: self.transaction_version(),
            ..TransactionNumbers::default()
        }
    }

    /// Writes what a coordinator decided to all partitions of the transaction. Those that are gone have no marker.
    async fn write_transaction_markers(self: &Rc<Self>, work: &MarkerWork) -> Vec<(TopicPartition, ErrorCode)> {
        self.until_gate_is_open().await;
        let image = self.image();
        let mut results = Vec::new();
        let mut asked = Vec::new();
        for partition in &work.partitions {
            let topic = image.topic_by_name(&partition.topic).filter(|t| t.partition(partition.partition).is_some());
            match topic {
                None => results.push((partition.clone(), ErrorCode::None)),
                Some(topic) => {
                    let id = TopicIdPartition { topic_id: topic.id, partition: partition.partition };
                    asked.push((partition.clone(), id));
                }
            }
        }
        let end = TxnEnd {
            producer: work.producer,
            epoch: work.epoch,
            marker: work.marker,
            raised: bumps_epochs(work.version),
        };
        results.extend(self.end_transaction_in(end, asked).await);
        results
    }

    /// Writes the end of a transaction to `partitions`, on their cores; each core is asked once. A core that goes away
    /// leaves its partitions out.
    pub fn end_transaction_in<T: Clone + Send + 'static>(
        self: &Rc<Self>,
        end: TxnEnd,
        partitions: Vec<(T, TopicIdPartition)>,
    ) -> impl Future<Output = Vec<(T, ErrorCode)>> + use<T> {
        let mut shares: HashMap<ShardIndex, Vec<(T, TopicIdPartition)>> = HashMap::new();
        for (slot, id) in partitions {
            shares.entry(self.owner_of(&id)).or_default().push((slot, id));
        }
        let calls = shares.into_iter().map(|(owner, share)| {
            self.call(owner, move |shard| async move {
                let begun: Vec<_> =
                    share.into_iter().map(|(slot, id)| (slot, shard.end_transaction_at(end, id))).collect();
                let mut results = Vec::with_capacity(begun.len());
                for (slot, ending) in begun {
                    results.push((slot, ending.await));
                }
                results
            })
        });
        let calls = join_all(calls.collect());
        async move { calls.await.into_iter().filter_map(Result::ok).flatten().collect() }
    }

    /// On the owner: writes the marker to one partition. Offsets of groups have it through their coordinator.
    fn end_transaction_at(
        self: &Rc<Self>,
        end: TxnEnd,
        id: TopicIdPartition,
    ) -> impl Future<Output = ErrorCode> + use<> {
        let image = self.image();
        let of_groups = image.topic_by_id(&id.topic_id).is_some_and(|topic| &*topic.name == GROUP_METADATA_TOPIC);
        let asked =
            of_groups.then(|| self.ask_coordinator::<Groups>(&id, group::Request::EndTransaction(end), self.now()));
        let appending = (!of_groups).then(|| {
            let batch = BatchBuilder::marker(end.producer, end.epoch, end.marker, self.now().wall);
            let origin = if end.raised { AppendOrigin::RaisedMarker } else { AppendOrigin::Coordinator };
            // Without a deadline: what may still be committed must not be given up.
            self.append_internal(&id, batch.build(), (origin, Verification::Off), Instant(u64::MAX))
        });
        async move {
            let error = match (asked, appending) {
                (Some(asked), _) => match asked.await {
                    Ok(group::Answer::Ended(error)) => error,
                    _ => ErrorCode::NotCoordinator,
                },
                (None, Some(appending)) => appending.finish().await.error,
                (None, None) => ErrorCode::None,
            };
            match error {
                // The partition is led here, but its coordinator is not ready: to be tried again.
                ErrorCode::NotCoordinator
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::CoordinatorLoadInProgress => ErrorCode::NotLeaderOrFollower,
                error => error,
            }
        }
    }

    /// On the owner of `id`: begins to make sure of a transaction whose offsets are about to come to it.
    ///
    /// # Errors
    /// What the partition says, or why it is absent.
    pub fn begin_verification(
        &self,
        id: &TopicIdPartition,
        (producer, epoch): (ProducerId, ProducerEpoch),
        raises_epochs: bool,
    ) -> Result<Option<Guard>, ErrorCode> {
        let partition = self.partition(id).ok_or_else(|| self.why_absent(id))?;
        partition.begin_verification(Seen { producer, epoch, sequence: -1, at: self.now().wall, raises_epochs })
    }
}
