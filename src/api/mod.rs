//! One file per API key; [`table`] names them all. A handler gets its decoded request and returns
//! the response as a value; the connection sends the responses in request order.

mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod coordinate;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_share_group_state;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_topic_partitions;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod initialize_share_group_state;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod read_share_group_state;
mod read_share_group_state_summary;
mod share_acknowledge;
mod share_fetch;
mod share_member;
mod share_state;
mod sync_group;
mod topic_view;
mod write_share_group_state;

pub mod context;
pub mod dispatch;
pub mod reply;
pub mod table;

pub use context::{ConnectionInfo, RequestContext};
pub use dispatch::{Started, start};
pub use reply::{Close, Part, Reply, Response};
