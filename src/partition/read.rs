//! Reading for a fetch: ranges of segment files, bounded by who reads.

use super::Partition;
use super::ask::{Fetched, ReadAsk, Reader};
use super::error::read_code;
use super::state::State;
use super::unreadable::Place;
use crate::base::{ErrorCode, LeaderEpoch, Offset};
use crate::log::{Read, ReadError, ReadLookup, ReadPlan};

enum Begin {
    Answer(Fetched),
    Planned(ReadPlan, Fetched),
    Look(ReadLookup, Fetched),
}

impl Partition {
    /// Reads from `ask.offset`. With `at_least_one` a first batch larger than the limit is returned
    /// whole, so that every consumer gets on.
    pub async fn read(&self, ask: ReadAsk, at_least_one: bool) -> Fetched {
        loop {
            let generation = self.settled_generation().await;
            let (looked, fetched) = match self.begin_read(&ask, at_least_one) {
                Begin::Answer(fetched) => return fetched,
                Begin::Planned(plan, fetched) => (Ok(plan), fetched),
                Begin::Look(lookup, fetched) => {
                    let looked = lookup.run().await;
                    if self.settled_generation().await != generation {
                        // A compacted segment took the place of what was looked into: old and new may be mixed.
                        continue;
                    }
                    (looked, fetched)
                }
            };
            let plan = match looked {
                Ok(plan) => plan,
                Err(error) => return self.failed_read(ask.offset, &error),
            };
            if let Some(range) = &plan.range
                && let Err(error) = range.file.check_readable(range.position, range.len as usize).await
            {
                return self.failed_read(ask.offset, &ReadError::from(error));
            }
            self.note_read(Place::Offset(ask.offset));
            self.with_log(|log| log.remember(&plan));
            let upto = Offset(fetched.last_stable_offset);
            let lookup = match ask.reader {
                Reader::CommittedConsumer => self.with_log(|log| log.aborted(&plan, ask.offset, upto)),
                Reader::Consumer | Reader::Replica { .. } => None,
            };
            let Some(lookup) = lookup else { return with_records(fetched, plan) };
            let aborted = lookup.run().await;
            if self.settled_generation().await != generation {
                continue; // the same: an index without what the old bytes still hold would let it through
            }
            return match aborted {
                Ok(aborted) => with_records(Fetched { aborted: Some(aborted), ..fetched }, plan),
                Err(error) => self.failed_read(ask.offset, &ReadError::from(error)),
            };
        }
    }

    pub(super) fn failed_read(&self, offset: Offset, error: &ReadError) -> Fetched {
        if offset < self.start_offset() {
            // Retention was faster: with file.delete.delay.ms=0 not even the file is left.
            return Fetched::failed(ErrorCode::OffsetOutOfRange);
        }
        self.note_failed(Place::Offset(offset), error);
        Fetched::failed(read_code(error))
    }

    /// Says that the log cannot be read, the first time.
    pub(super) fn note_failed(&self, place: Place, error: &ReadError) {
        match error {
            ReadError::OutOfRange { .. } => {}
            _ if self.unreadable.failed(place) => tracing::error!("{} cannot be read: {error}", self.name),
            _ => tracing::debug!("{} cannot be read: {error}", self.name),
        }
    }

    /// Says that the log can be read again, the first time.
    pub(super) fn note_read(&self, place: Place) {
        if self.unreadable.read(place) {
            tracing::info!("{} can be read again", self.name);
        }
    }

    fn begin_read(&self, ask: &ReadAsk, at_least_one: bool) -> Begin {
        let state = self.state.borrow();
        if let Err(error) = state.check_leader(ask.current_leader_epoch) {
            let current_leader = state.current_leader(error);
            return Begin::Answer(Fetched { current_leader, ..Fetched::failed(error) });
        }
        if let Reader::Replica { id, .. } = ask.reader
            && !state.is_replica(id)
        {
            // A client that calls itself a follower gets nothing a client may not have.
            return Begin::Answer(Fetched::failed(ErrorCode::UnknownLeaderEpoch));
        }
        let base = told(&state, ask.reader);
        if let Some(diverging) = diverging(&state, ask) {
            return Begin::Answer(Fetched { diverging: Some(diverging), ..base });
        }
        let (start, end) = (state.log.start_offset(), state.log.written_offset());
        if ask.offset < start || ask.offset > end {
            return Begin::Answer(Fetched::failed(ErrorCode::OffsetOutOfRange));
        }
        let upto = match ask.reader {
            Reader::Consumer => state.high_watermark,
            Reader::CommittedConsumer => state.last_stable_offset(),
            Reader::Replica { .. } => end,
        };
        if ask.offset >= upto || (ask.max_bytes == 0 && !at_least_one) {
            return Begin::Answer(base);
        }
        match state.log.read(ask.offset, ask.max_bytes, upto, at_least_one) {
            Ok(Read::Ready(plan)) => Begin::Planned(plan, base),
            Ok(Read::Lookup(lookup)) => Begin::Look(lookup, base),
            Err(error) => Begin::Answer(Fetched::failed(read_code(&error))),
        }
    }
}

fn with_records(fetched: Fetched, plan: ReadPlan) -> Fetched {
    Fetched { records: plan.range, ..fetched }
}

fn told(state: &State, reader: Reader) -> Fetched {
    Fetched {
        error: ErrorCode::None,
        high_watermark: state.high_watermark.0,
        last_stable_offset: state.last_stable_offset().0,
        log_start_offset: state.log.start_offset().0,
        records: None,
        diverging: None,
        aborted: (reader == Reader::CommittedConsumer).then(Vec::new),
        current_leader: None,
    }
}

/// Where the reader's log left ours, when its last epoch says so (KIP-595).
fn diverging(state: &State, ask: &ReadAsk) -> Option<(i32, i64)> {
    if ask.last_fetched_epoch == LeaderEpoch::UNKNOWN {
        return None;
    }
    let end = state.log.end_of_epoch(ask.last_fetched_epoch);
    let (epoch, offset) = (end.epoch, end.end_offset);
    let unknown = epoch == LeaderEpoch::UNKNOWN || offset == Offset(-1);
    (!unknown && (epoch < ask.last_fetched_epoch || offset < ask.offset)).then_some((epoch.0, offset.0))
}
