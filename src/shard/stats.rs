//! A core's counters: plain fields, read by whoever asks the core.

use super::share::stats::ShareStats;
use crate::base::Uuid;
use crate::base::histogram::Histogram;
use crate::protocol::ApiKey;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

/// API keys are below this; a key beyond it would not be counted.
const API_KEYS: usize = 128;

/// Adds to a counter.
fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}

/// Counts since the start of the process.
#[derive(Default, Debug)]
pub struct ShardStats {
    /// Requests begun on this core.
    pub requests: Cell<u64>,
    /// Jobs sent to other cores; `hops / requests` is what the router keeps low.
    pub hops: Cell<u64>,
    /// Batches appended here.
    pub batches_appended: Cell<u64>,
    /// Vectored writes that carried them.
    pub writes: Cell<u64>,
    /// Flushes of logs to their devices, while the broker ran.
    pub flushes: Cell<u64>,
    /// Connections open now.
    pub connections: Cell<usize>,
    /// Connections ever taken.
    pub connections_taken: Cell<u64>,
    /// Connections that came from another core, being served nearer to their partitions here.
    pub connections_moved: Cell<u64>,
    /// Partitions that came from another core, whose connections here ask them.
    pub partitions_moved: Cell<u64>,
    /// On the first core: times all cores closed their gates for a partition that stayed all the same.
    pub moves_in_vain: Cell<u64>,
    /// Connections refused by a limit.
    pub connections_refused: Cell<u64>,
    /// Bytes of batches that partitions of this core took.
    pub bytes_in: Cell<u64>,
    /// Records in them.
    pub records_in: Cell<u64>,
    /// Partitions' shares of produce requests taken here.
    pub produces: Cell<u64>,
    /// Those that were refused.
    pub produces_failed: Cell<u64>,
    /// By API.
    pub apis: ApiTable,
    /// What was fetched over connections of this core, by topic.
    pub fetched: FetchedTable,
    /// What share consumers did over connections of this core, and what became of records of its share partitions.
    pub share: ShareStats,
    /// What compaction did here.
    pub cleaned: CleanerStats,
}

/// What this core answered, by API; room is taken for those that are used.
#[derive(Debug)]
pub struct ApiTable {
    by_key: [OnceCell<Box<ApiStats>>; API_KEYS],
    errors: RefCell<BTreeMap<(ApiKey, i16), u64>>,
}

impl Default for ApiTable {
    fn default() -> Self {
        Self { by_key: [const { OnceCell::new() }; API_KEYS], errors: RefCell::default() }
    }
}

/// One API's counts.
#[derive(Debug, Default)]
pub struct ApiStats {
    /// Requests answered, those included that are answered by silence.
    pub requests: Cell<u64>,
    /// Bytes of the requests.
    pub request_bytes: Cell<u64>,
    /// Bytes of the answers.
    pub response_bytes: Cell<u64>,
    /// From the request's arrival until its answer had left (Kafka's TotalTimeMs).
    pub total_time: Histogram,
}

impl ApiTable {
    /// A request was answered.
    pub fn answered(&self, key: ApiKey, request_bytes: usize, response_bytes: usize, took: Duration) {
        let Some(cell) = self.by_key.get(key as usize) else { return };
        let api = cell.get_or_init(Box::default);
        add(&api.requests, 1);
        add(&api.request_bytes, request_bytes as u64);
        add(&api.response_bytes, response_bytes as u64);
        api.total_time.record(took);
    }

    /// An answer carries an error.
    #[cold]
    pub fn failed(&self, key: ApiKey, error: i16) {
        *self.errors.borrow_mut().entry((key, error)).or_default() += 1;
    }

    /// The APIs used so far.
    pub fn used(&self) -> impl Iterator<Item = (ApiKey, &ApiStats)> {
        let used = |key: ApiKey| Some((key, &**self.by_key.get(key as usize)?.get()?));
        ApiKey::all().filter_map(used)
    }

    /// How often each error was answered.
    pub fn errors(&self) -> Vec<(ApiKey, i16, u64)> {
        self.errors.borrow().iter().map(|((key, error), count)| (*key, *error, *count)).collect()
    }
}

