//! A broker in a process of its own, and a client that writes what it likes onto a socket.

use bytes::Bytes;
use corelog::base::{TimestampMs, Uuid};
use corelog::protocol::messages::create_topics_request::CreatableTopic;
use corelog::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use corelog::protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest,
    MetadataResponse, RequestHeader, ResponseHeader,
};
use corelog::protocol::{ApiKey, Decoder, Message, encode_to_bytes};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a broker does within this time it never does.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The settings of [`Broker::of_two_cores`].
pub const TWO_CORES: &[&str] = &["corelog.admin.listener=127.0.0.1:0", "corelog.cores=2"];

/// Starts corelog on `address` over `data`, with further settings; what it says goes to the file `log`.
pub fn spawn_corelog(address: SocketAddr, data: &Path, settings: &[&str], log: &Path) -> Child {
    let log = std::fs::File::create(log).expect("a log file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_corelog"));
    command
        .args(["--override", &format!("listeners=PLAINTEXT://{address}")])
        .args(["--override", &format!("log.dirs={}", data.display())]);
    for setting in settings {
        command.args(["--override", setting]);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log file twice"))
        .stderr(log)
        .spawn()
        .expect("corelog starts")
}

/// A broker on a free port of the loopback; killed when dropped.
pub struct Broker {
    /// Where it listens.
    pub address: SocketAddr,
    process: Option<(Child, tempfile::TempDir)>,
}

impl Broker {
    /// Starts corelog, or takes the broker that the environment names.
    pub fn start() -> Self {
        Self::start_with(&["corelog.admin.listener=127.0.0.1:0"])
    }

    /// The same with settings of its own.
    pub fn start_with(settings: &[&str]) -> Self {
        if let Ok(address) = std::env::var("CORELOG_TEST_BROKER") {
            return Self { address: address.parse().expect("CORELOG_TEST_BROKER=host:port"), process: None };
        }
        let directory = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let child = answering(address, directory.path(), settings);
        Self { address, process: Some((child, directory)) }
    }

    /// A broker of two cores and a topic whose partitions go round them; `None` where the machine has but one CPU.
    pub fn of_two_cores(topic: &str, partitions: i32) -> Option<Self> {
        Self::of_two_cores_with(&[], topic, partitions)
    }

