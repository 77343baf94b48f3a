//! What is loaded: where it listens, and how what it uses is read.

use crate::cgroup;
use crate::cpu;
use crate::load::Gate;
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// A server under load.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// How what it uses is read.
    pub gauge: Gauge,
    /// Its log dir, where it lies on this machine.
    pub data: Option<PathBuf>,
    /// From the start of its process to its first connection, where we started it.
    pub until_listening: Option<Duration>,
}

/// Where CPU time and memory of a server are read.
#[derive(Clone, Debug)]
pub enum Gauge {
    /// A process of this machine.
    Process(u32),
    /// A group of processes of this machine: its directory below `/sys/fs/cgroup`.
    Group(PathBuf),
    /// A remote broker's `/metrics`.
    Metrics(SocketAddr),
    /// Nowhere: only what the client sees is known.
    Nothing,
}

/// What a server had used at one moment, as far as it can be known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Seconds of CPU time.
    pub cpu: Option<f64>,
    /// Of these in user mode.
    pub user: Option<f64>,
    /// And in the kernel.
    pub system: Option<f64>,
    /// Resident memory, now.
    pub rss_bytes: Option<u64>,
    /// Switches of its threads, waited and forced.
    pub context_switches: Option<u64>,
    /// Bytes of pages it made dirty, or wrote.
    pub dirtied_bytes: Option<u64>,
    /// Bytes of pages that this machine wrote back, whoever made them dirty.
    pub written_back_bytes: Option<u64>,
}

impl Gauge {
    /// What was used up to now.
    ///
    /// # Errors
    /// A process that is gone; metrics that are not there, or lack the CPU time.
    pub fn read(&self) -> io::Result<Used> {
        let here = Used { written_back_bytes: cpu::written_back_bytes(), ..Used::default() };
        match self {
            Self::Process(pid) => {
                let (user, system) = cpu::user_and_system(*pid)?;
                Ok(Used {
                    cpu: Some(cpu::of_process(*pid)?.as_secs_f64()),
                    user: Some(user.as_secs_f64()),
                    system: Some(system.as_secs_f64()),
                    rss_bytes: Some(cpu::resident_bytes(*pid)?),
                    context_switches: Some(cpu::context_switches(*pid)?),
                    dirtied_bytes: Some(cpu::written_bytes(*pid)?),
                    ..here
                })
            }
            Self::Group(dir) => {
                let usage = cgroup::Usage::of(dir)?;
                let (cpu, user, system) = (Some(usage.cpu), usage.user, usage.system);
                Ok(Used { cpu, user, system, rss_bytes: usage.memory_bytes, ..here })
            }
            Self::Metrics(address) => {
                let text = scrape(*address)?;
                let cpu = sample(&text, "process_cpu_seconds_total");
                let cpu = cpu.ok_or_else(|| io::Error::other(format!("{address}/metrics has no CPU time")))?;
                let rss = sample(&text, "process_resident_memory_bytes").map(|bytes| bytes as u64);
                Ok(Used { cpu: Some(cpu), rss_bytes: rss, ..Used::default() })
            }
            Self::Nothing => Ok(Used::default()),
        }
    }

    /// Its process on this machine.
    pub const fn pid(&self) -> Option<u32> {
        match self {
            Self::Process(pid) => Some(*pid),
            _ => None,
        }
    }
}

impl Used {
    /// What was used between `before` and this; memory is that of now.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let seconds = |now: Option<f64>, then: Option<f64>| Some((now? - then?).max(0.0));
        let count = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        Self {
            cpu: seconds(self.cpu, before.cpu),
            user: seconds(self.user, before.user),
            system: seconds(self.system, before.system),
            rss_bytes: self.rss_bytes,
            context_switches: count(self.context_switches, before.context_switches),
            dirtied_bytes: count(self.dirtied_bytes, before.dirtied_bytes),
            written_back_bytes: count(self.written_back_bytes, before.written_back_bytes),
        }
    }
}

/// Reads what a server uses from when the measured part begins.
pub struct Meter<'a> {
    gauge: &'a Gauge,
    before: Cell<Option<Used>>,
    after: Cell<Option<Used>>,
}

impl<'a> Meter<'a> {
    /// Of a server.
    pub const fn new(gauge: &'a Gauge) -> Self {
        Self { gauge, before: Cell::new(None), after: Cell::new(None) }
    }

    /// What was used since the measured part began, until it was over, or until now.
    pub fn end(&self) -> io::Result<Used> {
        let now = self.after.get().map_or_else(|| self.gauge.read(), Ok)?;
        let before = self.before.get().ok_or_else(|| io::Error::other("the load never began to be measured"))?;
        Ok(now.since(before))
    }
}

impl Gate for Meter<'_> {
    fn connected(&self) -> io::Result<()> {
        Ok(())
    }

    fn measuring(&self) -> io::Result<()> {
        self.before.set(Some(self.gauge.read()?));
        Ok(())
    }

    fn done(&self) -> io::Result<()> {
        self.after.set(Some(self.gauge.read()?));
        Ok(())
    }
}

/// The text of `http://address/metrics`.
fn scrape(address: SocketAddr) -> io::Result<String> {
    const ANSWER_MAX: u64 = 64 << 20;
    let mut socket = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    // In one piece: who answers at its first and closes would reset the connection at the second.
    socket.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    socket.take(ANSWER_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.lines().next().unwrap_or_default().to_owned();
    if status.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(format!("{address}/metrics answers {status:?}")));
    }
    Ok(answer)
}

/// The value of a metric without labels.
fn sample(text: &str, name: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.split(' ').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.read(&mut [0; 500]);
            let _ = socket.write_all(answer.as_bytes());
        });
        address
    }

    #[test]
    fn a_remote_broker_tells_its_cpu_and_memory_in_its_metrics() {
        let text = "HTTP/1.1 200 OK\r\n\r\n# TYPE process_cpu_seconds_total counter\n\
                    process_cpu_seconds_total 12.5\nprocess_resident_memory_bytes 31457280\n";
        let used = Gauge::Metrics(answering(text)).read().unwrap();
        assert_eq!((used.cpu, used.rss_bytes, used.user), (Some(12.5), Some(31_457_280), None));
        let later = Used { cpu: Some(13.0), rss_bytes: Some(5), ..Used::default() }.since(used);
        assert_eq!((later.cpu, later.rss_bytes), (Some(0.5), Some(5)));
    }

    #[test]
    fn metrics_that_are_none_are_an_error() {
        for (answer, said) in [("HTTP/1.1 404 Not Found\r\n\r\n", "404"), ("HTTP/1.1 200 OK\r\n\r\nx 1\n", "CPU time")]
        {
            let error = Gauge::Metrics(answering(answer)).read().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_meter_counts_from_the_begin_of_the_measured_part() {
        let gauge = Gauge::Process(std::process::id());
        let meter = Meter::new(&gauge);
        assert!(meter.end().is_err());
        meter.measuring().unwrap();
        let used = meter.end().unwrap();
        assert!(used.cpu.unwrap() < 10.0 && used.rss_bytes.unwrap() > 100_000, "{used:?}");
    }
}
