//! Records on their way: batches of one partition, in order.

use super::NewRecord;
use crate::base::{Instant, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::client::ClientError;
use crate::record::header::sequence_plus;
use crate::record::rebuild::{Packing, rebuild};
use crate::record::{BatchBuilder, BatchView, Compression};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::time::Duration;
use zerocopy::IntoBytes;

/// What a record takes at most beside its key, value and headers.
const RECORD_OVERHEAD: usize = 21 + 61;

/// The bytes of a record in a batch, at most.
pub fn size_of(record: &NewRecord) -> usize {
    let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + of(value) + 10).sum();
    of(&record.key) + of(&record.value) + headers + RECORD_OVERHEAD
}

/// A finished batch.
#[derive(Clone, Debug)]
pub struct Batch {
    plain: Bytes,
    count: usize,
    /// Who wrote it, and its first sequence number, where it has one.
    numbered: Option<(ProducerId, ProducerEpoch, i32)>,
    since: Instant,
    tries: u32,
}

impl Batch {
    /// How many records it holds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Its bytes unpacked.
    pub fn size(&self) -> usize {
        self.plain.len()
    }

    /// When its first record was handed over.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Counts a try; false when there were enough.
    pub fn try_again(&mut self, retries: u32) -> bool {
        self.tries += 1;
        self.tries <= retries
    }

    fn sequence(&self) -> Option<i32> {
        self.numbered.map(|(_, _, sequence)| sequence)
    }

    /// The same records under another epoch and number. What cannot be read stays as it is: the broker will say so.
    fn numbered_as(self, id: ProducerId, epoch: ProducerEpoch, sequence: i32) -> Self {
        let Ok(view) = BatchView::parse(&self.plain) else { return self };
        let base = view.header().base_timestamp().0;
        let mut builder = BatchBuilder::new(Offset(0)).producer(id, epoch, sequence);
        for record in view.records() {
            let Ok(record) = record else { return self };
            let names: Vec<(std::borrow::Cow<'_, str>, Option<&[u8]>)> =
                record.headers.iter().map(|(name, value)| (String::from_utf8_lossy(name), value)).collect();
            let headers: Vec<(&str, Option<&[u8]>)> = names.iter().map(|(name, value)| (&**name, *value)).collect();
            let time = TimestampMs(base.wrapping_add(record.timestamp_delta));
            builder.append(time, record.key, record.value, &headers);
        }
        Self { plain: builder.build(), numbered: Some((id, epoch, sequence)), ..self }
    }

    /// The bytes to send.
    pub fn packed(&self, packing: Packing) -> Result<Bytes, ClientError> {
        if packing.codec == Compression::None {
            return Ok(self.plain.clone());
        }
        let failed = |why: String| ClientError::Malformed(format!("a batch that cannot be packed: {why}"));
        let view = BatchView::parse(&self.plain).map_err(|e| failed(e.to_string()))?;
        let (header, body) = rebuild(&view, packing, None, self.plain.len()).map_err(|e| failed(format!("{e:?}")))?;
        let mut whole = BytesMut::with_capacity(header.as_bytes().len() + body.len());
        whole.extend_from_slice(header.as_bytes());
        whole.extend_from_slice(&body);
        Ok(whole.freeze())
    }
}

/// A batch that still takes records.
#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    since: Instant,
    /// When it is sent at the latest.
    due: Instant,
    full: bool,
}

/// The batches of one partition.
#[derive(Debug, Default)]
pub struct Queue {
    /// Those that were sent and came back, in the order of their sequence numbers.
    again: VecDeque<Batch>,
    open: VecDeque<Open>,
    in_flight: usize,
    /// Who writes, since sequence number 0.
    id: Option<(ProducerId, ProducerEpoch)>,
    next_sequence: i32,
}

