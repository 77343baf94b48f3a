//! Incremental fetch sessions (KIP-227): the broker remembers a client's partitions, the client
//! sends what changed, the broker answers what changed. Pure; one cache per core.

use crate::base::{Offset, Uuid};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// "No session": also the answer when the cache is full.
pub const NO_SESSION: i32 = 0;
/// The epoch that opens a session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch that closes one, or a fetch without one.
pub const FINAL_EPOCH: i32 = -1;

/// How a session knows a partition: by id where the client uses ids, else by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The topic's name; empty while an id is unknown to the broker.
    pub topic: Arc<str>,
    /// The topic's id; zero where the client fetches by name.
    pub topic_id: Uuid,
    /// The partition's index.
    pub partition: i32,
}

/// What a client asks of one partition, and what it was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Where to read from.
    pub fetch_offset: Offset,
    /// `partition_max_bytes`.
    pub max_bytes: i32,
    /// The client's leader epoch, -1 when it has none.
    pub current_leader_epoch: i32,
    /// The epoch of the last record fetched, -1 when it has none (KIP-595).
    pub last_fetched_epoch: i32,
    /// A follower's log start offset.
    pub log_start_offset: i64,
    /// Last high watermark told; -1 when none.
    pub told_high_watermark: i64,
    /// Last log start offset told; -1 when none.
    pub told_log_start: i64,
}

/// Which request this is for the session.
#[derive(Debug, PartialEq, Eq)]
pub enum SessionError {
    /// FETCH_SESSION_ID_NOT_FOUND (70).
    IdNotFound,
    /// INVALID_FETCH_SESSION_EPOCH (71).
    InvalidEpoch,
    /// FETCH_SESSION_TOPIC_ID_ERROR (106): ids mixed with names.
    TopicIdError,
}

/// One client's session.
pub struct Session {
    epoch: i32,
    uses_ids: bool,
    order: BTreeMap<u64, Key>,
    partitions: HashMap<Key, (u64, Cached)>,
    next_order: u64,
    last_used: u64,
}

impl Session {
    fn new(uses_ids: bool) -> Self {
        Self { epoch: 1, uses_ids, order: BTreeMap::new(), partitions: HashMap::new(), next_order: 0, last_used: 0 }
    }

    fn upsert(&mut self, key: Key, asked: Cached) {
        if let Some((_, cached)) = self.partitions.get_mut(&key) {
            let told = (cached.told_high_watermark, cached.told_log_start);
            *cached = Cached { told_high_watermark: told.0, told_log_start: told.1, ..asked };
            return;
        }
        self.order.insert(self.next_order, key.clone());
        self.partitions.insert(key, (self.next_order, asked));
        self.next_order += 1;
    }

    fn forget(&mut self, key: &Key) {
        if let Some((order, _)) = self.partitions.remove(key) {
            self.order.remove(&order);
        }
    }

    /// The partitions in the order in which they are served.
    pub fn partitions(&self) -> impl Iterator<Item = (&Key, &Cached)> {
        self.order.values().filter_map(|key| self.partitions.get(key).map(|(_, cached)| (key, cached)))
    }

    /// Notes what the client is told, and says whether an incremental answer must name this
    /// partition: it has data, an error, or something moved. One with data goes to the end of the
    /// order, so that no partition starves the others.
    pub fn note_answer(&mut self, key: &Key, high_watermark: i64, log_start: i64, has_data: bool, must: bool) -> bool {
        let Some((order, cached)) = self.partitions.get_mut(key) else { return true };
        let moved = cached.told_high_watermark != high_watermark || cached.told_log_start != log_start;
        cached.told_high_watermark = high_watermark;
        cached.told_log_start = log_start;
        if must {
            // An error is told again until it is gone.
            cached.told_high_watermark = -1;
        }
        if has_data {
            self.order.remove(order);
            *order = self.next_order;
            self.order.insert(self.next_order, key.clone());
            self.next_order += 1;
        }
        moved || has_data || must
    }
}

/// The sessions of one core, `max.incremental.fetch.session.cache.slots` shared among the cores.
pub struct SessionCache {
    sessions: HashMap<i32, Session>,
    slots: usize,
    clock: u64,
}

