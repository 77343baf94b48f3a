//! One file per API key; [`table`] names them all. A handler gets its decoded request and returns
//! the response as a value; the connection sends the responses in request order.

mod api_versions;
mod fetch;
mod list_offsets;
mod offset_for_leader_epoch;
mod produce;

pub mod context;
pub mod dispatch;
pub mod reply;
pub mod table;

pub use context::{ConnectionInfo, RequestContext};
pub use dispatch::{Started, start};
pub use reply::{Close, Part, Reply, Response};
