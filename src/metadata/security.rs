//! Records nobody acts on yet, kept so that a snapshot or a hand-back to Apache Kafka loses none:
//! ACLs, SCRAM credentials, delegation tokens, client quotas, the state of a past migration.

use super::record::Record;
use crate::base::Uuid;
use crate::protocol::messages as m;
use std::collections::BTreeMap;

/// The newest record of each of these things.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecurityImage {
    acls: BTreeMap<Uuid, m::AccessControlEntryRecord>,
    scram: BTreeMap<(String, i8), m::UserScramCredentialRecord>,
    tokens: BTreeMap<String, m::DelegationTokenRecord>,
    quotas: BTreeMap<(Vec<(String, Option<String>)>, String), m::ClientQuotaRecord>,
    zk_migration: Option<m::ZkMigrationStateRecord>,
}

impl SecurityImage {
    /// Applies a record; false where it is none of these.
    pub fn apply(&mut self, record: &Record) -> bool {
        match record {
            Record::AccessControlEntry(r) => {
                self.acls.insert(r.id, r.clone());
            }
            Record::RemoveAccessControlEntry(r) => {
                self.acls.remove(&r.id);
            }
            Record::UserScramCredential(r) => {
                self.scram.insert((r.name.to_string(), r.mechanism), r.clone());
            }
            Record::RemoveUserScramCredential(r) => {
                self.scram.remove(&(r.name.to_string(), r.mechanism));
            }
            Record::DelegationToken(r) => {
                self.tokens.insert(r.token_id.to_string(), r.clone());
            }
            Record::RemoveDelegationToken(r) => {
                self.tokens.remove(&r.token_id.to_string());
            }
            Record::ClientQuota(r) => self.apply_quota(r),
            Record::ZkMigrationState(r) => self.zk_migration = Some(r.clone()),
            _ => return false,
        }
        true
    }

    fn apply_quota(&mut self, r: &m::ClientQuotaRecord) {
        let name = |n: &crate::protocol::Str| n.to_string();
        let entity = r.entity.iter().map(|e| (name(&e.entity_type), e.entity_name.as_ref().map(name))).collect();
        let key = (entity, name(&r.key));
        if r.remove {
            self.quotas.remove(&key);
        } else {
            self.quotas.insert(key, r.clone());
        }
    }

    /// Everything as records again, for a snapshot.
    pub fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = self.zk_migration.iter().cloned().map(Record::from).collect();
        records.extend(self.acls.values().cloned().map(Record::from));
        records.extend(self.scram.values().cloned().map(Record::from));
        records.extend(self.tokens.values().cloned().map(Record::from));
        records.extend(self.quotas.values().cloned().map(Record::from));
        records
    }
}
