//! The admin listener: what a scrape tells after traffic, what it answers to what is no scrape.

use crate::exposition;
use crate::support::{Broker, DEADLINE, now};
use corelog::base::Offset;
use corelog::protocol::Array;
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{
    FetchRequest, FetchResponse, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, OffsetCommitResponse,
    ProduceRequest, ProduceResponse, offset_commit_request,
};
use corelog::record::builder::BatchBuilder;
use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

/// Where the broker says its metrics are.
pub fn admin_of(broker: &Broker) -> SocketAddr {
    let began = Instant::now();
    loop {
        let log = broker.log();
        let told = log.split("metrics on http://").nth(1).and_then(|rest| rest.split('/').next()?.parse().ok());
        if let Some(address) = told {
            return address;
        }
        assert!(began.elapsed() < DEADLINE, "no admin listener\n{log}");
    }
}

/// One answer: status, head, body.
fn answer(stream: &mut TcpStream) -> (u16, String, String) {
    let (status, head, body) = answer_bytes(stream);
    (status, head, String::from_utf8(body).expect("text"))
}

fn answer_bytes(stream: &mut TcpStream) -> (u16, String, Vec<u8>) {
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    stream.read_exact(&mut body).expect("a body");
    (status, head, body)
}

fn ask(address: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("the admin listener accepts");
    stream.write_all(request.as_bytes()).expect("it reads");
    answer(&mut stream)
}

pub fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

/// What the cores count under `name`, together.
pub fn sum_of(broker: &Broker, name: &str) -> u64 {
    let (_, _, metrics) = get(admin_of(broker), "/metrics");
    let counts = metrics.lines().filter(|line| line.starts_with(name));
    counts.map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok()).expect("a count")).sum()
}

fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(sample).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {sample} in\n{text}"));
    line[sample.len() + 1..].parse().expect("a number")
}

/// Produces 3 records, fetches them, asks for a partition that does not exist, commits offset 1 of a group.
fn traffic(broker: &Broker) -> usize {
    let mut wire = broker.connect();
    wire.create_topic("metered");
    let mut batch = BatchBuilder::new(Offset(0));
    (0..3).for_each(|_| batch.append(now(), None, Some(b"value"), &[]));
    let batch = batch.build();
    let bytes = batch.len();
    let partitions = [0, 7].map(|index| PartitionProduceData { index, records: Some(batch.clone()) });
    let topic = TopicProduceData {
        name: "metered".into(),
        partition_data: Array::from(partitions.to_vec()),
        ..Default::default()
    };
    let request =
        ProduceRequest { acks: 1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() };
    let produced: ProduceResponse = wire.call(&request, 9);
    let errors: Vec<i16> = produced.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert_eq!(errors, [0, 3]);

    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: "metered".into(), partitions: Array::from(vec![partition]), ..Default::default() };
    let request =
        FetchRequest { max_wait_ms: 30_000, min_bytes: 1, topics: Array::from(vec![topic]), ..Default::default() };
    let fetched: FetchResponse = wire.call(&request, 11);
    assert_eq!(fetched.responses[0].partitions[0].error_code, 0);

    // A heartbeat's sort of error: of the request as a whole.
    let joined: JoinGroupResponse = wire.call(&JoinGroupRequest { group_id: "".into(), ..Default::default() }, 5);
    assert_ne!(joined.error_code, 0);
    commit(&mut wire, "metered", 1, 1);
    bytes
}

