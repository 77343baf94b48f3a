//! A broker that was started, for as long as the test needs it.

use super::cli_support::CORELOG;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

/// A broker that serves; killed on drop.
pub struct Broker {
    pub child: Child,
    pub address: SocketAddr,
    /// What it said until it listened.
    pub said: String,
}

impl Broker {
    /// Starts `corelog ARGUMENTS` in `dir` and waits until it takes connections. The port must be given as 0.
    pub fn start(arguments: &[&str], dir: &Path) -> Self {
        let mut command = Command::new(CORELOG);
        command.args(arguments).current_dir(dir);
        Self::spawn(command)
    }

    /// Starts a prepared command.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut said = String::new();
        let address = loop {
            let from = said.len();
            let read = lines.read_line(&mut said).expect("text");
            assert!(read > 0, "it ended before it listened: {:?}\n{said}", child.wait());
            if let Some(address) = listening_on(&said[from..]) {
                break address;
            }
        };
        // What it says later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let broker = Self { child, address, said };
        broker.connect();
        broker
    }

    /// A connection, as soon as it takes one.
    pub fn connect(&self) -> TcpStream {
        let end = Instant::now() + DEADLINE;
        loop {
            match TcpStream::connect(self.address) {
                Ok(stream) => return stream,
                Err(e) => assert!(Instant::now() < end, "{}: {e}", self.address),
            }
            std::thread::yield_now();
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Option<i32> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(2)); // there is no event to wait for with a deadline
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line such as `listening on PLAINTEXT://127.0.0.1:9092`.
fn listening_on(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    rest.trim().split_once("://")?.1.parse().ok()
}
