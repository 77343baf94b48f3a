//! [`Config`]: what the rest of the program reads, as narrow structs of plain values.

use super::admin::AdminListener;
use super::cleaner::CleanerConfig;
use super::consumer_groups::ConsumerGroupConfig;
use super::listeners::Listeners;
use super::log_dirs::check_cordoned;
use super::settings::Settings;
use super::share::ShareConfig;
use super::streams_groups::StreamsGroupConfig;
use super::topic::TopicDefaults;
use std::path::PathBuf;

/// Everything a node is told, checked and typed. Parts of it are handed down; nothing is global.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who this node is.
    pub node: NodeConfig,
    /// Where clients connect and what they are told.
    pub listeners: Listeners,
    /// `log.dirs`, else `log.dir`; never empty.
    pub log_dirs: Vec<PathBuf>,
    /// The dir that holds `__cluster_metadata-0`: `metadata.log.dir`, else the first log dir.
    pub metadata_log_dir: PathBuf,
    /// `corelog.cores`.
    pub cores: CoreSelection,
    /// `corelog.move.connections`.
    pub move_connections: bool,
    /// `corelog.move.partitions`.
    pub move_partitions: bool,
    /// `corelog.pack.light.load`.
    pub pack_light_load: bool,
    /// Limits of connections and requests.
    pub network: NetworkConfig,
    /// `corelog.admin.listener`; none where it is empty.
    pub admin_listener: Option<AdminListener>,
    /// `corelog.fetch.path`.
    pub fetch_path: FetchPath,
    /// `corelog.produce.trust.compressed`.
    pub trust_compressed: bool,
    /// How logs are recovered, flushed and checkpointed.
    pub log: LogManagerConfig,
    /// How logs are compacted.
    pub cleaner: CleanerConfig,
    /// The topic-level defaults.
    pub log_defaults: TopicDefaults,
    /// How topics come and go.
    pub topics: TopicPolicy,
    /// The group coordinator's limits.
    pub groups: GroupConfig,
    /// The transaction coordinator's and producer state's limits.
    pub transactions: TransactionConfig,
    /// Share groups' numbers.
    pub share: ShareConfig,
    /// What to say once at start: keys without effect, unknown keys, lowered values.
    pub warnings: Vec<String>,
    /// The properties file; `None` when started without one, which permits formatting by itself.
    pub properties_file: Option<PathBuf>,
    /// Every key with its typed value and source, for DescribeConfigs.
    pub settings: Settings,
}

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// `node.id` (or `broker.id`).
    pub node_id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// Which cores get a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoreSelection {
    /// All the process may run on.
    All,
    /// The first so many of them.
    Count(usize),
    /// Exactly these, by their number.
    List(Vec<usize>),
}

/// How fetched bytes leave a plain connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchPath {
    /// Chosen by size, residency and peer.
    Auto,
    /// Always `sendfile` from the shard's thread.
    Sendfile,
    /// Always the ring's splice.
    Splice,
    /// Always read, then send.
    Read,
}

/// Limits of connections and requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// `socket.request.max.bytes`: the largest frame taken.
    pub socket_request_max_bytes: i32,
    /// `connections.max.idle.ms`; negative means never.
    pub connections_max_idle_ms: i64,
    /// `socket.receive.buffer.bytes`; -1 leaves it to the kernel.
    pub socket_receive_buffer_bytes: i32,
    /// `socket.send.buffer.bytes`; -1 leaves it to the kernel. Where it is not given [`OWN_SEND_BUFFER_BYTES`].
    pub socket_send_buffer_bytes: i32,
    /// `socket.listen.backlog.size`.
    pub socket_listen_backlog_size: i32,
    /// `fetch.max.bytes`: the most a fetch response carries.
    pub fetch_max_bytes: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_session_cache_slots: i32,
    /// `max.request.partition.size.limit` of DescribeTopicPartitions.
    pub max_request_partition_size_limit: i32,
}

/// How logs are recovered, flushed and checkpointed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogManagerConfig {
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads_per_dir: usize,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_checkpoint_interval_ms: i64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_checkpoint_interval_ms: i64,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval_ms: i64,
    /// `log.flush.scheduler.interval.ms`.
    pub flush_scheduler_interval_ms: i64,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `log.initial.task.delay.ms`: retention waits this long after the start.
    pub initial_task_delay_ms: i64,
}