fn commit(wire: &mut crate::support::Wire, topic: &str, partitions: i32, committed_offset: i64) {
    use offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition =
        |partition_index| OffsetCommitRequestPartition { partition_index, committed_offset, ..Default::default() };
    let partitions = (0..partitions).map(partition).collect();
    let topic = OffsetCommitRequestTopic { name: topic.into(), partitions, ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "readers".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let began = Instant::now();
    loop {
        // The coordinator's topic is made and loaded on the way.
        let find = corelog::protocol::messages::FindCoordinatorRequest { key: "readers".into(), ..Default::default() };
        let _: corelog::protocol::messages::FindCoordinatorResponse = wire.call(&find, 3);
        let done: OffsetCommitResponse = wire.call(&request, 7);
        if done.topics[0].partitions.iter().all(|partition| partition.error_code == 0) {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{done:?}");
    }
}

#[test]
fn a_scrape_tells_what_was_done_and_everything_the_dashboard_asks_for() {
    let broker = Broker::start();
    if !broker.is_corelog() {
        return;
    }
    let bytes = traffic(&broker) as f64;
    let (status, head, text) = get(admin_of(&broker), "/metrics");
    assert!(status == 200 && head.contains("text/plain; version=0.0.4"), "{head}");
    for (sample, wanted) in [
        ("kafka_network_requestmetrics_requests_total{request=\"Produce\"}", 1.0),
        ("kafka_network_requestmetrics_requests_total{request=\"Fetch\"}", 1.0),
        ("kafka_network_requestmetrics_totaltime_seconds_count{request=\"Produce\"}", 1.0),
        ("kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"}", 1.0),
        ("kafka_network_requestmetrics_errors_total{request=\"JoinGroup\",error=\"INVALID_GROUP_ID\"}", 1.0),
        ("kafka_server_brokertopicmetrics_messagesin_total{topic=\"metered\"}", 3.0),
        ("kafka_server_brokertopicmetrics_bytesin_total{topic=\"metered\"}", bytes),
        ("kafka_server_brokertopicmetrics_bytesout_total{topic=\"metered\"}", bytes),
        ("kafka_server_brokertopicmetrics_totalfetchrequests_total{topic=\"metered\"}", 1.0),
        ("kafka_log_log_size{topic=\"metered\",partition=\"0\"}", bytes),
        ("kafka_topic_partition_current_offset{topic=\"metered\",partition=\"0\"}", 3.0),
        ("kafka_consumergroup_current_offset{consumergroup=\"readers\",topic=\"metered\",partition=\"0\"}", 1.0),
        ("kafka_consumergroup_lag{consumergroup=\"readers\",topic=\"metered\",partition=\"0\"}", 2.0),
        ("kafka_consumergroup_lag_sum{consumergroup=\"readers\"}", 2.0),
        ("corelog_serving", 1.0),
        ("kafka_log_logmanager_offlinelogdirectorycount", 0.0),
    ] {
        assert_eq!(value(&text, sample), wanted, "{sample} in\n{text}");
    }
    assert!(value(&text, "process_resident_memory_bytes") > 1e6);
    assert!(value(&text, "corelog_reactor_turn_seconds_count{core=\"0\"}") > 0.0);
    assert!(value(&text, "corelog_uring_in_flight{core=\"0\"}") > 0.0, "an accept at least");
    let families = exposition::check(&text);
    the_same_packed(admin_of(&broker), &families);
    for file in ["tuning/grafana/corelog.json", "tuning/prometheus/corelog-alerts.yml"] {
        let named = metrics_named_in(file);
        assert!(named.len() > 10, "{file}: {named:?}");
        for name in named {
            assert!(families.contains_key(name.as_str()), "{file} asks for {name}, which no scrape has");
        }
    }
}

/// More offsets than are copied at once: none is lost between the steps.
#[test]
fn a_group_of_many_partitions_is_told_whole() {
    let broker = Broker::start();
    if !broker.is_corelog() {
        return;
    }
    let mut wire = broker.connect();
    wire.create_topic_of("wide", 1100);
    commit(&mut wire, "wide", 1100, 0);
    let (_, _, text) = get(admin_of(&broker), "/metrics");
    exposition::check(&text);
    let lines = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!(lines("kafka_consumergroup_current_offset{consumergroup=\"readers\",topic=\"wide\""), 1100);
    assert_eq!(lines("kafka_consumergroup_lag{consumergroup=\"readers\",topic=\"wide\""), 1100);
    assert_eq!(value(&text, "corelog_metrics_group_offsets_left_out"), 0.0);
}

/// A scrape that asks for gzip gets the same families, in a tenth of the bytes; `HEAD` gets their length alone.
fn the_same_packed(admin: SocketAddr, families: &BTreeMap<String, exposition::Kind>) {
    let mut stream = TcpStream::connect(admin).expect("it accepts");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip, br\r\n\r\n").expect("it reads");
    let (status, head, body) = answer_bytes(&mut stream);
    assert!(status == 200 && head.contains("Content-Encoding: gzip\r\n"), "{head}");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).expect("gzip");
    assert!(exposition::check(&text).keys().eq(families.keys()));
    assert!(body.len() * 5 < text.len(), "{} of {}", body.len(), text.len());
    // The connection goes on; the next answer is the one to this question.
    stream
        .write_all(b"HEAD /metrics HTTP/1.1\r\nAccept-Encoding: gzip;q=0\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 200") && !head.contains("gzip"), "{head}");
    assert_eq!(answer(&mut stream).0, 404);
}

