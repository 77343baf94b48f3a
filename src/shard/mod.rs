//! One core: its mailbox, its partitions, its coordinators, its view of the metadata.
//!
//! A [`Shard`] is an `Rc` that never leaves its thread. Other cores reach it by mail only: a job
//! that runs here and an answer that goes home. Everything a handler needs hangs off it.

mod auto_create;
mod calls;
mod changes;
mod cleaner;
pub mod connection_limits;
mod coordinator_log;
mod coordinators;
mod cordon;
mod disk_full;
mod failure;
pub mod fetch_session;
mod flush;
mod housekeeping;
mod image;
mod log_dirs;
mod mender;
mod metadata_upkeep;
mod move_limits;
mod mover;
mod open_files;
mod opening;
mod partitions;
mod producer_ids;
mod relocation;
mod retention;
mod services;
mod settings;
pub mod share;
mod stats;
pub mod stay;
mod stop;
mod streams_topics;
mod transactions;
mod waits;

pub use calls::{CallFuture, Gone, Job};
pub use changes::{CONTROLLER, Circumstances};
pub use coordinators::Hosted;
pub use failure::Ending;
pub use log_dirs::LogInDir;
pub use move_limits::MoveLimits;
pub use open_files::budget as open_files_budget;
pub use services::{Endpoint, Identity, LogLimits, SharedServices};
pub use share::ShareFacts;
pub use stats::{ApiStats, Counted, Fetches, ShardStats};

use crate::base::local::Event;
use crate::base::{Now, TopicIdPartition};
use crate::config::LiveSettings;
use crate::metadata::MetadataImage;
use crate::partition::Partition;
use crate::ring;
use crate::ring::mailbox::Sender;
use crate::telemetry::{Telemetry, TelemetryConfig};
use fetch_session::SessionCache;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// A core's number among the broker's cores, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardIndex(pub usize);

/// Clients whose own metrics are kept (`ClientMetricsManager.CACHE_MAX_SIZE`), and of how many series of each. A client
/// has some fifty, and some ten for each partition or broker it talks to.
const CLIENT_INSTANCES_MAX: usize = 16_384;
const SERIES_PER_INSTANCE_MAX: usize = 1_000;

/// What lives on one core.
pub struct Shard {
    /// Which core this is.
    pub index: ShardIndex,
    /// What all cores share, read-only.
    pub shared: Arc<SharedServices>,
    /// Plain counters, merged at scrape.
    pub stats: ShardStats,
    peers: Vec<Sender<Job>>,
    calls: calls::Calls,
    image: RefCell<Arc<MetadataImage>>,
    live: RefCell<Arc<LiveSettings>>,
    partitions: RefCell<HashMap<TopicIdPartition, Rc<Partition>>>,
    offline: RefCell<HashSet<TopicIdPartition>>,
    /// Of these those for whose logs there was no space.
    without_space: RefCell<HashSet<TopicIdPartition>>,
    dirty: RefCell<Vec<Rc<Partition>>>,
    dirty_event: Event,
    sweeping: Cell<bool>,
    open_files: open_files::OpenFiles,
    mover: mover::Mover,
    checkpointing: Cell<bool>,
    waits: waits::Waits,
    coordinators: coordinators::Coordinators,
    /// Share partitions of this core, and share sessions opened on it.
    pub share_queues: share::ShareQueues,
    /// Incremental fetch sessions opened on this core.
    pub fetch_sessions: RefCell<SessionCache>,
    /// The client instances this core remembers.
    pub telemetry: RefCell<Telemetry>,
    writer: changes::Writer,
    auto_create: auto_create::AutoCreate,
    streams_topics: streams_topics::StreamsTopics,
    cleaner: cleaner::Cleaner,
    places: relocation::Places,
    producer_ids: producer_ids::ProducerIds,
    image_taken: Event,
    ended: Event,
    /// Why the broker has to end, once that is so.
    ending: RefCell<Option<Ending>>,
    closers: RefCell<Vec<Box<dyn FnOnce()>>>,
    stop_begun: Event,
    left: Event,
    gone: Cell<bool>,
    stopping: Cell<bool>,
}

impl Shard {
    /// A shard without partitions yet; `peers` are the mailboxes of all cores, its own included.
    pub fn new(
        index: ShardIndex,
        shared: Arc<SharedServices>,
        peers: Vec<Sender<Job>>,
        image: Arc<MetadataImage>,
    ) -> Rc<Self> {
        let slots = usize::try_from(shared.config.network.fetch_session_cache_slots).unwrap_or(0);
        let slots = slots.div_ceil(peers.len().max(1));
        let share_sessions =
            usize::try_from(shared.config.share.sessions_max).unwrap_or(0).div_ceil(peers.len().max(1));
        let telemetry = TelemetryConfig {
            instances_max: CLIENT_INSTANCES_MAX.div_ceil(peers.len().max(1)),
            series_per_instance_max: SERIES_PER_INSTANCE_MAX,
            push_bytes_max: usize::try_from(shared.telemetry_bytes_max()).unwrap_or(0),
        };
        let live = LiveSettings::new(&shared.config, &BTreeMap::new(), &BTreeMap::new());
        Rc::new(Self {
            index,
            shared,
            stats: ShardStats::default(),
            peers,
            calls: calls::Calls::default(),
            image: RefCell::new(image),
            live: RefCell::new(Arc::new(live)),
            partitions: RefCell::default(),
            offline: RefCell::default(),
            without_space: RefCell::default(),
            dirty: RefCell::default(),
            dirty_event: Event::default(),
            sweeping: Cell::new(false),
            open_files: open_files::OpenFiles::default(),
            mover: mover::Mover::default(),
            checkpointing: Cell::new(false),
            waits: waits::Waits::default(),
            coordinators: coordinators::Coordinators::default(),
            share_queues: share::ShareQueues::new(index, share_sessions),
            fetch_sessions: RefCell::new(SessionCache::new(slots)),
            telemetry: RefCell::new(Telemetry::new(telemetry)),
            writer: changes::Writer::default(),
            auto_create: auto_create::AutoCreate::default(),
            streams_topics: streams_topics::StreamsTopics::default(),
            cleaner: cleaner::Cleaner::default(),
            places: relocation::Places::default(),
            producer_ids: producer_ids::ProducerIds::default(),
            ended: Event::default(),
            ending: RefCell::default(),
            image_taken: Event::default(),
            closers: RefCell::default(),
            stop_begun: Event::default(),
            left: Event::default(),
            gone: Cell::new(false),
            stopping: Cell::new(false),
        })
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        ring::clock::now()
    }

    /// The newest metadata this core has taken.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.borrow().clone()
    }

    /// How many cores the broker runs on.
    pub fn shard_count(&self) -> usize {
        self.peers.len()
    }

    /// 64 random bits.
    pub fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        ring::process::random_bytes(&mut bytes);
        u64::from_ne_bytes(bytes)
    }
}
