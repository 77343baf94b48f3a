//! What the cores share (read-only) and what single cores hold.

use super::connection_limits::ConnectionLimits;
use super::move_limits::MoveLimits;
use crate::base::{BrokerId, Instant, Uuid};
use crate::config::{Config, TopicDefaults, dynamic};
use crate::metadata::MetadataImage;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Who this node is. One value, also on a single node (CLUSTER.md of the design, 10.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `node.id`.
    pub node_id: BrokerId,
    /// From `meta.properties`.
    pub cluster_id: Arc<str>,
    /// A new one for each start of the process.
    pub incarnation_id: Uuid,
    /// One per log dir, in the order of `log.dirs`.
    pub directory_ids: Vec<Uuid>,
}

/// An endpoint clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Host name or address.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
}

/// Log lines that a client or a disk can cause, at most a few a second of each kind.
pub struct LogLimits {
    seen: Mutex<HashMap<&'static str, Seen>>,
}

struct Seen {
    window_began: Instant,
    lines: u32,
    suppressed: u64,
}

/// Lines of one kind per [`WINDOW`].
const LINES_PER_WINDOW: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);

impl LogLimits {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self { seen: Mutex::default() }
    }

    /// Warns, unless this kind was said too often lately; says then later how much was left out.
    pub fn warn(&self, kind: &'static str, text: &str, now: Instant) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = seen.entry(kind).or_insert(Seen { window_began: now, lines: 0, suppressed: 0 });
        if now.since(entry.window_began) >= WINDOW {
            if entry.suppressed > 0 {
                tracing::warn!("{} more lines like the next were left out", entry.suppressed);
            }
            *entry = Seen { window_began: now, lines: 0, suppressed: 0 };
        }
        if entry.lines < LINES_PER_WINDOW {
            entry.lines += 1;
            tracing::warn!("{text}");
        } else {
            entry.suppressed += 1;
        }
    }
}

impl Default for LogLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// What all cores share.
pub struct SharedServices {
    /// The configuration, as it was at start.
    pub config: Arc<Config>,
    /// Who this node is.
    pub identity: Identity,
    /// What clients are told, one per listener.
    pub endpoints: Vec<Endpoint>,
    /// The log dirs.
    pub log_dirs: Arc<crate::log::dirs::LogDirs>,
    /// The metadata log's own dir where it is none of the log dirs: held for its lock.
    pub metadata_dir: Option<crate::log::dir::LogDir>,
    /// So many files of logs may be open in the process; beyond, idle ones are closed.
    pub open_files_max: usize,
    /// Places for connections.
    pub connection_limits: Arc<ConnectionLimits>,
    /// Moves between log dirs.
    pub moves: MoveLimits,
    /// Bounded complaints.
    pub log_limits: LogLimits,
}

impl SharedServices {
    /// The topic-level defaults in force with `image`.
    pub fn topic_defaults(&self, image: &MetadataImage) -> Cow<'_, TopicDefaults> {
        let (own, all) = image.broker_configs(self.identity.node_id);
        dynamic::topic_defaults(&self.config, &own, &all)
    }

    /// `telemetry.max.bytes`: how much a client's metrics may be at once.
    pub fn telemetry_bytes_max(&self) -> i32 {
        self.config.settings.number("telemetry.max.bytes")
    }

    /// What clients of `listener` are told of this node.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| &*e.listener == listener)
    }
}