/// How topics come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPolicy {
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
    /// `delete.topic.enable`.
    pub delete_enable: bool,
    /// `num.partitions` of a topic created without a number.
    pub num_partitions: i32,
    /// `default.replication.factor` of a topic created without one.
    pub default_replication_factor: i16,
}

/// The group coordinator's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
    /// `group.max.size`: members.
    pub max_size: i32,
    /// `offset.metadata.max.bytes` of one commit.
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `offsets.commit.timeout.ms`.
    pub offsets_commit_timeout_ms: i32,
    /// `offsets.topic.num.partitions`.
    pub offsets_topic_partitions: i32,
    /// `offsets.topic.replication.factor`, lowered to the number of brokers there are.
    pub offsets_topic_replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub offsets_topic_segment_bytes: i32,
    /// `offsets.topic.compression.codec`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub offsets_topic_compression_codec: i32,
    /// The new protocol's.
    pub consumer: ConsumerGroupConfig,
    /// Streams groups'.
    pub streams: StreamsGroupConfig,
}

/// The transaction coordinator's and producer state's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i32,
    /// `transaction.max.timeout.ms`.
    pub max_timeout_ms: i32,
    /// `transaction.state.log.num.partitions`.
    pub state_log_partitions: i32,
    /// `transaction.state.log.replication.factor`, lowered to the number of brokers there are.
    pub state_log_replication_factor: i16,
    /// `transaction.state.log.min.isr`.
    pub state_log_min_isr: i32,
    /// `transaction.state.log.segment.bytes`.
    pub state_log_segment_bytes: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i32,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiry_interval_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_interval_ms: i32,
    /// `transaction.two.phase.commit.enable`.
    pub two_phase_commit: bool,
    /// `request.timeout.ms`: how long an answer of the transaction coordinator may wait for its log.
    pub append_timeout_ms: i32,
    /// `add.partitions.to.txn.retry.backoff.max.ms`.
    pub add_partitions_backoff_ms_max: i32,
}

/// Only this node is alive as long as corelog runs standalone.
const LIVE_BROKERS: i16 = 1;

impl Config {
    /// A node without a properties file and with these overrides, as `corelog --override k=v` makes it.
    pub fn from_overrides(overrides: &[(&str, &str)]) -> Result<Self, super::ConfigError> {
        let overrides = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        super::Given { file: None, overrides }.config(&super::Outside::NOTHING)
    }

    /// Builds the structs out of checked settings.
    pub(super) fn from_settings(settings: Settings, properties_file: Option<PathBuf>) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        let s = &settings;
        let mut replication_factor = |name: &str| -> i16 {
            let wanted: i16 = s.number(name);
            if wanted > LIVE_BROKERS {
                warnings.push(format!("{name}={wanted} is lowered to {LIVE_BROKERS}: there are no more live brokers"));
            }
            wanted.min(LIVE_BROKERS)
        };
        let groups = group_config(s, replication_factor("offsets.topic.replication.factor"));
        let transactions = transaction_config(s, replication_factor("transaction.state.log.replication.factor"));
        let share = ShareConfig::of(s, replication_factor("share.coordinator.state.topic.replication.factor"));
        let listeners = Listeners::read(s).map_err(|e| errors.push(e)).ok();
        let cores = cores(s.text("corelog.cores").unwrap_or("all")).map_err(|e| errors.push(e)).ok();
        let admin_listener =
            AdminListener::parse(s.text("corelog.admin.listener").unwrap_or("")).map_err(|e| errors.push(e)).ok();
        let network = network_config(s).map_err(|e| errors.push(e)).ok();
        let log_dirs = log_dirs(s).and_then(|dirs| check_cordoned(&dirs, s).map(|()| dirs));
        let log_dirs = log_dirs.map_err(|e| errors.push(e)).ok();
        let log_defaults = TopicDefaults::from_settings(s).map_err(|e| errors.push(e)).ok();
        let (Some(listeners), Some(cores), Some(network), Some(log_dirs), Some(log_defaults), Some(admin_listener)) =
            (listeners, cores, network, log_dirs, log_defaults, admin_listener)
        else {
            return Err(errors);
        };
        let metadata_log_dir = match (s.text("metadata.log.dir"), log_dirs.first()) {
            (Some(dir), _) => PathBuf::from(dir),
            (None, first) => first.cloned().unwrap_or_default(),
        };
        Ok(Self {
            node: NodeConfig { node_id: s.number("node.id"), rack: s.text("broker.rack").map(str::to_owned) },
            listeners,
            log_dirs,
            metadata_log_dir,
            cores,
            move_connections: s.flag("corelog.move.connections"),
            move_partitions: s.flag("corelog.move.partitions"),
            pack_light_load: s.flag("corelog.pack.light.load"),
            network,
            admin_listener,
            fetch_path: match s.text("corelog.fetch.path") {
                Some("sendfile") => FetchPath::Sendfile,
                Some("splice") => FetchPath::Splice,
                Some("read") => FetchPath::Read,
                _ => FetchPath::Auto,
            },
            trust_compressed: s.flag("corelog.produce.trust.compressed"),
            log: log_manager_config(s),
            cleaner: CleanerConfig::of(s),
            log_defaults,
            topics: TopicPolicy {
                auto_create: s.flag("auto.create.topics.enable"),
                delete_enable: s.flag("delete.topic.enable"),
                num_partitions: s.number("num.partitions"),
                default_replication_factor: s.number("default.replication.factor"),
            },
            groups,
            transactions,
            share,
            warnings,
            properties_file,
            settings,
        })
    }
}

