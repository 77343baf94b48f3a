//! Share sessions: which partitions a member fetches, between its requests (`ShareSessionCache`). A session belongs to
//! the connection that opened it, and lives on that connection's core.

use super::super::ShardIndex;
use crate::base::TopicIdPartition;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The epoch that opens a session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch that ends it.
pub const FINAL_EPOCH: i32 = -1;

/// Tells one session of a member from the next, over all cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

/// Why a session cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// SHARE_SESSION_NOT_FOUND.
    NotFound,
    /// INVALID_SHARE_SESSION_EPOCH.
    InvalidEpoch,
    /// SHARE_SESSION_LIMIT_REACHED.
    LimitReached,
}

/// One member's session.
#[derive(Clone, Debug)]
pub struct ShareSession {
    /// Which one.
    pub id: SessionId,
    /// What the next request has to bring.
    pub epoch: i32,
    /// The partitions, in the order in which they came.
    pub partitions: Vec<TopicIdPartition>,
    /// Those that the request at hand brought: they are answered though there be nothing to tell of them.
    pub fresh: HashSet<TopicIdPartition>,
}

type Who = (Arc<str>, Arc<str>);

/// The sessions of one core.
pub struct ShareSessions {
    sessions: HashMap<Who, ShareSession>,
    max: usize,
    next: u64,
}

impl ShareSessions {
    /// At most `max` sessions, on core `index`.
    pub fn new(index: ShardIndex, max: usize) -> Self {
        Self { sessions: HashMap::new(), max, next: (index.0 as u64) << 48 }
    }

    /// Opens a session in place of the member's last one, whose id comes back too.
    pub fn open(
        &mut self,
        group: &Arc<str>,
        member: &Arc<str>,
        mut partitions: Vec<TopicIdPartition>,
    ) -> (Option<SessionId>, Result<ShareSession, SessionError>) {
        let who = (group.clone(), member.clone());
        let before = self.sessions.remove(&who).map(|session| session.id);
        if self.sessions.len() >= self.max {
            return (before, Err(SessionError::LimitReached));
        }
        self.next += 1;
        let (id, epoch, mut fresh) = (SessionId(self.next), next_epoch(INITIAL_EPOCH), HashSet::new());
        partitions.retain(|partition| fresh.insert(*partition));
        let session = ShareSession { id, epoch, partitions, fresh: HashSet::new() };
        self.sessions.insert(who, session.clone());
        (before, Ok(ShareSession { fresh, ..session }))
    }

    /// The member's next request: `epoch` must be the one expected; partitions come and go. As it was before.
    pub fn advance(
        &mut self,
        group: &Arc<str>,
        member: &Arc<str>,
        epoch: i32,
        added: &[TopicIdPartition],
        forgotten: &[TopicIdPartition],
    ) -> Result<ShareSession, SessionError> {
        let session = self.sessions.get_mut(&(group.clone(), member.clone())).ok_or(SessionError::NotFound)?;
        if session.epoch != epoch {
            return Err(SessionError::InvalidEpoch);
        }
        session.epoch = next_epoch(epoch);
        let mut known: HashSet<TopicIdPartition> = session.partitions.iter().copied().collect();
        let fresh: Vec<TopicIdPartition> = added.iter().copied().filter(|partition| known.insert(*partition)).collect();
        session.partitions.extend(&fresh);
        // What comes and goes in one request goes: its acknowledgements are all that it is asked for.
        let forgotten: HashSet<&TopicIdPartition> = forgotten.iter().collect();
        session.partitions.retain(|partition| !forgotten.contains(partition));
        Ok(ShareSession { epoch, fresh: fresh.into_iter().collect(), ..session.clone() })
    }

    /// How many sessions there are, and partitions in them.
    pub fn count(&self) -> (usize, usize) {
        (self.sessions.len(), self.sessions.values().map(|session| session.partitions.len()).sum())
    }

    /// The member's session.
    pub fn get(&self, group: &Arc<str>, member: &Arc<str>) -> Option<&ShareSession> {
        self.sessions.get(&(group.clone(), member.clone()))
    }

    /// Ends the member's session, if it is this one.
    pub fn close(&mut self, group: &Arc<str>, member: &Arc<str>, id: SessionId) -> bool {
        let who = (group.clone(), member.clone());
        let current = self.sessions.get(&who).is_some_and(|session| session.id == id);
        current && self.sessions.remove(&who).is_some()
    }
}

/// Epochs go from 1 to the largest number and begin again at 1.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Uuid;

    fn partition(partition: i32) -> TopicIdPartition {
        TopicIdPartition { topic_id: Uuid([1; 16]), partition }
    }

    #[test]
    fn a_session_is_opened_used_and_closed() {
        let (group, member): Who = ("g".into(), "m".into());
        let mut sessions = ShareSessions::new(ShardIndex(1), 2);
        let (before, opened) = sessions.open(&group, &member, vec![partition(0), partition(1)]);
        let opened = opened.expect("room");
        assert_eq!((before, opened.epoch, opened.fresh.len()), (None, 1, 2));
        let used = sessions.advance(&group, &member, 1, &[partition(2), partition(1)], &[partition(0)]).unwrap();
        assert_eq!((used.epoch, used.partitions), (1, vec![partition(1), partition(2)]));
        assert_eq!(used.fresh, [partition(2)].into());
        let back = sessions.advance(&group, &member, 2, &[partition(0)], &[]).unwrap();
        assert_eq!(back.fresh, [partition(0)].into(), "it had gone");
        assert_eq!(sessions.advance(&group, &member, 1, &[], &[]).err(), Some(SessionError::InvalidEpoch));
        assert_eq!(sessions.advance(&group, &"x".into(), 1, &[], &[]).err(), Some(SessionError::NotFound));
        let (before, again) = sessions.open(&group, &member, Vec::new());
        assert_eq!(before, Some(opened.id));
        assert!(!sessions.close(&group, &member, opened.id), "the old one is gone already");
        assert!(sessions.close(&group, &member, again.unwrap().id));
        assert!(sessions.get(&group, &member).is_none());
    }

    #[test]
    fn sessions_are_bounded() {
        let group: Arc<str> = "g".into();
        let mut sessions = ShareSessions::new(ShardIndex(0), 1);
        assert!(sessions.open(&group, &"a".into(), Vec::new()).1.is_ok());
        assert_eq!(sessions.open(&group, &"b".into(), Vec::new()).1.err(), Some(SessionError::LimitReached));
        assert!(sessions.open(&group, &"a".into(), Vec::new()).1.is_ok(), "in place of its own");
        assert_eq!(next_epoch(i32::MAX), 1);
    }
}
