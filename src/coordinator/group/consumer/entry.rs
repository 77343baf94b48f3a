//! The records of a consumer group, types 3 to 8 and 16, as the state machine works with them and in Kafka's bytes
//! (`GroupCoordinatorRecordHelpers`).

use super::member::{ClassicMetadata, ConsumerMember, MemberState};
use super::partitions::{Owned, Partitions};
use crate::base::Uuid;
use crate::coordinator::codec::{prefixed, read_value};
use crate::coordinator::group::effects::Record;
use crate::coordinator::group::member::Protocol;
use crate::coordinator::group::records::own;
use crate::coordinator::group::str_of;
use crate::protocol::messages::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::protocol::messages::consumer_group_member_metadata_value::{ClassicMemberMetadata, ClassicProtocol};
use crate::protocol::messages::consumer_group_target_assignment_member_value::TopicPartition;
use crate::protocol::messages::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey, ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey, ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
};
use crate::protocol::{DecodeError, Decoder, Message, Str};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Types of a key.
const EPOCH: i16 = 3;
const OLD_METADATA: i16 = 4;
const SUBSCRIPTION: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;
/// The only version there is.
const VALUE_VERSION: i16 = 0;

/// The epoch of a group and what it was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupEpoch {
    /// Rises with every change that asks for a new target.
    pub epoch: i32,
    /// See [`super::hash`]; 0 in records of older versions.
    pub hash: i64,
}

/// The epoch of a target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetEpoch {
    /// The group's epoch that it is for; -1 after its end.
    pub epoch: i32,
    /// When it was computed, in wall-clock ms; 0 unknown.
    pub timestamp: i64,
}

/// The topics a pattern stands for (`ResolvedRegularExpression`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Names of topics.
    pub topics: BTreeSet<Arc<str>>,
    /// The offset of the metadata image they were looked up in.
    pub version: i64,
    /// When, in wall-clock ms.
    pub timestamp: i64,
}

/// One record. `None` is its tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// The group itself.
    Epoch(Option<GroupEpoch>),
    /// What older versions kept of topics: only its end is ever written.
    OldMetadata(bool),
    /// What a member says of itself; the rest of the value is not looked at.
    Subscription(Arc<str>, Option<Rc<ConsumerMember>>),
    /// Which epoch the targets are for.
    TargetEpoch(Option<TargetEpoch>),
    /// The target of a member.
    Target(Arc<str>, Option<Rc<Partitions>>),
    /// What a member has; the rest of the value is not looked at.
    Current(Arc<str>, Option<Rc<ConsumerMember>>),
    /// What a pattern stands for.
    Regex(Arc<str>, Option<Rc<Resolved>>),
}

