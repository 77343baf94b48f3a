//! Load from several machines: each runs `bench node`, and the one that was called divides the work among them, starts them
//! together and merges what they measured.
//!
//! A line of JSON each way at a time (docs in `message`). The server's CPU is read by the one that was called.

mod message;
mod worker;

pub use worker::{Args, run};

use crate::load::Gate;
use crate::schedule::Share;
use crate::target::Target;
use crate::workload::{Ground, Measured};
use message::{Line, Said, Task};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a node may be silent: it makes connections, or runs its load.
const SILENCE_MAX: Duration = Duration::from_secs(180);

/// A node that has a share of a load.
struct Node {
    address: SocketAddr,
    line: Line,
}

impl Node {
    fn open(address: SocketAddr, task: &Task) -> io::Result<Self> {
        let failed = |error| named(address, &error);
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(failed)?;
        let mut node = Self { address, line: Line::of(socket, SILENCE_MAX).map_err(failed)? };
        node.line.send(task).map_err(failed)?;
        Ok(node)
    }

    /// Waits until it says something.
    fn said(&mut self) -> io::Result<Said> {
        match self.line.receive().map_err(|error| named(self.address, &error))? {
            Said::Failed(why) => Err(named(self.address, &why)),
            said => Ok(said),
        }
    }

    fn expect(&mut self, wanted: &Said) -> io::Result<()> {
        let said = self.said()?;
        if said == *wanted { Ok(()) } else { Err(named(self.address, &format!("it says {said:?}, not {wanted:?}"))) }
    }
}

fn named(address: SocketAddr, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("node {address}: {error}"))
}

/// One run by all nodes together: each drives its share of the load that `args` describe.
///
/// # Errors
/// A node that cannot be reached, fails, is silent for too long, or answers what is no answer; by its address.
pub fn load(
    nodes: &[SocketAddr],
    args: &[String],
    on: &Target,
    ground: &Ground,
    gate: &dyn Gate,
) -> io::Result<Measured> {
    let of = nodes.len() as u64;
    let task = |index| Task {
        args: args.to_vec(),
        address: on.address,
        topics: ground.topics.clone(),
        share: Share { index, of },
    };
    let mut open: Vec<Node> =
        (0..).zip(nodes).map(|(index, address)| Node::open(*address, &task(index))).collect::<io::Result<_>>()?;
    open.iter_mut().try_for_each(|node| node.expect(&Said::Connected))?;
    gate.connected()?;
    for node in &mut open {
        node.line.send(&Said::Connected).map_err(|error| named(node.address, &error))?;
    }
    open.iter_mut().try_for_each(|node| node.expect(&Said::Measuring))?;
    gate.measuring()?;
    let mut all: Option<Measured> = None;
    for node in &mut open {
        let measured = match node.said()? {
            Said::Measured(share) => share.measured().map_err(|error| named(node.address, &error))?,
            other => return Err(named(node.address, &format!("it says {other:?} instead of what it measured"))),
        };
        match &mut all {
            None => all = Some(measured),
            Some(all) => all.merge(measured)?,
        }
    }
    all.ok_or_else(|| io::Error::other("no nodes"))
}

#[cfg(test)]
mod tests;
