//! `corelog takeover --check`: what a start on these directories would do, and what stands against it. Nothing is
//! changed.

use super::guards;
use super::look::{self, DirLook, Look};
use super::report::Report;
use crate::base::topic::CLUSTER_METADATA_TOPIC;
use crate::config::Config;
use crate::config::meta_properties::AnyMeta;
use crate::log::names::DirKind;
use crate::metadata::image::{MetadataImage, ResourceType};
use crate::metadata::store::{self, Peeked};
use crate::ring::fs;
use crate::storage::features::Release;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The log directories.
    pub dirs: Vec<PathBuf>,
    /// That of the metadata log.
    pub metadata_dir: PathBuf,
    /// `node.id` of the properties file; unknown without one.
    pub node_id: Option<i32>,
    /// The ids in `controller.quorum.voters` of the file.
    pub static_voters: Vec<i32>,
}

impl Subject {
    /// What a properties file names.
    pub fn of(config: &Config) -> Self {
        let store = store::StoreConfig::of(config);
        Self {
            dirs: config.log_dirs.clone(),
            metadata_dir: config.metadata_log_dir.clone(),
            node_id: Some(config.node.node_id),
            static_voters: store.static_voters.iter().map(|id| id.0).collect(),
        }
    }

    /// Directories without a properties file.
    pub fn dirs(dirs: Vec<PathBuf>) -> Self {
        let with_log = dirs.iter().find(|dir| fs::exists(&dir.join(store::METADATA_PARTITION_DIR)));
        let metadata_dir = with_log.or(dirs.first()).cloned().unwrap_or_default();
        Self { dirs, metadata_dir, node_id: None, static_voters: Vec::new() }
    }
}

/// Looks. Blocking.
pub fn check(subject: &Subject, report: &mut Report) {
    let look = look::look(&subject.dirs, report);
    owners(subject, &look, report);
    if look.dirs.iter().any(DirLook::is_zookeeper_era) {
        return super::zookeeper::explain(&look, report);
    }
    match store::peek(&subject.metadata_dir) {
        Err(error) => report.against(error.to_string()),
        Ok(None) if fs::exists(&subject.metadata_dir.join(store::BOOTSTRAP_CHECKPOINT)) => report.plan(format!(
            "the metadata log begins with what {} holds",
            subject.metadata_dir.join(store::BOOTSTRAP_CHECKPOINT).display()
        )),
        Ok(None) => report.against(format!(
            "there is no metadata log in {}: this is no node of its own (process.roles=broker,controller), or the \
             directory of its metadata log (metadata.log.dir) was not named",
            subject.metadata_dir.display()
        )),
        Ok(Some(peeked)) => metadata(subject, &look, &peeked, report),
    }
    starts(&look, report);
}

/// One cluster, one node.
fn owners(subject: &Subject, look: &Look, report: &mut Report) {
    let mut clusters = BTreeSet::new();
    let mut nodes = BTreeSet::new();
    for meta in look.dirs.iter().filter_map(|dir| dir.meta.as_ref()) {
        match meta {
            AnyMeta::KRaft(meta) => {
                clusters.insert(Some(meta.cluster_id.clone()));
                nodes.insert(meta.node_id);
            }
            AnyMeta::ZooKeeper(meta) => {
                clusters.insert(meta.cluster_id.clone());
                nodes.extend(meta.broker_id);
            }
        }
    }
    if clusters.len() > 1 {
        report.against("the directories belong to different clusters");
    }
    nodes.extend(subject.node_id);
    if nodes.len() > 1 {
        report.against(format!("the directories and the properties file name different nodes: {nodes:?}"));
    }
}

fn metadata(subject: &Subject, look: &Look, peeked: &Peeked, report: &mut Report) {
    let image = peeked.image();
    if let Some(torn) = &peeked.torn {
        report.plan(format!("the metadata log's torn end is cut off: {torn}"));
    }
    features(image, report);
    quorum(subject, peeked, report);
    let found = guards::of_image(image);
    found.against.into_iter().for_each(|what| report.against(what));
    found.notes.into_iter().for_each(|what| report.fact(what));
    let partitions: i32 = image.topics().map(|topic| topic.partition_count()).sum();
    report.fact(format!("{} topics with {partitions} partitions", image.topic_count()));
    tiered(image, report);
    placements(look, image, report);
}

