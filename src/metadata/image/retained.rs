//! Records corelog does not act on yet, kept by their keys so that snapshots carry them on: a cluster's ACLs, SCRAM
//! credentials, quotas and tokens survive its time with corelog.

use crate::base::Uuid;
use crate::metadata::record::MetadataRecord;
use std::collections::BTreeMap;

/// What makes two records speak of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetainedKey {
    /// `zookeeper` migration state.
    ZkMigration,
    /// A controller's registration.
    Controller(i32),
    /// A SCRAM credential: user, mechanism.
    Scram(String, i8),
    /// A delegation token.
    Token(String),
    /// A quota: its entity (type, name) in order, its key.
    Quota(Vec<(String, Option<String>)>, String),
    /// An access control entry.
    Acl(Uuid),
}

/// Records by key, in the order a snapshot writes them.
pub type Retained = BTreeMap<RetainedKey, MetadataRecord>;

/// How many records of each kind are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Access control entries.
    pub acls: usize,
    /// Client quotas: an entity and a key each.
    pub quotas: usize,
    /// SCRAM credentials.
    pub credentials: usize,
    /// Delegation tokens.
    pub tokens: usize,
}

impl Kept {
    pub(super) fn of(retained: &Retained) -> Self {
        let mut kept = Self::default();
        for key in retained.keys() {
            match key {
                RetainedKey::Acl(_) => kept.acls += 1,
                RetainedKey::Quota(..) => kept.quotas += 1,
                RetainedKey::Scram(..) => kept.credentials += 1,
                RetainedKey::Token(_) => kept.tokens += 1,
                RetainedKey::ZkMigration | RetainedKey::Controller(_) => {}
            }
        }
        kept
    }
}

/// Applies `record` where it is one that is kept; false where it is not.
pub fn keep(retained: &mut Retained, record: &MetadataRecord) -> bool {
    use MetadataRecord as R;
    let removed = match record {
        R::ClientQuota(r) if r.remove => quota_key(r),
        R::RemoveAccessControlEntry(r) => RetainedKey::Acl(r.id),
        R::RemoveUserScramCredential(r) => RetainedKey::Scram(r.name.to_string(), r.mechanism),
        R::RemoveDelegationToken(r) => RetainedKey::Token(r.token_id.to_string()),
        _ => return put(retained, record),
    };
    retained.remove(&removed);
    true
}

fn put(retained: &mut Retained, record: &MetadataRecord) -> bool {
    use MetadataRecord as R;
    let key = match record {
        R::ZkMigrationState(_) => RetainedKey::ZkMigration,
        R::RegisterController(r) => RetainedKey::Controller(r.controller_id),
        R::UserScramCredential(r) => RetainedKey::Scram(r.name.to_string(), r.mechanism),
        R::DelegationToken(r) => RetainedKey::Token(r.token_id.to_string()),
        R::ClientQuota(r) => quota_key(r),
        R::AccessControlEntry(r) => RetainedKey::Acl(r.id),
        _ => return false,
    };
    retained.insert(key, detached(record));
    true
}

/// A quota's entity in order, its key and its value.
pub type QuotaRow<'a> = (&'a [(String, Option<String>)], &'a str, f64);

/// All quotas, by entity.
pub fn quotas(retained: &Retained) -> impl Iterator<Item = QuotaRow<'_>> {
    retained.iter().filter_map(|(key, record)| match (key, record) {
        (RetainedKey::Quota(entity, key), MetadataRecord::ClientQuota(record)) => {
            Some((entity.as_slice(), key.as_str(), record.value))
        }
        _ => None,
    })
}

fn quota_key(record: &crate::protocol::messages::ClientQuotaRecord) -> RetainedKey {
    let part = |e: &crate::protocol::messages::client_quota_record::EntityData| {
        (e.entity_type.to_string(), e.entity_name.as_ref().map(ToString::to_string))
    };
    let mut entity: Vec<_> = record.entity.iter().map(part).collect();
    entity.sort();
    RetainedKey::Quota(entity, record.key.to_string())
}

/// A copy that does not keep the whole batch in memory it was decoded from. All kept records are of version 0.
fn detached(record: &MetadataRecord) -> MetadataRecord {
    let copy = record.encode(0).ok().and_then(|bytes| MetadataRecord::decode(&bytes).ok());
    copy.unwrap_or_else(|| record.clone())
}
