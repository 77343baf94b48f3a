//! The broker under load: started by us on one core, or one that runs already (address and process id).

use crate::child::Kind;
use crate::floor::{self, Floor};
use crate::load::{Load, Outcome};
use crate::{cpu, kafka};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A broker that runs already, and what to load it with.
#[derive(clap::Args, Clone)]
pub struct LoadArgs {
    /// Its address.
    #[arg(long, default_value = "127.0.0.1:9092")]
    pub address: SocketAddr,
    /// Its process id, for CPU and memory.
    #[arg(long)]
    pub pid: u32,
    /// Bytes of a batch (produce) or of a range (fetch).
    #[arg(long, default_value_t = 1 << 20)]
    pub size: usize,
    /// Connections, each on a partition of its own.
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Requests in flight on each.
    #[arg(long, default_value_t = 2)]
    pub in_flight: usize,
    /// Requests.
    #[arg(long, default_value_t = 1000)]
    pub requests: u64,
    /// Required acknowledgements.
    #[arg(long, default_value_t = -1, allow_hyphen_values = true)]
    pub acks: i16,
    /// Requests before those.
    #[arg(long, default_value_t = 0)]
    pub warm_up: u64,
    /// Packs the batches of `produce`, which then hold text.
    #[arg(long, value_enum)]
    pub compression: Option<kafka::Codec>,
    /// Fixed rate in requests per second (open loop); the latency then counts from when a request was due.
    #[arg(long, conflicts_with = "warm_up")]
    pub rate: Option<u64>,
}

/// Which floor a workload has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Batches of this many bytes.
    Produce(usize),
    /// Ranges of this many bytes.
    Fetch(usize),
    /// One record of 100 bytes a request, 64 connections.
    Small,
}

/// A topic name not used before.
pub fn fresh_topic(prefix: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("bench-{prefix}-{}", now.map_or(0, |d| d.as_micros()))
}

/// A batch whose produce request is about `size` bytes.
pub fn batch_of(size: usize) -> bytes::Bytes {
    let value = 1000.min(size.saturating_sub(120)).max(100);
    let mut records = (size.saturating_sub(160) / (value + 8)).max(1);
    loop {
        let batch = kafka::batch(records, value);
        if batch.len() + 90 <= size.max(300) || records == 1 {
            return batch;
        }
        records -= 1;
    }
}

impl LoadArgs {
    /// Four connections with two requests each in flight, after a quarter as many requests that warm up.
    pub fn closed_loop(address: SocketAddr, pid: u32, size: usize, requests: u64) -> Self {
        Self {
            address,
            pid,
            size,
            connections: 4,
            in_flight: 2,
            requests,
            acks: -1,
            warm_up: requests / 4,
            compression: None,
            rate: None,
        }
    }

    fn load(&self, request: &dyn Fn(usize) -> Vec<u8>) -> io::Result<Outcome> {
        let load = Load {
            address: self.address,
            connections: self.connections,
            in_flight: self.in_flight,
            request,
            framed_replies: true,
            server: self.pid,
            requests: self.requests + self.warm_up,
            warm_up: self.warm_up,
            core: 1,
            rate: self.rate,
        };
        load.run()
    }

    /// Produces to a fresh topic, one partition per connection.
    pub fn produce(&self, partitions: usize, batch: &bytes::Bytes) -> io::Result<Outcome> {
        let topic = fresh_topic("produce");
        kafka::create_topic(self.address, &topic, partitions as i32)?;
        let frames: Vec<_> = (0..partitions)
            .map(|n| kafka::produce(&topic, n as i32, self.acks, batch.clone()))
            .collect::<io::Result<_>>()?;
        let figure = self.load(&|connection| frames[connection % partitions].clone())?;
        kafka::check_produced(&figure.last_reply)?;
        let _ = kafka::delete_topic(self.address, &topic);
        Ok(figure)
    }

    /// Fetches from a topic filled before, one partition per connection.
    pub fn fetch(&self) -> io::Result<Outcome> {
        let topic = fresh_topic("fetch");
        kafka::create_topic(self.address, &topic, self.connections as i32)?;
        let batch = batch_of(self.size.min(1 << 20) - 4096.min(self.size / 4));
        let fill =
            Self { in_flight: 1, requests: 16 * self.connections as u64, warm_up: 0, rate: None, ..self.clone() };
        let frames: Vec<_> = (0..self.connections)
            .map(|n| kafka::produce(&topic, n as i32, -1, batch.clone()))
            .collect::<io::Result<_>>()?;
        fill.load(&|connection| frames[connection].clone())?;
        let request = |n: usize| kafka::fetch(&topic, n as i32, 0, self.size as i32);
        let bytes = kafka::fetched_bytes(self.address, &request(0)?)?;
        if bytes < self.size / 2 {
            return Err(io::Error::other(format!("a fetch of {} brings only {bytes} bytes", self.size)));
        }
        let requests: Vec<_> = (0..self.connections).map(request).collect::<io::Result<_>>()?;
        let figure = self.load(&|connection| requests[connection].clone())?;
        let _ = kafka::delete_topic(self.address, &topic);
        Ok(figure)
    }
}

