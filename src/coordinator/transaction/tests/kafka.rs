//! Records in Apache Kafka's bytes.

use super::harness::tp;
use crate::base::{ProducerEpoch, ProducerId, TimestampMs};
use crate::coordinator::transaction::TxnState;
use crate::coordinator::transaction::metadata::{Metadata, NO_EPOCH};
use crate::coordinator::transaction::records::{self, Replayed};
use bytes::Bytes;

fn ongoing() -> Metadata {
    Metadata {
        producer: ProducerId(7),
        previous_producer: ProducerId(6),
        next_producer: ProducerId(8),
        epoch: ProducerEpoch(3),
        last_epoch: NO_EPOCH,
        timeout_ms: 60_000,
        state: TxnState::Ongoing,
        partitions: [tp("t", 0), tp("t", 2), tp("u", 1)].into(),
        started: TimestampMs(5),
        updated: TimestampMs(6),
        client_version: 2,
    }
}

#[test]
fn a_value_of_version_0_is_laid_out_as_kafkas() {
    let metadata = Metadata { partitions: [tp("t", 2)].into(), ..ongoing() };
    let record = records::transaction("id", &metadata, 0);
    assert_eq!(&record.key[..], b"\0\0\0\x02id");
    let value = [
        &[0, 0][..],              // version
        &7i64.to_be_bytes(),      // producer id
        &3i16.to_be_bytes(),      // epoch
        &60_000i32.to_be_bytes(), // timeout
        &[1],                     // Ongoing
        &1i32.to_be_bytes(),      // topics
        b"\0\x01t",               // name
        &1i32.to_be_bytes(),      // partitions
        &2i32.to_be_bytes(),
        &6i64.to_be_bytes(), // last update
        &5i64.to_be_bytes(), // start
    ]
    .concat();
    assert_eq!(record.value.as_deref(), Some(&value[..]));
}

#[test]
fn what_is_written_is_read_back() {
    for version in [0, 1, 2] {
        for state in TxnState::ALL {
            let empty = Default::default();
            let partitions = if state == TxnState::Empty { empty } else { ongoing().partitions };
            let metadata = Metadata { state, partitions, ..ongoing() };
            let record = records::transaction("id", &metadata, version);
            let none = ProducerId::NONE;
            let expected = match version {
                0 => Metadata { previous_producer: none, next_producer: none, client_version: 0, ..metadata },
                _ => metadata,
            };
            let read = records::read(&record.key, record.value.as_ref()).unwrap();
            assert_eq!(read, Replayed::Transaction("id".into(), Some(expected)), "version {version}");
        }
    }
    let gone = records::tombstone("id");
    assert_eq!(records::read(&gone.key, None).unwrap(), Replayed::Transaction("id".into(), None));
}

#[test]
fn unknown_versions_are_passed_over_and_damage_is_told() {
    let record = records::transaction("id", &ongoing(), 2);
    let value = record.value.unwrap();
    let bent = |at: usize, to: u8| {
        let mut bytes = value.to_vec();
        bytes[at] = to;
        Bytes::from(bytes)
    };
    assert_eq!(records::read(&record.key, Some(&bent(1, 9))).unwrap(), Replayed::Unknown);
    assert_eq!(records::read(&Bytes::from_static(b"\0\x07x"), Some(&value)).unwrap(), Replayed::Unknown);
    // Version 2 bytes, id 8, epoch 2, timeout 4: then the state.
    assert!(records::read(&record.key, Some(&bent(16, 99))).unwrap_err().to_string().contains("99"));
    for len in 2..value.len() {
        assert!(records::read(&record.key, Some(&value.slice(..len))).is_err(), "cut at {len}");
    }
}
