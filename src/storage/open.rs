//! Taking a node's log directories into use at start.

use super::features::Release;
use super::format::{FormatRequest, Quorum, check_owner, format, read_meta};
use super::{all_dirs, random_uuid, takeover};
use crate::base::TimestampMs;
use crate::config::Config;
use crate::config::meta_properties::{META_PROPERTIES, MetaProperties};
use crate::log::dir::{self, DirState, LogDir, LogDirError};
use crate::metadata::store::Peeked;
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directories, locked and ready.
#[derive(Debug)]
pub struct Opened {
    /// One for each of `log.dirs` that can be used, in that order.
    pub dirs: Vec<LogDir>,
    /// Those of `log.dirs` that cannot be read or written: they are offline until the next start.
    pub offline: Vec<PathBuf>,
    /// The directory of the metadata log where it is none of `log.dirs`: held for its lock.
    pub metadata_dir: Option<LogDir>,
    /// What the metadata log says, if there is one.
    pub metadata: Option<Peeked>,
    /// The cluster they belong to.
    pub cluster_id: String,
    /// What was formatted, a line each.
    pub formatted: Vec<String>,
}

/// Checks that the directories are formatted and this node's, and locks them. Without a properties file those that are
/// absent or empty are created and formatted first; with one, as in Kafka, the metadata log's must be formatted, and
/// empty ones join it. The error is a sentence. Blocking.
pub fn open(config: &Config, now: TimestampMs) -> Result<Opened, String> {
    refuse_zookeeper(config)?;
    let mut dirs = all_dirs(config);
    let (mut blank, mut offline) = (Vec::new(), Vec::new());
    for path in &dirs {
        match readable_state(path) {
            Ok(DirState::Formatted) => {}
            Ok(DirState::Empty) => blank.push(path.clone()),
            Ok(DirState::HoldsTopics) => return Err(holds_topics(path)),
            Ok(DirState::Unformatted) => return Err(not_formatted(config, path, "is not empty, but")),
            // As in Kafka the others serve without it, but for the one with the metadata log.
            Err(e) if *path != config.metadata_log_dir => offline.push(goes_offline(path, &e.to_string())),
            Err(e) => return Err(format!("Log directory {}: {e}", path.display())),
        }
    }
    dirs.retain(|path| !offline.contains(path));
    let formatted = if blank.contains(&config.metadata_log_dir) {
        format_first(config, &dirs, &blank, now)?
    } else {
        join(config, &blank)?
    };
    let cluster_id = check_owners(config, &dirs)?;
    // Before the clean-shutdown file is taken: who is refused here finds everything as it was.
    let (lines, metadata) = takeover::check_start(config)?;
    lines.iter().for_each(|line| tracing::warn!("{line}"));
    let open = |path: &PathBuf| LogDir::open(path).map_err(|e| capital(&e.to_string()));
    let metadata_dir = (!config.log_dirs.contains(&config.metadata_log_dir)).then(|| open(&config.metadata_log_dir));
    let mut opened = Vec::new();
    for path in config.log_dirs.iter().filter(|path| dirs.contains(path)) {
        match LogDir::open(path) {
            Ok(dir) => opened.push(dir),
            Err(LogDirError::Io(_, e)) if *path != config.metadata_log_dir => {
                offline.push(goes_offline(path, &e.to_string()));
            }
            Err(e) => return Err(capital(&e.to_string())),
        }
    }
    if opened.is_empty() {
        return Err("None of the log directories can be used".into());
    }
    Ok(Opened { dirs: opened, offline, metadata_dir: metadata_dir.transpose()?, metadata, cluster_id, formatted })
}

/// What the directory is; an error where it cannot be read, also where only its names are still in memory.
fn readable_state(path: &Path) -> io::Result<DirState> {
    let state = dir::state_of(path)?;
    if state == DirState::Formatted {
        fs::read(&path.join(META_PROPERTIES))?;
    }
    Ok(state)
}

fn goes_offline(path: &Path, why: &str) -> PathBuf {
    tracing::error!("Log directory {} is offline: {why}", path.display());
    path.to_owned()
}

/// A ZooKeeper-era file is good for directories that were taken over, and for nothing else.
fn refuse_zookeeper(config: &Config) -> Result<(), String> {
    const KEY: &str = "zookeeper.connect";
    let first = &config.metadata_log_dir;
    let given = config.settings.unknown.get(KEY).filter(|servers| !servers.trim().is_empty());
    match given {
        Some(servers) if !fs::exists(&first.join(META_PROPERTIES)) => Err(format!(
            "{KEY} is set to {servers}: corelog needs no ZooKeeper and does not speak to one, and {} is no KRaft node's \
             directory. To take a ZooKeeper-era node over begin with: corelog takeover --check --config server.properties",
            first.display()
        )),
        _ => Ok(()),
    }
}