/// `produce`: prints what one run used.
pub fn produce(args: &LoadArgs) -> io::Result<()> {
    let batch = match args.compression {
        None => batch_of(args.size),
        Some(codec) => kafka::packed_text(args.size, codec)?,
    };
    let figure = args.produce(args.connections, &batch)?;
    print(args, &figure, figure.bytes_out)
}

/// `fetch`.
pub fn fetch(args: &LoadArgs) -> io::Result<()> {
    let figure = args.fetch()?;
    print(args, &figure, figure.bytes_in)
}

/// `small`: one record of 100 bytes a request, all connections on one partition.
pub fn small(args: &LoadArgs) -> io::Result<()> {
    let figure = args.produce(1, &kafka::batch(1, 100))?;
    print(args, &figure, figure.bytes_out)
}

fn print(args: &LoadArgs, figure: &Outcome, bytes: u64) -> io::Result<()> {
    let (outcome, cpu) = (figure, figure.cpu.as_secs_f64());
    let seconds = outcome.elapsed.as_secs_f64();
    println!(
        "{} requests, {:.1} MB in {seconds:.2} s: {:.0}/s, {:.0} MB/s",
        outcome.replies,
        bytes as f64 / 1e6,
        outcome.replies as f64 / seconds,
        bytes as f64 / 1e6 / seconds
    );
    println!(
        "broker CPU {cpu:.3} s: {:.3} s/GB, {:.2} us per request",
        cpu * 1e9 / bytes as f64,
        cpu * 1e6 / outcome.replies as f64
    );
    for percentile in [50.0, 90.0, 99.0, 99.9, 99.99] {
        print!("p{percentile} {:.0} us  ", outcome.latency.value_at_percentile(percentile) as f64 / 1e3);
    }
    let (user, system) = cpu::user_and_system(args.pid)?;
    println!(
        "\nsince its start: user {user:?}, system {system:?}; RSS {:.1} MB",
        cpu::resident_bytes(args.pid)? as f64 / 1e6
    );
    Ok(())
}

/// Arguments of `idle`.
#[derive(clap::Args)]
pub struct IdleArgs {
    /// The broker's address.
    #[arg(long, default_value = "127.0.0.1:9092")]
    address: SocketAddr,
    /// Its process id.
    #[arg(long)]
    pid: u32,
    /// Connections open and silent.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
}

/// `idle`: CPU in ten seconds with connections open and silent.
pub fn idle(args: &IdleArgs) -> io::Result<()> {
    println!("idle with {} connections: {:.4} % CPU", args.connections, idle_percent(args)?);
    Ok(())
}

fn idle_percent(args: &IdleArgs) -> io::Result<f64> {
    let connections: Vec<_> =
        (0..args.connections).map(|_| TcpStream::connect(args.address)).collect::<io::Result<_>>()?;
    std::thread::sleep(Duration::from_secs(1));
    let before = cpu::of_process(args.pid)?;
    std::thread::sleep(Duration::from_secs(10));
    let used = cpu::of_process(args.pid)? - before;
    drop(connections);
    Ok(used.as_secs_f64() * 10.0)
}

/// A broker of ours on one core with a fresh directory; ended and removed on drop.
pub struct Broker {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    dir: PathBuf,
    /// From the start of the process to the first connection accepted.
    start: Duration,
}

