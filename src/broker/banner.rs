//! The few calm lines at start.

use super::cores::Cores;
use crate::network::BoundListener;
use crate::shard::SharedServices;

/// Says what starts, where, and on what.
pub fn print(shared: &SharedServices, listeners: &[BoundListener], cores: &Cores) {
    tracing::info!("corelog {} (node {}, cluster {})", env!("CARGO_PKG_VERSION"), shared.identity.node_id, shared.identity.cluster_id);
    for listener in listeners {
        tracing::info!("listening on {}://{}", listener.name, listener.address);
    }
    tracing::info!("cores: {:?}", cores.numbers());
    for line in shared.log_dirs.describe() {
        tracing::info!("{line}");
    }
}
