//! `commits`: offsets of groups, and the requests for them.

use super::paced::paced;
use super::{Ground, Measured, Unit, Work};
use crate::load::Gate;
use crate::schedule::Share;
use crate::target::Target;
use crate::wire::{Connection, Reply};
use crate::{kafka, ready};
use corelog::protocol::ApiKey;
use corelog::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use corelog::protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use std::io;

const COMMIT: i16 = 7;

/// Flags of `commits`.
#[derive(clap::Args, Clone, Debug)]
pub struct Commits {
    /// Commits a second, of one partition each.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Groups, in turn.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    groups: u64,
    /// Connections, in turn.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    connections: u64,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

impl Work for Commits {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let topic = kafka::fresh_topic("commits");
        kafka::create_topic(on.address, &topic, 10)?;
        Ok(Ground { topics: vec![topic] })
    }

    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let ((first, groups), (_, rate)) = (share.part(self.groups), share.part(self.rate));
        let names: Vec<String> = (first..first + groups.max(1)).map(|n| format!("bench-commits-{n}")).collect();
        ready::coordinators(on.address, &names)?;
        let count = share.part(self.connections).1.max(1);
        let mut connections: Vec<Connection> =
            (0..count).map(|_| Connection::open(on.address)).collect::<io::Result<_>>()?;
        gate.connected()?;
        let send = |connections: &mut Vec<Connection>, number: u64| {
            let name = &names[(number % names.len() as u64) as usize];
            commit(&mut connections[(number % count) as usize], name, &ground.topics[0], 0..1, number as i64)
        };
        let receive = |connections: &mut Vec<Connection>, number: u64| {
            committed(connections[(number % count) as usize].receive()?)
        };
        paced(&mut connections, rate, self.seconds / 4.0, send, receive)?;
        gate.measuring()?;
        paced(&mut connections, rate, self.seconds, send, receive)
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

/// Commits `offset` for some partitions, of no generation.
pub fn commit(
    connection: &mut Connection,
    group: &str,
    topic: &str,
    partitions: std::ops::Range<i32>,
    offset: i64,
) -> io::Result<()> {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_metadata: Some("".into()),
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: topic.into(),
        partitions: partitions.map(partition).collect(),
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    connection.send(ApiKey::OffsetCommit, COMMIT, &request)
}

/// Takes the answer.
pub fn committed(reply: Reply) -> io::Result<()> {
    let reply: OffsetCommitResponse = reply.parse()?;
    let codes = reply.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
    match codes.into_iter().find(|code| *code != 0) {
        None => Ok(()),
        Some(code) => Err(io::Error::other(format!("OffsetCommit was answered with error {code}"))),
    }
}
