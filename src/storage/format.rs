//! Formatting log directories (`org.apache.kafka.metadata.storage.Formatter`).

use super::{all_dirs, random_uuid};
use crate::base::{TimestampMs, Uuid};
use crate::config::Config;
use crate::config::meta_properties::{META_PROPERTIES, MetaProperties};
use crate::log::dir::{self, DirState};
use crate::metadata::MetadataRecord;
use crate::metadata::store::{self, Voter};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What to write.
#[derive(Clone, Debug)]
pub struct FormatRequest<'a> {
    /// The directories and who they belong to.
    pub config: &'a Config,
    /// The cluster's id.
    pub cluster_id: String,
    /// How the voters are known.
    pub quorum: Quorum,
    /// The name of the metadata.version, for telling.
    pub release: &'static str,
    /// Features and credentials the cluster begins with.
    pub bootstrap: Vec<MetadataRecord>,
    /// Pass over formatted directories.
    pub ignore_formatted: bool,
}

/// Where the metadata quorum's voters are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// In the properties file, or nowhere yet.
    NotInLog,
    /// In the metadata log: this node alone.
    Standalone,
    /// In the metadata log: these; one of them is this node, whose directory id is given with it.
    Controllers(Vec<Voter>),
}

/// Why nothing was formatted, or not all of it. Each is a sentence for the operator.
#[derive(Debug)]
pub enum FormatError {
    /// A directory is formatted, and formatted ones were not to be passed over.
    AlreadyFormatted(PathBuf),
    /// A directory holds topics but no `meta.properties`.
    HoldsTopics(PathBuf),
    /// A formatted directory belongs to another cluster or node.
    Foreign(String),
    /// The disk, or a file that cannot be understood.
    Disk(PathBuf, String),
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AlreadyFormatted(dir) => write!(
                f,
                "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format \
                 the others.",
                dir.display()
            ),
            Self::HoldsTopics(dir) => write!(
                f,
                "Log directory {} holds topic directories but no {META_PROPERTIES}: it is not formatted over them",
                dir.display()
            ),
            Self::Foreign(why) => f.write_str(why),
            Self::Disk(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for FormatError {}

impl FormatError {
    fn io(path: &Path, error: &io::Error) -> Self {
        Self::Disk(path.to_owned(), error.to_string())
    }
}

/// Formats what is not formatted; the lines tell what was done. The metadata directory comes first: a format that
/// was interrupted then goes on where it stopped, under the same cluster id. Blocking.
pub fn format(request: &FormatRequest, now: TimestampMs) -> Result<Vec<String>, FormatError> {
    let config = request.config;
    let mut blank = Vec::new();
    for path in all_dirs(config) {
        match dir::state_of(&path).map_err(|e| FormatError::io(&path, &e))? {
            DirState::HoldsTopics => return Err(FormatError::HoldsTopics(path)),
            DirState::Empty | DirState::Unformatted => blank.push(path),
            DirState::Formatted if !request.ignore_formatted => return Err(FormatError::AlreadyFormatted(path)),
            DirState::Formatted => {
                let meta = read_meta(&path)?;
                check_owner(&path, &meta, &request.cluster_id, config.node.node_id).map_err(FormatError::Foreign)?;
            }
        }
    }
    if blank.is_empty() {
        return Ok(vec!["All of the log directories are already formatted.".into()]);
    }
    blank.into_iter().map(|path| format_one(request, &path, now)).collect()
}

fn format_one(request: &FormatRequest, path: &Path, now: TimestampMs) -> Result<String, FormatError> {
    let node_id = request.config.node.node_id;
    let is_metadata = *path == *request.config.metadata_log_dir;
    let own_id = match &request.quorum {
        Quorum::Controllers(voters) if is_metadata => {
            voters.iter().find(|voter| voter.id == node_id).map(|voter| voter.directory_id)
        }
        _ => None,
    };
    let directory_id = own_id.unwrap_or_else(random_uuid);
    fs::create_dir_all(path).map_err(|e| FormatError::io(path, &e))?;
    // meta.properties is the last to be written: it says that the rest is there.
    let disk = |e: store::StoreError| FormatError::Disk(path.to_owned(), e.to_string());
    store::write_bootstrap_checkpoint(path, request.bootstrap.clone(), now).map_err(disk)?;
    let voters = match &request.quorum {
        Quorum::NotInLog => None,
        Quorum::Standalone => Some(vec![this_voter(request.config, directory_id)]),
        Quorum::Controllers(voters) => Some(voters.clone()),
    };
    let voters = voters.filter(|_| is_metadata);
    if let Some(voters) = &voters {
        store::write_voters_checkpoint(path, voters, now).map_err(disk)?;
    }
    let meta = MetaProperties { cluster_id: request.cluster_id.clone(), node_id, directory_id: Some(directory_id) };
    let file = path.join(META_PROPERTIES);
    fs::write_atomic(&file, meta.text().as_bytes()).map_err(|e| FormatError::io(&file, &e))?;
    let kind = match (is_metadata, voters) {
        (true, Some(_)) => "dynamic metadata voter",
        (true, None) => "metadata",
        (false, _) => "data",
    };
    Ok(format!("Formatting {kind} directory {} with metadata.version {}.", path.display(), request.release))
}

/// This node as a voter. Without a controller listener it gets Kafka's usual one, which Apache Kafka needs to start
/// on these directories.
fn this_voter(config: &Config, directory_id: Uuid) -> Voter {
    let told = &config.listeners.controller_advertised;
    let mut endpoints: Vec<_> = told.iter().map(|l| (l.name.clone(), l.host.clone(), l.port)).collect();
    if endpoints.is_empty() {
        endpoints.push(("CONTROLLER".into(), "localhost".into(), 9093));
    }
    Voter { id: config.node.node_id, directory_id, endpoints }
}

/// Reads a directory's `meta.properties`. Blocking.
pub(super) fn read_meta(dir: &Path) -> Result<MetaProperties, FormatError> {
    let file = dir.join(META_PROPERTIES);
    let bytes = fs::read(&file).map_err(|e| FormatError::io(&file, &e))?;
    MetaProperties::parse(&bytes).map_err(|why| FormatError::Disk(file, why))
}

/// Whether a formatted directory is this cluster's and this node's; the error says whose it is.
pub(super) fn check_owner(dir: &Path, meta: &MetaProperties, cluster_id: &str, node_id: i32) -> Result<(), String> {
    let file = dir.join(META_PROPERTIES);
    if meta.cluster_id != cluster_id {
        return Err(format!(
            "Invalid cluster.id in: {}. Expected {cluster_id}, but read {}",
            file.display(),
            meta.cluster_id
        ));
    }
    if meta.node_id != node_id {
        return Err(format!(
            "Stored node id {} doesn't match the configured node id {node_id} in: {}. If this directory came from \
             another node, set node.id to its number",
            meta.node_id,
            file.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
