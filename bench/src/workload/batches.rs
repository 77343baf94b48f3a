//! Sends batches to the partitions of one topic: what the producing workloads share.

use super::{Ground, Measured};
use crate::child::Kind;
use crate::floor::{self, Floor};
use crate::kafka;
use crate::load::{Frames, Gate, Length, Load, Outcome, Replies};
use crate::payload::{Durability, Payload};
use crate::schedule::{Pace, Schedule, Share, Usual};
use crate::target::Target;
use bytes::Bytes;
use std::io;

/// Batches of one size to the partitions of one topic.
pub struct Batches<'a> {
    /// Bytes of a request.
    pub size: u32,
    /// Partitions.
    pub partitions: u32,
    /// What is in them.
    pub payload: &'a Payload,
    /// When they are sent.
    pub schedule: &'a Schedule,
    /// Where that says nothing.
    pub usual: Usual,
}

impl Batches<'_> {
    /// The topic.
    pub fn prepare(&self, on: &Target, name: &str) -> io::Result<Ground> {
        let topic = kafka::fresh_topic(name);
        kafka::create_topic_with(on.address, &topic, self.partitions as i32, &self.payload.topic_configs())?;
        Ok(Ground { topics: vec![topic] })
    }

    /// Sends them.
    pub fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let pace = self.schedule.pace(self.usual, share);
        let (batch, records) = self.payload.batch(self.size)?;
        let topic = &ground.topics[0];
        let bytes = kafka::produce(topic, 0, self.payload.acks, batch.clone())?.len() as u64;
        let outcome = self.send(on, topic, &pace, self.payload.acks, &batch, gate)?;
        Ok(Measured::of(outcome, bytes, records))
    }

    /// One small record to each partition, so that all have their files.
    pub fn touch(&self, on: &Target, ground: &Ground) -> io::Result<()> {
        let length = Length::Requests(u64::from(self.partitions));
        let pace = Pace { first: 0, connections: 1, all_connections: 1, in_flight: 64, rate: None, length };
        self.send(on, &ground.topics[0], &pace, -1, &kafka::batch(1, 100), &NoGate).map(drop)
    }

    fn send(
        &self,
        on: &Target,
        topic: &str,
        pace: &Pace,
        acks: i16,
        batch: &Bytes,
        gate: &dyn Gate,
    ) -> io::Result<Outcome> {
        let frames = |number: usize| {
            let mine = partitions_of(pace.first + number as u64, pace.all_connections, self.partitions);
            Frames::varying(mine, 4, |partition| kafka::produce(topic, partition as i32, acks, batch.clone()))
        };
        let load = Load {
            address: on.address,
            connections: pace.connections,
            in_flight: pace.in_flight,
            frames: &frames,
            replies: if acks == 0 { Replies::None } else { Replies::Framed(kafka::produced_error) },
            length: pace.length,
            rate: pace.rate,
        };
        load.run(gate)
    }

    /// Bytes that a run puts into the page cache, about.
    pub fn written_bytes(&self) -> u64 {
        self.schedule.requests_about(self.usual) * u64::from(self.size)
    }

    /// The floor of small requests of this load.
    pub fn small_floor(&self) -> io::Result<Floor> {
        let (batch, _) = self.payload.batch(self.size)?;
        let frame = kafka::produce(&kafka::fresh_topic("small"), 0, -1, batch)?;
        let sync = self.payload.durability == Durability::Sync;
        Ok(Floor { kind: if sync { Kind::SmallSync } else { Kind::SmallAppend }, ..self.floor(frame.len()) })
    }

    /// The floor of frames of `size` bytes, under this load.
    pub fn floor(&self, size: usize) -> Floor {
        let pace = self.schedule.pace(self.usual, Share::WHOLE);
        Floor {
            connections: pace.connections,
            in_flight: pace.in_flight,
            length: pace.length,
            rate: pace.rate,
            ..floor::produce(size)
        }
    }
}

/// The partitions of a connection: every so many, or one where connections are more.
fn partitions_of(connection: u64, connections: u64, partitions: u32) -> Vec<i64> {
    let partitions = u64::from(partitions);
    (connection % partitions..partitions).step_by(connections as usize).map(|partition| partition as i64).collect()
}

/// Nobody is told.
pub struct NoGate;

impl Gate for NoGate {
    fn connected(&self) -> io::Result<()> {
        Ok(())
    }
    fn measuring(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_partitions_have_a_connection_and_all_connections_a_partition() {
        for (connections, partitions) in [(4, 4), (4, 1), (3, 10), (64, 7)] {
            let parts: Vec<_> = (0..connections).map(|c| partitions_of(c, connections, partitions)).collect();
            assert!(parts.iter().all(|part| !part.is_empty()), "{connections} {partitions}");
            let all: std::collections::BTreeSet<_> = parts.concat().into_iter().collect();
            assert_eq!(all.len(), partitions as usize);
        }
    }
}
