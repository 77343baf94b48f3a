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
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// How long a node may be silent: it makes connections, or runs its load.
const SILENCE_MAX: Duration = Duration::from_secs(180);

/// What one of the nodes said.
type Heard = (usize, io::Result<Said>);

/// The nodes that have a share of a load. A thread of each listens, so that one that goes is noticed at once.
struct Nodes {
    addresses: Vec<SocketAddr>,
    sockets: Vec<TcpStream>,
    heard: Receiver<Heard>,
}

impl Nodes {
    /// Gives each its task.
    fn open(addresses: &[SocketAddr], task: impl Fn(u64) -> Task) -> io::Result<Self> {
        let (said, heard) = mpsc::channel();
        let mut nodes = Self { addresses: addresses.to_vec(), sockets: Vec::new(), heard };
        for (index, address) in addresses.iter().enumerate() {
            let opened = TcpStream::connect_timeout(address, Duration::from_secs(5)).and_then(|socket| {
                nodes.sockets.push(socket.try_clone()?);
                let mut line = Line::of(socket, SILENCE_MAX)?;
                line.send(&task(index as u64))?;
                let said = said.clone();
                Ok(thread::spawn(move || listen(index, line, &said)))
            });
            opened.map_err(|error| named(*address, &error))?;
        }
        Ok(nodes)
    }

    /// What the next of them says.
    fn next(&self) -> io::Result<(usize, Said)> {
        let (index, said) = self.heard.recv().map_err(io::Error::other)?;
        match said {
            Ok(Said::Failed(why)) => Err(named(self.addresses[index], &why)),
            Ok(said) => Ok((index, said)),
            Err(error) => Err(named(self.addresses[index], &error)),
        }
    }

    /// Waits until all have said this. What those said that are ahead of others is put aside.
    fn all(&self, wanted: &Said, aside: &mut Vec<(usize, Said)>) -> io::Result<()> {
        let mut left = self.addresses.len();
        while left > 0 {
            match self.next()? {
                (_, said) if said == *wanted => left -= 1,
                ahead @ (_, Said::Measured(_)) if *wanted == Said::Measuring => aside.push(ahead),
                (index, said) => {
                    return Err(named(self.addresses[index], &format!("it says {said:?}, not {wanted:?}")));
                }
            }
        }
        Ok(())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        // Ends those who listen, and tells nodes that nobody waits for them.
        self.sockets.iter().for_each(|socket| drop(socket.shutdown(std::net::Shutdown::Both)));
    }
}

/// Passes on what a node says, up to what it measured, or why it could not.
fn listen(index: usize, mut line: Line, said: &Sender<Heard>) {
    loop {
        let heard = line.receive();
        let last = matches!(heard, Err(_) | Ok(Said::Measured(_) | Said::Failed(_)));
        if said.send((index, heard)).is_err() || last {
            return;
        }
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
    let open = Nodes::open(nodes, task)?;
    let mut aside = Vec::new();
    open.all(&Said::Connected, &mut aside)?;
    gate.connected()?;
    for (address, socket) in nodes.iter().zip(&open.sockets) {
        message::send(socket, &Said::Connected).map_err(|error| named(*address, &error))?;
    }
    open.all(&Said::Measuring, &mut aside)?;
    gate.measuring()?;
    let mut all: Option<Measured> = None;
    for _ in nodes {
        let measured = match aside.pop().map_or_else(|| open.next(), Ok)? {
            (index, Said::Measured(share)) => share.measured().map_err(|error| named(nodes[index], &error))?,
            (index, said) => return Err(named(nodes[index], &format!("it says {said:?} instead of what it measured"))),
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
