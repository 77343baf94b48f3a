//! Each index, snapshot, checkpoint and meta file of a stopped broker emptied, cut or filled with noise: the next start
//! rebuilds it and serves every record, or refuses with a sentence that names the file. It never panics.
//!
//! Two kinds of damage for each file, drawn by `FAULTS_SEED`, which repeats a run; `FAULTS_ALL=1` does all four.

use crate::support::{DEADLINE, Wire, free_address, now, spawn_corelog};
use bytes::Bytes;
use corelog::base::{Offset, ProducerEpoch, ProducerId};
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, ProduceRequest, ProduceResponse,
};
use corelog::protocol::{Array, Records};
use corelog::record::{BatchBuilder, BatchView, batches};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Instant;

const TOPIC: &str = "faults";
/// Kafka's least for a segment; the records fill two and begin a third.
const SEGMENT_BYTES: usize = 1 << 20;
const VALUE_BYTES: usize = 20_000;
/// Without it nobody knows whose partition it is: then only the data has to be kept, and the file named.
const PARTITION_METADATA: &str = "partition.metadata";

/// A broker over a directory that outlives it.
struct Running {
    child: Child,
    address: SocketAddr,
}

/// How a start ended.
enum Start {
    Serving(Running),
    Refused(String),
}

fn start(dir: &Path) -> Start {
    let address = free_address();
    let log_path = dir.join("said");
    let segment_bytes = format!("log.segment.bytes={SEGMENT_BYTES}");
    let settings = [segment_bytes.as_str(), "corelog.cores=1"];
    let mut child = spawn_corelog(address, &dir.join("data"), &settings, &log_path);
    let began = Instant::now();
    loop {
        if TcpStream::connect(address).is_ok() {
            return Start::Serving(Running { child, address });
        }
        if child.try_wait().expect("its state").is_some() {
            return Start::Refused(fs::read_to_string(&log_path).unwrap_or_default());
        }
        assert!(began.elapsed() < DEADLINE, "neither serving nor ended");
        std::thread::yield_now();
    }
}

impl Running {
    fn connect(&self) -> Wire {
        Wire::over(TcpStream::connect(self.address).expect("the broker accepts"))
    }

    fn stop(mut self) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn produce(wire: &mut Wire, records: Bytes) -> i64 {
    let data = PartitionProduceData { index: 0, records: Some(records) };
    let topic = TopicProduceData { name: TOPIC.into(), partition_data: Array::from(vec![data]), ..Default::default() };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() };
    let answer: ProduceResponse = wire.call(&request, 9);
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!(partition.error_code, 0, "{:?}", partition.error_message);
    partition.base_offset
}

/// What a fetch from `offset` gives: error code and bytes.
fn fetch(wire: &mut Wire, offset: i64) -> (i16, Bytes) {
    let partition =
        FetchPartition { partition: 0, fetch_offset: offset, partition_max_bytes: 1 << 19, ..Default::default() };
    let topic = FetchTopic { topic: TOPIC.into(), partitions: vec![partition].into(), ..Default::default() };
    let request =
        FetchRequest { max_bytes: 1 << 19, session_epoch: -1, topics: vec![topic].into(), ..Default::default() };
    let answer: FetchResponse = wire.call(&request, 12);
    let partition = &answer.responses[0].partitions[0];
    match &partition.records {
        Some(Records::Bytes(bytes)) => (partition.error_code, bytes.clone()),
        _ => (partition.error_code, Bytes::new()),
    }
}

/// Every batch: base offset, checksum, epoch.
fn content(wire: &mut Wire, mut at: i64) -> Vec<(i64, u32, i32)> {
    let mut all = Vec::new();
    loop {
        let (error, bytes) = fetch(wire, at);
        assert_eq!(error, 0, "from {at}");
        let before = all.len();
        for batch in batches(&bytes) {
            let Ok(batch) = batch else { break };
            batch.check_crc().expect("what is served is sound");
            let header = batch.header();
            all.push((header.base_offset().0, header.crc(), header.leader_epoch().0));
            at = header.next_offset().0;
        }
        if all.len() == before {
            return all;
        }
    }
}