fn features(image: &MetadataImage, report: &mut Report) {
    let version = image.metadata_version();
    match Release::by_level(version) {
        Some(release) => report.fact(format!(
            "metadata.version {version} ({}): records are written in the versions it allows, so that the Kafka that \
             wrote the directory reads them again",
            release.name
        )),
        None if version == 0 => report.fact("the metadata log is still empty"),
        None => report.against(format!("metadata.version {version} is not known to this corelog")),
    }
    let others: Vec<_> = image.features().filter(|(name, _)| *name != "metadata.version").collect();
    if !others.is_empty() {
        let told: Vec<_> = others.iter().map(|(name, level)| format!("{name}={level}")).collect();
        report.fact(format!("finalized features, all kept: {}", told.join(", ")));
    }
}

fn quorum(subject: &Subject, peeked: &Peeked, report: &mut Report) {
    let own = subject.node_id;
    let logged = peeked.voters();
    let voters = if logged.is_empty() { &subject.static_voters } else { &logged };
    if !voters.is_empty() {
        report.fact(format!("voters of the metadata quorum: {voters:?}"));
    }
    if voters.len() > 1 || voters.iter().any(|voter| own.is_some_and(|own| own != *voter)) {
        report.against(format!("the metadata quorum has the voters {voters:?}: corelog is a node of its own only"));
    }
    let brokers: Vec<i32> = peeked.image().brokers().map(|broker| broker.id.0).collect();
    if brokers.len() > 1 || brokers.iter().any(|broker| own.is_some_and(|own| own != *broker)) {
        report.against(format!(
            "the brokers {brokers:?} are registered: corelog cannot join a cluster yet. Move what the others hold to this \
             node and unregister them (kafka-cluster.sh unregister) first"
        ));
    }
}

/// What lies in another system's store cannot be fetched.
fn tiered(image: &MetadataImage, report: &mut Report) {
    let on =
        |name: &str| image.config(ResourceType::Topic, name).get("remote.storage.enable").is_some_and(|v| v == "true");
    for topic in image.topics().filter(|topic| on(&topic.name)) {
        report.against(format!("topic {} keeps its old data in a remote tier, which corelog cannot read", topic.name));
    }
}

/// The metadata's partitions against the directories.
fn placements(look: &Look, image: &MetadataImage, report: &mut Report) {
    let mut here = BTreeMap::new();
    for partition in look.partitions().filter(|found| found.kind == DirKind::Live) {
        if &*partition.partition.topic != CLUSTER_METADATA_TOPIC {
            here.insert((partition.partition.topic.to_string(), partition.partition.partition), partition);
        }
    }
    for topic in image.topics() {
        for index in topic.partitions.keys() {
            match here.remove(&(topic.name.to_string(), *index)) {
                None => report.plan(format!("{}-{index} has no directory: it is created empty", topic.name)),
                Some(found) if found.topic_id != Some(topic.id) => {
                    report.against(stray(&found.path, found.topic_id.is_some()));
                }
                Some(_) => {}
            }
        }
    }
    for found in here.values() {
        report.plan(format!("{} is not in the metadata: it stays where it is and is not served", found.path.display()));
    }
}

fn stray(path: &std::path::Path, has_id: bool) -> String {
    let why = if has_id { "has the id of another topic" } else { "has no topic id" };
    format!("{} {why}: a start would set it aside as -stray and begin an empty partition", path.display())
}

/// How each directory would be opened.
fn starts(look: &Look, report: &mut Report) {
    for dir in &look.dirs {
        let (partitions, unflushed) = (dir.partitions.len(), dir.unflushed_bytes);
        let shown = dir.path.display();
        if dir.clean {
            report.plan(format!("{shown} was stopped cleanly: its {partitions} partitions are opened as they are"));
        } else {
            report.plan(format!(
                "{shown} was not stopped cleanly: its {partitions} partitions are checked from their recovery points \
                 on, {unflushed} bytes at most; what a torn write left at their ends is cut off"
            ));
        }
    }
}
