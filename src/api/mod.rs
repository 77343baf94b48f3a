//! One file per API key; [`table`] names them all. A handler gets its decoded request and returns
//! the response as a value; the connection sends the responses in request order.

mod api_versions;
mod coordinate;
mod delete_groups;
mod describe_groups;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod offset_commit;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;

pub mod context;
pub mod dispatch;
pub mod reply;
pub mod table;

pub use context::{ConnectionInfo, RequestContext};
pub use dispatch::{Started, start};
pub use reply::{Close, Part, Reply, Response};