fn offset_at(wire: &mut Wire, timestamp: i64) -> i64 {
    let partition = ListOffsetsPartition { partition_index: 0, timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer: ListOffsetsResponse = wire.call(&request, 5);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.offset
}

/// A directory that a broker filled and left, and what a reader of it has to find.
struct Left {
    dir: tempfile::TempDir,
    content: Vec<(i64, u32, i32)>,
    begin: i64,
}

impl Left {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let Start::Serving(broker) = start(dir.path()) else { panic!("a new directory is served") };
        let mut wire = broker.connect();
        wire.create_topic(TOPIC);
        let begin = now().0;
        for n in 0..(5 * SEGMENT_BYTES / 2 / VALUE_BYTES) as i32 {
            let mut batch = BatchBuilder::new(Offset(0)).producer(ProducerId(7), ProducerEpoch(0), 2 * n);
            let time = corelog::base::TimestampMs(begin + i64::from(n));
            batch.append(time, Some(b"key"), Some(&vec![n as u8; VALUE_BYTES - 100]), &[]);
            batch.append(time, None, Some(b"value"), &[]);
            assert_eq!(produce(&mut wire, batch.build()), i64::from(2 * n));
        }
        let content = content(&mut wire, 0);
        drop(wire);
        broker.stop();
        Self { dir, content, begin }
    }

    /// Every file but the segments themselves and the lock.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut dirs = vec![self.dir.path().join("data")];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).expect("a directory") {
                let path = entry.expect("an entry").path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if path.is_dir() {
                    dirs.push(path);
                } else if !name.ends_with(".log") && name != ".lock" {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    /// A copy in which a file is damaged.
    fn with(&self, file: &Path, damage: &[u8], clean: bool) -> tempfile::TempDir {
        let copy = tempfile::tempdir().expect("a directory");
        let status = Command::new("cp")
            .args(["-a", "--"])
            .args([self.dir.path().join("data"), copy.path().join("data")])
            .status();
        assert!(status.expect("cp runs").success());
        if !clean {
            fs::remove_file(copy.path().join("data/.kafka_cleanshutdown")).expect("it was stopped cleanly");
        }
        let inside = file.strip_prefix(self.dir.path()).expect("a file of the directory");
        if clean || !inside.ends_with(".kafka_cleanshutdown") {
            fs::write(copy.path().join(inside), damage).expect("the damage is done");
        }
        copy
    }

    /// What is wrong with a start on this copy.
    fn judge(&self, copy: &Path, file: &str) -> Result<(), String> {
        let name = file.rsplit('/').next().unwrap_or_default();
        match start(copy) {
            Start::Refused(said) => {
                let last = said.lines().last().unwrap_or_default().to_owned();
                if said.contains("panicked") || !last.contains(name) {
                    return Err(format!("refused without naming it: {said}"));
                }
                Ok(())
            }
            Start::Serving(broker) if file.ends_with(&format!("{TOPIC}-0/{PARTITION_METADATA}")) => {
                drop(broker);
                let said = fs::read_to_string(copy.join("said")).unwrap_or_default();
                let named = said.contains(PARTITION_METADATA) && !said.contains("panicked");
                if named { self.kept(copy) } else { Err(said) }
            }
            Start::Serving(broker) => {
                let served = std::panic::catch_unwind(|| self.compare(&broker));
                drop(broker);
                let said = fs::read_to_string(copy.join("said")).unwrap_or_default();
                match served {
                    Ok(()) if !said.contains("panicked") => Ok(()),
                    Ok(()) => Err(said),
                    Err(_) => Err(format!("serves something else\n{said}")),
                }
            }
        }
    }

    /// A partition that is not known again is left alone: its segments are all there, under whatever name.
    fn kept(&self, copy: &Path) -> Result<(), String> {
        let data = copy.join("data");
        let partitions = fs::read_dir(&data).expect("a directory").map(|entry| entry.expect("an entry").path());
        let of_topic = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TOPIC));
        let bytes = |dir: PathBuf| {
            let files = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
            files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum::<u64>()
        };
        let kept: u64 = partitions.filter(of_topic).map(bytes).sum();
        if kept > 2 * SEGMENT_BYTES as u64 { Ok(()) } else { Err(format!("only {kept} bytes are left")) }
    }

    fn compare(&self, broker: &Running) {
        let mut wire = broker.connect();
        wire.wait_for_leaders(TOPIC, 1);
        assert!(content(&mut wire, 0) == self.content, "other records");
        for (n, (base, crc, _)) in self.content.iter().enumerate().step_by(7) {
            for offset in [*base, base + 1] {
                let (error, bytes) = fetch(&mut wire, offset);
                let found = BatchView::parse_checked(&bytes).map(|batch| batch.header().crc());
                assert_eq!((error, found), (0, Ok(*crc)), "at {offset}");
            }
            assert_eq!(offset_at(&mut wire, self.begin + n as i64), *base, "by time");
        }
        let mut batch = BatchBuilder::new(Offset(0));
        batch.append(now(), None, Some(b"more"), &[]);
        assert_eq!(produce(&mut wire, batch.build()), 2 * self.content.len() as i64);
    }
}

#[test]
fn a_damaged_file_is_rebuilt_or_named() {
    let seed = std::env::var("FAULTS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("FAULTS_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let left = Left::make();
    let (odd, all) = (random.random::<bool>(), std::env::var("FAULTS_ALL").is_ok());
    let mut wrong = Vec::new();
    for (n, file) in left.files().iter().enumerate() {
        let whole = fs::read(file).expect("a file");
        let inside = file.strip_prefix(left.dir.path()).unwrap_or(file).display().to_string();
        let mut noise = whole.clone();
        random.fill(&mut noise[..]);
        let mut tail = whole.clone();
        let from = tail.len() - tail.len().min(12);
        random.fill(&mut tail[from..]);
        let damages = [
            ("empty", vec![]),
            ("cut", whole[..whole.len() / 2].to_vec()),
            ("noise", noise),
            ("noise at its end", tail),
        ];
        for (m, (what, damage)) in damages.into_iter().enumerate() {
            if !all && (n + m + usize::from(odd)) % 2 == 0 {
                continue;
            }
            let clean = random.random::<bool>();
            let copy = left.with(file, &damage, clean);
            if let Err(why) = left.judge(copy.path(), &inside) {
                wrong.push(format!("{inside} {what}, clean {clean}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
