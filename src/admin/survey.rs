//! Asking the cores: each copies its fields, in slices between which its other tasks have their turn.

use super::coordinators::CoordinatorFacts;
use super::groups;
use super::server::within;
use crate::base::Uuid;
use crate::base::histogram::Distribution;
use crate::base::local::join_all;
use crate::coordinator::group::GroupFacts;
use crate::partition::PartitionFacts;
use crate::protocol::ApiKey;
use crate::ring::runtime;
use crate::ring::stats::{self, CoreStats};
use crate::shard::share::stats::{ACKNOWLEDGE_TYPES, ShareRequests};
use crate::shard::{Fetches, Shard, ShardIndex};
use crate::telemetry::ClientSeries;
use std::rc::Rc;
use std::time::Duration;

/// A core that does not answer within this time is left out.
const CORE_TIME: Duration = Duration::from_secs(10);
/// Partitions looked at before others have their turn on the core.
const PARTITIONS_AT_ONCE: usize = 128;
/// Series of clients' own metrics (KIP-714) looked at on each core.
pub const CLIENT_SERIES_MAX: usize = 2000;

/// A value that a client pushed of itself.
pub struct ClientFacts {
    pub client_id: String,
    pub instance_id: Uuid,
    pub software: String,
    pub metric: String,
    /// `name=value`, separated by commas.
    pub labels: String,
    pub value: f64,
}

/// One API's counts on one core.
pub struct ApiFacts {
    pub key: ApiKey,
    pub requests: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub total_time: Distribution,
}

/// What compaction did.
#[derive(Clone, Copy, Default)]
pub struct CleanerFacts {
    pub rounds: u64,
    pub bytes: u64,
    pub bytes_freed: u64,
    pub running: usize,
    pub uncleanable: usize,
}

/// What share consumers did.
#[derive(Clone, Default)]
pub struct ShareTraffic {
    pub all: ShareRequests,
    pub by_topic: Vec<(Uuid, ShareRequests)>,
    /// Records, by [`ACKNOWLEDGE_TYPES`].
    pub acknowledged: [u64; ACKNOWLEDGE_TYPES.len()],
    pub locks_timed_out: u64,
}

/// All that one core tells.
pub struct CoreFacts {
    pub core: usize,
    pub runtime: CoreStats,
    pub requests: u64,
    pub hops: u64,
    pub batches: u64,
    pub writes: u64,
    pub flushes: u64,
    pub connections: usize,
    pub connections_taken: u64,
    pub connections_moved: u64,
    /// Partitions that came from another core.
    pub partitions_moved: u64,
    /// Moves for which the gates closed, and the partition stayed.
    pub moves_in_vain: u64,
    pub connections_refused: u64,
    pub bytes_in: u64,
    pub records_in: u64,
    pub produces: u64,
    pub produces_failed: u64,
    pub apis: Vec<ApiFacts>,
    pub errors: Vec<(ApiKey, i16, u64)>,
    pub fetched: Fetches,
    pub fetched_by_topic: Vec<(Uuid, Fetches)>,
    pub share: ShareTraffic,
    pub fetch_sessions: (usize, usize),
    pub waiting_fetches: usize,
    pub partitions: Vec<PartitionFacts>,
    pub offline_partitions: usize,
    pub cleaner: CleanerFacts,
    pub groups: Vec<GroupFacts>,
    /// Groups there are, those included that are not in `groups`.
    pub group_count: usize,
    pub coordinators: CoordinatorFacts,
    /// Client instances that push their metrics.
    pub client_instances: usize,
    pub client_series: Vec<ClientFacts>,
    /// Series that are not in it.
    pub client_series_left_out: usize,
}

/// Asks every core once; those that do not answer are missing.
pub async fn ask_all(shard: &Rc<Shard>) -> Vec<CoreFacts> {
    // Each partition is seen on one core, and on one alone; unless a core is stuck with one that moves.
    let _held = within(CORE_TIME, Box::pin(shard.hold_partitions())).await;
    let asked = (0..shard.shard_count()).map(|core| {
        let facts = shard.call(ShardIndex(core), ask_core);
        Box::pin(async move { within(CORE_TIME, facts).await?.ok() })
    });
    join_all(asked.collect()).await.into_iter().flatten().collect()
}

