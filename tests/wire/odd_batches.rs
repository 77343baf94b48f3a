//! Odd and broken batches: the whole answer, and what is stored, beside what Apache Kafka 4.3.1 answered.
//!
//! `recorded/odd_batches.tsv` holds Kafka's answers, and ours where they differ on purpose.
//! `CORELOG_TEST_BROKER=host:port CORELOG_TEST_RECORD=file cargo test --test wire odd_batches` writes them anew.

use crate::raw_batch::{RawBatch, RawRecord, batch, body, pack, put, raw_snappy, record, zigzag};
use crate::support::{Broker, Wire, now};
use bytes::Bytes;
use corelog::base::Uuid;
use corelog::protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse,
};
use corelog::protocol::{Array, Records};
use corelog::record::{BatchView, Compression};
use std::collections::BTreeMap;
use std::fmt::Write;

const PACKED: [Compression; 4] = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
const APPEND_TIME: i16 = 8;
const HOUR_MS: i64 = 3_600_000;

/// Topics by the settings that decide what is checked.
const TOPICS: [(&str, &[(&str, &str)]); 9] = [
    ("plain", &[]),
    ("compacted", &[("cleanup.policy", "compact")]),
    ("stamped", &[("message.timestamp.type", "LogAppendTime")]),
    ("dated", &[("message.timestamp.before.max.ms", "3600000")]),
    ("gzip", &[("compression.type", "gzip")]),
    ("snappy", &[("compression.type", "snappy")]),
    ("lz4", &[("compression.type", "lz4")]),
    ("zstd", &[("compression.type", "zstd")]),
    ("uncompressed", &[("compression.type", "uncompressed")]),
];

struct Case {
    name: String,
    topic: &'static str,
    bytes: Vec<u8>,
}

struct Cases {
    now: i64,
    all: Vec<Case>,
}

impl Cases {
    fn add(&mut self, topic: &'static str, name: &str, bytes: Vec<u8>) {
        self.all.push(Case { name: format!("{topic}: {name}"), topic, bytes });
    }

    fn batch(&mut self, topic: &'static str, name: &str, batch: RawBatch) {
        self.add(topic, name, batch.bytes());
    }

    fn sound(&self, codec: Compression) -> RawBatch {
        batch(&[record(0, 0), record(1, 5), record(2, 3)], codec, self.now)
    }

    /// One record that is replaced by `change`, between two good ones.
    fn with_record(&self, codec: Compression, change: impl FnOnce(&mut RawRecord)) -> RawBatch {
        let mut odd = record(1, 5);
        change(&mut odd);
        batch(&[record(0, 0), odd, record(2, 3)], codec, self.now)
    }

    fn lengths(&mut self) {
        let sound = self.sound(Compression::None).bytes();
        for len in [0, 1, 11, 12, 16, 17, 26, 27, 60, 61, sound.len() - 1] {
            self.add("plain", &format!("cut to {len} bytes"), sound[..len].to_vec());
        }
        self.add("plain", "one byte more", [&sound[..], &[0]].concat());
        self.add("plain", "twelve zeros more", [&sound[..], &[0; 12]].concat());
        self.add("plain", "61 zeros", vec![0; 61]);
        self.add("plain", "two batches", [&sound[..], &sound[..]].concat());
        for length in [i32::MIN, -13, -1, 0, 13, 14, 15, 48, 49, 1 << 20, i32::MAX - 12, i32::MAX - 11, i32::MAX] {
            let odd = self.sound(Compression::None).with(|b| b.length = Some(length));
            self.batch("plain", &format!("length field {length}"), odd);
        }
    }