/// What a request changes in its session.
pub struct SessionRequest {
    /// From the request.
    pub id: i32,
    /// From the request.
    pub epoch: i32,
    /// True where the request names topics by id (v13 and newer).
    pub uses_ids: bool,
    /// Partitions added or changed.
    pub asked: Vec<(Key, Cached)>,
    /// Partitions no longer wanted.
    pub forgotten: Vec<Key>,
}

/// How the request is to be served.
pub enum SessionPlan {
    /// Without a session: all that was asked, all answered, id 0 in the answer.
    Sessionless(Vec<(Key, Cached)>),
    /// A new session under this id: all is answered.
    Full(i32),
    /// A known session: only changes are answered.
    Incremental(i32),
}

impl SessionCache {
    /// A cache of `slots` sessions.
    pub fn new(slots: usize) -> Self {
        Self { sessions: HashMap::new(), slots, clock: 0 }
    }

    /// How many sessions there are, and how many there may be.
    pub fn used_and_slots(&self) -> (usize, usize) {
        (self.sessions.len(), self.slots)
    }

    /// Applies `request`; a new session gets `fresh_id` (not 0), unless the cache is full of
    /// sessions in use.
    pub fn begin(&mut self, request: SessionRequest, fresh_id: i32) -> Result<SessionPlan, SessionError> {
        self.clock += 1;
        if request.epoch == FINAL_EPOCH || request.epoch == INITIAL_EPOCH {
            self.sessions.remove(&request.id);
            if request.epoch == FINAL_EPOCH || request.asked.is_empty() || fresh_id == NO_SESSION {
                return Ok(SessionPlan::Sessionless(request.asked));
            }
            if !self.make_room() {
                return Ok(SessionPlan::Sessionless(request.asked));
            }
            let mut session = Session::new(request.uses_ids);
            session.last_used = self.clock;
            for (key, asked) in request.asked {
                session.upsert(key, asked);
            }
            self.sessions.insert(fresh_id, session);
            return Ok(SessionPlan::Full(fresh_id));
        }
        let session = self.sessions.get_mut(&request.id).ok_or(SessionError::IdNotFound)?;
        if session.epoch != request.epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.uses_ids != request.uses_ids {
            return Err(SessionError::TopicIdError);
        }
        session.epoch = next_epoch(session.epoch);
        session.last_used = self.clock;
        for key in &request.forgotten {
            session.forget(key);
        }
        for (key, asked) in request.asked {
            session.upsert(key, asked);
        }
        if session.partitions.is_empty() {
            self.sessions.remove(&request.id);
            return Ok(SessionPlan::Sessionless(Vec::new()));
        }
        Ok(SessionPlan::Incremental(request.id))
    }

    /// The session `id` while it lives.
    pub fn get_mut(&mut self, id: i32) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// Takes a session out: its connection goes to another core.
    pub fn take(&mut self, id: i32) -> Option<Session> {
        self.sessions.remove(&id)
    }

    /// Puts in a session that comes from another core, unless `id` is taken here; false then.
    pub fn put(&mut self, id: i32, mut session: Session) -> bool {
        if self.contains(id) || !self.make_room() {
            return false;
        }
        self.clock += 1;
        session.last_used = self.clock;
        self.sessions.insert(id, session);
        true
    }

    /// True where `id` is taken.
    pub fn contains(&self, id: i32) -> bool {
        self.sessions.contains_key(&id)
    }

