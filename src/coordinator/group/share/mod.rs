//! Share groups (KIP-932; `org.apache.kafka.coordinator.group.modern.share.ShareGroup`): members tell which topics they
//! want, the coordinator assigns partitions, several members to one where there are more members than partitions. Nobody
//! has to give up anything first, so a member takes its target at once.
//!
//! A group changes by entries alone, the same ones that are written. They take effect twice: for later requests when
//! they are taken, for good when they are committed; a failed append goes back to what is committed.

mod assignor;
mod describe;
mod heartbeat;
mod initialize;
mod leave;
mod offsets;
mod records;
mod state;
#[cfg(test)]
mod tests;
mod write;

pub use heartbeat::Answered;
pub use initialize::Initialize;
pub use offsets::{AlterAsk, Altered, Partitioned};
pub use records::read;
#[cfg(test)]
pub use records::record;
pub use state::{Entry, ShareGroup};
pub use write::ShareWrite;

use crate::base::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// The types of keys of share groups' records.
pub const KINDS: std::ops::RangeInclusive<i16> = 10..=15;

/// Partitions by topic.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;
