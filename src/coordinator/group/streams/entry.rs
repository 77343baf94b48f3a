//! The records of a streams group, types 17 and 19 to 23, as the state machine works with them and in Kafka's bytes
//! (`StreamsCoordinatorRecordHelpers`).

use super::tasks::{Held, TaskEpochs, TaskSets, Tasks};
use crate::coordinator::codec::{prefixed, read_value};
use crate::coordinator::group::consumer::TargetEpoch;
use crate::coordinator::group::effects::Record;
use crate::coordinator::group::records::own;
use crate::coordinator::group::str_of;
use crate::protocol::messages::streams_group_current_member_assignment_value::TaskIds as HeldIds;
use crate::protocol::messages::streams_group_member_metadata_value::{Endpoint, KeyValue};
use crate::protocol::messages::streams_group_metadata_value::LastAssignmentConfig;
use crate::protocol::messages::streams_group_target_assignment_member_value::TaskIds as TargetIds;
use crate::protocol::messages::{
    StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue, StreamsGroupMemberMetadataKey,
    StreamsGroupMemberMetadataValue, StreamsGroupMetadataKey, StreamsGroupMetadataValue,
    StreamsGroupTargetAssignmentMemberKey, StreamsGroupTargetAssignmentMemberValue,
    StreamsGroupTargetAssignmentMetadataKey, StreamsGroupTargetAssignmentMetadataValue, StreamsGroupTopologyKey,
    StreamsGroupTopologyValue,
};
use crate::protocol::{DecodeError, Decoder, Message};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Types of a key. 18 was one of development versions alone.
const EPOCH: i16 = 17;
const MEMBER: i16 = 19;
const TARGET_EPOCH: i16 = 20;
const TARGET: i16 = 21;
const CURRENT: i16 = 22;
const TOPOLOGY: i16 = 23;
/// The only version there is.
const VALUE_VERSION: i16 = 0;

/// The epoch of a group and what it was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEpoch {
    /// Rises with every change that asks for a new target.
    pub epoch: i32,
    /// The hash of the topology's topics.
    pub hash: i64,
    /// The epoch of the topology all of whose topics are as they must be; -1 for none.
    pub validated: i32,
    /// What the assignor was told besides, by name.
    pub assignment_configs: BTreeMap<Arc<str>, Arc<str>>,
}

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `group.instance.id`: in records only, members that send one are refused.
    pub instance_id: Option<Arc<str>>,
    /// `client.rack`.
    pub rack_id: Option<Arc<str>>,
    /// `client.id`.
    pub client_id: Arc<str>,
    /// The client's address as Java prints it.
    pub client_host: Arc<str>,
    /// How long it may take to give up tasks, in ms.
    pub rebalance_timeout_ms: i32,
    /// The epoch of the topology it runs.
    pub topology_epoch: i32,
    /// The process it is a thread of.
    pub process_id: Arc<str>,
    /// Where its state can be asked for: host and port.
    pub endpoint: Option<(Arc<str>, u16)>,
    /// Its tags, by key.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
}

/// How far a member is on its way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// It has what the target of its epoch gives it.
    Stable,
    /// It has to give up tasks before its epoch rises.
    UnrevokedTasks,
    /// It waits for tasks that others have not given up yet.
    UnreleasedTasks,
    /// A later version's state.
    Unknown,
}

impl MemberState {
    fn of(value: i8) -> Self {
        match value {
            1 => Self::Stable,
            2 => Self::UnrevokedTasks,
            3 => Self::UnreleasedTasks,
            _ => Self::Unknown,
        }
    }

    fn id(self) -> i8 {
        match self {
            Self::Stable => 1,
            Self::UnrevokedTasks => 2,
            Self::UnreleasedTasks => 3,
            Self::Unknown => 127,
        }
    }
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The epoch it has reached.
    pub epoch: i32,
    /// The one before.
    pub previous_epoch: i32,
    /// How far it is.
    pub state: MemberState,
    /// Its tasks.
    pub assigned: Held,
    /// What it was told to give up and has not yet.
    pub revoking: Held,
}

