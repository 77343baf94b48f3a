//! A broker comes and goes: registration, unfencing, controlled shutdown. On a standalone node the broker is this one,
//! and the records are those that Apache Kafka writes for it, so that either finds what it expects.

use super::Decision;
use crate::base::{BrokerId, Offset, TopicIdPartition, Uuid};
use crate::metadata::{
    BrokerEndpoint, BrokerRegistration, FeatureRange, MetadataImage, MetadataRecord, PartitionRegistration, features,
};
use crate::protocol::messages::{
    BrokerRegistrationChangeRecord, PartitionChangeRecord, RegisterBrokerRecord, register_broker_record,
};
use std::sync::Arc;

/// The feature under which a broker that leaves an in-sync set stays eligible (KIP-966).
const ELR: &str = "eligible.leader.replicas.version";

/// What a starting broker says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerStart {
    /// `node.id`.
    pub id: BrokerId,
    /// New for each start of the process.
    pub incarnation_id: Uuid,
    /// What clients are told, one per listener.
    pub endpoints: Vec<BrokerEndpoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// The ids of its log dirs.
    pub log_dirs: Vec<Uuid>,
}

/// Registers a broker, fenced. The answer is its epoch: the offset its record gets, which is `next_offset`.
pub fn register_broker(image: &MetadataImage, start: &BrokerStart, next_offset: Offset) -> Decision<i64> {
    let epoch = next_offset.0;
    let endpoint = |e: &BrokerEndpoint| register_broker_record::BrokerEndpoint {
        name: (&*e.listener).into(),
        host: (&*e.host).into(),
        port: e.port,
        security_protocol: e.security_protocol,
    };
    let ranges = features::REGISTERED.iter().map(|f| FeatureRange { name: f.name.into(), min: f.min, max: f.max });
    let feature = |f: FeatureRange| register_broker_record::BrokerFeature {
        name: (&*f.name).into(),
        min_supported_version: f.min,
        max_supported_version: f.max,
    };
    let version = image.metadata_version();
    let mut log_dirs = if version >= 17 { start.log_dirs.clone() } else { Vec::new() };
    log_dirs.sort();
    let record = RegisterBrokerRecord {
        broker_id: start.id.0,
        incarnation_id: start.incarnation_id,
        broker_epoch: epoch,
        end_points: start.endpoints.iter().map(endpoint).collect(),
        features: ranges.map(feature).collect(),
        rack: start.rack.as_deref().map(Into::into),
        fenced: true,
        log_dirs,
        cordoned_log_dirs: (version >= 30).then(Vec::new),
        ..Default::default()
    };
    Decision { records: vec![record.into()], response: epoch }
}

/// Puts `broker` in service: it is unfenced, every other broker is fenced (a standalone node hears of none), and it
/// leads each of its partitions that it may lead. Each gets a new leader epoch, so that nothing written before this
/// start passes for something written after it.
pub fn unfence_broker(image: &MetadataImage, broker: BrokerId) -> Decision<()> {
    let mut records: Vec<MetadataRecord> = Vec::new();
    for other in image.live_brokers().filter(|other| other.id != broker) {
        records.push(fencing(other.id, other.epoch, 1));
    }
    let Some(own) = image.broker(broker) else { return Decision { records, response: () } };
    records.push(fencing(broker, own.epoch, -1));
    let elr_enabled = image.feature(ELR) > 0;
    for topic in image.topics() {
        for (index, partition) in &topic.partitions {
            records.extend(elect(partition, broker, elr_enabled).map(|change| {
                MetadataRecord::from(PartitionChangeRecord { partition_id: *index, topic_id: topic.id, ..change })
            }));
        }
    }
    Decision { records, response: () }
}

/// `broker` can use only the directories `online` from now on (KIP-858); others hold no new replicas.
pub fn change_log_dirs(image: &MetadataImage, broker: BrokerId, mut online: Vec<Uuid>) -> Decision<()> {
    online.sort();
    let own = image.broker(broker).filter(|own| image.metadata_version() >= 17 && own.log_dirs != online);
    let change = own.map(|own| BrokerRegistrationChangeRecord {
        broker_id: broker.0,
        broker_epoch: own.epoch,
        log_dirs: online,
        ..Default::default()
    });
    Decision { records: change.map(MetadataRecord::from).into_iter().collect(), response: () }
}

