//! Records of `__share_group_state` in Kafka's bytes (`ShareCoordinatorRecordHelpers`).

use super::request::Key;
use super::state::{Change, ShareState, Update};
use crate::base::{Offset, TimestampMs};
use crate::coordinator::codec::{prefixed, read_value};
use crate::coordinator::machine::Record;
use crate::protocol::messages::{
    ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey, ShareUpdateValue, share_snapshot_value, share_update_value,
};
use crate::protocol::{DecodeError, Decoder, Message, Str};
use crate::share::StateBatch;
use bytes::Bytes;

const SNAPSHOT: i16 = 0;
const UPDATE: i16 = 1;

/// The record of a change.
pub fn record(key: &Key, change: &Change) -> Record {
    match change {
        Change::Snapshot(state) => {
            Record { key: snapshot_key(key), value: Some(prefixed(0, &snapshot_value(state), 0)) }
        }
        Change::Update(update) => Record { key: update_key(key), value: Some(prefixed(0, &update_value(update), 0)) },
        Change::Delete => Record { key: snapshot_key(key), value: None },
    }
}

/// Reads a record; `None` for a type of no use here.
pub fn read(key: &Bytes, value: Option<&Bytes>) -> Result<Option<(Key, Change)>, DecodeError> {
    let mut decoder = Decoder::new(key.clone());
    match (decoder.i16()?, value) {
        (SNAPSHOT, value) => {
            let key = ShareSnapshotKey::decode(&mut decoder, 0)?;
            let key = Key { group: (&*key.group_id).into(), topic_id: key.topic_id, partition: key.partition };
            let change = match value {
                Some(value) => Change::Snapshot(state_of(&read_value(value)?)),
                None => Change::Delete,
            };
            Ok(Some((key, change)))
        }
        (UPDATE, Some(value)) => {
            let key = ShareUpdateKey::decode(&mut decoder, 0)?;
            let key = Key { group: (&*key.group_id).into(), topic_id: key.topic_id, partition: key.partition };
            Ok(Some((key, Change::Update(update_of(&read_value(value)?)))))
        }
        _ => Ok(None),
    }
}

fn snapshot_key(key: &Key) -> Bytes {
    let (group_id, topic_id) = (Str::from(&*key.group), key.topic_id);
    prefixed(SNAPSHOT, &ShareSnapshotKey { group_id, topic_id, partition: key.partition }, 0)
}

fn update_key(key: &Key) -> Bytes {
    let (group_id, topic_id) = (Str::from(&*key.group), key.topic_id);
    prefixed(UPDATE, &ShareUpdateKey { group_id, topic_id, partition: key.partition }, 0)
}

fn snapshot_value(state: &ShareState) -> ShareSnapshotValue {
    let batch = |b: &StateBatch| share_snapshot_value::StateBatch {
        first_offset: b.first.0,
        last_offset: b.last.0,
        delivery_state: b.state,
        delivery_count: b.delivery_count,
    };
    ShareSnapshotValue {
        snapshot_epoch: state.snapshot_epoch,
        state_epoch: state.state_epoch,
        leader_epoch: state.leader_epoch,
        start_offset: state.start_offset,
        delivery_complete_count: state.delivery_complete_count,
        create_timestamp: state.created.0,
        write_timestamp: state.written.0,
        state_batches: state.batches.iter().map(batch).collect(),
    }
}

fn update_value(update: &Update) -> ShareUpdateValue {
    let batch = |b: &StateBatch| share_update_value::StateBatch {
        first_offset: b.first.0,
        last_offset: b.last.0,
        delivery_state: b.state,
        delivery_count: b.delivery_count,
    };
    ShareUpdateValue {
        snapshot_epoch: update.snapshot_epoch,
        leader_epoch: update.leader_epoch,
        start_offset: update.start_offset,
        delivery_complete_count: update.delivery_complete_count,
        state_batches: update.batches.iter().map(batch).collect(),
    }
}

fn state_of(value: &ShareSnapshotValue) -> ShareState {
    let batches = value.state_batches.iter().map(|b| StateBatch {
        first: Offset(b.first_offset),
        last: Offset(b.last_offset),
        state: b.delivery_state,
        delivery_count: b.delivery_count,
    });
    ShareState {
        snapshot_epoch: value.snapshot_epoch,
        state_epoch: value.state_epoch,
        leader_epoch: value.leader_epoch,
        start_offset: value.start_offset,
        delivery_complete_count: value.delivery_complete_count,
        created: TimestampMs(value.create_timestamp),
        written: TimestampMs(value.write_timestamp),
        batches: batches.collect(),
    }
}

fn update_of(value: &ShareUpdateValue) -> Update {
    let batches = value.state_batches.iter().map(|b| StateBatch {
        first: Offset(b.first_offset),
        last: Offset(b.last_offset),
        state: b.delivery_state,
        delivery_count: b.delivery_count,
    });
    Update {
        snapshot_epoch: value.snapshot_epoch,
        leader_epoch: value.leader_epoch,
        start_offset: value.start_offset,
        delivery_complete_count: value.delivery_complete_count,
        batches: batches.collect(),
    }
}
