//! A KRaft node out of a ZooKeeper-era one: what ZooKeeper held is found in the folders, given by the user, or assumed,
//! and each assumption is told. For nodes that were the only broker of their cluster.

use super::look::{DirLook, Look, PartitionLook};
use super::report::Report;
use super::topic_configs::TopicConfigs;
use crate::base::topic::CLUSTER_METADATA_TOPIC;
use crate::base::{LeaderEpoch, Offset, TimestampMs, Uuid};
use crate::config::Config;
use crate::config::meta_properties::{AnyMeta, META_PROPERTIES, MetaProperties};
use crate::log::checkpoint::{CLEANED, OffsetCheckpoint};
use crate::log::epochs::Epochs;
use crate::log::files::{FileKind, LEADER_EPOCH_CHECKPOINT, write_partition_metadata};
use crate::log::names::DirKind;
use crate::log::snapshot;
use crate::metadata::MetadataRecord;
use crate::metadata::store;
use crate::protocol::messages::{ConfigRecord, PartitionRecord, ProducerIdsRecord, TopicRecord};
use crate::ring::fs;
use crate::storage::features::Release;
use crate::storage::random_uuid;
use std::collections::BTreeMap;
use std::path::Path;

/// The release whose records are written: Apache Kafka 3.9 and all newer ones take the directory over from here.
const RELEASE: &str = "3.9-IV0";
/// What is left of the old `meta.properties`.
const OLD_META: &str = "meta.properties.zookeeper";
/// Producer ids are handed out in blocks of so many (`ProducerIdsBlock`).
const PRODUCER_ID_BLOCK: i64 = 1000;
/// The type of a topic's configuration in a ConfigRecord.
const TOPIC_RESOURCE: i8 = 2;

/// What `--check` says of such directories.
pub fn explain(look: &Look, report: &mut Report) {
    let _ = topics(look, report);
    report.plan(
        "corelog takeover makes a KRaft node of it first: topics are those that have folders, those without an id get \
         one, topic configurations come from --topic-configs",
    );
    report.plan(format!(
        "the way back is to KRaft only: Apache Kafka 3.9 and newer with process.roles=broker,controller, node.id and \
         controller.quorum.voters=<id>@<host>:<port> in its server.properties; {OLD_META} keeps what was there before"
    ));
    assumptions(report);
}

fn assumptions(report: &mut Report) {
    for what in [
        "this was the only broker of its cluster: every topic's partitions are all here",
        "ACLs, SCRAM users, quotas and dynamic broker configurations lie in ZooKeeper and are not taken over",
        "what was deleted in ZooKeeper has no folder any more",
    ] {
        report.assumption(what);
    }
}

/// One topic as the folders show it.
#[derive(Debug, Default)]
struct Topic<'a> {
    id: Option<Uuid>,
    partitions: BTreeMap<i32, (&'a DirLook, &'a PartitionLook)>,
}

/// The topics by name; what contradicts itself is told as standing against it.
fn topics<'a>(look: &'a Look, report: &mut Report) -> BTreeMap<String, Topic<'a>> {
    let mut topics: BTreeMap<String, Topic<'a>> = BTreeMap::new();
    for dir in &look.dirs {
        for found in dir.partitions.iter().filter(|found| found.kind == DirKind::Live) {
            if &*found.partition.topic == CLUSTER_METADATA_TOPIC {
                report.against(format!(
                    "{} is a KRaft node's metadata log: of which time is this node?",
                    found.path.display()
                ));
                continue;
            }
            let topic = topics.entry(found.partition.topic.to_string()).or_default();
            match (topic.id, found.topic_id) {
                (Some(known), Some(id)) if known != id => {
                    report.against(format!(
                        "{} has another topic id than its topic's other partitions",
                        found.path.display()
                    ));
                }
                (None, id) => topic.id = id,
                _ => {}
            }
            if let Some((_, other)) = topic.partitions.insert(found.partition.partition, (dir, found)) {
                report.against(format!("{} and {} are the same partition", other.path.display(), found.path.display()));
            }
        }
    }
    for (name, topic) in &topics {
        let expected = topic.partitions.last_key_value().map_or(0, |(last, _)| last + 1);
        if let Some(missing) = (0..expected).find(|index| !topic.partitions.contains_key(index)) {
            report.against(format!(
                "{name}-{missing} is in none of the directories although partitions after it are: other brokers held it, \
                 and only sole nodes can be taken over"
            ));
        }
    }
    let partitions: usize = topics.values().map(|topic| topic.partitions.len()).sum();
    let without = topics.values().filter(|topic| topic.id.is_none()).count();
    report.fact(format!("{} topics with {partitions} partitions, {without} of the topics without an id", topics.len()));
    topics
}