    fn headers(&mut self) {
        for magic in [0, 1, 3, 127, 128, 255] {
            self.batch("plain", &format!("magic {magic}"), self.sound(Compression::None).with(|b| b.magic = magic));
        }
        for base in [-1, 1, i64::MAX] {
            let odd = self.sound(Compression::None).with(|b| b.base_offset = base);
            self.batch("plain", &format!("base offset {base}"), odd);
        }
        for (delta, count) in [(2, 0), (2, -1), (-1, 3), (-1, 0), (1, 3), (3, 3), (1, 2), (3, 4), (i32::MAX, 3)] {
            for codec in [Compression::None, Compression::Zstd] {
                let odd = self.sound(codec).with(|b| (b.last_offset_delta, b.count) = (delta, count));
                self.batch("plain", &format!("last offset delta {delta}, count {count}, {codec:?}"), odd);
            }
        }
        for (name, bits) in [("control", 0x20), ("control and transactional", 0x30), ("delete horizon", 0x40)] {
            self.batch("plain", name, self.sound(Compression::None).with(|b| b.attributes = bits));
        }
        for bits in [0x80, 0x100, 0x4000] {
            let odd = self.sound(Compression::None).with(|b| b.attributes = bits);
            self.batch("plain", &format!("attribute bits {bits:#x}"), odd);
            let odd = self.sound(Compression::None).with(|b| (b.attributes, b.max_timestamp) = (bits, 7));
            self.batch("plain", &format!("attribute bits {bits:#x}, wrong max timestamp"), odd);
        }
        for codec in [5, 6, 7] {
            self.batch("plain", &format!("codec {codec}"), self.sound(Compression::None).with(|b| b.codec = codec));
        }
        let fresh = self.now;
        for (id, name, epoch, sequence) in
            [(fresh, "", 0, -1), (fresh, "", -1, 0), (-1, " -1", 3, 5), (-5, " -5", 0, 0)]
        {
            let odd = self.sound(Compression::None).with(|b| b.producer = (id, epoch, sequence));
            self.batch("plain", &format!("producer{name}, epoch {epoch}, sequence {sequence}"), odd);
        }
    }

