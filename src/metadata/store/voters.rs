//! Who votes: the static voters of the configuration, or, at `kraft.version` 1, those the log names (KIP-853).

use super::batch::ControlRecord;
use super::{StoreConfig, StoreError};
use crate::base::BrokerId;
use crate::protocol::messages::VotersRecord;

/// What the control records said so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KRaftState {
    /// `kraft.version`: 0 static voters, 1 voters in the log.
    pub version: i16,
    /// The last VotersRecord.
    pub voters: Option<VotersRecord>,
    /// The log itself holds them, not only a snapshot from before the log.
    pub in_log: bool,
}

impl KRaftState {
    /// Takes what a batch of the log (or of a snapshot) says.
    pub fn note(&mut self, control: Vec<ControlRecord>, in_log: bool) {
        for record in control {
            match record {
                ControlRecord::KRaftVersion(r) => self.version = r.kraft_version,
                ControlRecord::Voters(r) => {
                    self.voters = Some(r);
                    self.in_log |= in_log;
                }
                ControlRecord::LeaderChange(_)
                | ControlRecord::SnapshotHeader(_)
                | ControlRecord::SnapshotFooter(_) => {}
            }
        }
    }

    /// The records that say it again, for snapshots and for the first epoch.
    pub fn control(&self) -> Vec<ControlRecord> {
        let Some(voters) = self.voters.clone().filter(|_| self.version > 0) else { return Vec::new() };
        let version = crate::protocol::messages::KRaftVersionRecord { version: 0, kraft_version: self.version };
        vec![ControlRecord::KRaftVersion(version), ControlRecord::Voters(voters)]
    }

    /// Refuses any quorum but this node alone.
    pub fn check(&self, config: &StoreConfig) -> Result<(), StoreError> {
        let logged = self.voters.as_ref().filter(|_| self.version > 0);
        let voters: Vec<BrokerId> = match logged {
            Some(record) => record.voters.iter().map(|voter| BrokerId(voter.voter_id)).collect(),
            None => config.static_voters.clone(),
        };
        // A node started without any word about a quorum is its own.
        if voters.is_empty() && config.joins_quorum {
            return Err(StoreError::NoVoters);
        }
        if voters.iter().any(|voter| *voter != config.node_id) {
            return Err(StoreError::ForeignVoters(voters.iter().map(|voter| voter.0).collect()));
        }
        Ok(())
    }
}
