//! The tables of docs/STORAGE.md, "Byte by byte", against what is written.

use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs, TopicPartition, Uuid};
use crate::config::meta_properties::MetaProperties;
use crate::log::checkpoint::OffsetCheckpoint;
use crate::log::epochs::Epochs;
use crate::log::files::{PARTITION_METADATA, write_partition_metadata};
use crate::log::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::producers::{ProducerBatch, ProducerEntry, Producers};
use crate::log::txn_index::AbortedTxn;
use crate::log::{LogDir, snapshot};
use crate::record::legacy_records::LegacyView;
use crate::record::{BatchBuilder, BatchHeader, Compression};
use std::collections::VecDeque;

const STORAGE: &str = include_str!("../../../docs/STORAGE.md");

/// What stands behind the bold title, up to the next one.
fn section(title: &str) -> &'static str {
    let (_, rest) = STORAGE.split_once("## Byte by byte").unwrap();
    let (_, rest) = rest.split_once(title).unwrap_or_else(|| panic!("no {title}"));
    rest.split("\n**").next().unwrap().split("\n## ").next().unwrap()
}

/// The fenced text of a section.
fn block(title: &str) -> &'static str {
    section(title).split("```\n").nth(1).unwrap()
}

struct Field {
    at: usize,
    size: usize,
    signed: bool,
    name: String,
}

/// The section's tables of fields: position, type, name. Their fields stand one behind the other.
fn tables(title: &str) -> Vec<Vec<Field>> {
    let parts = section(title).split("| at | type | field |").skip(1);
    let tables: Vec<Vec<Field>> = parts.map(|part| part.lines().filter_map(field).collect()).collect();
    for table in &tables {
        for two in table.windows(2) {
            assert_eq!(two[0].at + two[0].size, two[1].at, "{title}: {}", two[1].name);
        }
    }
    tables
}

fn field(line: &str) -> Option<Field> {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [at, kind, name] = cells[..] else { return None };
    let bits = match kind.trim_start_matches(['i', 'u']) {
        "bytes" => 0,
        bits => bits.parse::<usize>().ok()?,
    };
    Some(Field { at: at.parse().ok()?, size: bits / 8, signed: kind.starts_with('i'), name: name.into() })
}

/// `bytes` hold the table's fields with these values, and end where the table does.
fn holds(table: &[Field], bytes: &[u8], expected: &[(&str, i64)]) {
    let numbers: Vec<_> = table.iter().filter(|field| field.size > 0).collect();
    assert_eq!(numbers.len(), expected.len());
    for (field, (name, value)) in numbers.into_iter().zip(expected) {
        assert!(field.name.starts_with(name), "{} is not {name}", field.name);
        let raw = &bytes[field.at..field.at + field.size];
        let mut wide = [if field.signed && raw[0] & 0x80 != 0 { 0xff } else { 0 }; 8];
        wide[8 - raw.len()..].copy_from_slice(raw);
        assert_eq!(i64::from_be_bytes(wide), *value, "{name}");
    }
    let last = table.last().unwrap();
    assert!(last.size == 0 || last.at + last.size == bytes.len(), "{} bytes", bytes.len());
}

#[test]
fn a_batch_is_as_the_table_says() {
    let mut builder = BatchBuilder::new(Offset(7)).producer(ProducerId(8), ProducerEpoch(9), 10).transactional();
    builder.append(TimestampMs(1000), Some(b"k"), Some(b"v"), &[]);
    builder.append(TimestampMs(3000), None, Some(b"w"), &[]);
    let bytes = builder.build();
    let (batch, header) = (&tables("**A batch in `.log`.**")[0], BatchHeader::of(&bytes).unwrap());
    let expected = [
        ("base offset", 7),
        ("length", bytes.len() as i64 - 12),
        ("leader epoch", i64::from(header.leader_epoch().0)),
        ("magic, 2", 2),
        ("CRC-32C", i64::from(crc32c::crc32c(&bytes[21..]))),
        ("attributes", 0x10),
        ("last offset - base offset", 1),
        ("base timestamp", 1000),
        ("max timestamp", 3000),
        ("producer id", 8),
        ("producer epoch", 9),
        ("base sequence", 10),
        ("records", 2),
    ];
    holds(batch, &bytes, &expected);
    let records = batch.last().unwrap();
    assert_eq!((records.at, records.size), (crate::record::header::HEADER_LEN, 0));
    let attributes = &batch.iter().find(|field| field.name.starts_with("attributes")).unwrap().name;
    for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let said = format!("{} {}", codec as i16, format!("{codec:?}").to_lowercase());
        assert!(attributes.contains(&said), "{said}");
    }
}

