//! `node`: drives shares of loads for whoever calls, one after the other.

use super::SILENCE_MAX;
use super::message::{Line, Measurement, Said, Task};
use crate::campaign::workload_of;
use crate::load::{Gate, on_last_core};
use crate::target::{Gauge, Target};
use crate::workload::Ground;
use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Arguments of `node`.
#[derive(clap::Args)]
pub struct Args {
    /// Where it listens. Whoever reaches this may send load anywhere: listen in a network of your own.
    #[arg(long, default_value = "127.0.0.1:9700")]
    listen: SocketAddr,
    /// The core it runs on; without it the last one.
    #[arg(long)]
    core: Option<usize>,
}

/// `node`: until it is ended.
pub fn run(args: &Args) -> io::Result<()> {
    match args.core {
        Some(id) if core_affinity::set_for_current(core_affinity::CoreId { id }) => {}
        Some(id) => return Err(io::Error::other(format!("core {id} cannot be had"))),
        None => on_last_core(),
    }
    let listener = TcpListener::bind(args.listen)?;
    println!("{}", listener.local_addr()?);
    loop {
        let (socket, caller) = listener.accept()?;
        if let Err(error) = serve(socket) {
            eprintln!("{caller}: {error}");
        }
    }
}

/// One task.
pub fn serve(socket: TcpStream) -> io::Result<()> {
    let mut line = Line::of(socket, SILENCE_MAX)?;
    let task: Task = line.receive()?;
    let line = RefCell::new(line);
    let said = match drive(&task, &Caller(&line)) {
        Ok(measured) => Said::Measured(Box::new(measured)),
        Err(error) => Said::Failed(error.to_string()),
    };
    line.borrow_mut().send(&said)?;
    match said {
        Said::Failed(why) => Err(io::Error::other(why)),
        _ => Ok(()),
    }
}

fn drive(task: &Task, gate: &Caller<'_>) -> io::Result<Measurement> {
    let workload = workload_of(&task.args).map_err(io::Error::other)?;
    let target = Target { address: task.address, gauge: Gauge::Nothing, data: None, until_listening: None };
    let ground = Ground { topics: task.topics.clone() };
    workload.work().load(&target, &ground, task.share, gate).map(Measurement::of)
}

/// The one who called.
struct Caller<'a>(&'a RefCell<Line>);

impl Gate for Caller<'_> {
    /// Tells, and waits until all nodes are connected.
    fn connected(&self) -> io::Result<()> {
        let mut line = self.0.borrow_mut();
        line.send(&Said::Connected)?;
        match line.receive()? {
            Said::Connected => Ok(()),
            other => Err(io::Error::other(format!("the caller says {other:?}"))),
        }
    }

    fn measuring(&self) -> io::Result<()> {
        self.0.borrow_mut().send(&Said::Measuring)
    }
}
