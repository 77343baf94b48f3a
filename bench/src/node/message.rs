//! What nodes and the one who called them say to each other: a line of JSON each.

use crate::load::histogram;
use crate::schedule::Share;
use crate::workload::Measured;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A line may be so long.
const LINE_MAX: u64 = 16 << 20;

/// What a node shall do.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Task {
    /// The workload, as `bench` takes it.
    pub args: Vec<String>,
    /// The server.
    pub address: SocketAddr,
    /// What was prepared.
    pub topics: Vec<String>,
    /// Its part.
    pub share: Share,
}

/// What is said in the course of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// The node: it is ready to begin. Back to it: all are.
    Connected,
    /// The node: its warm-up is over.
    Measuring,
    /// The node: what came of it.
    Measured(Box<Measurement>),
    /// The node: it could not.
    Failed(String),
}

/// [`Measured`] on the wire.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measurement {
    requests: u64,
    records: u64,
    bytes: u64,
    seconds: f64,
    /// Nanoseconds and how many requests took so long: each of the histogram's own steps, so nothing is lost in it.
    latency: Vec<(u64, u64)>,
    figures: BTreeMap<String, f64>,
}

impl Measurement {
    /// Of what was measured.
    pub fn of(measured: Measured) -> Self {
        let latency = &measured.latency;
        let latency = latency.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        let Measured { requests, records, bytes, seconds, figures, .. } = measured;
        Self { requests, records, bytes, seconds, latency, figures }
    }

    /// What was measured.
    ///
    /// # Errors
    /// A latency beyond what a histogram holds.
    pub fn measured(self) -> io::Result<Measured> {
        let mut latency = histogram()?;
        for (nanos, count) in self.latency {
            latency.record_n(nanos, count).map_err(io::Error::other)?;
        }
        let Self { requests, records, bytes, seconds, figures, .. } = self;
        Ok(Measured { requests, records, bytes, seconds, latency, figures })
    }
}

/// One side of the conversation.
pub struct Line {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Line {
    /// Over a socket; what does not come within `silence` is an error.
    pub fn of(socket: TcpStream, silence: Duration) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(silence))?;
        socket.set_write_timeout(Some(silence))?;
        Ok(Self { writer: socket.try_clone()?, reader: BufReader::new(socket) })
    }

    /// Says something.
    pub fn send<M: Serialize>(&mut self, message: &M) -> io::Result<()> {
        send(&self.writer, message)
    }

    /// Waits until something is said.
    ///
    /// # Errors
    /// The end of the connection, silence, or what is no message.
    pub fn receive<M: DeserializeOwned>(&mut self) -> io::Result<M> {
        let mut line = String::new();
        match self.reader.by_ref().take(LINE_MAX).read_line(&mut line) {
            Ok(0) => return Err(io::Error::other("the connection was closed")),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing was said for too long"));
            }
            Err(error) => return Err(error),
        }
        serde_json::from_str(&line).map_err(|error| {
            let begin: String = line.chars().take(60).collect();
            io::Error::other(format!("what it says is no message ({error}): {begin:?}"))
        })
    }
}

/// Says something over a socket.
pub fn send<M: Serialize>(mut socket: &TcpStream, message: &M) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    socket.write_all(&line)
}