#[test]
fn a_record_is_as_the_table_says() {
    let mut builder = BatchBuilder::new(Offset(0));
    builder.append(TimestampMs(1000), None, Some(b"first"), &[]);
    builder.append(TimestampMs(1003), Some(b"k"), None, &[("h", Some(&b"xy"[..]))]);
    let bytes = builder.build();
    let first = usize::from(bytes[61]) / 2 + 1;
    let second = &bytes[61 + first..];
    // Length, 0, timestamp +3, offset +1, key of 1, value null, one header: its key of 1, its value of 2.
    assert_eq!(second, [&[24, 0, 6, 2, 2, b'k', 1, 2, 2, b'h', 4], &b"xy"[..]].concat());
    let rows: Vec<_> = section("**A record**").lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let types: Vec<_> = rows.iter().map(|row| row.split('|').nth(1).unwrap().trim()).collect();
    assert_eq!(types, ["varint", "i8", "varint", "varint", "varint, bytes", "varint, bytes", "varint"]);
}

#[test]
fn an_entry_of_format_1_is_as_the_table_says() {
    let behind = [&7_i32.to_be_bytes()[..], b"the key", &1_i32.to_be_bytes(), b"v"].concat();
    let checked = [&[1, 0][..], &1234_i64.to_be_bytes(), &behind].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&checked);
    let length = checked.len() as i32 + 4;
    let front = [&42_i64.to_be_bytes()[..], &length.to_be_bytes(), &crc.sum().to_be_bytes()].concat();
    let bytes = [front, checked].concat();
    let entry = LegacyView::parse_checked(&bytes).unwrap();
    let mut scratch = Vec::new();
    let records = entry.records(&mut scratch, 1000).unwrap();
    let [record] = &records[..] else { panic!("{} records", records.len()) };
    assert_eq!((record.key, record.value), (Some(&b"the key"[..]), Some(&b"v"[..])));
    let expected = [
        ("offset", record.offset.0),
        ("length", i64::from(length)),
        ("CRC-32", i64::from(crc.sum())),
        ("magic, 1", i64::from(entry.entry.magic)),
        ("attributes", i64::from(entry.entry.attributes)),
        ("timestamp", record.timestamp.0),
        ("length of the key", 7),
    ];
    holds(&tables("**An entry of format 1**")[0], &bytes, &expected);
}

#[test]
fn index_entries_are_as_the_tables_say() {
    let base = Offset(1000);
    let mut out = Vec::new();
    OffsetEntry { offset: Offset(1007), position: 300 }.put(base, &mut out);
    holds(
        &tables("**An entry of `.index`.**")[0],
        &out,
        &[("last offset of a batch", 7), ("where the batch begins", 300)],
    );
    out.clear();
    TimeEntry { timestamp: TimestampMs(5000), offset: Offset(1009) }.put(base, &mut out);
    let expected = [("largest timestamp", 5000), ("last offset of the batch", 9)];
    holds(&tables("**An entry of `.timeindex`.**")[0], &out, &expected);
    out.clear();
    AbortedTxn { producer: ProducerId(4), first: Offset(10), last: Offset(20), last_stable: Offset(21) }.put(&mut out);
    let expected =
        [("version, 0", 0), ("producer id", 4), ("first offset", 10), ("last offset", 20), ("last stable offset", 21)];
    holds(&tables("**An entry of `.txnindex`.**")[0], &out, &expected);
}