/// The metrics that the expressions of a dashboard or of alert rules name.
fn metrics_named_in(file: &str) -> HashSet<String> {
    let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file);
    let words = text.lines().filter(|line| line.contains("expr") || line.contains("label_values")).flat_map(|line| {
        line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>()
    });
    let ours = words.filter(|word| ["kafka_", "corelog_", "process_"].iter().any(|prefix| word.starts_with(prefix)));
    ours.map(|word| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| {
                // Sums and counts of histograms, not the gauges that are called so.
                word.strip_suffix(end).filter(|base| base.ends_with("_seconds")).map(str::to_owned)
            })
            .unwrap_or(word)
    })
    .collect()
}

#[test]
fn what_is_no_scrape_is_refused_and_health_is_told() {
    let broker = Broker::start();
    if !broker.is_corelog() {
        return;
    }
    let admin = admin_of(&broker);
    let (status, _, body) = get(admin, "/health");
    assert!(status == 200 && body.contains("\"status\":\"ok\"") && body.contains("\"phase\":\"serving\""), "{body}");
    assert_eq!(get(admin, "/nothing").0, 404);
    assert_eq!(ask(admin, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n").0, 405);
    for bad in [
        "\r\n\r\n",
        "GET /metrics\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
        "\0\0\0\x10\0\x12\0\x03\n\n",
    ] {
        assert_eq!(ask(admin, bad).0, 400, "{bad:?}");
    }
    assert_eq!(ask(admin, &"x".repeat(8 << 10)).0, 431);
    // One connection, several requests, also in one piece.
    let mut stream = TcpStream::connect(admin).expect("it accepts");
    stream.write_all(b"GET /health HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n").expect("it reads");
    assert_eq!((answer(&mut stream).0, answer(&mut stream).0), (200, 404));
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
    assert_eq!(answer(&mut stream).0, 200);
    assert_eq!(stream.read(&mut [0]).expect("an end"), 0, "HTTP/1.0 closes");
    // Clients are served as before.
    broker.connect().create_topic("after");
}

#[test]
fn no_more_than_so_many_are_served_at_once() {
    let broker = Broker::start();
    if !broker.is_corelog() {
        return;
    }
    let admin = admin_of(&broker);
    let mut held: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(admin).expect("it accepts")).collect();
    for stream in &mut held {
        stream.write_all(b"GET /health HTTP/1.1\r\n\r\n").expect("it reads");
        assert_eq!(answer(stream).0, 200);
    }
    let mut late = TcpStream::connect(admin).expect("it accepts");
    assert_eq!(answer(&mut late).0, 503);
    drop(held);
    let began = Instant::now();
    // The places are given back when the broker has seen the ends.
    while get(admin, "/health").0 != 200 {
        assert!(began.elapsed() < DEADLINE, "no place came free");
    }
}

#[test]
fn who_reads_slowly_holds_up_nobody() {
    let broker = Broker::start();
    if !broker.is_corelog() {
        return;
    }
    let admin = admin_of(&broker);
    // Asks for many scrapes at once, and reads none of them: the answers fill the socket and the rest is not asked for.
    let mut slow = TcpStream::connect(admin).expect("it accepts");
    slow.set_nonblocking(true).expect("a socket");
    let asks = b"GET /metrics HTTP/1.1\r\n\r\n".repeat(1000);
    let _ = slow.write(&asks);
    // One that never ends its head.
    let mut silent = TcpStream::connect(admin).expect("it accepts");
    silent.write_all(b"GET /metrics HTTP/1.1\r\nx: ").expect("it reads");
    for _ in 0..3 {
        assert_eq!(get(admin, "/metrics").0, 200);
        assert_eq!(get(admin, "/health").0, 200);
    }
    broker.connect().create_topic("served");
}

#[test]
fn a_busy_port_is_told_and_the_broker_goes_on() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let broker = Broker::start_with(&[&format!("corelog.admin.listener={address}")]);
    if !broker.is_corelog() {
        return;
    }
    let began = Instant::now();
    while !broker.log().contains(&format!("corelog.admin.listener={address}: cannot listen")) {
        assert!(began.elapsed() < DEADLINE, "{}", broker.log());
    }
    broker.connect().create_topic("served");
}

#[test]
fn an_empty_listener_is_none() {
    let broker = Broker::start_with(&["corelog.admin.listener="]);
    if !broker.is_corelog() {
        return;
    }
    broker.connect().create_topic("served");
    assert!(!broker.log().contains("metrics on") && !broker.log().contains("admin"), "{}", broker.log());
}