/// Formats a node without a metadata log, if that is allowed.
fn format_first(config: &Config, dirs: &[PathBuf], blank: &[PathBuf], now: TimestampMs) -> Result<Vec<String>, String> {
    let first = &config.metadata_log_dir;
    if config.properties_file.is_some() {
        return Err(not_formatted(config, first, "exists, but"));
    }
    if let Some(other) = dirs.iter().find(|path| !blank.contains(path)) {
        return Err(format!(
            "Log directory {} is formatted, but {}, which should hold the metadata log, is empty: it was lost, or \
             log.dirs names the directories in another order than before",
            other.display(),
            first.display()
        ));
    }
    let _locks = lock_all(blank)?;
    let release = Release::LATEST;
    let request = FormatRequest {
        config,
        cluster_id: random_uuid().to_string(),
        quorum: if config.settings.list("controller.quorum.voters").is_empty() {
            Quorum::Standalone
        } else {
            Quorum::NotInLog
        },
        release: release.name,
        bootstrap: release.bootstrap_records(&[]),
        ignore_formatted: false,
    };
    format(&request, now).map_err(|e| e.to_string())
}

/// Lets empty directories join those that are formatted.
fn join(config: &Config, blank: &[PathBuf]) -> Result<Vec<String>, String> {
    let _locks = lock_all(blank)?;
    let of_cluster = read_meta(&config.metadata_log_dir).map_err(|e| e.to_string())?;
    let mut lines = Vec::new();
    for path in blank {
        let meta =
            MetaProperties { node_id: config.node.node_id, directory_id: Some(random_uuid()), ..of_cluster.clone() };
        dir::format(path, &meta).map_err(|e| capital(&e.to_string()))?;
        lines.push(format!("Formatting data directory {} for cluster {}.", path.display(), meta.cluster_id));
    }
    Ok(lines)
}

/// Held while formatting, so that two processes started at once do not format the same directory.
fn lock_all(dirs: &[PathBuf]) -> Result<Vec<fs::Lock>, String> {
    let lock = |path: &PathBuf| {
        fs::create_dir_all(path).and_then(|()| fs::lock(&path.join(".lock"))).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => format!("Log directory {} is in use by another process", path.display()),
            _ => format!("Log directory {}: {e}", path.display()),
        })
    };
    dirs.iter().map(lock).collect()
}

/// That all are one cluster's and this node's, each with an id of its own. Gives the cluster's id.
fn check_owners(config: &Config, dirs: &[PathBuf]) -> Result<String, String> {
    let mut cluster_id = None;
    let mut ids = Vec::new();
    for path in dirs {
        let mut meta = read_meta(path).map_err(|e| e.to_string())?;
        let expected = cluster_id.get_or_insert_with(|| meta.cluster_id.clone());
        check_owner(path, &meta, expected, config.node.node_id)?;
        let id = match meta.directory_id {
            Some(id) => id,
            None => {
                // Kafka before 3.7 gave directories no id.
                let id = random_uuid();
                meta.directory_id = Some(id);
                let file = path.join(META_PROPERTIES);
                let written = fs::write_atomic(&file, meta.text().as_bytes());
                written.map_err(|e| format!("{}: {e}", file.display()))?;
                id
            }
        };
        if ids.contains(&id) {
            return Err(format!("Log directory {} has the directory.id of another one: {id}", path.display()));
        }
        ids.push(id);
    }
    Ok(cluster_id.unwrap_or_default())
}

fn holds_topics(path: &Path) -> String {
    format!(
        "Log directory {} holds topic directories but no {META_PROPERTIES}: whose they are is not known, and it is never \
         formatted over them. Put the file back, or move the directory away",
        path.display()
    )
}

fn not_formatted(config: &Config, path: &Path, what: &str) -> String {
    let what = if fs::exists(path) { what } else { "does not exist and" };
    let told = format!("Log directory {} {what} is not formatted (no readable {META_PROPERTIES})", path.display());
    let Some(file) = &config.properties_file else {
        return format!("{told}. Empty it, or name another one");
    };
    let quorum = if config.settings.list("controller.quorum.voters").is_empty() { " --standalone" } else { "" };
    format!(
        "{told}. Format it with: kafka-storage.sh format{quorum} --cluster-id $(kafka-storage.sh random-uuid) --config {}",
        file.display()
    )
}

/// With a capital, as the other sentences begin.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