    /// The same with further settings.
    pub fn of_two_cores_with(settings: &[&str], topic: &str, partitions: i32) -> Option<Self> {
        if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
            eprintln!("one CPU only: nothing moves");
            return None;
        }
        if std::env::var_os("CORELOG_TEST_BROKER").is_some() {
            eprintln!("another broker: its cores are not known");
            return None;
        }
        let broker = Self::start_with(&[TWO_CORES, settings].concat());
        broker.connect().create_topic_of(topic, partitions);
        Some(broker)
    }

    /// Kills it, where it is ours, and starts it over what it has left, with other settings.
    pub fn restart_with(&mut self, settings: &[&str]) {
        let Some((child, directory)) = &mut self.process else { return };
        child.kill().and_then(|()| child.wait()).expect("it ends");
        *child = answering(self.address, directory.path(), settings);
    }

    /// Stops it cleanly, where it is ours, and starts it again.
    pub fn stop_and_start_with(&mut self, settings: &[&str]) {
        self.tell_to_stop();
        self.wait_for_end();
        self.start_again_with(settings);
    }

    /// Asks it to stop cleanly, where it is ours.
    pub fn tell_to_stop(&self) {
        let Some((child, _)) = &self.process else { return };
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        signal::kill(pid, Signal::SIGTERM).expect("it is told to stop");
    }

    /// Waits until it has ended well, where it is ours and was told to stop.
    pub fn wait_for_end(&mut self) {
        let began = Instant::now();
        let Some((child, _)) = &mut self.process else { return };
        let ended = loop {
            match child.try_wait().expect("its state") {
                Some(ended) => break ended,
                None => assert!(began.elapsed() < DEADLINE, "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(ended.success(), "{ended}\n{}", self.log());
    }

    /// Starts it, where it is ours and has ended, over what it has left.
    pub fn start_again_with(&mut self, settings: &[&str]) {
        let Some((child, directory)) = &mut self.process else { return };
        *child = answering(self.address, directory.path(), settings);
    }

    /// A connection to it.
    pub fn connect(&self) -> Wire {
        Wire::over(TcpStream::connect(self.address).expect("the broker accepts"))
    }

    /// Whether it is ours.
    pub fn is_corelog(&self) -> bool {
        self.process.is_some()
    }

    /// Resident memory, where the process is ours.
    pub fn resident_bytes(&self) -> Option<u64> {
        let (child, _) = self.process.as_ref()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    }

    /// What it has logged, where the process is ours.
    pub fn log(&self) -> String {
        let Some((_, directory)) = &self.process else { return String::new() };
        std::fs::read_to_string(directory.path().join("log")).unwrap_or_default()
    }
}

/// corelog on `address` over `directory`, when it answers: whoever connects before it is ready may be closed again.
fn answering(address: SocketAddr, directory: &Path, settings: &[&str]) -> Child {
    let mut child = spawn_corelog(address, &directory.join("data"), settings, &directory.join("log"));
    let began = Instant::now();
    let answers = |wire: &mut Wire| wire.try_call::<_, MetadataResponse>(&MetadataRequest::default(), 12).is_some();
    while !TcpStream::connect(address).is_ok_and(|stream| answers(&mut Wire::over(stream))) {
        let ended = child.try_wait().expect("its state");
        let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert!(ended.is_none(), "the broker ended: {ended:?}\n{log}");
        assert!(began.elapsed() < DEADLINE, "the broker does not answer\n{log}");
    }
    child
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.process {
            // It may have ended; then there is nothing to do.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address that is free now.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// A connection on which anything may be written.
pub struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    /// Speaks over a connection.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, correlation_id: 0 }
    }

    /// Writes bytes as they are. The peer may have closed: what it does is judged by what can be read.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Ends our side of the connection.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads until the broker closes; `Err` where it does not within the deadline.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        match self.stream.read_to_end(&mut all) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => Ok(all),
            Err(e) => Err(e),
            Ok(_) => Ok(all),
        }
    }

    /// One frame's content; `None` where the connection was closed instead.
    pub fn frame(&mut self) -> io::Result<Option<Bytes>> {
        let mut size = [0; 4];
        match self.stream.read_exact(&mut size) {
            Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                return Ok(None);
            }
            other => other?,
        }
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame.into()))
    }

    /// Sends a request.
    pub fn post<Q: Message>(&mut self, request: &Q, version: i16) {
        let body = encode_to_bytes(request, version).expect("a request that can be encoded");
        self.correlation_id += 1;
        self.send(&request_frame(Q::KEY, version, self.correlation_id, &body));
    }

    /// Sends a request and returns its answer; `None` where the broker closes the connection instead.
    pub fn try_call<Q: Message, A: Message>(&mut self, request: &Q, version: i16) -> Option<A> {
        self.post(request, version);
        self.answer(request, version)
    }

    /// The answer to the request sent last; `None` where the broker closes the connection instead.
    pub fn answer<Q: Message, A: Message>(&mut self, _: &Q, version: i16) -> Option<A> {
        let (correlation_id, answer) = self.read_answer::<Q, A>(version)?;
        assert_eq!(correlation_id, self.correlation_id);
        Some(answer)
    }

    /// The next answer, to a request like this.
    pub fn next_answer<Q: Message, A: Message>(&mut self, _: &Q, version: i16) -> Option<A> {
        self.read_answer::<Q, A>(version).map(|(_, answer)| answer)
    }

    fn read_answer<Q: Message, A: Message>(&mut self, version: i16) -> Option<(i32, A)> {
        let key = ApiKey::from_i16(Q::KEY).expect("a request");
        let frame = self.frame().expect("an answer in time")?;
        let mut decoder = Decoder::new(frame);
        let header = ResponseHeader::decode(&mut decoder, key.response_header_version(version)).expect("a header");
        Some((header.correlation_id, A::decode(&mut decoder, version).expect("an answer that can be decoded")))
    }

    /// Sends a request and returns its answer.
    pub fn call<Q: Message, A: Message>(&mut self, request: &Q, version: i16) -> A {
        self.try_call(request, version).expect("an answer, not a closed connection")
    }

    /// Creates a topic of one partition and waits until it has its leader.
    pub fn create_topic(&mut self, name: &str) -> Uuid {
        self.create_topic_of(name, 1)
    }

    /// Creates a topic of so many partitions and waits until each has its leader.
    pub fn create_topic_of(&mut self, name: &str, num_partitions: i32) -> Uuid {
        let topic = CreatableTopic { name: name.into(), num_partitions, replication_factor: 1, ..Default::default() };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let created: CreateTopicsResponse = self.call(&request, 7);
        assert!(matches!(created.topics[0].error_code, 0 | 36), "{created:?}");
        self.wait_for_leaders(name, num_partitions)
    }

    /// Waits until each partition of the topic has its leader; returns the topic's id.
    pub fn wait_for_leaders(&mut self, name: &str, num_partitions: i32) -> Uuid {
        let began = Instant::now();
        loop {
            let all = MetadataRequest { topics: None, ..Default::default() };
            let described: MetadataResponse = self.call(&all, 12);
            let topic = described.topics.iter().find(|topic| topic.name.as_deref() == Some(name));
            if let Some(topic) = topic.filter(|_| self.leads(name, num_partitions)) {
                return topic.topic_id;
            }
            assert!(began.elapsed() < DEADLINE, "no leader for {name}");
        }
    }
}

impl Wire {
    /// Whether the broker answers for each partition; Apache Kafka's tells of a topic before it leads it.
    fn leads(&mut self, name: &str, num_partitions: i32) -> bool {
        let partitions = (0..num_partitions)
            .map(|partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() })
            .collect();
        let topics = vec![ListOffsetsTopic { name: name.into(), partitions }];
        let answer: ListOffsetsResponse =
            self.call(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, 5);
        answer.topics.iter().all(|topic| topic.partitions.iter().all(|it| it.error_code == 0))
    }
}

/// The time for records: an old one may be deleted under the test's hands.
pub fn now() -> TimestampMs {
    TimestampMs(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64)
}

/// A whole frame: size, header, body.
pub fn request_frame(key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: key,
        request_api_version: version,
        correlation_id,
        client_id: Some("wire-test".into()),
        ..Default::default()
    };
    let header_version = ApiKey::from_i16(key).map_or(1, |key| key.request_header_version(version));
    let header = encode_to_bytes(&header, header_version).expect("a header");
    framed(&[&header[..], body].concat())
}

/// The content with its size before it.
pub fn framed(content: &[u8]) -> Vec<u8> {
    [&(content.len() as i32).to_be_bytes()[..], content].concat()
}