    fn make_room(&mut self) -> bool {
        if self.slots == 0 {
            return false;
        }
        if self.sessions.len() < self.slots {
            return true;
        }
        // The session unused for longest goes; its client opens a new one on error 70.
        let oldest = self.sessions.iter().min_by_key(|(_, s)| s.last_used).map(|(id, _)| *id);
        oldest.is_some_and(|id| self.sessions.remove(&id).is_some())
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> Key {
        Key { topic: "t".into(), topic_id: Uuid::ZERO, partition }
    }

    fn asked(offset: i64) -> Cached {
        Cached {
            fetch_offset: Offset(offset),
            max_bytes: 100,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            told_high_watermark: -1,
            told_log_start: -1,
        }
    }

    fn request(id: i32, epoch: i32, partitions: &[i32], forgotten: &[i32]) -> SessionRequest {
        SessionRequest {
            id,
            epoch,
            uses_ids: false,
            asked: partitions.iter().map(|p| (key(*p), asked(0))).collect(),
            forgotten: forgotten.iter().map(|p| key(*p)).collect(),
        }
    }

    fn order(cache: &mut SessionCache, id: i32) -> Vec<i32> {
        cache.get_mut(id).map(|s| s.partitions().map(|(k, _)| k.partition).collect()).unwrap_or_default()
    }

    #[test]
    fn a_session_remembers_adds_and_forgets() {
        let mut cache = SessionCache::new(10);
        assert!(matches!(cache.begin(request(0, 0, &[1, 2, 3], &[]), 77), Ok(SessionPlan::Full(77))));
        assert!(matches!(cache.begin(request(77, 1, &[4], &[2]), 0), Ok(SessionPlan::Incremental(77))));
        assert_eq!(order(&mut cache, 77), vec![1, 3, 4]);
    }

    #[test]
    fn wrong_epoch_and_unknown_id_are_told_apart() {
        let mut cache = SessionCache::new(10);
        let _ = cache.begin(request(0, 0, &[1], &[]), 77);
        assert_eq!(cache.begin(request(77, 2, &[], &[]), 0).err(), Some(SessionError::InvalidEpoch));
        assert_eq!(cache.begin(request(78, 1, &[], &[]), 0).err(), Some(SessionError::IdNotFound));
        let by_id = SessionRequest { uses_ids: true, ..request(77, 1, &[], &[]) };
        assert_eq!(cache.begin(by_id, 0).err(), Some(SessionError::TopicIdError));
    }

    #[test]
    fn only_what_moved_is_answered_and_data_goes_to_the_end() {
        let mut cache = SessionCache::new(10);
        let _ = cache.begin(request(0, 0, &[1, 2], &[]), 77);
        let session = cache.get_mut(77).expect("just opened");
        assert!(session.note_answer(&key(1), 5, 0, true, false));
        assert!(!session.note_answer(&key(1), 5, 0, false, false));
        assert!(session.note_answer(&key(1), 6, 0, false, false));
        assert!(session.note_answer(&key(1), 6, 0, false, true), "errors are always told");
        assert_eq!(order(&mut cache, 77), vec![2, 1]);
    }

    #[test]
    fn a_full_cache_drops_the_session_unused_for_longest() {
        let mut cache = SessionCache::new(2);
        for id in [5, 6] {
            let _ = cache.begin(request(0, 0, &[1], &[]), id);
        }
        let _ = cache.begin(request(5, 1, &[], &[]), 0);
        assert!(matches!(cache.begin(request(0, 0, &[1], &[]), 7), Ok(SessionPlan::Full(7))));
        assert!(cache.contains(5) && !cache.contains(6));
        let mut none = SessionCache::new(0);
        assert!(matches!(none.begin(request(0, 0, &[1], &[]), 7), Ok(SessionPlan::Sessionless(_))));
    }

    #[test]
    fn a_session_goes_to_another_core_unless_its_id_is_taken_there() {
        let (mut here, mut there) = (SessionCache::new(2), SessionCache::new(1));
        let _ = here.begin(request(0, 0, &[1, 2], &[]), 77);
        let session = here.take(77).expect("just opened");
        assert_eq!(here.begin(request(77, 1, &[], &[]), 0).err(), Some(SessionError::IdNotFound));
        assert!(there.put(77, session));
        assert!(matches!(there.begin(request(77, 1, &[], &[1]), 0), Ok(SessionPlan::Incremental(77))));
        assert_eq!(order(&mut there, 77), vec![2]);
        let _ = here.begin(request(0, 0, &[5], &[]), 77);
        assert!(!there.put(77, here.take(77).expect("another")), "taken");
        assert_eq!(order(&mut there, 77), vec![2]);
    }

    #[test]
    fn epochs_wrap_to_one() {
        assert_eq!(next_epoch(i32::MAX), 1);
    }
}
