//! DescribeQuorum (key 55, v0-2; KIP-595, 836, 853): a quorum of one voter, this node.

use super::RequestContext;
use super::reply::Close;
use crate::base::topic::CLUSTER_METADATA_TOPIC;
use crate::base::{ErrorCode, LeaderEpoch, Offset};
use crate::controller::Decision;
use crate::protocol::messages::describe_quorum_request::DescribeQuorumRequest;
use crate::protocol::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};

/// Since this version the answer names the listeners of the nodes.
const NODES_FROM: i16 = 2;

/// Answers one request. It asks for the one partition there is; anything else is unknown, each by itself.
pub async fn handle(ctx: &RequestContext, request: DescribeQuorumRequest) -> Result<DescribeQuorumResponse, Close> {
    let known = match &request.topics[..] {
        [topic] if *topic.topic_name == *CLUSTER_METADATA_TOPIC => {
            matches!(&topic.partitions[..], [partition] if partition.partition_index == 0)
        }
        _ => false,
    };
    let no_text = || Some("".into());
    if !known {
        let unknown = |partition_index| PartitionData {
            partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
            error_message: Some("This server does not host this topic-partition.".into()),
            ..Default::default()
        };
        let topics = request.topics.into_iter().map(|topic| TopicData {
            partitions: topic.partitions.iter().map(|partition| unknown(partition.partition_index)).collect(),
            topic_name: topic.topic_name,
        });
        return Ok(DescribeQuorumResponse { error_message: no_text(), topics: topics.collect(), ..Default::default() });
    }
    // The writer knows where the log ends; all of it is committed.
    let log = ctx.shard.change_metadata(|image, now| Decision::unchanged((now.next_offset, image.provenance().epoch)));
    let partition = match log.await {
        Ok((end, epoch)) => leading(ctx, end, epoch),
        Err(error) => PartitionData { error_code: error.code(), ..Default::default() },
    };
    let topic = TopicData { topic_name: CLUSTER_METADATA_TOPIC.into(), partitions: vec![partition] };
    Ok(DescribeQuorumResponse {
        error_message: no_text(),
        topics: vec![topic],
        nodes: if ctx.api_version >= NODES_FROM { vec![node(ctx)] } else { Vec::new() },
        ..Default::default()
    })
}

fn leading(ctx: &RequestContext, end: Offset, epoch: LeaderEpoch) -> PartitionData {
    let id = ctx.shard.shared.identity.node_id.0;
    let voter = ReplicaState {
        replica_id: id,
        log_end_offset: end.0,
        last_fetch_timestamp: ctx.now.wall.0,
        last_caught_up_timestamp: ctx.now.wall.0,
        ..Default::default()
    };
    PartitionData {
        leader_id: id,
        leader_epoch: epoch.0,
        high_watermark: end.0,
        current_voters: vec![voter],
        error_message: Some("".into()),
        ..Default::default()
    }
}

/// The controller's listeners as the properties file has them; they stay closed on a standalone node.
fn node(ctx: &RequestContext) -> Node {
    let shared = &ctx.shard.shared;
    let listener = |listener: &crate::config::ListenerConfig| Listener {
        name: listener.name.as_str().into(),
        host: listener.host.as_str().into(),
        port: listener.port,
    };
    let listeners = shared.config.listeners.controller_advertised.iter().map(listener).collect();
    Node { node_id: shared.identity.node_id.0, listeners }
}