impl Entry {
    /// The record in bytes.
    pub fn record(&self, group: &str) -> Record {
        let group_id = str_of(group);
        let of_member = |id: &Arc<str>| (group_id.clone(), str_of(id));
        let (key, value) = match self {
            Self::Epoch(value) => (
                prefixed(EPOCH, &ConsumerGroupMetadataKey { group_id }, 0),
                value.map(|v| encode(&ConsumerGroupMetadataValue { epoch: v.epoch, metadata_hash: v.hash })),
            ),
            Self::OldMetadata(_) => (prefixed(OLD_METADATA, &ConsumerGroupPartitionMetadataKey { group_id }, 0), None),
            Self::Subscription(id, member) => {
                let (group_id, member_id) = of_member(id);
                let key = ConsumerGroupMemberMetadataKey { group_id, member_id };
                (prefixed(SUBSCRIPTION, &key, 0), member.as_ref().map(|m| encode(&subscription_value(m))))
            }
            Self::TargetEpoch(value) => (
                prefixed(TARGET_EPOCH, &ConsumerGroupTargetAssignmentMetadataKey { group_id }, 0),
                value.map(|v| {
                    encode(&ConsumerGroupTargetAssignmentMetadataValue {
                        assignment_epoch: v.epoch,
                        assignment_timestamp: v.timestamp,
                    })
                }),
            ),
            Self::Target(id, partitions) => {
                let (group_id, member_id) = of_member(id);
                let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id };
                (prefixed(TARGET, &key, 0), partitions.as_ref().map(|p| encode(&target_value(p))))
            }
            Self::Current(id, member) => {
                let (group_id, member_id) = of_member(id);
                let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id };
                (prefixed(CURRENT, &key, 0), member.as_ref().map(|m| encode(&current_value(m))))
            }
            Self::Regex(regex, resolved) => {
                let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression: str_of(regex) };
                (prefixed(REGEX, &key, 0), resolved.as_ref().map(|r| encode(&regex_value(r))))
            }
        };
        Record { key, value }
    }

    /// Reads a record whose key, of type `kind`, goes on in `key`: the group and the entry. `None` for other types.
    pub fn read(kind: i16, key: &mut Decoder, value: Option<&Bytes>) -> Result<Option<(Arc<str>, Self)>, DecodeError> {
        let (group, entry) = match kind {
            EPOCH => {
                let key = ConsumerGroupMetadataKey::decode(key, 0)?;
                let value: Option<ConsumerGroupMetadataValue> = value.map(read_value).transpose()?;
                (key.group_id, Self::Epoch(value.map(|v| GroupEpoch { epoch: v.epoch, hash: v.metadata_hash })))
            }
            OLD_METADATA => {
                let key = ConsumerGroupPartitionMetadataKey::decode(key, 0)?;
                (key.group_id, Self::OldMetadata(value.is_some()))
            }
            SUBSCRIPTION => {
                let key = ConsumerGroupMemberMetadataKey::decode(key, 0)?;
                let id = own(&key.member_id);
                let value = value.map(read_value).transpose()?;
                let member = value.map(|v| Rc::new(subscribed_member(id.clone(), &v)));
                (key.group_id, Self::Subscription(id, member))
            }
            TARGET_EPOCH => {
                let key = ConsumerGroupTargetAssignmentMetadataKey::decode(key, 0)?;
                let value: Option<ConsumerGroupTargetAssignmentMetadataValue> = value.map(read_value).transpose()?;
                let value = value.map(|v| TargetEpoch { epoch: v.assignment_epoch, timestamp: v.assignment_timestamp });
                (key.group_id, Self::TargetEpoch(value))
            }
            TARGET => {
                let key = ConsumerGroupTargetAssignmentMemberKey::decode(key, 0)?;
                let value: Option<ConsumerGroupTargetAssignmentMemberValue> = value.map(read_value).transpose()?;
                let partitions = value.map(|v| {
                    Rc::new(
                        v.topic_partitions
                            .iter()
                            .map(|t| (t.topic_id, t.partitions.iter().copied().collect()))
                            .collect(),
                    )
                });
                (key.group_id, Self::Target(own(&key.member_id), partitions))
            }
            CURRENT => {
                let key = ConsumerGroupCurrentMemberAssignmentKey::decode(key, 0)?;
                let id = own(&key.member_id);
                let value = value.map(read_value).transpose()?;
                let member = value.map(|v| Rc::new(current_member(id.clone(), &v)));
                (key.group_id, Self::Current(id, member))
            }
            REGEX => {
                let key = ConsumerGroupRegularExpressionKey::decode(key, 0)?;
                let value: Option<ConsumerGroupRegularExpressionValue> = value.map(read_value).transpose()?;
                let resolved = value.map(|v| {
                    let topics = v.topics.iter().map(|topic| own(topic)).collect();
                    Rc::new(Resolved { topics, version: v.version, timestamp: v.timestamp })
                });
                (key.group_id, Self::Regex(own(&key.regular_expression), resolved))
            }
            _ => return Ok(None),
        };
        Ok(Some((own(&group), entry)))
    }

    /// True for a record that says that its group exists.
    pub fn is_value(&self) -> bool {
        match self {
            Self::Epoch(value) => value.is_some(),
            Self::OldMetadata(exists) => *exists,
            Self::Subscription(_, member) | Self::Current(_, member) => member.is_some(),
            Self::TargetEpoch(value) => value.is_some(),
            Self::Target(_, partitions) => partitions.is_some(),
            Self::Regex(_, resolved) => resolved.is_some(),
        }
    }
}

fn encode<M: Message>(value: &M) -> Bytes {
    prefixed(VALUE_VERSION, value, VALUE_VERSION)
}