async fn ask_core(shard: Rc<Shard>) -> CoreFacts {
    let (partitions, groups) = (partitions(&shard).await, groups::ask(&shard).await);
    let coordinators = super::coordinators::ask(&shard).await;
    let image = shard.image();
    let counts = &shard.stats;
    let api = |(key, api): (ApiKey, &crate::shard::ApiStats)| ApiFacts {
        key,
        requests: api.requests.get(),
        request_bytes: api.request_bytes.get(),
        response_bytes: api.response_bytes.get(),
        total_time: api.total_time.snapshot(),
    };
    CoreFacts {
        core: shard.index.0,
        runtime: stats::of_this_core(),
        requests: counts.requests.get(),
        hops: counts.hops.get(),
        batches: counts.batches_appended.get(),
        writes: counts.writes.get(),
        flushes: counts.flushes.get(),
        connections: counts.connections.get(),
        connections_taken: counts.connections_taken.get(),
        connections_moved: counts.connections_moved.get(),
        partitions_moved: counts.partitions_moved.get(),
        moves_in_vain: counts.moves_in_vain.get(),
        connections_refused: counts.connections_refused.get(),
        bytes_in: counts.bytes_in.get(),
        records_in: counts.records_in.get(),
        produces: counts.produces.get(),
        produces_failed: counts.produces_failed.get(),
        apis: counts.apis.used().map(api).collect(),
        errors: counts.apis.errors(),
        fetched: counts.fetched.all.get(),
        fetched_by_topic: counts.fetched.by_topic(|id| image.topic_by_id(id).is_some()),
        share: ShareTraffic {
            all: counts.share.requests.all.get(),
            by_topic: counts.share.requests.by_topic(|id| image.topic_by_id(id).is_some()),
            acknowledged: counts.share.acknowledged.get(),
            locks_timed_out: counts.share.locks_timed_out.get(),
        },
        fetch_sessions: shard.fetch_sessions.borrow().used_and_slots(),
        waiting_fetches: shard.waiting_fetches().0,
        partitions,
        offline_partitions: shard.offline_partitions(),
        cleaner: CleanerFacts {
            rounds: counts.cleaned.rounds.get(),
            bytes: counts.cleaned.bytes.get(),
            bytes_freed: counts.cleaned.bytes_freed.get(),
            running: counts.cleaned.running.get(),
            uncleanable: shard.uncleanable_logs(),
        },
        groups: groups.0,
        group_count: groups.1,
        coordinators,
        client_instances: shard.telemetry.borrow().len(),
        client_series_left_out: shard.telemetry.borrow().series().skip(CLIENT_SERIES_MAX).count(),
        client_series: shard.telemetry.borrow().series().take(CLIENT_SERIES_MAX).map(client).collect(),
    }
}

fn client(one: ClientSeries) -> ClientFacts {
    let ClientSeries { client, series, value } = one;
    let labels: Vec<String> = series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    ClientFacts {
        client_id: client.client_id.clone(),
        instance_id: client.instance_id,
        software: format!("{} {}", client.software_name, client.software_version),
        metric: series.name.clone(),
        labels: labels.join(","),
        value,
    }
}

async fn partitions(shard: &Rc<Shard>) -> Vec<PartitionFacts> {
    // By id: a partition that the stop closes meanwhile must not be held.
    let ids: Vec<_> = shard.open_partitions().iter().map(|partition| partition.id).collect();
    let mut facts = Vec::with_capacity(ids.len());
    for ids in ids.chunks(PARTITIONS_AT_ONCE) {
        facts.extend(ids.iter().filter_map(|id| Some(shard.partition(id)?.facts())));
        runtime::yield_now().await;
    }
    facts
}
