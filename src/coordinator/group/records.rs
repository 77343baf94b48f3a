//! Records of `__consumer_offsets` in Kafka's bytes (`GroupCoordinatorRecordHelpers`,
//! `GroupCoordinatorRecordSerde`): a key is its type and its fields, a value its version and its
//! fields.

use super::classic::ClassicGroup;
use super::consumer::Entry;
use super::effects::Record;
use super::offsets::{Key, OffsetAndMetadata};
use super::str_of;
use crate::base::TimestampMs;
use crate::coordinator::codec::{prefixed, read_value};
use crate::protocol::messages::group_metadata_value::MemberMetadata;
use crate::protocol::messages::{GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue};
use crate::protocol::{DecodeError, Decoder, Message};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// Types of a key. 0 and 1 have the same fields.
const OFFSET_COMMIT_LEGACY: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// What Kafka 4.3 writes.
const OFFSET_COMMIT_VALUE_VERSION: i16 = 4;
/// The only version with an expire timestamp.
const OFFSET_COMMIT_VALUE_VERSION_EXPIRING: i16 = 1;
const GROUP_METADATA_VALUE_VERSION: i16 = 3;

/// A record as the state machine reads it.
#[derive(Debug, PartialEq)]
pub enum Replayed {
    /// An offset, or its end.
    Offset(Key, Option<OffsetCommitValue>),
    /// A classic group, or its end.
    Group(Arc<str>, Option<GroupMetadataValue>),
    /// Something of a consumer group.
    Consumer(Arc<str>, Entry),
    /// Something of a share group.
    Share(Arc<str>, super::share::Entry),
    /// Something of a streams group.
    Streams(Arc<str>, super::streams::Entry),
    /// Something else of a type not served here.
    Other(i16),
}

/// Reads a record's key and value.
pub fn read(key: &Bytes, value: Option<&Bytes>) -> Result<Replayed, DecodeError> {
    let mut decoder = Decoder::new(key.clone());
    let kind = decoder.i16()?;
    match kind {
        OFFSET_COMMIT_LEGACY | OFFSET_COMMIT => {
            let key = OffsetCommitKey::decode(&mut decoder, 0)?;
            let key = Key { group: own(&key.group), topic: own(&key.topic), partition: key.partition };
            Ok(Replayed::Offset(key, value.map(read_value).transpose()?))
        }
        GROUP_METADATA => {
            let key = GroupMetadataKey::decode(&mut decoder, 0)?;
            Ok(Replayed::Group(own(&key.group), value.map(read_value).transpose()?))
        }
        kind if super::share::KINDS.contains(&kind) => Ok(match super::share::read(kind, &mut decoder, value)? {
            Some((group, entry)) => Replayed::Share(group, entry),
            None => Replayed::Other(kind),
        }),
        kind if super::streams::KINDS.contains(&kind) => {
            Ok(match super::streams::Entry::read(kind, &mut decoder, value)? {
                Some((group, entry)) => Replayed::Streams(group, entry),
                None => Replayed::Other(kind),
            })
        }
        other => Ok(match Entry::read(other, &mut decoder, value)? {
            Some((group, entry)) => Replayed::Consumer(group, entry),
            None => Replayed::Other(other),
        }),
    }
}

pub(super) fn own(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn group_key(id: &str) -> Bytes {
    prefixed(GROUP_METADATA, &GroupMetadataKey { group: str_of(id) }, 0)
}

fn offset_key(group: &str, topic: &str, partition: i32) -> Bytes {
    let key = OffsetCommitKey { group: str_of(group), topic: str_of(topic), partition };
    prefixed(OFFSET_COMMIT, &key, 0)
}

/// A group that has just come into being.
pub fn empty_group(group: &ClassicGroup) -> Record {
    let value = GroupMetadataValue {
        protocol: None,
        leader: None,
        current_state_timestamp: group.state_since.unwrap_or(TimestampMs::NONE).0,
        ..Default::default()
    };
    Record { key: group_key(&group.id), value: Some(group_value(&value)) }
}

/// A group with its members and `assignment`.
pub fn group(group: &ClassicGroup, assignment: &HashMap<Arc<str>, Bytes>) -> Record {
    let protocol = group.protocol_name.as_deref();
    let members = group.members().map(|m| MemberMetadata {
        member_id: str_of(&m.id),
        group_instance_id: m.instance_id.as_deref().map(str_of),
        client_id: str_of(&m.client_id),
        client_host: str_of(&m.client_host),
        rebalance_timeout: m.rebalance_timeout_ms,
        session_timeout: m.session_timeout_ms,
        subscription: protocol.and_then(|p| m.metadata(p)).cloned().unwrap_or_default(),
        assignment: assignment.get(&m.id).cloned().unwrap_or_default(),
    });
    let value = GroupMetadataValue {
        protocol_type: str_of(group.protocol_type.as_deref().unwrap_or("")),
        generation: group.generation,
        protocol: protocol.map(str_of),
        leader: group.leader.as_deref().map(str_of),
        current_state_timestamp: group.state_since.unwrap_or(TimestampMs::NONE).0,
        members: members.collect(),
    };
    Record { key: group_key(&group.id), value: Some(group_value(&value)) }
}

fn group_value(value: &GroupMetadataValue) -> Bytes {
    prefixed(GROUP_METADATA_VALUE_VERSION, value, GROUP_METADATA_VALUE_VERSION)
}

/// The end of a group.
pub fn group_tombstone(id: &str) -> Record {
    Record { key: group_key(id), value: None }
}

/// A committed offset.
pub fn offset(group: &str, topic: &str, partition: i32, committed: &OffsetAndMetadata) -> Record {
    let version = match committed.expires_at {
        Some(_) => OFFSET_COMMIT_VALUE_VERSION_EXPIRING,
        None => OFFSET_COMMIT_VALUE_VERSION,
    };
    let value = OffsetCommitValue {
        offset: committed.offset,
        leader_epoch: committed.leader_epoch,
        metadata: str_of(&committed.metadata),
        commit_timestamp: committed.committed_at.0,
        expire_timestamp: committed.expires_at.unwrap_or(TimestampMs::NONE).0,
        topic_id: committed.topic_id,
    };
    Record { key: offset_key(group, topic, partition), value: Some(prefixed(version, &value, version)) }
}

/// The end of a committed offset.
pub fn offset_tombstone(key: &Key) -> Record {
    Record { key: offset_key(&key.group, &key.topic, key.partition), value: None }
}