    fn records(&mut self) {
        for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            self.records_in(codec);
        }
    }

    fn records_in(&mut self, codec: Compression) {
        let add = |cases: &mut Self, name: &str, change: &dyn Fn(&mut RawRecord)| {
            let odd = cases.with_record(codec, change);
            cases.batch("plain", &format!("{name}, {codec:?}"), odd.clone());
            if matches!(codec, Compression::None | Compression::Lz4) {
                cases.batch("compacted", &format!("{name}, {codec:?}"), odd);
            }
        };
        add(self, "sound", &|_| ());
        add(self, "record attributes 255", &|r| r.attributes = 255);
        for delta in [0, 2, -1, i32::MAX] {
            add(self, &format!("offset delta {delta} where 1 follows"), &|r| r.offset_delta = delta);
        }
        for length in [-1, 0, 1, 5, 18, 1000, i32::MAX] {
            add(self, &format!("record length {length}"), &|r| r.length = Some(length));
        }
        add(self, "no key", &|r| r.key = (-1, vec![]));
        add(self, "empty key", &|r| r.key = (0, vec![]));
        add(self, "key length -2", &|r| r.key = (-2, vec![]));
        add(self, "key length beyond the record", &|r| r.key.0 = 1000);
        add(self, "no value", &|r| r.value = (-1, vec![]));
        add(self, "value length -7", &|r| r.value = (-7, vec![]));
        add(self, "value length beyond the record", &|r| r.value.0 = 2000);
        let with_headers = |count: i64, bytes: &[u8]| {
            let mut out = Vec::new();
            put(&mut out, zigzag(count));
            out.extend_from_slice(bytes);
            out
        };
        add(self, "a header", &|r| r.headers = with_headers(1, &[2, b'h', 2, b'v']));
        add(self, "a header without value", &|r| r.headers = with_headers(1, &[2, b'h', 1]));
        add(self, "a header without name", &|r| r.headers = with_headers(1, &[1, 2, b'v']));
        add(self, "a header value length -3", &|r| r.headers = with_headers(1, &[2, b'h', 5]));
        add(self, "header count -1", &|r| r.headers = with_headers(-1, &[]));
        add(self, "header count beyond the record", &|r| r.headers = with_headers(1000, &[]));
        add(self, "a varint of six bytes", &|r| r.headers = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0]);
        add(self, "a byte too many", &|r| r.headers = vec![0, 0]);
        let plain = self.sound(codec);
        let long = batch(&[record(0, 0), record(1, 5), record(2, 3), record(3, 3)], codec, self.now);
        self.batch(
            "plain",
            &format!("a record too many, {codec:?}"),
            long.with(|b| {
                (b.count, b.last_offset_delta) = (3, 2);
            }),
        );
        self.batch(
            "plain",
            &format!("a record too few, {codec:?}"),
            plain.clone().with(|b| {
                (b.count, b.last_offset_delta) = (4, 3);
            }),
        );
        let long_varint = [&[0xff; 9][..], &body(&[record(0, 0)])].concat();
        let one = batch(&[record(0, 0)], codec, self.now);
        self.batch(
            "plain",
            &format!("a length of nine bytes, {codec:?}"),
            one.with(|b| {
                b.payload = pack(codec, &long_varint);
            }),
        );
    }

    fn payloads(&mut self) {
        for codec in PACKED {
            let sound = self.sound(codec);
            let len = sound.payload.len();
            for (name, payload) in [
                ("no payload", vec![]),
                ("garbage", vec![0x5a; 40]),
                ("cut by one byte", sound.payload[..len - 1].to_vec()),
                ("cut by five bytes", sound.payload[..len - 5].to_vec()),
                ("cut to the half", sound.payload[..len / 2].to_vec()),
                ("followed by garbage", [&sound.payload[..], b"garbage"].concat()),
                ("followed by a zero", [&sound.payload[..], &[0]].concat()),
                (
                    "in two parts",
                    [pack(codec, &body(&[record(0, 0)])), pack(codec, &body(&[record(1, 5), record(2, 3)]))].concat(),
                ),
                ("uncompressed under the codec's name", body(&[record(0, 0), record(1, 5), record(2, 3)])),
            ] {
                let odd = sound.clone().with(|b| b.payload = payload);
                self.batch("plain", &format!("{name}, {codec:?}"), odd);
            }
            let mut flipped = sound.clone();
            flipped.payload[len / 2] ^= 0x10;
            self.batch("plain", &format!("a flipped bit, {codec:?}"), flipped);
        }
        let raw = raw_snappy(&body(&[record(0, 0), record(1, 5), record(2, 3)]));
        self.batch("plain", "raw snappy", self.sound(Compression::Snappy).with(|b| b.payload = raw));
    }

    fn timestamps(&mut self) {
        for codec in [Compression::None, Compression::Lz4] {
            for topic in ["plain", "dated", "stamped"] {
                for (name, base, delta) in [
                    ("two hours ago", -2 * HOUR_MS, 0),
                    ("one of two hours ago", 0, -2 * HOUR_MS),
                    ("in two hours", 0, 2 * HOUR_MS),
                    ("without time", -1 - self.now, 0),
                    ("of -2", -2 - self.now, 0),
                    ("at the end of time", i64::MAX - self.now, 0),
                    ("at the begin of time", i64::MIN + self.now, 0),
                ] {
                    let second = record(1, delta);
                    let odd = batch(&[record(0, 0), second, record(2, 0)], codec, self.now.wrapping_add(base));
                    self.batch(topic, &format!("{name}, {codec:?}"), odd);
                }
                for (name, max) in [("too high", self.now + 50), ("too low", self.now - 50), ("-1", -1)] {
                    let odd = self.sound(codec).with(|b| b.max_timestamp = max);
                    self.batch(topic, &format!("max timestamp {name}, {codec:?}"), odd);
                }
                let claimed = self.sound(codec).with(|b| b.attributes = APPEND_TIME);
                self.batch(topic, &format!("append time claimed, {codec:?}"), claimed.clone());
                let far = claimed.clone().with(|b| b.max_timestamp = self.now + 2 * HOUR_MS);
                self.batch(topic, &format!("append time claimed in two hours, {codec:?}"), far);
                let none = claimed.with(|b| b.max_timestamp = -1);
                self.batch(topic, &format!("append time claimed without time, {codec:?}"), none);
            }
            let late = record(1, 2 * HOUR_MS).keyless();
            let both = batch(&[record(0, 0).keyless(), late, record(2, 2 * HOUR_MS)], codec, self.now);
            self.batch("compacted", &format!("keyless and too late, {codec:?}"), both);
        }
    }

    fn recompressed(&mut self) {
        for topic in ["gzip", "snappy", "lz4", "zstd", "uncompressed"] {
            for codec in
                [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
            {
                let mut rich = record(1, 5).keyless();
                rich.attributes = 9;
                rich.headers = vec![2, 2, b'h', 1];
                let odd = batch(&[record(0, 0), rich, record(2, 3)], codec, self.now);
                self.batch(topic, &format!("of {codec:?}"), odd);
            }
            let deltas = batch(&[record(5, 0), record(1, 5), record(1, 3)], Compression::None, self.now);
            self.batch(topic, "odd deltas", deltas);
            let of_producer = self.sound(Compression::None).with(|b| b.producer = (self.now, 2, 7));
            self.batch(topic, "of a producer", of_producer);
            let bits = self.sound(Compression::None).with(|b| (b.attributes, b.max_timestamp) = (0xc0, 7));
            self.batch(topic, "odd bits", bits);
            let negative = batch(&[record(0, 0), record(1, -9)], Compression::None, 5);
            self.batch(topic, "of a negative time", negative);
            let claimed = self.sound(Compression::None).with(|b| b.attributes = APPEND_TIME);
            self.batch(topic, "append time claimed", claimed);
        }
    }
}