impl Default for Current {
    fn default() -> Self {
        Self {
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            assigned: Held::default(),
            revoking: Held::default(),
        }
    }
}

impl Current {
    /// True when nothing is left to be done for the target of `epoch`.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }
}

/// One record. `None` is its tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// The group itself.
    Epoch(Option<Rc<GroupEpoch>>),
    /// What the application consists of.
    Topology(Option<Rc<StreamsGroupTopologyValue>>),
    /// A member.
    Member(Arc<str>, Option<Rc<Metadata>>),
    /// Which epoch the targets are for.
    TargetEpoch(Option<TargetEpoch>),
    /// The target of a member.
    Target(Arc<str>, Option<Rc<Tasks>>),
    /// What a member has.
    Current(Arc<str>, Option<Rc<Current>>),
}

impl Entry {
    /// The record in bytes.
    pub fn record(&self, group: &str) -> Record {
        let group_id = str_of(group);
        let of_member = |id: &Arc<str>| (group_id.clone(), str_of(id));
        let (key, value) = match self {
            Self::Epoch(value) => (
                prefixed(EPOCH, &StreamsGroupMetadataKey { group_id }, 0),
                value.as_ref().map(|value| encode(&epoch_value(value))),
            ),
            Self::Topology(value) => (
                prefixed(TOPOLOGY, &StreamsGroupTopologyKey { group_id }, 0),
                value.as_ref().map(|value| encode(&**value)),
            ),
            Self::Member(id, value) => {
                let (group_id, member_id) = of_member(id);
                let key = StreamsGroupMemberMetadataKey { group_id, member_id };
                (prefixed(MEMBER, &key, 0), value.as_ref().map(|value| encode(&member_value(value))))
            }
            Self::TargetEpoch(value) => (
                prefixed(TARGET_EPOCH, &StreamsGroupTargetAssignmentMetadataKey { group_id }, 0),
                value.map(|value| {
                    encode(&StreamsGroupTargetAssignmentMetadataValue {
                        assignment_epoch: value.epoch,
                        assignment_timestamp: value.timestamp,
                    })
                }),
            ),
            Self::Target(id, value) => {
                let (group_id, member_id) = of_member(id);
                let key = StreamsGroupTargetAssignmentMemberKey { group_id, member_id };
                (prefixed(TARGET, &key, 0), value.as_ref().map(|value| encode(&target_value(value))))
            }
            Self::Current(id, value) => {
                let (group_id, member_id) = of_member(id);
                let key = StreamsGroupCurrentMemberAssignmentKey { group_id, member_id };
                (prefixed(CURRENT, &key, 0), value.as_ref().map(|value| encode(&current_value(value))))
            }
        };
        Record { key, value }
    }

    /// Reads a record whose key, of type `kind`, goes on in `key`: the group and the entry. `None` for other types.
    ///
    /// # Errors
    /// Bytes that are no such record.
    pub fn read(kind: i16, key: &mut Decoder, value: Option<&Bytes>) -> Result<Option<(Arc<str>, Self)>, DecodeError> {
        Ok(Some(match kind {
            EPOCH => {
                let key = StreamsGroupMetadataKey::decode(key, 0)?;
                (own(&key.group_id), Self::Epoch(map(value, |value| Rc::new(read_epoch(&value)))?))
            }
            TOPOLOGY => {
                let key = StreamsGroupTopologyKey::decode(key, 0)?;
                let value = map(value, |value: StreamsGroupTopologyValue| Rc::new(super::topology::copied(&value)))?;
                (own(&key.group_id), Self::Topology(value))
            }
            MEMBER => {
                let key = StreamsGroupMemberMetadataKey::decode(key, 0)?;
                let value = map(value, |value| Rc::new(read_member(&value)))?;
                (own(&key.group_id), Self::Member(own(&key.member_id), value))
            }
            TARGET_EPOCH => {
                let key = StreamsGroupTargetAssignmentMetadataKey::decode(key, 0)?;
                let value = map(value, |value: StreamsGroupTargetAssignmentMetadataValue| TargetEpoch {
                    epoch: value.assignment_epoch,
                    timestamp: value.assignment_timestamp,
                })?;
                (own(&key.group_id), Self::TargetEpoch(value))
            }
            TARGET => {
                let key = StreamsGroupTargetAssignmentMemberKey::decode(key, 0)?;
                let value = map(value, |value: StreamsGroupTargetAssignmentMemberValue| {
                    Rc::new(Tasks {
                        active: read_target(&value.active_tasks),
                        standby: read_target(&value.standby_tasks),
                        warmup: read_target(&value.warmup_tasks),
                    })
                })?;
                (own(&key.group_id), Self::Target(own(&key.member_id), value))
            }
            CURRENT => {
                let key = StreamsGroupCurrentMemberAssignmentKey::decode(key, 0)?;
                let value = map(value, |value| Rc::new(read_current(&value)))?;
                (own(&key.group_id), Self::Current(own(&key.member_id), value))
            }
            _ => return Ok(None),
        }))
    }