/// Writes what makes KRaft directories of them: `bootstrap.checkpoint` with topics, partitions and configurations,
/// `partition.metadata` where there is none, and last of all `meta.properties`. Interrupted, it can be run again.
///
/// # Errors
/// A sentence; what was written till then does no harm.
pub fn convert(
    config: &Config,
    look: &Look,
    configs: &TopicConfigs,
    now: TimestampMs,
    report: &mut Report,
) -> Result<(), String> {
    let _locks = look
        .dirs
        .iter()
        .map(|dir| fs::lock(&dir.path.join(".lock")).map_err(|error| format!("{}: {error}", dir.path.display())))
        .collect::<Result<Vec<_>, _>>()?;
    let metas = metas(config, look, report);
    let topics = topics(look, &mut Report::default());
    let mut records = Release::by_name(RELEASE)?.bootstrap_records(&[]);
    for (name, topic) in &topics {
        let id = topic.id.unwrap_or_else(random_uuid);
        if topic.id.is_none() {
            report.done(format!("topic {name} gets the id {id}"));
        }
        records.push(TopicRecord { name: name.as_str().into(), topic_id: id }.into());
        for (index, (dir, found)) in &topic.partitions {
            let directory = metas.get(&dir.path).and_then(|meta| meta.directory_id).unwrap_or(Uuid::ONE);
            records.push(partition(config.node.node_id, id, *index, directory, &found.path).into());
            if found.topic_id.is_none() {
                write_partition_metadata(&found.path, id).map_err(|e| format!("{}: {e}", found.path.display()))?;
                fs::sync_dir(&found.path).map_err(|e| format!("{}: {e}", found.path.display()))?;
            }
        }
        records.extend(topic_config(name, topic, configs, report));
    }
    if let Some(other) = configs.topics().find(|name| !topics.contains_key(*name)) {
        return Err(format!(
            "the topic configurations name {other}, which has no folder: is the file of this cluster?"
        ));
    }
    records.push(producer_ids(config.node.node_id, look, report)?);
    store::write_bootstrap_checkpoint(&config.metadata_log_dir, records, now).map_err(|error| error.to_string())?;
    report.done(format!(
        "{} topics were written to {}, with metadata.version {RELEASE}",
        topics.len(),
        config.metadata_log_dir.join(store::BOOTSTRAP_CHECKPOINT).display()
    ));
    // The metadata log's directory last: before it is converted, nothing starts.
    let (last, others): (Vec<_>, Vec<_>) =
        metas.iter().partition(|(path, _)| path.as_path() == config.metadata_log_dir);
    for (path, meta) in others.into_iter().chain(last) {
        write_meta(path, meta)?;
        report.done(format!(
            "{} is a KRaft node's now; the old file is {OLD_META}",
            path.join(META_PROPERTIES).display()
        ));
    }
    Ok(())
}

/// What each directory's `meta.properties` will say.
fn metas<'a>(config: &Config, look: &'a Look, report: &mut Report) -> BTreeMap<&'a std::path::PathBuf, MetaProperties> {
    let known = look.dirs.iter().find_map(|dir| match dir.meta.as_ref()? {
        AnyMeta::KRaft(meta) => Some(meta.cluster_id.clone()),
        AnyMeta::ZooKeeper(meta) => meta.cluster_id.clone(),
    });
    let cluster_id = known.unwrap_or_else(|| {
        let id = random_uuid().to_string();
        report.assumption(format!("no cluster id is known: it is {id} from now on"));
        id
    });
    let of = |dir: &'a DirLook| {
        let directory_id = match &dir.meta {
            Some(AnyMeta::KRaft(meta)) => meta.directory_id,
            Some(AnyMeta::ZooKeeper(meta)) => meta.directory_id,
            None => None,
        };
        let directory_id = Some(directory_id.unwrap_or_else(random_uuid));
        (&dir.path, MetaProperties { cluster_id: cluster_id.clone(), node_id: config.node.node_id, directory_id })
    };
    look.dirs.iter().map(of).collect()
}

