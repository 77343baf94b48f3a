//! Every API that is served: its key, its versions, its handler. ApiVersions answers from here.

use super::context::RequestContext;
use super::reply::{Close, Reply, Response};
use crate::protocol::{self, ApiKey};
use bytes::Bytes;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::rc::Rc;

/// A running handler.
pub type ReplyFuture = Pin<Box<dyn Future<Output = Reply>>>;

/// One line of the table.
pub struct Api {
    /// Which API.
    pub key: ApiKey,
    /// The versions served.
    pub versions: RangeInclusive<i16>,
    /// Advertised in ApiVersions below what is served (librdkafka wants to see Produce v0).
    pub advertised_from: i16,
    /// Decodes the body, answers it. The ordered part happens in the first poll.
    pub handle: fn(Rc<RequestContext>, Bytes) -> ReplyFuture,
}

/// A handler over decoded messages: `module::handle(&ctx, request) -> Result<response, Close>`.
macro_rules! api {
    ($key:ident, $versions:expr, $module:ident) => {
        Api {
            key: ApiKey::$key,
            versions: $versions,
            advertised_from: *$versions.start(),
            handle: |ctx, body| {
                Box::pin(async move {
                    let request = match protocol::decode_request(body, ctx.api_version) {
                        Ok(request) => request,
                        Err(e) => return Reply::Close(Close::Malformed(e)),
                    };
                    match super::$module::handle(&ctx, request).await {
                        Ok(response) => encode(&response, &ctx),
                        Err(close) => Reply::Close(close),
                    }
                })
            },
        }
    };
}

/// A handler that makes its own [`Reply`] (file ranges, silence): `module::handle(ctx, body)`.
macro_rules! raw_api {
    ($key:ident, $versions:expr, $from:expr, $module:ident) => {
        Api {
            key: ApiKey::$key,
            versions: $versions,
            advertised_from: $from,
            handle: |ctx, body| Box::pin(super::$module::handle(ctx, body)),
        }
    };
}

fn encode<M: protocol::Message>(response: &M, ctx: &RequestContext) -> Reply {
    ctx.count_errors(response);
    match Response::of(response, ctx.api_version) {
        Ok(response) => Reply::Send(response),
        Err(close) => Reply::Close(close),
    }
}