impl Queue {
    /// Adds a record to the last batch, or begins one. `limits`: bytes of a batch, and when a new one is due.
    pub fn append(&mut self, record: &NewRecord, time: TimestampMs, now: Instant, limits: (usize, Instant)) {
        let (batch_size, due) = limits;
        let size = size_of(record);
        if let Some(last) = self.open.back_mut() {
            last.full |= last.builder.size() + size > batch_size;
        }
        if self.open.back().is_none_or(|last| last.full) {
            self.open.push_back(Open { builder: BatchBuilder::new(Offset(0)), since: now, due, full: false });
        }
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        if let Some(last) = self.open.back_mut() {
            last.builder.append(time, record.key.as_deref(), record.value.as_deref(), &headers);
            last.full |= last.builder.size() >= batch_size;
        }
    }

    /// The size of the batch that can be sent now.
    pub fn ready(&self, now: Instant, flush: bool) -> Option<usize> {
        if let Some(batch) = self.again.front() {
            // What was in flight behind it comes back first, so that the order stays.
            return (self.in_flight == 0).then_some(batch.size());
        }
        let open = self.open.front()?;
        (flush || open.full || self.open.len() > 1 || open.due <= now).then_some(open.builder.size())
    }

    /// When the next batch is to be sent; `None`: not before an answer comes, or there is none.
    pub fn due(&self) -> Option<Instant> {
        if !self.again.is_empty() {
            return (self.in_flight == 0).then_some(Instant::default());
        }
        self.open.front().map(|open| if open.full { Instant::default() } else { open.due })
    }

    /// Takes the next batch to send it. A new id or epoch holds from the moment when nothing of the old is under way.
    pub fn take(&mut self, id: Option<(ProducerId, ProducerEpoch)>) -> Option<Batch> {
        if self.id != id && (self.id.is_none() || (self.in_flight == 0 && self.again.is_empty())) {
            self.id = id;
            self.next_sequence = 0;
        }
        let batch = match self.again.pop_front() {
            Some(batch) => batch,
            None => {
                let Open { builder, since, .. } = self.open.pop_front()?;
                let count = builder.count();
                let builder = match self.id {
                    Some((id, epoch)) => builder.producer(id, epoch, self.next_sequence),
                    None => builder,
                };
                let numbered = self.id.map(|(id, epoch)| (id, epoch, self.next_sequence));
                self.next_sequence = sequence_plus(self.next_sequence, count as i32);
                Batch { plain: builder.build(), count, numbered, since, tries: 0 }
            }
        };
        self.in_flight += 1;
        match (self.id, batch.numbered) {
            (Some((id, epoch)), Some((as_id, as_epoch, _))) if (id, epoch) != (as_id, as_epoch) => {
                let sequence = self.next_sequence;
                self.next_sequence = sequence_plus(sequence, batch.count as i32);
                Some(batch.numbered_as(id, epoch, sequence))
            }
            _ => Some(batch),
        }
    }

    /// A batch in flight has its answer.
    pub fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// A batch is to be sent again.
    pub fn put_back(&mut self, batch: Batch) {
        let after = |known: &Batch| known.numbered.is_some() && known.sequence() > batch.sequence();
        let at = self.again.iter().position(after).unwrap_or(self.again.len());
        self.again.insert(at, batch);
    }

    /// True where a batch before this one is to be sent again, or was given up: then its own fits later, or by
    /// another number.
    pub fn waits_for_earlier(&self, batch: &Batch) -> bool {
        let current = batch.numbered.map(|(id, epoch, _)| (id, epoch)) == self.id;
        !current || self.again.iter().any(|earlier| earlier.sequence() < batch.sequence())
    }

    /// A batch that had a number will never be written: what follows it is numbered anew, in the next epoch.
    pub fn begin_sequence_anew(&mut self) {
        self.id = None;
    }

    /// True when the next batch begins with sequence number 0.
    pub fn begins_anew(&self) -> bool {
        self.id.is_none()
    }

