//! `/health`: whether the broker serves, in one small JSON object.

use super::server::within;
use super::{Admin, Phase};
use crate::base::local::join_all;
use crate::shard::ShardIndex;
use std::rc::Rc;
use std::time::Duration;

/// A core that does not answer within this time is not well.
const CORE_TIME: Duration = Duration::from_secs(2);

/// Whether the broker serves clients on all its cores, and the report. A log directory that failed is told, and the broker
/// is healthy still: the others serve.
pub(super) async fn report(admin: &Rc<Admin>) -> (bool, String) {
    let shard = &admin.shard;
    let cores = (0..shard.shard_count()).map(|core| {
        let asked = shard.call(ShardIndex(core), |_| async {});
        Box::pin(async move { (core, matches!(within(CORE_TIME, asked).await, Some(Ok(())))) })
    });
    let silent: Vec<usize> =
        join_all(cores.collect()).await.into_iter().filter(|(_, ok)| !ok).map(|(c, _)| c).collect();
    let phase = match admin.phase() {
        Phase::Starting => "starting",
        Phase::Serving => "serving",
        Phase::Stopping => "stopping",
    };
    let dirs = &shard.shared.log_dirs;
    let failed = dirs.dirs().iter().filter(|dir| dir.health().has_failed()).map(|dir| dir.path());
    let failed: Vec<String> =
        failed.chain(dirs.offline().iter().map(|p| p.as_path())).map(|p| p.display().to_string()).collect();
    let healthy = phase == "serving" && silent.is_empty();
    let identity = &shard.shared.identity;
    let report = serde_json::json!({
        "status": if healthy { "ok" } else { "unavailable" },
        "phase": phase,
        "node_id": identity.node_id.0,
        "cluster_id": &*identity.cluster_id,
        "cores": shard.shard_count(),
        "silent_cores": silent,
        "failed_log_dirs": failed,
    });
    (healthy, format!("{report}\n"))
}