/// All that is served, by key.
pub static APIS: &[Api] = &[
    raw_api!(Produce, 3..=13, 0, produce),
    raw_api!(Fetch, 4..=18, 4, fetch),
    api!(ListOffsets, 0..=11, list_offsets),
    api!(Metadata, 0..=13, metadata),
    api!(OffsetCommit, 1..=10, offset_commit),
    api!(OffsetFetch, 1..=10, offset_fetch),
    api!(FindCoordinator, 0..=6, find_coordinator),
    api!(JoinGroup, 0..=9, join_group),
    api!(Heartbeat, 0..=4, heartbeat),
    api!(LeaveGroup, 0..=5, leave_group),
    api!(SyncGroup, 0..=5, sync_group),
    api!(DescribeGroups, 0..=6, describe_groups),
    api!(ListGroups, 0..=5, list_groups),
    api!(SaslHandshake, 0..=1, sasl_handshake),
    raw_api!(ApiVersions, 0..=4, 0, api_versions),
    api!(CreateTopics, 0..=7, create_topics),
    api!(DeleteTopics, 0..=6, delete_topics),
    api!(DeleteRecords, 0..=2, delete_records),
    api!(InitProducerId, 0..=5, init_producer_id),
    api!(AddPartitionsToTxn, 0..=5, add_partitions_to_txn),
    api!(AddOffsetsToTxn, 0..=4, add_offsets_to_txn),
    api!(EndTxn, 0..=5, end_txn),
    api!(WriteTxnMarkers, 1..=2, write_txn_markers),
    api!(TxnOffsetCommit, 0..=5, txn_offset_commit),
    api!(OffsetForLeaderEpoch, 2..=4, offset_for_leader_epoch),
    api!(DescribeAcls, 1..=3, describe_acls),
    api!(CreateAcls, 1..=3, create_acls),
    api!(DeleteAcls, 1..=3, delete_acls),
    api!(DescribeConfigs, 1..=4, describe_configs),
    api!(AlterConfigs, 0..=2, alter_configs),
    api!(AlterReplicaLogDirs, 0..=2, alter_replica_log_dirs),
    api!(DescribeLogDirs, 0..=5, describe_log_dirs),
    api!(SaslAuthenticate, 0..=2, sasl_authenticate),
    api!(CreatePartitions, 0..=3, create_partitions),
    api!(CreateDelegationToken, 1..=3, create_delegation_token),
    api!(RenewDelegationToken, 1..=2, renew_delegation_token),
    api!(ExpireDelegationToken, 1..=2, expire_delegation_token),
    api!(DescribeDelegationToken, 1..=3, describe_delegation_token),
    api!(DeleteGroups, 0..=2, delete_groups),
    api!(ElectLeaders, 0..=2, elect_leaders),
    api!(IncrementalAlterConfigs, 0..=1, incremental_alter_configs),
    api!(AlterPartitionReassignments, 0..=1, alter_partition_reassignments),
    api!(ListPartitionReassignments, 0..=0, list_partition_reassignments),
    api!(OffsetDelete, 0..=0, offset_delete),
    api!(DescribeClientQuotas, 0..=1, describe_client_quotas),
    api!(AlterClientQuotas, 0..=1, alter_client_quotas),
    api!(DescribeUserScramCredentials, 0..=0, describe_user_scram_credentials),
    api!(AlterUserScramCredentials, 0..=0, alter_user_scram_credentials),
    api!(DescribeQuorum, 0..=2, describe_quorum),
    api!(UpdateFeatures, 0..=2, update_features),
    api!(DescribeCluster, 0..=2, describe_cluster),
    api!(UnregisterBroker, 0..=0, unregister_broker),
    api!(GetTelemetrySubscriptions, 0..=0, get_telemetry_subscriptions),
    api!(PushTelemetry, 0..=0, push_telemetry),
    api!(ListConfigResources, 0..=1, list_config_resources),
    api!(DescribeProducers, 0..=0, describe_producers),
    api!(DescribeTransactions, 0..=0, describe_transactions),
    api!(ListTransactions, 0..=2, list_transactions),
    api!(ConsumerGroupHeartbeat, 0..=1, consumer_group_heartbeat),
    api!(ConsumerGroupDescribe, 0..=1, consumer_group_describe),
    api!(DescribeTopicPartitions, 0..=0, describe_topic_partitions),
    api!(ShareGroupHeartbeat, 1..=1, share_group_heartbeat),
    api!(ShareGroupDescribe, 1..=1, share_group_describe),
    raw_api!(ShareFetch, 1..=2, 1, share_fetch),
    api!(ShareAcknowledge, 1..=2, share_acknowledge),
    api!(AddRaftVoter, 0..=1, add_raft_voter),
    api!(RemoveRaftVoter, 0..=0, remove_raft_voter),
    api!(InitializeShareGroupState, 0..=0, initialize_share_group_state),
    api!(ReadShareGroupState, 0..=0, read_share_group_state),
    api!(WriteShareGroupState, 0..=1, write_share_group_state),
    api!(DeleteShareGroupState, 0..=0, delete_share_group_state),
    api!(ReadShareGroupStateSummary, 0..=1, read_share_group_state_summary),
    api!(StreamsGroupHeartbeat, 0..=0, streams_group_heartbeat),
    api!(StreamsGroupDescribe, 0..=0, streams_group_describe),
    api!(DescribeShareGroupOffsets, 0..=1, describe_share_group_offsets),
    api!(AlterShareGroupOffsets, 0..=0, alter_share_group_offsets),
    api!(DeleteShareGroupOffsets, 0..=0, delete_share_group_offsets),
];

/// The line for `key`.
pub fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}