    /// False for a tombstone.
    pub fn is_value(&self) -> bool {
        match self {
            Self::Epoch(value) => value.is_some(),
            Self::Topology(value) => value.is_some(),
            Self::Member(_, value) => value.is_some(),
            Self::TargetEpoch(value) => value.is_some(),
            Self::Target(_, value) => value.is_some(),
            Self::Current(_, value) => value.is_some(),
        }
    }
}

fn map<M: Message, T>(value: Option<&Bytes>, f: impl FnOnce(M) -> T) -> Result<Option<T>, DecodeError> {
    value.map(|value| read_value::<M>(value).map(f)).transpose()
}

fn encode<M: Message>(value: &M) -> Bytes {
    prefixed(VALUE_VERSION, value, VALUE_VERSION)
}

fn epoch_value(value: &GroupEpoch) -> StreamsGroupMetadataValue {
    let config = |(key, value): (&Arc<str>, &Arc<str>)| LastAssignmentConfig { key: str_of(key), value: str_of(value) };
    StreamsGroupMetadataValue {
        epoch: value.epoch,
        metadata_hash: value.hash,
        validated_topology_epoch: value.validated,
        last_assignment_configs: Some(value.assignment_configs.iter().map(config).collect()),
    }
}

fn read_epoch(value: &StreamsGroupMetadataValue) -> GroupEpoch {
    let configs = value.last_assignment_configs.iter().flatten();
    GroupEpoch {
        epoch: value.epoch,
        hash: value.metadata_hash,
        validated: value.validated_topology_epoch,
        assignment_configs: configs.map(|config| (own(&config.key), own(&config.value))).collect(),
    }
}

fn member_value(member: &Metadata) -> StreamsGroupMemberMetadataValue {
    let tag = |(key, value): (&Arc<str>, &Arc<str>)| KeyValue { key: str_of(key), value: str_of(value) };
    StreamsGroupMemberMetadataValue {
        instance_id: member.instance_id.as_deref().map(str_of),
        rack_id: member.rack_id.as_deref().map(str_of),
        client_id: str_of(&member.client_id),
        client_host: str_of(&member.client_host),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        topology_epoch: member.topology_epoch,
        process_id: str_of(&member.process_id),
        user_endpoint: member.endpoint.as_ref().map(|(host, port)| Endpoint { host: str_of(host), port: *port }),
        client_tags: member.tags.iter().map(tag).collect(),
    }
}

fn read_member(value: &StreamsGroupMemberMetadataValue) -> Metadata {
    Metadata {
        instance_id: value.instance_id.as_deref().map(own),
        rack_id: value.rack_id.as_deref().map(own),
        client_id: own(&value.client_id),
        client_host: own(&value.client_host),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        topology_epoch: value.topology_epoch,
        process_id: own(&value.process_id),
        endpoint: value.user_endpoint.as_ref().map(|endpoint| (own(&endpoint.host), endpoint.port)),
        tags: value.client_tags.iter().map(|tag| (own(&tag.key), own(&tag.value))).collect(),
    }
}

