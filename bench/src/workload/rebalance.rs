//! `rebalance`: all members of one group, answering at once, get through a rebalance.
//!
//! Classic: its leader joins again, then, told so by their heartbeats, the others. KIP-848: half of the members leave, and
//! come back (both are counted, and each is told by itself).

use super::member::{Member, Protocol, again, assign, settle};
use super::{Ground, Measured, Unit, Work};
use crate::load::{Gate, histogram};
use crate::schedule::Share;
use crate::target::Target;
use crate::{kafka, ready};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// Flags of `rebalance`.
#[derive(clap::Args, Clone, Debug)]
pub struct Rebalance {
    /// The protocol of the group.
    #[arg(long, value_enum, default_value_t = Protocol::Classic)]
    protocol: Protocol,
    /// Its members.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..))]
    members: u32,
    /// Partitions they share.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(2..))]
    partitions: u32,
}

/// Targets of KIP-848 keep this distance in time (`group.consumer.assignment.interval.ms`).
const TARGETS_APART: Duration = Duration::from_millis(1200);

impl Work for Rebalance {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let topic = kafka::fresh_topic("rebalance");
        kafka::create_topic(on.address, &topic, self.partitions as i32)?;
        Ok(Ground { topics: vec![topic] })
    }

    fn load(&self, on: &Target, ground: &Ground, _: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let topic = &ground.topics[0];
        // Each run has a group of its own.
        ready::coordinators(on.address, &[topic.clone()])?;
        let member = |number| Member::new(on.address, topic.clone(), topic, number);
        let mut members: Vec<Member> = (0..self.members as usize).map(member).collect::<io::Result<_>>()?;
        gate.connected()?;
        let mut parts = Vec::new();
        match self.protocol {
            Protocol::Classic => {
                let leaders = assign(&mut members, self.members as usize, self.partitions as i32)?;
                let [leader] = leaders[..] else { return Err(io::Error::other("not one leader")) };
                gate.measuring()?;
                parts.push(timed(on, "all", || again(&mut members, leader, self.partitions as i32))?);
                gate.done()?;
            }
            Protocol::Consumer => {
                settle(&mut members, self.partitions as usize)?;
                std::thread::sleep(TARGETS_APART);
                gate.measuring()?;
                self.half_leaves_and_returns(on, &mut members, &mut parts)?;
                gate.done()?;
            }
        }
        members.iter_mut().try_for_each(|member| member.leave(self.protocol))?;
        let (mut latency, mut figures) = (histogram()?, BTreeMap::new());
        for (name, time, cpu) in &parts {
            let _ = latency.record(time.as_nanos() as u64);
            figures.insert(format!("{name} ms"), time.as_secs_f64() * 1e3);
            cpu.map(|cpu| figures.insert(format!("{name} CPU ms"), cpu * 1e3));
        }
        let seconds = parts.iter().map(|(_, time, _)| time.as_secs_f64()).sum();
        Ok(Measured { requests: u64::from(self.members), records: 0, bytes: 0, seconds, latency, figures })
    }

    fn unit(&self) -> Unit {
        Unit::Whole
    }

    fn open_loop(&self) -> bool {
        false
    }
}

/// What was done, how long it took, and the server's CPU seconds where they are known.
type Part = (&'static str, Duration, Option<f64>);

fn timed(on: &Target, name: &'static str, work: impl FnOnce() -> io::Result<()>) -> io::Result<Part> {
    let (before, began) = (on.gauge.read()?, Instant::now());
    work()?;
    Ok((name, began.elapsed(), on.gauge.read()?.since(before).cpu))
}

impl Rebalance {
    fn half_leaves_and_returns(&self, on: &Target, members: &mut Vec<Member>, parts: &mut Vec<Part>) -> io::Result<()> {
        let partitions = self.partitions as usize;
        let mut gone = members.split_off(members.len() / 2);
        parts.push(timed(on, "half leaves", || {
            gone.iter_mut().try_for_each(|member| member.leave(Protocol::Consumer))?;
            settle(members, partitions)
        })?);
        members.append(&mut gone);
        std::thread::sleep(TARGETS_APART);
        parts.push(timed(on, "half returns", || settle(members, partitions))?);
        Ok(())
    }
}