/// Reads `max.connections.per.ip.overrides`: hosts or addresses and their limits.
pub fn connections_per_ip_overrides(s: &Settings) -> Result<Vec<(String, i32)>, String> {
    const OVERRIDES: &str = "max.connections.per.ip.overrides";
    let text = s.text(OVERRIDES).unwrap_or_default();
    let overrides = text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        pair.rsplit_once(':')
            .and_then(|(host, limit)| Some((host.trim().to_owned(), limit.trim().parse().ok().filter(|n| *n >= 0)?)))
            .ok_or_else(|| format!("Invalid value {text} for configuration {OVERRIDES}: {pair} is not host:limit"))
    });
    overrides.collect()
}

fn network_config(s: &Settings) -> Result<NetworkConfig, String> {
    // Read again whenever it is set anew: it may change while the broker runs.
    connections_per_ip_overrides(s)?;
    Ok(NetworkConfig {
        socket_request_max_bytes: s.number("socket.request.max.bytes"),
        connections_max_idle_ms: s.number("connections.max.idle.ms"),
        socket_receive_buffer_bytes: receive_buffer_bytes(s),
        socket_send_buffer_bytes: send_buffer_bytes(s),
        socket_listen_backlog_size: s.number("socket.listen.backlog.size"),
        fetch_max_bytes: s.number("fetch.max.bytes"),
        fetch_session_cache_slots: s.number("max.incremental.fetch.session.cache.slots"),
        max_request_partition_size_limit: s.number("max.request.partition.size.limit"),
    })
}

fn log_manager_config(s: &Settings) -> LogManagerConfig {
    LogManagerConfig {
        recovery_threads_per_dir: s.number("num.recovery.threads.per.data.dir"),
        recovery_point_checkpoint_interval_ms: s.number("log.flush.offset.checkpoint.interval.ms"),
        log_start_checkpoint_interval_ms: s.number("log.flush.start.offset.checkpoint.interval.ms"),
        high_watermark_checkpoint_interval_ms: s.number("replica.high.watermark.checkpoint.interval.ms"),
        flush_scheduler_interval_ms: s.number("log.flush.scheduler.interval.ms"),
        retention_check_interval_ms: s.number("log.retention.check.interval.ms"),
        initial_task_delay_ms: s.number("log.initial.task.delay.ms"),
    }
}