fn target_value(tasks: &Tasks) -> StreamsGroupTargetAssignmentMemberValue {
    let ids = |tasks: &TaskSets| {
        let ids = |(subtopology, all): (&Arc<str>, &std::collections::BTreeSet<i32>)| TargetIds {
            subtopology_id: str_of(subtopology),
            partitions: all.iter().copied().collect(),
        };
        tasks.iter().map(ids).collect()
    };
    StreamsGroupTargetAssignmentMemberValue {
        active_tasks: ids(&tasks.active),
        standby_tasks: ids(&tasks.standby),
        warmup_tasks: ids(&tasks.warmup),
    }
}

fn read_target(tasks: &[TargetIds]) -> TaskSets {
    tasks.iter().map(|ids| (own(&ids.subtopology_id), ids.partitions.iter().copied().collect())).collect()
}

fn current_value(current: &Current) -> StreamsGroupCurrentMemberAssignmentValue {
    let with_epochs = |tasks: &TaskEpochs| {
        let ids = |(subtopology, epochs): (&Arc<str>, &BTreeMap<i32, i32>)| HeldIds {
            subtopology_id: str_of(subtopology),
            partitions: epochs.keys().copied().collect(),
            assignment_epochs: Some(epochs.values().copied().collect()),
        };
        tasks.iter().map(ids).collect()
    };
    let plain = |tasks: &TaskSets| {
        let ids = |(subtopology, all): (&Arc<str>, &std::collections::BTreeSet<i32>)| HeldIds {
            subtopology_id: str_of(subtopology),
            partitions: all.iter().copied().collect(),
            assignment_epochs: None,
        };
        tasks.iter().map(ids).collect()
    };
    StreamsGroupCurrentMemberAssignmentValue {
        member_epoch: current.epoch,
        previous_member_epoch: current.previous_epoch,
        state: current.state.id(),
        active_tasks: with_epochs(&current.assigned.active),
        standby_tasks: plain(&current.assigned.standby),
        warmup_tasks: plain(&current.assigned.warmup),
        active_tasks_pending_revocation: with_epochs(&current.revoking.active),
        standby_tasks_pending_revocation: plain(&current.revoking.standby),
        warmup_tasks_pending_revocation: plain(&current.revoking.warmup),
    }
}

fn read_current(value: &StreamsGroupCurrentMemberAssignmentValue) -> Current {
    // Older versions wrote no epochs: the tasks count as got in the member's.
    let with_epochs = |tasks: &[HeldIds]| -> TaskEpochs {
        let ids = |ids: &HeldIds| {
            let epochs = ids.assignment_epochs.as_ref().filter(|epochs| epochs.len() == ids.partitions.len());
            let epoch = |at: usize| epochs.and_then(|epochs| epochs.get(at)).copied().unwrap_or(value.member_epoch);
            let all = ids.partitions.iter().enumerate().map(|(at, partition)| (*partition, epoch(at)));
            (own(&ids.subtopology_id), all.collect())
        };
        tasks.iter().map(ids).collect()
    };
    let plain = |tasks: &[HeldIds]| -> TaskSets {
        tasks.iter().map(|ids| (own(&ids.subtopology_id), ids.partitions.iter().copied().collect())).collect()
    };
    Current {
        epoch: value.member_epoch,
        previous_epoch: value.previous_member_epoch,
        state: MemberState::of(value.state),
        assigned: Held {
            active: with_epochs(&value.active_tasks),
            standby: plain(&value.standby_tasks),
            warmup: plain(&value.warmup_tasks),
        },
        revoking: Held {
            active: with_epochs(&value.active_tasks_pending_revocation),
            standby: plain(&value.standby_tasks_pending_revocation),
            warmup: plain(&value.warmup_tasks_pending_revocation),
        },
    }
}
