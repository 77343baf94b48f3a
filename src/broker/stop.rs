//! Stopping: nothing is acknowledged that is not written, and the next start (or Java's) finds
//! everything clean.

use crate::base::BrokerId;
use crate::base::local::join_all;
use crate::log::dirs::Checkpoint;
use crate::shard::{ClosedPartition, Ending, Shard, ShardIndex};
use std::rc::Rc;

/// Stops all cores; returns when their threads may end.
pub async fn stop(shard: &Rc<Shard>, ending: &Ending) {
    tracing::info!("stopping");
    let cores = || (0..shard.shard_count()).map(ShardIndex);
    for core in cores() {
        let _ = shard.call(core, |shard| async move { shard.stop_serving() }).await;
    }
    let closing = cores().map(|core| shard.call(core, |shard| async move { shard.close_partitions().await }));
    let closed: Vec<ClosedPartition> = join_all(closing.collect()).await.into_iter().flatten().flatten().collect();
    finish(shard, ending, closed).await;
    for core in cores() {
        let _ = shard.call(core, |shard| async move { shard.leave() }).await;
    }
}

async fn finish(shard: &Rc<Shard>, ending: &Ending, closed: Vec<ClosedPartition>) {
    let whole = closed.iter().all(|partition| partition.closed.is_some());
    let dirs = shard.shared.log_dirs.clone();
    let broker_epoch = shard.image().broker(shard.shared.identity.node_id).map_or(-1, |broker| broker.epoch);
    let metadata = match shard.release_metadata_log().await {
        Some(log) => log.close().await.map_err(|e| tracing::error!("closing the metadata log failed: {e}")).is_ok(),
        None => false,
    };
    let checkpoints = closed.into_iter().filter_map(checkpoint).collect();
    let clean = whole && metadata && *ending == Ending::Asked;
    let written = crate::ring::runtime::blocking(move || dirs.close(checkpoints, clean.then_some(broker_epoch))).await;
    match written {
        Ok(()) if clean => tracing::info!("stopped"),
        Ok(()) => tracing::warn!("stopped; the next start recovers the logs"),
        Err(e) => tracing::error!("stopped; the checkpoints could not be written, the next start recovers the logs: {e}"),
    }
}

fn checkpoint(partition: ClosedPartition) -> Option<Checkpoint> {
    let closed = partition.closed?;
    Some(Checkpoint {
        dir: partition.dir,
        partition: partition.name,
        recovery_point: closed.recovery_point,
        log_start: closed.start_offset,
        high_watermark: partition.high_watermark,
    })
}