fn subscription_value(member: &ConsumerMember) -> ConsumerGroupMemberMetadataValue {
    let text = |value: &Option<Arc<str>>| value.as_deref().map(str_of);
    ConsumerGroupMemberMetadataValue {
        instance_id: text(&member.instance_id),
        rack_id: text(&member.rack_id),
        client_id: str_of(&member.client_id),
        client_host: str_of(&member.client_host),
        subscribed_topic_names: member.topics.iter().map(|topic| str_of(topic)).collect(),
        subscribed_topic_regex: Some(str_of(&member.regex)),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        server_assignor: text(&member.assignor),
        classic_member_metadata: member.classic.as_ref().map(|classic| ClassicMemberMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            supported_protocols: classic
                .protocols
                .iter()
                .map(|p| ClassicProtocol { name: str_of(&p.name), metadata: p.metadata.clone() })
                .collect(),
        }),
    }
}

fn subscribed_member(id: Arc<str>, value: &ConsumerGroupMemberMetadataValue) -> ConsumerMember {
    let text = |value: &Option<Str>| value.as_deref().map(own);
    ConsumerMember {
        instance_id: text(&value.instance_id),
        rack_id: text(&value.rack_id),
        client_id: own(&value.client_id),
        client_host: own(&value.client_host),
        topics: Rc::new(value.subscribed_topic_names.iter().map(|topic| own(topic)).collect()),
        regex: own(value.subscribed_topic_regex.as_deref().unwrap_or("")),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        assignor: text(&value.server_assignor),
        classic: value.classic_member_metadata.as_ref().map(|classic| ClassicMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic
                .supported_protocols
                .iter()
                .map(|p| Protocol { name: own(&p.name), metadata: Bytes::copy_from_slice(&p.metadata) })
                .collect(),
        }),
        ..ConsumerMember::new(id)
    }
}

fn target_value(partitions: &Partitions) -> ConsumerGroupTargetAssignmentMemberValue {
    let topic = |(topic_id, all): (&Uuid, &BTreeSet<i32>)| TopicPartition {
        topic_id: *topic_id,
        partitions: all.iter().copied().collect(),
    };
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions: partitions.iter().map(topic).collect() }
}

fn current_value(member: &ConsumerMember) -> ConsumerGroupCurrentMemberAssignmentValue {
    let topics = |owned: &Owned| {
        let topic = |(topic_id, epochs): (&Uuid, &std::collections::BTreeMap<i32, i32>)| TopicPartitions {
            topic_id: *topic_id,
            partitions: epochs.keys().copied().collect(),
            assignment_epochs: Some(epochs.values().copied().collect()),
        };
        owned.iter().map(topic).collect()
    };
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: member.epoch,
        previous_member_epoch: member.previous_epoch,
        state: member.state.id(),
        assigned_partitions: topics(&member.assigned),
        partitions_pending_revocation: topics(&member.revoking),
    }
}

fn regex_value(resolved: &Resolved) -> ConsumerGroupRegularExpressionValue {
    ConsumerGroupRegularExpressionValue {
        topics: resolved.topics.iter().map(|topic| str_of(topic)).collect(),
        version: resolved.version,
        timestamp: resolved.timestamp,
    }
}

fn current_member(id: Arc<str>, value: &ConsumerGroupCurrentMemberAssignmentValue) -> ConsumerMember {
    let default_epoch = value.member_epoch.max(0);
    let owned = |topics: &[TopicPartitions]| -> Rc<Owned> {
        let topic = |t: &TopicPartitions| {
            let known = t.assignment_epochs.as_ref().filter(|epochs| epochs.len() == t.partitions.len());
            let epochs = match known {
                Some(epochs) => t.partitions.iter().copied().zip(epochs.iter().copied()).collect(),
                // Versions before 4.2 wrote none.
                None => t.partitions.iter().map(|partition| (*partition, default_epoch)).collect(),
            };
            (t.topic_id, epochs)
        };
        Rc::new(topics.iter().map(topic).collect())
    };
    ConsumerMember {
        epoch: value.member_epoch,
        previous_epoch: value.previous_member_epoch,
        state: MemberState::of(value.state),
        assigned: owned(&value.assigned_partitions),
        revoking: owned(&value.partitions_pending_revocation),
        ..ConsumerMember::new(id)
    }
}
