//! Stopping: nothing is acknowledged that is not written, and the next start (or Java's) finds
//! everything clean.

use super::metadata_log;
use crate::base::local::join_all;
use crate::log::dirs::LogDirs;
use crate::metadata::store::{MetadataLog, StoreError};
use crate::ring::runtime;
use crate::shard::{Ending, Shard, ShardIndex};
use std::rc::Rc;

/// Stops all cores; returns when their threads may end.
pub async fn stop(shard: &Rc<Shard>, ending: &Ending) {
    tracing::info!("stopping");
    let cores = || (0..shard.shard_count()).map(ShardIndex);
    for core in cores() {
        let _ = shard.call(core, |shard| async move { shard.stop_serving() }).await;
    }
    shard.until_all_have_a_place().await;
    tell_served(shard).await;
    shard.release_reserves().await;
    let releasing = cores().map(|core| shard.call(core, |shard| async move { shard.release_logs().await }));
    let released: Vec<_> = join_all(releasing.collect()).await;
    let whole = released.iter().all(Result::is_ok);
    let logs = released.into_iter().flatten().flatten().collect();
    let dirs = shard.shared.log_dirs.clone();
    let threads = shard.live().settings.number("num.recovery.threads.per.data.dir");
    runtime::blocking(move || dirs.close_all(logs, threads)).await;
    finish(shard, ending, whole).await;
    for core in cores() {
        let _ = shard.call(core, |shard| async move { shard.leave() }).await;
    }
}

/// What the cores did, in one line: the ratio of hops to requests shows how well clients and cores fit.
async fn tell_served(shard: &Rc<Shard>) {
    let mut sum = [0u64; 4];
    for core in (0..shard.shard_count()).map(ShardIndex) {
        let counts = shard.call(core, |shard| async move {
            let s = &shard.stats;
            [s.requests.get(), s.hops.get(), s.batches_appended.get(), s.writes.get()]
        });
        for (total, count) in sum.iter_mut().zip(counts.await.unwrap_or_default()) {
            *total += count;
        }
    }
    let [requests, hops, batches, writes] = sum;
    tracing::info!("served {requests} requests with {hops} hops between cores; {batches} batches in {writes} writes");
}

async fn finish(shard: &Rc<Shard>, ending: &Ending, whole: bool) {
    let dirs = shard.shared.log_dirs.clone();
    let broker_epoch = shard.image().broker(shard.shared.identity.node_id).map_or(-1, |broker| broker.epoch);
    let metadata = match shard.release_metadata_log().await {
        Some(log) => close_metadata(shard, log, whole && *ending == Ending::Asked)
            .await
            .map_err(|e| tracing::error!("closing the metadata log failed: {e}"))
            .is_ok(),
        None => false,
    };
    let clean = whole && metadata && *ending == Ending::Asked;
    let unclean = runtime::blocking(move || finish_dirs(&dirs, clean.then_some(broker_epoch))).await;
    match unclean.as_slice() {
        [] => tracing::info!("stopped"),
        some => tracing::warn!("stopped; the next start recovers the logs in {}", some.join(", ")),
    }
}

async fn close_metadata(shard: &Shard, mut log: MetadataLog, clean: bool) -> Result<(), StoreError> {
    if clean {
        metadata_log::hand_over(shard, &mut log).await?;
    }
    runtime::blocking(move || log.close()).await.map(drop)
}

/// Writes the checkpoints and, last, when all the rest is on the device, the clean-shutdown files. Gives the directories
/// that the next start has to recover.
fn finish_dirs(dirs: &LogDirs, clean: Option<i64>) -> Vec<String> {
    let mut unclean = Vec::new();
    for dir in dirs.dirs() {
        let finished = dir.write_checkpoints().and_then(|()| match clean.filter(|_| !dir.is_left_unclean()) {
            Some(epoch) => dir.write_clean_shutdown(epoch).map(|()| true),
            None => Ok(false),
        });
        let path = dir.path().display();
        match finished {
            Ok(true) => {}
            Ok(false) => unclean.push(path.to_string()),
            Err(e) => {
                tracing::error!("log dir {path}: the checkpoints cannot be written: {e}");
                unclean.push(path.to_string());
            }
        }
    }
    unclean
}
