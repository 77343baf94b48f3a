//! `heartbeats`: members of groups that are stable, each on a connection of its own.

use super::member::{Member, Protocol, assign, settle};
use super::paced::paced;
use super::{Ground, Measured, Unit, Work};
use crate::load::Gate;
use crate::schedule::Share;
use crate::target::Target;
use crate::{kafka, ready};
use std::io;

/// Flags of `heartbeats`.
#[derive(clap::Args, Clone, Debug)]
pub struct Heartbeats {
    /// The protocol of the groups.
    #[arg(long, value_enum, default_value_t = Protocol::Classic)]
    protocol: Protocol,
    /// Groups.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    groups: u64,
    /// Members of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    members: u32,
    /// Heartbeats a second in all; without it as often as Apache Kafka's clients: each member every 3 s (classic) or 5 s.
    #[arg(long)]
    rate: Option<u64>,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

impl Heartbeats {
    fn rate(&self) -> u64 {
        let interval_s = if self.protocol == Protocol::Classic { 3 } else { 5 };
        self.rate.unwrap_or(self.groups * u64::from(self.members) / interval_s).max(1)
    }
}

impl Work for Heartbeats {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let topic = kafka::fresh_topic("heartbeats");
        kafka::create_topic(on.address, &topic, self.members as i32)?;
        Ok(Ground { topics: vec![topic] })
    }

    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let ((first, groups), (_, rate)) = (share.part(self.groups), share.part(self.rate()));
        let (per_group, topic) = (self.members as usize, &ground.topics[0]);
        // Each run has groups of its own.
        let names: Vec<String> = (first..first + groups).map(|number| format!("{topic}-{number}")).collect();
        ready::coordinators(on.address, &names)?;
        let member = |number: usize| Member::new(on.address, names[number / per_group].clone(), topic, number);
        let mut members: Vec<Member> = (0..names.len() * per_group).map(member).collect::<io::Result<_>>()?;
        match self.protocol {
            Protocol::Classic => assign(&mut members, per_group, self.members as i32).map(drop)?,
            Protocol::Consumer => settle(&mut members, names.len() * per_group)?,
        }
        gate.connected()?;
        gate.measuring()?;
        let (protocol, count) = (self.protocol, members.len() as u64);
        let measured = paced(
            &mut members,
            rate,
            self.seconds,
            |members, number| members[(number % count) as usize].quiet_beat(protocol),
            |members, number| members[(number % count) as usize].quiet_told(protocol),
        )?;
        gate.done()?;
        members.iter_mut().try_for_each(|member| member.leave(protocol))?;
        Ok(measured)
    }

    fn unit(&self) -> Unit {
        Unit::Time
    }

    fn divides(&self) -> bool {
        true
    }

    fn open_loop(&self) -> bool {
        true
    }
}