    /// Takes what has waited longer than `timeout`.
    pub fn expired(&mut self, now: Instant, timeout: Duration) -> Vec<Batch> {
        let late = |since: Instant| now.since(since) > timeout;
        let mut expired = Vec::new();
        while self.again.front().is_some_and(|batch| late(batch.since)) {
            expired.extend(self.again.pop_front());
        }
        while self.open.front().is_some_and(|open| late(open.since)) {
            if let Some(Open { builder, since, .. }) = self.open.pop_front() {
                let count = builder.count();
                expired.push(Batch { plain: builder.build(), count, numbered: None, since, tries: 0 });
            }
        }
        expired
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.again.is_empty() && self.open.is_empty()
    }

    /// Bytes that wait.
    pub fn size(&self) -> usize {
        let again: usize = self.again.iter().map(Batch::size).sum();
        again + self.open.iter().map(|open| open.builder.size()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Option<(ProducerId, ProducerEpoch)> = Some((ProducerId(7), ProducerEpoch(0)));
    const NEXT: Option<(ProducerId, ProducerEpoch)> = Some((ProducerId(7), ProducerEpoch(1)));

    /// A queue of batches with two records each.
    fn queue(batches: usize) -> Queue {
        let mut queue = Queue::default();
        let record = NewRecord { value: Some(vec![1; 100]), ..NewRecord::default() };
        for _ in 0..batches * 2 {
            queue.append(&record, TimestampMs(5), Instant(1), (size_of(&record) * 2 + 61, Instant(100)));
        }
        queue
    }

    fn numbers(batch: &Batch) -> (i16, i32) {
        let header = BatchView::parse_checked(&batch.plain).unwrap().header();
        (header.producer_epoch().0, header.base_sequence())
    }

    #[test]
    fn batches_are_numbered_one_behind_the_other_and_sent_when_full_or_due() {
        let mut queue = queue(2);
        assert!(queue.ready(Instant(2), false).is_some(), "the first is full");
        assert_eq!(numbers(&queue.take(ID).unwrap()), (0, 0));
        assert!(queue.ready(Instant(2), false).is_some() || queue.ready(Instant(100), false).is_some());
        assert_eq!(numbers(&queue.take(ID).unwrap()), (0, 2));
        assert!(queue.take(ID).is_none() && queue.is_empty());
    }

    #[test]
    fn what_comes_back_is_sent_again_in_order_when_nothing_is_in_flight() {
        let mut queue = queue(3);
        let (first, second) = (queue.take(ID).unwrap(), queue.take(ID).unwrap());
        queue.answered();
        queue.put_back(second.clone());
        assert_eq!(queue.ready(Instant(500), true), None, "the first is still in flight");
        assert!(!queue.waits_for_earlier(&first));
        queue.answered();
        queue.put_back(first);
        assert!(queue.waits_for_earlier(&second));
        let again: Vec<_> = (0..3).map(|_| numbers(&queue.take(ID).unwrap())).collect();
        assert_eq!(again, [(0, 0), (0, 2), (0, 4)]);
    }

    #[test]
    fn after_a_batch_was_given_up_the_next_ones_are_numbered_anew() {
        let mut queue = queue(3);
        let (_, second) = (queue.take(ID).unwrap(), queue.take(ID).unwrap());
        queue.answered();
        queue.begin_sequence_anew();
        queue.answered();
        assert!(queue.waits_for_earlier(&second), "its number is one of the old epoch");
        queue.put_back(second);
        let again = queue.take(NEXT).unwrap();
        assert_eq!(numbers(&again), (1, 0));
        assert_eq!(BatchView::parse(&again.plain).unwrap().records().filter(Result::is_ok).count(), 2);
        assert_eq!(numbers(&queue.take(NEXT).unwrap()), (1, 2));
    }

    #[test]
    fn what_waited_too_long_is_given_up() {
        let mut queue = queue(2);
        assert!(queue.expired(Instant(1_000), Duration::from_secs(1)).is_empty());
        assert_eq!(queue.expired(Instant(2_000_000_002), Duration::from_secs(1)).len(), 2);
        assert!(queue.is_empty());
    }
}