fn write_meta(dir: &Path, meta: &MetaProperties) -> Result<(), String> {
    let file = dir.join(META_PROPERTIES);
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let old = fs::read(&file).map_err(failed)?;
    if matches!(AnyMeta::parse(&old), Ok(AnyMeta::ZooKeeper(_))) {
        fs::write_atomic(&dir.join(OLD_META), &old).map_err(failed)?;
    }
    fs::write_atomic(&file, meta.text().as_bytes()).map_err(failed)
}

/// A partition whose only replica is here, in an epoch after all it has seen.
fn partition(node: i32, topic: Uuid, index: i32, directory: Uuid, path: &Path) -> PartitionRecord {
    let epochs = fs::read(&path.join(LEADER_EPOCH_CHECKPOINT)).ok();
    let epochs = epochs.and_then(|bytes| Epochs::decode(&String::from_utf8_lossy(&bytes)));
    let seen = epochs.and_then(|epochs| epochs.latest()).map_or(LeaderEpoch(-1), |latest| latest.epoch);
    PartitionRecord {
        partition_id: index,
        topic_id: topic,
        replicas: vec![node],
        isr: vec![node],
        leader: node,
        leader_epoch: seen.0.saturating_add(1),
        partition_epoch: 0,
        directories: vec![directory],
        ..Default::default()
    }
}

/// The configuration of a topic: the user's, Kafka's own for internal topics, or what its folder betrays.
fn topic_config(name: &str, topic: &Topic<'_>, configs: &TopicConfigs, report: &mut Report) -> Vec<MetadataRecord> {
    let mut wanted: BTreeMap<String, String> = configs.of(name).cloned().unwrap_or_default();
    let mut assume = |key: &str, value: &str, report: &mut Report| {
        if !wanted.contains_key(key) {
            report.assumption(format!("topic {name} has {key}={value}"));
            wanted.insert(key.to_owned(), value.to_owned());
        }
    };
    let cleaned = topic.partitions.values().any(|(dir, found)| {
        OffsetCheckpoint::read(&dir.path, CLEANED).is_ok_and(|cleaned| cleaned.get(&found.partition).is_some())
    });
    match name {
        "__consumer_offsets" | "__transaction_state" => {
            assume("cleanup.policy", "compact", report);
            assume("compression.type", if name == "__consumer_offsets" { "producer" } else { "uncompressed" }, report);
            assume("segment.bytes", "104857600", report);
        }
        _ if cleaned && configs.of(name).is_none() => assume("cleanup.policy", "compact", report),
        _ if configs.of(name).is_none() => {
            report.assumption(format!("topic {name} has no configuration of its own: the broker's defaults hold"));
        }
        _ => {}
    }
    let record = |(key, value): (String, String)| {
        ConfigRecord {
            resource_type: TOPIC_RESOURCE,
            resource_name: name.into(),
            name: key.as_str().into(),
            value: Some(value.as_str().into()),
        }
        .into()
    };
    wanted.into_iter().map(record).collect()
}

/// The first producer id nobody has: ZooKeeper knew it; the producers' snapshots show what was used.
fn producer_ids(node: i32, look: &Look, report: &mut Report) -> Result<MetadataRecord, String> {
    let mut largest = -1;
    for found in look.partitions() {
        let failed = |error: std::io::Error| format!("{}: {error}", found.path.display());
        for entry in fs::read_dir(&found.path).map_err(failed)? {
            let Some((kind @ FileKind::Snapshot, offset)) = FileKind::parse(&entry.name) else { continue };
            let bytes = fs::read(&kind.path(&found.path, Offset(offset.0))).map_err(failed)?;
            let ids = snapshot::entries(&bytes).unwrap_or_default();
            largest = ids.into_iter().map(|(id, _)| id.0).fold(largest, i64::max);
        }
    }
    // One block on for ids handed out that no snapshot shows, one for the block that was being handed out.
    let next = (largest.max(0) / PRODUCER_ID_BLOCK + 2) * PRODUCER_ID_BLOCK;
    report.assumption(format!("producer ids from {next} on were never handed out (the largest in use is {largest})"));
    Ok(ProducerIdsRecord { broker_id: node, broker_epoch: -1, next_producer_id: next }.into())
}
