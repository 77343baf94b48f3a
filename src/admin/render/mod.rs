//! A scrape: what the cores and the machine told, as text.

mod clients;
mod coordinators;
mod cores;
mod groups;
mod machine;
mod requests;
mod share;
#[cfg(test)]
mod tests;
mod topics;

use super::http::Body;
use super::machine::MachineFacts;
use super::survey::{self, CoreFacts};
use super::text::{Kind, Text};
use super::{Admin, Phase};
use crate::base::{BrokerId, TimestampMs};
use crate::log::dirs::LogDirs;
use crate::metadata::MetadataImage;
use crate::ring::{fs, runtime, stats};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

pub(super) use groups::GROUPS_MAX;

/// One log directory.
pub(super) struct DirFacts {
    path: String,
    failed: bool,
    full: bool,
    free_bytes: u64,
    total_bytes: u64,
}

/// Everything a scrape tells.
pub(super) struct Snapshot {
    node: BrokerId,
    cluster_id: Arc<str>,
    started: TimestampMs,
    now: TimestampMs,
    phase: Phase,
    core_count: usize,
    /// The cores that answered.
    cores: Vec<CoreFacts>,
    image: Arc<MetadataImage>,
    dirs: Vec<DirFacts>,
    /// Logs and bytes.
    left_to_recover: (usize, u64),
    machine: MachineFacts,
    pooled_idle_bytes: usize,
}

/// Asks everybody, once; writes the text, and packs it where that is wanted, away from the cores.
pub(super) async fn scrape(admin: &Rc<Admin>, gzip: bool) -> Body {
    let shard = &admin.shard;
    let cores = survey::ask_all(shard).await;
    let shared = shard.shared.clone();
    let (started, now, phase, core_count) = (admin.started, shard.now().wall, admin.phase(), shard.shard_count());
    let image = shard.image();
    let work = move || {
        let snapshot = Snapshot {
            node: shared.identity.node_id,
            cluster_id: shared.identity.cluster_id.clone(),
            started,
            now,
            phase,
            core_count,
            cores,
            image,
            dirs: dirs(&shared.log_dirs),
            left_to_recover: shared.log_dirs.left_to_recover(),
            machine: super::machine::ask(),
            pooled_idle_bytes: stats::pooled_idle_bytes(),
        };
        let text = text(&snapshot);
        if gzip { packed(&text) } else { text.into() }
    };
    // On threads that give way: a text of 10,000 partitions takes ten milliseconds of a CPU that a core may want.
    runtime::blocking_in_background(work).await
}

/// Level 1 packs a scrape to a twentieth; more costs twice the time for little.
fn packed(text: &str) -> Body {
    let mut packer = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    // Nothing that is written to memory fails; if it did, the text would go as it is.
    match packer.write_all(text.as_bytes()).and_then(|()| packer.finish()) {
        Ok(bytes) => Body { bytes: bytes.into(), gzip: true },
        Err(_) => text.to_owned().into(),
    }
}

fn dirs(log_dirs: &LogDirs) -> Vec<DirFacts> {
    let used = log_dirs.dirs().iter().map(|dir| {
        let failed = dir.health().has_failed();
        let space = if failed { None } else { fs::free_and_total_bytes(dir.path()).ok() };
        let (free_bytes, total_bytes) = space.unwrap_or_default();
        let path = dir.path().display().to_string();
        DirFacts { path, failed, full: dir.health().is_full(), free_bytes, total_bytes }
    });
    let unusable = log_dirs.offline().iter().map(|path| DirFacts {
        path: path.display().to_string(),
        failed: true,
        full: false,
        free_bytes: 0,
        total_bytes: 0,
    });
    used.chain(unusable).collect()
}

/// The text of a scrape.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let mut out = Text::default();
    broker(snapshot, &mut out);
    requests::write(&snapshot.cores, &mut out);
    topics::write(snapshot, &mut out);
    groups::write(&snapshot.cores, &mut out);
    coordinators::write(&snapshot.cores, &mut out);
    share::write(snapshot, &mut out);
    clients::write(&snapshot.cores, &mut out);
    cores::write(snapshot, &mut out);
    machine::write(snapshot, &mut out);
    out.finish()
}

fn broker(snapshot: &Snapshot, out: &mut Text) {
    let mut info = out.family("corelog_info", Kind::Gauge, "Who this is; always 1.");
    let (version, node, cluster) = (env!("CARGO_PKG_VERSION"), snapshot.node.0, &snapshot.cluster_id);
    info.sample(&[("version", &version), ("node_id", &node), ("cluster_id", cluster)], 1);
    let mut started = out.family("kafka_server_app_info_starttimems", Kind::Gauge, "When the broker was started, ms.");
    started.sample(&[("broker_id", &node)], snapshot.started);
    let running = u8::from(snapshot.phase == Phase::Serving);
    out.gauge("corelog_serving", "1 while clients are served: not while starting, recovering or stopping.", running);
    // Kafka's BrokerState: 3 is RUNNING, 2 RECOVERY, 6 PENDING_CONTROLLED_SHUTDOWN.
    let state = match snapshot.phase {
        Phase::Starting => 2,
        Phase::Serving => 3,
        Phase::Stopping => 6,
    };
    out.gauge("kafka_server_kafkaserver_brokerstate", "2 recovering, 3 running, 6 stopping.", state);
    out.gauge("kafka_brokers", "Brokers of the cluster that are registered.", snapshot.image.brokers().count());
    out.gauge(
        "kafka_controller_kafkacontroller_activecontrollercount",
        "1: a single node is its own controller.",
        running,
    );
}