fn cases(now: i64) -> Vec<Case> {
    let mut cases = Cases { now, all: Vec::new() };
    cases.lengths();
    cases.headers();
    cases.records();
    cases.payloads();
    cases.timestamps();
    cases.recompressed();
    cases.all
}

struct Client {
    wire: Wire,
    ids: BTreeMap<&'static str, Uuid>,
    now: i64,
}

impl Client {
    fn new(broker: &Broker, now: i64) -> Self {
        let mut wire = broker.connect();
        let topics = TOPICS.iter().map(|(name, configs)| CreatableTopic {
            name: format!("odd-{name}").as_str().into(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs
                .iter()
                .map(|(key, value)| CreatableTopicConfig {
                    name: (*key).into(),
                    value: Some((*value).into()),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        let request = CreateTopicsRequest { topics: topics.collect(), ..Default::default() };
        let created: CreateTopicsResponse = wire.call(&request, 7);
        assert!(created.topics.iter().all(|topic| matches!(topic.error_code, 0 | 36)), "{created:?}");
        let ids = TOPICS.iter().map(|(name, _)| (*name, wire.wait_for_leaders(&format!("odd-{name}"), 1))).collect();
        Self { wire, ids, now }
    }

    fn request(topic: &str, records: Vec<u8>) -> ProduceRequest {
        let data = PartitionProduceData { index: 0, records: Some(records.into()) };
        let topic = TopicProduceData {
            name: format!("odd-{topic}").as_str().into(),
            partition_data: Array::from(vec![data]),
            ..Default::default()
        };
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() }
    }

    /// The answer in words; times relative to now.
    fn answer(&mut self, case: &Case) -> String {
        let request = Self::request(case.topic, case.bytes.clone());
        let Some(answer) = self.wire.try_call::<_, ProduceResponse>(&request, 11) else {
            return "the connection is closed".into();
        };
        let partition = &answer.responses[0].partition_responses[0];
        if partition.error_code == 0 {
            let stamped = if partition.log_append_time_ms == -1 { "" } else { ", stamped" };
            return format!("0{stamped} {}", self.stored(case.topic, partition.base_offset));
        }
        let mut text = partition.error_code.to_string();
        for error in &partition.record_errors {
            let message = error.batch_index_error_message.as_deref().unwrap_or("null");
            write!(text, " [{}: {message}]", error.batch_index).expect("a string");
        }
        write!(text, " {}", partition.error_message.as_deref().unwrap_or("null")).expect("a string");
        without_times(&text)
    }

    fn stored(&mut self, topic: &'static str, offset: i64) -> String {
        let partition =
            FetchPartition { partition: 0, fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic { topic_id: self.ids[topic], partitions: vec![partition].into(), ..Default::default() };
        let request = FetchRequest {
            max_wait_ms: 10_000,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![topic].into(),
            ..Default::default()
        };
        let answer: FetchResponse = self.wire.call(&request, 13);
        let records = match &answer.responses[0].partitions[0].records {
            Some(Records::Bytes(bytes)) => bytes.clone(),
            _ => Bytes::new(),
        };
        self.describe(&records, offset)
    }

    fn describe(&self, bytes: &[u8], offset: i64) -> String {
        let batch = match BatchView::parse_checked(bytes) {
            Ok(batch) => batch,
            Err(e) => return format!("stored: {e}"),
        };
        let header = batch.header();
        assert!((header.base_offset().0..=header.last_offset().0).contains(&offset), "{header:?} for {offset}");
        let mut text = format!(
            "attributes {:#x} count {} last delta {} base {} max {} producer {}/{}/{}",
            header.attributes(),
            header.count(),
            header.last_offset_delta(),
            self.time(header.base_timestamp().0),
            self.time(header.max_timestamp().0),
            self.time(header.producer_id().0),
            header.producer_epoch().0,
            header.base_sequence()
        );
        let unpacked = match batch.unpacked(1 << 20) {
            Ok(unpacked) => unpacked,
            Err(e) => return format!("{text}: {e}"),
        };
        for record in corelog::record::Records::new(&unpacked, header.count()) {
            match record {
                Ok(record) => {
                    let key = record.key.map(String::from_utf8_lossy);
                    let (time, headers) = (record.timestamp_delta, record.headers.len());
                    write!(text, " ({} {time} {key:?} {headers})", record.offset_delta).expect("a string");
                }
                Err(e) => write!(text, " ({e})").expect("a string"),
            }
        }
        text
    }

    /// Relative to the test's begin where it is near it.
    fn time(&self, time: i64) -> String {
        let since = time.wrapping_sub(self.now);
        if since == 0 || (0..=50).contains(&since) || since == -50 {
            format!("now+{since}")
        } else if (50..600_000).contains(&since) {
            "appended".into()
        } else if (-3 * HOUR_MS..3 * HOUR_MS).contains(&since) {
            format!("now{since:+}")
        } else if time < i64::MIN / 2 {
            "long ago".into()
        } else {
            time.to_string()
        }
    }
}

/// Takes out numbers that are times.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        out.push_str(if digits.len() > 11 { "#" } else { &digits });
        digits.clear();
        out.push(c);
    }
    out.trim_end_matches('\0').replace(['\n', '\t'], " ")
}

/// Kafka's answer by case, and ours where it differs on purpose.
fn recorded() -> BTreeMap<&'static str, (&'static str, Option<&'static str>)> {
    let lines = include_str!("recorded/odd_batches.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns = line.split('\t');
            let mut next = || columns.next();
            (next().expect("a case"), (next().expect("an answer"), next()))
        })
        .collect()
}

/// Kafka seldom says why in words; we may.
fn agree(ours: &str, expected: &str) -> bool {
    match expected.strip_suffix("null") {
        Some(code) => ours.starts_with(code),
        None => ours == expected,
    }
}

#[test]
fn odd_batches_are_answered_as_apache_kafka_does() {
    let broker = Broker::start();
    let now = now().0;
    let mut client = Client::new(&broker, now);
    let answers: Vec<(String, String)> =
        cases(now).iter().map(|case| (case.name.clone(), client.answer(case))).collect();
    if let Ok(path) = std::env::var("CORELOG_TEST_RECORD") {
        let lines: String = answers.iter().map(|(name, answer)| format!("{name}\t{answer}\n")).collect();
        std::fs::write(path, lines).expect("the answers are written");
    }
    let recorded = recorded();
    assert_eq!(recorded.len(), answers.len(), "each case once");
    let mut wrong = Vec::new();
    for (name, answer) in &answers {
        let Some((kafkas, ours)) = recorded.get(name.as_str()) else {
            wrong.push(format!("{name}: not recorded"));
            continue;
        };
        let expected = if broker.is_corelog() { ours.unwrap_or(kafkas) } else { kafkas };
        if !agree(answer, expected) {
            wrong.push(format!("{name}\n  expected {expected}\n  answered {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), answers.len(), wrong.join("\n"));
}

#[test]
fn batches_that_take_long_to_check_keep_their_place_among_the_others() {
    let broker = Broker::start();
    let now = now().0;
    let mut client = Client::new(&broker, now);
    let mut zeros = record(0, 0);
    zeros.value = (3 << 20, vec![0; 3 << 20]);
    let long = batch(&[zeros], Compression::Zstd, now).bytes();
    let short = batch(&[record(0, 0), record(1, 0)], Compression::None, now).bytes();
    let broken = batch(&[record(0, 0)], Compression::Gzip, now).with(|b| b.payload = vec![7; 9]).bytes();
    let sent = [&long, &short, &broken, &long, &long, &short, &short, &long];
    for topic in ["plain", "zstd", "gzip"] {
        let requests: Vec<_> = sent.iter().map(|records| Client::request(topic, records.to_vec())).collect();
        requests.iter().for_each(|request| client.wire.post(request, 11));
        let mut next = None;
        for (request, records) in requests.iter().zip(sent) {
            let answer: ProduceResponse = client.wire.next_answer(request, 11).expect("an answer");
            let partition = &answer.responses[0].partition_responses[0];
            if records == &broken {
                assert!([-1, 87].contains(&partition.error_code), "{topic}: {}", partition.error_code);
                continue;
            }
            assert_eq!(partition.error_code, 0, "{topic}");
            assert_eq!(partition.base_offset, next.unwrap_or(partition.base_offset), "{topic}");
            next = Some(partition.base_offset + if records == &short { 2 } else { 1 });
        }
    }
}