/// Counts by topic id, and of all topics together.
#[derive(Debug, Default)]
pub struct ByTopic<T: Copy> {
    by_topic: RefCell<HashMap<Uuid, T, BuildHasherDefault<TopicIdHasher>>>,
    /// All topics together, those that are gone included.
    pub all: Cell<T>,
}

/// Counts that can be added up.
pub trait Counted: Copy + Default {
    /// Both together.
    #[must_use]
    fn plus(self, other: Self) -> Self;
}

/// What was fetched of the topics.
pub type FetchedTable = ByTopic<Fetches>;

/// Counts of fetches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetches {
    /// Partitions' shares of fetches that were answered.
    pub fetches: u64,
    /// Bytes of records sent, to share consumers too.
    pub bytes: u64,
    /// Shares answered with an error.
    pub failed: u64,
}

impl Counted for Fetches {
    fn plus(self, other: Self) -> Self {
        Self {
            fetches: self.fetches + other.fetches,
            bytes: self.bytes + other.bytes,
            failed: self.failed + other.failed,
        }
    }
}

impl<T: Counted> ByTopic<T> {
    /// Counts `one`. `topic` is zero where the client named none that exists.
    pub fn count(&self, topic: Uuid, one: T) {
        self.all.set(self.all.get().plus(one));
        if !topic.is_zero() {
            let mut by_topic = self.by_topic.borrow_mut();
            let sum = by_topic.entry(topic).or_default();
            *sum = sum.plus(one);
        }
    }

    /// By topic; topics for which `exists` says no are forgotten.
    pub fn by_topic(&self, exists: impl Fn(&Uuid) -> bool) -> Vec<(Uuid, T)> {
        let mut by_topic = self.by_topic.borrow_mut();
        by_topic.retain(|id, _| exists(id));
        by_topic.iter().map(|(id, counts)| (*id, *counts)).collect()
    }
}

impl FetchedTable {
    /// A partition's share of a fetch was answered. `topic` is zero where the client named none that exists.
    pub fn answered(&self, topic: Uuid, bytes: u64, failed: bool) {
        self.count(topic, Fetches { fetches: 1, bytes, failed: u64::from(failed) });
    }
}

/// Topic ids are random already: their first bytes will do.
#[derive(Default)]
pub struct TopicIdHasher(u64);

impl Hasher for TopicIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(29) ^ u64::from_ne_bytes(word);
        }
    }
}

/// What compaction did on this core's logs.
#[derive(Debug, Default)]
pub struct CleanerStats {
    /// Rounds that came to their end.
    pub rounds: Cell<u64>,
    /// Bytes read and written by all rounds, the running ones included.
    pub bytes: Cell<u64>,
    /// Bytes that the finished rounds freed.
    pub bytes_freed: Cell<u64>,
    /// Logs under a round now.
    pub running: Cell<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_key_has_its_place_and_only_used_ones_take_room() {
        assert!(ApiKey::all().all(|key| (key as usize) < API_KEYS));
        let table = ApiTable::default();
        table.answered(ApiKey::Produce, 100, 50, Duration::from_micros(70));
        table.answered(ApiKey::Produce, 10, 5, Duration::from_millis(7));
        table.failed(ApiKey::Produce, 6);
        let used: Vec<_> = table.used().map(|(key, api)| (key, api.requests.get(), api.request_bytes.get())).collect();
        assert_eq!(used, [(ApiKey::Produce, 2, 110)]);
        assert_eq!(table.errors(), [(ApiKey::Produce, 6, 1)]);
    }

    #[test]
    fn a_topic_that_is_gone_is_forgotten_but_not_in_the_sum() {
        let table = FetchedTable::default();
        let (one, gone) = (Uuid([1; 16]), Uuid([2; 16]));
        table.answered(one, 10, false);
        table.answered(gone, 5, false);
        table.answered(Uuid::ZERO, 0, true);
        assert_eq!(table.by_topic(|id| *id == one), [(one, Fetches { fetches: 1, bytes: 10, failed: 0 })]);
        assert_eq!(table.by_topic(|_| true).len(), 1);
        assert_eq!(table.all.get(), Fetches { fetches: 3, bytes: 15, failed: 1 });
    }
}
