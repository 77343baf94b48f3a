//! Odd and broken batches: the whole answer, and what is stored, beside what Apache Kafka 4.3.1 answered.
//!
//! `recorded/odd_batches.tsv` holds Kafka's answers, and ours where they differ on purpose.
//! `CORELOG_TEST_BROKER=host:port CORELOG_TEST_RECORD=file cargo test --test wire odd_batches` writes them anew.

use crate::odd_cases::{Case, HOUR_MS, cases};
use crate::raw_batch::{batch, record};
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
