//! The new protocol (KIP-848) in virtual time.

mod failing;
mod life;
mod migrating;
mod mixed;
mod random;
mod reconciling;
mod regexes;
mod statics;
mod support;
mod table;

pub use support::{group_setting, removed, topic};