/// `broker` places no new replicas in the directories `cordoned` from now on (KIP-1066). Before metadata.version 4.3-IV0
/// the metadata cannot say so.
pub fn change_cordoned_dirs(image: &MetadataImage, broker: BrokerId, mut cordoned: Vec<Uuid>) -> Decision<()> {
    cordoned.sort();
    let known = |own: &&Arc<BrokerRegistration>| own.cordoned_log_dirs.as_deref().unwrap_or_default() == cordoned;
    let own = image.broker(broker).filter(|own| image.metadata_version() >= 30 && !known(own));
    let change = own.map(|own| BrokerRegistrationChangeRecord {
        broker_id: broker.0,
        broker_epoch: own.epoch,
        cordoned_log_dirs: Some(cordoned.clone()),
        ..Default::default()
    });
    Decision { records: change.map(MetadataRecord::from).into_iter().collect(), response: () }
}

/// The replica of `broker` lies in `directory` now (AssignReplicasToDirs).
pub fn assign_directory(
    image: &MetadataImage,
    id: TopicIdPartition,
    broker: BrokerId,
    directory: Uuid,
) -> Decision<()> {
    let known = image.partition(&id).filter(|_| image.metadata_version() >= 17);
    let changed = known.and_then(|partition| {
        let at = partition.replicas.iter().position(|replica| *replica == broker)?;
        let mut directories = partition.directories.clone();
        directories.resize(partition.replicas.len(), Uuid::ZERO);
        let before = std::mem::replace(directories.get_mut(at)?, directory);
        (before != directory).then_some(directories)
    });
    let change = changed.map(|directories| PartitionChangeRecord {
        partition_id: id.partition,
        topic_id: id.topic_id,
        directories: Some(directories),
        ..Default::default()
    });
    Decision { records: change.map(MetadataRecord::from).into_iter().collect(), response: () }
}

fn fencing(broker: BrokerId, epoch: i64, fenced: i8) -> MetadataRecord {
    BrokerRegistrationChangeRecord { broker_id: broker.0, broker_epoch: epoch, fenced, ..Default::default() }.into()
}

/// `broker` is the only one in service. It leads if it was in sync, was eligible, or is the only replica there is;
/// where it may not, nobody leads.
fn elect(partition: &PartitionRegistration, broker: BrokerId, elr_enabled: bool) -> Option<PartitionChangeRecord> {
    let eligible = partition.isr.contains(&broker)
        || partition.elr.contains(&broker)
        || partition.isr.is_empty() && partition.elr.is_empty() && partition.last_known_elr == [broker]
        || partition.replicas == [broker];
    if !eligible {
        let led = partition.leader != BrokerId::NONE;
        return led.then(|| PartitionChangeRecord { leader: BrokerId::NONE.0, ..Default::default() });
    }
    let mut change = PartitionChangeRecord { leader: broker.0, ..Default::default() };
    if partition.isr != [broker] {
        change.isr = Some(vec![broker.0]);
    }
    if elr_enabled && !partition.elr.is_empty() {
        change.eligible_leader_replicas = Some(Vec::new());
    }
    if elr_enabled && !partition.last_known_elr.is_empty() {
        change.last_known_elr = Some(Vec::new());
    }
    Some(change)
}

/// A clean stop of `broker`: it hands over what it leads (to nobody, on a standalone node) and is fenced, so that the
/// next start, also Apache Kafka's, need not wait for a session to end.
pub fn shut_down_broker(image: &MetadataImage, broker: BrokerId) -> Decision<()> {
    let Some(own) = image.broker(broker).filter(|own| !own.fenced) else { return Decision::unchanged(()) };
    let mut records: Vec<MetadataRecord> = Vec::new();
    if image.metadata_version() >= 7 {
        records.push(
            BrokerRegistrationChangeRecord {
                broker_id: broker.0,
                broker_epoch: own.epoch,
                in_controlled_shutdown: 1,
                ..Default::default()
            }
            .into(),
        );
    }
    let elr_enabled = image.feature(ELR) > 0;
    for topic in image.topics() {
        for (index, partition) in topic.partitions.iter().filter(|(_, partition)| partition.leader == broker) {
            let mut change = PartitionChangeRecord {
                partition_id: *index,
                topic_id: topic.id,
                leader: BrokerId::NONE.0,
                ..Default::default()
            };
            if elr_enabled && partition.isr == [broker] {
                change.isr = Some(Vec::new());
                change.eligible_leader_replicas = Some(vec![broker.0]);
                change.last_known_elr = Some(vec![broker.0]);
            }
            records.push(change.into());
        }
    }
    records.push(fencing(broker, own.epoch, 1));
    Decision { records, response: () }
}