impl Broker {
    /// Starts one under `parent`.
    fn start(binary: &Path, parent: &Path) -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let dir = parent.join(format!("bench-broker-{port}"));
        let begun = Instant::now();
        let child = Command::new(binary)
            .args(["--override", "corelog.cores=1"])
            .args(["--override", &format!("listeners=PLAINTEXT://127.0.0.1:{port}")])
            .args(["--override", &format!("log.dirs={}", dir.display())])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut broker = Self { child, address, dir, start: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) || broker.child.try_wait()?.is_some() {
                return Err(io::Error::other("the broker does not come up"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        broker.start = begun.elapsed();
        Ok(broker)
    }

    fn args(&self, size: usize, connections: usize, in_flight: usize, requests: u64) -> LoadArgs {
        LoadArgs { connections, in_flight, ..LoadArgs::closed_loop(self.address, self.child.id(), size, requests) }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Arguments of `compare` and `start`.
#[derive(clap::Args)]
pub struct CompareArgs {
    /// The broker.
    #[arg(long, default_value = "target/release/corelog")]
    binary: PathBuf,
    /// Where its log dir, and the floor's files, shall lie.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Runs of each, in turn.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only workloads whose name contains this (produce, fetch, small, start).
    #[arg(long, default_value = "")]
    only: String,
}

/// `start`: time to the first accepted connection on an empty dir, and memory after it.
pub fn start(args: &CompareArgs) -> io::Result<()> {
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..args.runs {
        let broker = Broker::start(&args.binary, &args.dir)?;
        std::thread::sleep(Duration::from_millis(500));
        starts.push(broker.start.as_secs_f64() * 1e3);
        memory.push(cpu::resident_bytes(broker.child.id())? as f64 / 1e6);
    }
    println!("start to first connection {:.0} ms (goal: 150)", cpu::median(&mut starts));
    println!("RSS after start {:.1} MB (goal: 40)", cpu::median(&mut memory));
    Ok(())
}

/// `compare`: floor and broker in turn, and the ratio of their medians.
pub fn compare(args: &CompareArgs) -> io::Result<()> {
    println!(
        "broker against floor on {}, medians of {} runs in turn:",
        corelog::ring::fs::fs_kind(&args.dir)?,
        args.runs
    );
    let workloads = [
        (Workload::Produce(1 << 20), 1.5),
        (Workload::Produce(16 << 10), 0.0),
        (Workload::Fetch(1 << 20), 1.4),
        (Workload::Fetch(64 << 10), 0.0),
        (Workload::Small, 2.2),
    ];
    let wanted = |name: &str| name.to_lowercase().contains(&args.only);
    for (workload, goal) in workloads {
        if wanted(&format!("{workload:?}")) {
            compare_one(args, workload, goal)?;
        }
    }
    if !wanted("start") {
        return Ok(());
    }
    start(args)?;
    let broker = Broker::start(&args.binary, &args.dir)?;
    let idle = IdleArgs { address: broker.address, pid: broker.child.id(), connections: 1000 };
    println!("idle with 1000 connections {:.4} % CPU (goal: 0.1)", idle_percent(&idle)?);
    Ok(())
}

fn floors(workload: Workload) -> Vec<Floor> {
    match workload {
        Workload::Produce(size) => vec![floor::produce(size)],
        Workload::Fetch(size) => vec![floor::fetch(Kind::Sendfile, size), floor::fetch(Kind::ReadSend, size)],
        Workload::Small => {
            let bytes =
                kafka::produce("bench-produce-1234567890123456", 0, -1, kafka::batch(1, 100)).map_or(200, |f| f.len());
            vec![floor::small(Kind::SmallAppend, bytes)]
        }
    }
}

fn compare_one(args: &CompareArgs, workload: Workload, goal: f64) -> io::Result<()> {
    let floors = floors(workload);
    let mut figures = vec![Vec::new(); floors.len() + 1];
    for run in 0..=args.runs {
        let mut once: Vec<f64> = floors
            .iter()
            .map(|floor| Ok(floor.run(&args.dir)? / per(workload, floor.requests as f64, floor.bytes())))
            .collect::<io::Result<_>>()?;
        once.push(broker_once(args, workload, &floors[0])?);
        // The first run only warms up.
        if run > 0 {
            figures.iter_mut().zip(once).for_each(|(all, figure)| all.push(figure));
        }
    }
    let medians: Vec<f64> = figures.iter_mut().map(|all| cpu::median(all)).collect();
    let (broker, floors) = medians.split_last().map_or((f64::NAN, &[][..]), |(last, rest)| (*last, rest));
    let floor = floors.iter().copied().fold(f64::INFINITY, f64::min);
    let unit = if workload == Workload::Small { "us per request" } else { "s/GB" };
    println!(
        "{workload:?}: floor {floor:.3} {unit} (of {floors:.3?}), broker {broker:.3}: {:.2} x (goal: {goal})",
        broker / floor
    );
    Ok(())
}

fn per(workload: Workload, requests: f64, bytes: f64) -> f64 {
    if workload == Workload::Small { requests / 1e6 } else { bytes / 1e9 }
}

fn broker_once(args: &CompareArgs, workload: Workload, floor: &Floor) -> io::Result<f64> {
    let broker = Broker::start(&args.binary, &args.dir)?;
    cpu::warm_page_cache(&args.dir, floor.written_bytes() * 3 / 2)?;
    let load = broker.args(floor.size, floor.connections, floor.in_flight, floor.requests);
    let figure = match workload {
        Workload::Produce(size) => load.produce(floor.connections, &batch_of(size))?,
        Workload::Fetch(_) => load.fetch()?,
        Workload::Small => load.produce(1, &kafka::batch(1, 100))?,
    };
    let bytes = match workload {
        Workload::Fetch(_) => figure.bytes_in,
        _ => figure.bytes_out,
    };
    Ok(figure.cpu.as_secs_f64() / per(workload, figure.replies as f64, bytes as f64))
}