fn group_config(s: &Settings, replication_factor: i16) -> GroupConfig {
    GroupConfig {
        initial_rebalance_delay_ms: s.number("group.initial.rebalance.delay.ms"),
        min_session_timeout_ms: s.number("group.min.session.timeout.ms"),
        max_session_timeout_ms: s.number("group.max.session.timeout.ms"),
        max_size: s.number("group.max.size"),
        offset_metadata_max_bytes: s.number("offset.metadata.max.bytes"),
        offsets_retention_ms: s.number::<i64>("offsets.retention.minutes") * 60_000,
        offsets_retention_check_interval_ms: s.number("offsets.retention.check.interval.ms"),
        offsets_commit_timeout_ms: s.number("offsets.commit.timeout.ms"),
        offsets_topic_partitions: s.number("offsets.topic.num.partitions"),
        offsets_topic_replication_factor: replication_factor,
        offsets_topic_segment_bytes: s.number("offsets.topic.segment.bytes"),
        offsets_topic_compression_codec: s.number("offsets.topic.compression.codec"),
        consumer: ConsumerGroupConfig::new(s),
        streams: StreamsGroupConfig::new(s),
    }
}

fn transaction_config(s: &Settings, replication_factor: i16) -> TransactionConfig {
    TransactionConfig {
        producer_id_expiration_ms: s.number("producer.id.expiration.ms"),
        max_timeout_ms: s.number("transaction.max.timeout.ms"),
        state_log_partitions: s.number("transaction.state.log.num.partitions"),
        state_log_replication_factor: replication_factor,
        state_log_min_isr: s.number("transaction.state.log.min.isr"),
        state_log_segment_bytes: s.number("transaction.state.log.segment.bytes"),
        id_expiration_ms: s.number("transactional.id.expiration.ms"),
        expiry_interval_ms: s.number("transaction.remove.expired.transaction.cleanup.interval.ms"),
        abort_interval_ms: s.number("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        two_phase_commit: s.flag("transaction.two.phase.commit.enable"),
        append_timeout_ms: s.number("request.timeout.ms"),
        add_partitions_backoff_ms_max: s.number("add.partitions.to.txn.retry.backoff.max.ms"),
    }
}

fn log_dirs(s: &Settings) -> Result<Vec<PathBuf>, String> {
    let key = if s.list("log.dirs").is_empty() { "log.dir" } else { "log.dirs" };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in s.list(key).iter().filter(|dir| !dir.is_empty()) {
        let dir = PathBuf::from(dir);
        if dirs.contains(&dir) {
            return Err(format!(
                "Invalid value {} for configuration {key}: the directory stands there twice",
                dir.display()
            ));
        }
        dirs.push(dir);
    }
    if dirs.is_empty() {
        return Err(format!("Invalid value for configuration {key}: at least one log directory must be given"));
    }
    Ok(dirs)
}

/// Reads `corelog.cores`: `all`, a count, or a list of core numbers and ranges such as `0,2-3`.
fn cores(text: &str) -> Result<CoreSelection, String> {
    let wrong = || {
        format!(
            "Invalid value {text} for configuration corelog.cores: it must be all, a count from 1, or a list of core \
             numbers such as 0,2-3"
        )
    };
    if text.eq_ignore_ascii_case("all") {
        return Ok(CoreSelection::All);
    }
    if let Ok(count) = text.parse::<usize>() {
        return if count > 0 { Ok(CoreSelection::Count(count)) } else { Err(wrong()) };
    }
    let mut list = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok().filter(|core| *core < 4096).ok_or_else(wrong);
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(wrong());
        }
        for core in first..=last {
            if list.contains(&core) {
                return Err(wrong());
            }
            list.push(core);
        }
    }
    if list.is_empty() { Err(wrong()) } else { Ok(CoreSelection::List(list)) }
}

/// `socket.receive.buffer.bytes` as given. Kafka's default of 100 KiB is too small for its own requests of 1 MiB, so where
/// it is not given the kernel adapts the buffer to the peer.
fn receive_buffer_bytes(s: &Settings) -> i32 {
    const KEY: &str = "socket.receive.buffer.bytes";
    if s.is_given(KEY) { s.number(KEY) } else { -1 }
}

/// What sockets ask for where `socket.send.buffer.bytes` is not given; the kernel gives no more than its `net.core.wmem_max`.
/// While a fetch leaves, the core is woken whenever a third of the buffer is free (docs/PERFORMANCE.md).
pub const OWN_SEND_BUFFER_BYTES: i32 = 400 << 10;

fn send_buffer_bytes(s: &Settings) -> i32 {
    const KEY: &str = "socket.send.buffer.bytes";
    if s.is_given(KEY) { s.number(KEY) } else { OWN_SEND_BUFFER_BYTES }
}

#[cfg(test)]
mod tests;
