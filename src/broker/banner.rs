//! The few calm lines at start.

use super::cores::Cores;
use crate::doctor;
use crate::network::BoundListener;
use crate::ring::append::AppendPath;
use crate::ring::fs::{self, FsKind};
use crate::shard::SharedServices;

/// Says what starts, where, and on what.
pub fn print(shared: &SharedServices, listeners: &[BoundListener], cores: &Cores) {
    tracing::info!(
        "corelog {} (node {}, cluster {})",
        env!("CARGO_PKG_VERSION"),
        shared.identity.node_id,
        shared.identity.cluster_id
    );
    for listener in listeners {
        tracing::info!("listening on {}://{}", listener.name, listener.address);
    }
    tracing::info!("cores: {:?}", cores.numbers());
    for dir in shared.log_dirs.dirs() {
        let path = dir.path();
        let kind = fs::fs_kind(path).unwrap_or(FsKind::Other("unknown".into()));
        let append = AppendPath::for_fs(&kind);
        let how = if dir.was_clean() { "clean" } else { "recovering" };
        tracing::info!("log dir {} on {kind}, appends by {}, {how}", path.display(), append.name());
    }
    if let Some(line) = doctor::deviations(&|path| fs::read(path)) {
        tracing::info!("{line}");
    }
}