#[test]
fn a_snapshot_is_as_the_tables_say() {
    let last =
        ProducerBatch { last_sequence: 12, last_offset: Offset(99), offset_delta: 2, timestamp: TimestampMs(5000) };
    let entry = ProducerEntry {
        epoch: ProducerEpoch(3),
        batches: VecDeque::from([last]),
        coordinator_epoch: -1,
        last_timestamp: TimestampMs(5000),
        txn_first_offset: Some(Offset(90)),
    };
    let mut producers = Producers::default();
    producers.load(ProducerId(77), entry);
    let bytes = snapshot::encode(&producers);
    let tables = tables("**`.snapshot`**");
    let [head, each] = &tables[..] else { panic!("{} tables", tables.len()) };
    let crc = i64::from(crc32c::crc32c(&bytes[6..]));
    holds(head, &bytes, &[("version, 1", 1), ("CRC-32C", crc), ("producers", 1)]);
    let expected = [
        ("producer id", 77),
        ("producer epoch", 3),
        ("last sequence", 12),
        ("last offset", 99),
        ("last sequence - first sequence", 2),
        ("last timestamp", 5000),
        ("coordinator epoch", -1),
        ("first offset of the open transaction", 90),
    ];
    holds(each, &bytes[head.last().unwrap().at..], &expected);
}

#[test]
fn texts_are_as_the_blocks_say() {
    let mut checkpoint = OffsetCheckpoint::default();
    checkpoint.set(TopicPartition::new("orders", 1), Offset(5));
    checkpoint.set(TopicPartition::new("orders", 0), Offset(17));
    assert_eq!(checkpoint.encode(), block("**The offset checkpoints**"));
    let mut epochs = Epochs::default();
    epochs.note(LeaderEpoch(3), Offset(0));
    epochs.note(LeaderEpoch(7), Offset(120));
    assert_eq!(epochs.encode(), block("**`leader-epoch-checkpoint`**"));
    let dir = tempfile::tempdir().unwrap();
    write_partition_metadata(dir.path(), Uuid::parse("AAAAAAAAAAAAAAAAAAAAKg").unwrap()).unwrap();
    let metadata = std::fs::read_to_string(dir.path().join(PARTITION_METADATA)).unwrap();
    assert_eq!(metadata, block("**`partition.metadata`**"));
    let properties = block("**`meta.properties`**");
    assert_eq!(MetaProperties::parse(properties.as_bytes()).unwrap().text(), properties);
    std::fs::write(dir.path().join("meta.properties"), properties).unwrap();
    LogDir::open(dir.path()).unwrap().write_clean_shutdown(7).unwrap();
    let clean = std::fs::read_to_string(dir.path().join(crate::log::dir::CLEAN_SHUTDOWN)).unwrap();
    assert_eq!(clean, block("**`.kafka_cleanshutdown`**").trim_end());
}

#[test]
fn every_suffix_and_checkpoint_is_named() {
    use crate::log::{checkpoint, files, names, reserve};
    let kinds = files::FileKind::ALL.map(|kind| kind.suffix());
    let suffixes = [files::DELETED_SUFFIX, files::CLEANED_SUFFIX, files::SWAP_SUFFIX, files::LEADER_EPOCH_CHECKPOINT];
    let directories = [names::DELETE, names::FUTURE, names::STRAY, reserve::RESERVE, crate::log::dir::CLEAN_SHUTDOWN];
    let texts = [checkpoint::RECOVERY_POINTS, checkpoint::LOG_STARTS, checkpoint::HIGH_WATERMARKS, checkpoint::CLEANED];
    for name in kinds.into_iter().chain(suffixes).chain(directories).chain(texts) {
        assert!(STORAGE.contains(&format!("{name}`")), "{name} is not named");
    }
}
