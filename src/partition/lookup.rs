//! ListOffsets and OffsetForLeaderEpoch on the owner.

use super::Partition;
use super::ask::Reader;
use super::error::read_code;
use super::state::State;
use super::unreadable::Place;
use crate::base::{ErrorCode, LeaderEpoch, TimestampMs};
use crate::log::timestamp::TimestampLookup;

/// `timestamp` values with a meaning of their own (`ListOffsetsRequest`).
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// What is asked of one partition.
#[derive(Clone, Copy, Debug)]
pub struct OffsetAsk {
    /// A time in milliseconds, or one of Kafka's negative markers.
    pub timestamp: i64,
    /// The leader epoch the client believes in, -1 when it has none.
    pub current_leader_epoch: LeaderEpoch,
    /// Who asks.
    pub reader: Reader,
}

/// An offset, the timestamp found there and the epoch it was written in; each -1 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAnswer {
    /// `None` where the rest holds.
    pub error: ErrorCode,
    /// The record's timestamp; -1 for markers.
    pub timestamp: i64,
    /// The offset found.
    pub offset: i64,
    /// Its leader epoch.
    pub leader_epoch: i32,
}

impl OffsetAnswer {
    const NOTHING: Self = Self { error: ErrorCode::None, timestamp: -1, offset: -1, leader_epoch: -1 };

    /// Nothing found, because of `error`.
    pub const fn failed(error: ErrorCode) -> Self {
        Self { error, ..Self::NOTHING }
    }
}

/// The end of a leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochAnswer {
    /// `None` where the rest holds.
    pub error: ErrorCode,
    /// The largest epoch not above the one asked for, -1 where unknown.
    pub leader_epoch: i32,
    /// Where it ends, -1 where unknown.
    pub end_offset: i64,
}

enum Begin {
    Answer(OffsetAnswer),
    Search(TimestampLookup),
}

impl Partition {
    /// The offset `ask` means.
    pub async fn list_offset(&self, ask: OffsetAsk) -> OffsetAnswer {
        let found = loop {
            let generation = self.settled_generation().await;
            let lookup = match self.begin_lookup(&ask) {
                Begin::Answer(answer) => return answer,
                Begin::Search(lookup) => lookup,
            };
            let found = lookup.run().await;
            if self.settled_generation().await == generation {
                break found;
            }
        };
        if found.is_ok() {
            self.note_read(Place::Time(ask.timestamp));
        }
        match found {
            Ok(Some(found)) => {
                let state = self.state.borrow();
                // What a consumer may not read yet does not exist for it.
                if found.offset >= upto(&state, ask.reader) {
                    return OffsetAnswer::NOTHING;
                }
                OffsetAnswer {
                    error: ErrorCode::None,
                    timestamp: found.timestamp.0,
                    offset: found.offset.0,
                    leader_epoch: state.log.epoch_at(found.offset).unwrap_or(LeaderEpoch::UNKNOWN).0,
                }
            }
            Ok(None) => OffsetAnswer::NOTHING,
            Err(error) => {
                self.note_failed(Place::Time(ask.timestamp), &error);
                OffsetAnswer::failed(read_code(&error))
            }
        }
    }

    fn begin_lookup(&self, ask: &OffsetAsk) -> Begin {
        let state = self.state.borrow_mut();
        if let Err(error) = state.check_leader(ask.current_leader_epoch) {
            return Begin::Answer(OffsetAnswer::failed(error));
        }
        let answer = |offset: crate::base::Offset, epoch: LeaderEpoch| {
            Begin::Answer(OffsetAnswer { offset: offset.0, leader_epoch: epoch.0, ..OffsetAnswer::NOTHING })
        };
        match ask.timestamp {
            LATEST => answer(upto(&state, ask.reader), state.leader_epoch()),
            EARLIEST | EARLIEST_LOCAL => {
                let start = state.log.start_offset();
                answer(start, state.log.epoch_at(start).unwrap_or(LeaderEpoch::UNKNOWN))
            }
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Begin::Answer(OffsetAnswer::NOTHING),
            MAX_TIMESTAMP => Begin::Search(state.log.max_timestamp()),
            timestamp if timestamp >= 0 => Begin::Search(state.log.offset_for_timestamp(TimestampMs(timestamp))),
            _ => Begin::Answer(OffsetAnswer::failed(ErrorCode::UnsupportedVersion)),
        }
    }

    /// Where `epoch` ends in this log.
    pub fn epoch_end(&self, current: LeaderEpoch, epoch: LeaderEpoch) -> EpochAnswer {
        let state = self.state.borrow();
        if let Err(error) = state.check_leader(current) {
            return EpochAnswer { error, leader_epoch: -1, end_offset: -1 };
        }
        let end = state.log.end_of_epoch(epoch);
        EpochAnswer { error: ErrorCode::None, leader_epoch: end.epoch.0, end_offset: end.end_offset.0 }
    }
}

fn upto(state: &State, reader: Reader) -> crate::base::Offset {
    match reader {
        Reader::Consumer => state.high_watermark,
        Reader::CommittedConsumer => state.last_stable_offset(),
        Reader::Replica { .. } => state.log.written_offset(),
    }
}
