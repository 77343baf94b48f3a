//! A server of its own for a workload: corelog, or Apache Kafka out of its jars, with its default settings but for
//! ports, dirs and replication.

use crate::cpu;
use crate::target::{Gauge, Target};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::borrow::Cow;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Which server.
#[derive(Clone)]
pub enum Kind {
    /// corelog's binary.
    Corelog(PathBuf),
    /// The directory of Apache Kafka's jars.
    Kafka(PathBuf),
}

impl Kind {
    /// For tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Corelog(_) => "corelog",
            Self::Kafka(_) => "Kafka",
        }
    }
}

/// The servers that are measured in turn.
#[derive(clap::Args, Clone, Debug)]
pub struct Servers {
    /// corelog.
    #[arg(long, default_value = "target/release/corelog")]
    pub binary: PathBuf,
    /// Jars of Apache Kafka; it is measured too where they are given.
    #[arg(long)]
    kafka_libs: Option<PathBuf>,
    /// Where log dirs shall lie.
    #[arg(long, default_value = ".")]
    pub dir: PathBuf,
}

impl Servers {
    /// corelog, then Apache Kafka if it is wanted.
    pub fn kinds(&self) -> Vec<Kind> {
        let kafka = self.kafka_libs.clone().map(Kind::Kafka);
        std::iter::once(Kind::Corelog(self.binary.clone())).chain(kafka).collect()
    }
}

/// A running server with a fresh directory; ended and removed on drop.
pub struct Server {
    child: Child,
    command: Box<dyn Fn() -> Command>,
    setup: Setup,
    dir: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process to the first connection.
    pub until_listening: Duration,
}

/// What a server is started in.
#[derive(Clone, Default)]
pub struct Setup {
    /// The entrance of a memory group.
    pub group: Option<PathBuf>,
    /// It may use the first so many cores; `None`: all.
    pub cores: Option<usize>,
    /// Lines of its file, beside ports and dirs.
    pub properties: Vec<(Cow<'static, str>, String)>,
}

impl Setup {
    fn confine(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        let group = self.group.clone();
        let set = match self.cores {
            None => Ok(cpu::allowed()),
            Some(cores) => {
                let mut set = nix::sched::CpuSet::new();
                (0..cores).try_for_each(|id| set.set(id)).map(|()| set)
            }
        };
        let enter = move || {
            group.as_ref().map_or(Ok(()), |entrance| std::fs::write(entrance, "0"))?;
            Ok(nix::sched::sched_setaffinity(Pid::from_raw(0), &set?)?)
        };
        // SAFETY: between fork and exec it only writes two bytes to a file and makes one system call.
        unsafe { command.pre_exec(enter) };
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Server {
    /// Starts one below `parent`; what `setup` confines it to holds until it is stopped.
    pub fn start_in(kind: &Kind, parent: &Path, setup: &Setup) -> io::Result<Self> {
        let port = free_port()?;
        let dir = parent.join(format!("bench-server-{port}"));
        std::fs::create_dir_all(&dir)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let command: Box<dyn Fn() -> Command> = match kind {
            Kind::Corelog(binary) => {
                let (binary, dir) = (binary.clone(), dir.clone());
                let mut properties = setup.properties.clone();
                properties.extend(setup.cores.map(|cores| ("corelog.cores".into(), cores.to_string())));
                Box::new(move || {
                    let mut command = Command::new(&binary);
                    for (key, value) in &properties {
                        command.args(["--override", &format!("{key}={value}")]);
                    }
                    command.args(["--override", &format!("listeners=PLAINTEXT://127.0.0.1:{port}")]);
                    command.args(["--override", &format!("log.dirs={}", dir.join("data").display())]);
                    command
                })
            }
            Kind::Kafka(libs) => {
                let java = java(libs);
                let config = kafka_properties(&dir, port, &setup.properties)?;
                let id = "ZGVmYXVsdC1iZW5jaC1pZA";
                let format = java(&["kafka.tools.StorageTool", "format", "-t", id, "-c", &config]).output()?;
                if !format.status.success() {
                    return Err(io::Error::other(String::from_utf8_lossy(&format.stderr).into_owned()));
                }
                Box::new(move || java(&["kafka.Kafka", &config]))
            }
        };
        let mut first = command();
        setup.confine(&mut first);
        let child = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self { child, command, setup: setup.clone(), dir, address, until_listening: Duration::ZERO };
        server.until_listening = server.await_listening()?;
        Ok(server)
    }

    fn await_listening(&mut self) -> io::Result<Duration> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if began.elapsed() > Duration::from_secs(60) || self.child.try_wait()?.is_some() {
                return Err(io::Error::other("the server does not come up"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(began.elapsed())
    }

    /// Its log dir.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As what is loaded.
    pub fn target(&self) -> Target {
        let (gauge, until_listening) = (Gauge::Process(self.pid()), Some(self.until_listening));
        Target { address: self.address, gauge, data: Some(self.data()), until_listening }
    }

    /// Stops it and starts it on the same directory.
    pub fn restart(&mut self) -> io::Result<()> {
        self.stop();
        let mut again = (self.command)();
        self.setup.confine(&mut again);
        self.child = again.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        self.until_listening = self.await_listening()?;
        Ok(())
    }

    fn stop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Kafka's own heap and collector settings.
fn java(libs: &Path) -> impl Fn(&[&str]) -> Command + use<> {
    let class_path = format!("{}/*", libs.display());
    move |arguments| {
        let mut command = Command::new("java");
        command.args(["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
        command.args(["-XX:InitiatingHeapOccupancyPercent=35", "-cp", &class_path]).args(arguments);
        command
    }
}

fn kafka_properties(dir: &Path, port: u16, more: &[(Cow<'static, str>, String)]) -> io::Result<String> {
    let controller = free_port()?;
    let mut text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nlog.dirs={}\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n",
        dir.join("data").display()
    );
    more.iter().for_each(|(key, value)| text.push_str(&format!("{key}={value}\n")));
    let path = dir.join("server.properties");
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}
