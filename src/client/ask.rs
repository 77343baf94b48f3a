//! Which answer belongs to which request. Callers write and read the newest form of both; here stands how it is said
//! to brokers of older versions.

use crate::protocol::messages::delete_topics_request::DeleteTopicsRequest;
use crate::protocol::messages::find_coordinator_response::Coordinator;
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use crate::protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use crate::protocol::messages::*;
use crate::protocol::{Message, Str};

/// A request and its answer.
pub trait Ask: Message {
    /// What the broker sends back.
    type Answer: Message;
    /// The newest version asked in: names stay names where later versions want ids.
    const UPTO: i16 = i16::MAX;

    /// The request as `version` says it; `None` where it is no different.
    fn fitted(&self, _version: i16) -> Option<Self> {
        None
    }

    /// The answer as the newest version would say it.
    fn raised(&self, answer: Self::Answer, _version: i16) -> Self::Answer {
        answer
    }
}

macro_rules! plain {
    ($($request:ident => $answer:ident $(upto $upto:literal)?;)*) => {$(
        impl Ask for $request {
            type Answer = $answer;
            $(const UPTO: i16 = $upto;)?
        }
    )*};
}

plain! {
    ProduceRequest => ProduceResponse upto 12;
    FetchRequest => FetchResponse upto 12;
    ListOffsetsRequest => ListOffsetsResponse;
    MetadataRequest => MetadataResponse;
    ApiVersionsRequest => ApiVersionsResponse;
    DescribeClusterRequest => DescribeClusterResponse;
    DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse;
    CreateTopicsRequest => CreateTopicsResponse;
    DeleteRecordsRequest => DeleteRecordsResponse;
    DescribeConfigsRequest => DescribeConfigsResponse;
    IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse;
    DescribeLogDirsRequest => DescribeLogDirsResponse;
    AlterReplicaLogDirsRequest => AlterReplicaLogDirsResponse;
    CreatePartitionsRequest => CreatePartitionsResponse;
    ElectLeadersRequest => ElectLeadersResponse;
    AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse;
    ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse;
    UpdateFeaturesRequest => UpdateFeaturesResponse;
    ListConfigResourcesRequest => ListConfigResourcesResponse;
    DescribeClientQuotasRequest => DescribeClientQuotasResponse;
    AlterClientQuotasRequest => AlterClientQuotasResponse;
    DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse;
    AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse;
    DescribeQuorumRequest => DescribeQuorumResponse;
    UnregisterBrokerRequest => UnregisterBrokerResponse;
    OffsetCommitRequest => OffsetCommitResponse upto 9;
    OffsetDeleteRequest => OffsetDeleteResponse;
    JoinGroupRequest => JoinGroupResponse;
    SyncGroupRequest => SyncGroupResponse;
    HeartbeatRequest => HeartbeatResponse;
    DescribeGroupsRequest => DescribeGroupsResponse;
    ConsumerGroupHeartbeatRequest => ConsumerGroupHeartbeatResponse;
    ConsumerGroupDescribeRequest => ConsumerGroupDescribeResponse;
    ListGroupsRequest => ListGroupsResponse;
    DeleteGroupsRequest => DeleteGroupsResponse;
    InitProducerIdRequest => InitProducerIdResponse;
    DescribeProducersRequest => DescribeProducersResponse;
    DescribeTransactionsRequest => DescribeTransactionsResponse;
    ListTransactionsRequest => ListTransactionsResponse;
    WriteTxnMarkersRequest => WriteTxnMarkersResponse;
    SaslHandshakeRequest => SaslHandshakeResponse;
    SaslAuthenticateRequest => SaslAuthenticateResponse;
}

/// One coordinator a request up to version 3.
impl Ask for FindCoordinatorRequest {
    type Answer = FindCoordinatorResponse;

    fn fitted(&self, version: i16) -> Option<Self> {
        let [key] = &self.coordinator_keys[..] else { return None };
        (version < 4).then(|| Self { key: key.clone(), coordinator_keys: Vec::new(), ..self.clone() })
    }

    fn raised(&self, answer: FindCoordinatorResponse, version: i16) -> FindCoordinatorResponse {
        if version >= 4 {
            return answer;
        }
        let coordinator = Coordinator {
            key: self.coordinator_keys.first().cloned().unwrap_or_default(),
            node_id: answer.node_id,
            host: answer.host.clone(),
            port: answer.port,
            error_code: answer.error_code,
            error_message: answer.error_message.clone(),
        };
        FindCoordinatorResponse { coordinators: vec![coordinator], ..answer }
    }
}

/// One group a request up to version 7; names up to version 9.
impl Ask for OffsetFetchRequest {
    type Answer = OffsetFetchResponse;
    const UPTO: i16 = 9;

    fn fitted(&self, version: i16) -> Option<Self> {
        let [group] = &self.groups[..] else { return None };
        let topic = |topic: &offset_fetch_request::OffsetFetchRequestTopics| OffsetFetchRequestTopic {
            name: topic.name.clone(),
            partition_indexes: topic.partition_indexes.clone(),
        };
        (version < 8).then(|| Self {
            group_id: group.group_id.clone(),
            topics: group.topics.as_ref().map(|topics| topics.iter().map(topic).collect()),
            groups: Vec::new(),
            require_stable: self.require_stable && version >= 7,
        })
    }

    fn raised(&self, answer: OffsetFetchResponse, version: i16) -> OffsetFetchResponse {
        if version >= 8 {
            return answer;
        }
        let topics = answer.topics.iter().map(|topic| OffsetFetchResponseTopics {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| OffsetFetchResponsePartitions {
                    partition_index: partition.partition_index,
                    committed_offset: partition.committed_offset,
                    committed_leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.metadata.clone(),
                    error_code: partition.error_code,
                })
                .collect(),
            ..Default::default()
        });
        let group = OffsetFetchResponseGroup {
            group_id: self.groups.first().map(|group| group.group_id.clone()).unwrap_or_default(),
            topics: topics.collect(),
            error_code: answer.error_code,
        };
        OffsetFetchResponse { groups: vec![group], ..answer }
    }
}

/// A list of names up to version 5.
impl Ask for DeleteTopicsRequest {
    type Answer = DeleteTopicsResponse;

    fn fitted(&self, version: i16) -> Option<Self> {
        let names = || self.topics.iter().filter_map(|topic| topic.name.clone()).collect::<Vec<Str>>();
        (version < 6).then(|| Self { topics: Vec::new(), topic_names: names(), timeout_ms: self.timeout_ms })
    }
}

/// One member a request up to version 2.
impl Ask for LeaveGroupRequest {
    type Answer = LeaveGroupResponse;

    fn fitted(&self, version: i16) -> Option<Self> {
        let [member] = &self.members[..] else { return None };
        let (group_id, member_id) = (self.group_id.clone(), member.member_id.clone());
        (version < 3).then(|| Self { group_id, member_id, members: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::leave_group_request::MemberIdentity;
    use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;

    /// Every version the codec knows can say what the tools ask.
    fn said_in_all_versions<Q: Ask>(request: &Q) {
        for version in Q::VERSIONS {
            if version <= Q::UPTO {
                let fitted = request.fitted(version);
                let request = fitted.as_ref().unwrap_or(request);
                assert!(request.size(version).is_ok(), "{} version {version}", Q::NAME);
            }
        }
    }

    #[test]
    fn older_brokers_are_asked_in_their_words() {
        said_in_all_versions(&FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() });
        let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(Vec::new()), ..Default::default() };
        said_in_all_versions(&OffsetFetchRequest { groups: vec![group], ..Default::default() });
        let topic = delete_topics_request::DeleteTopicState { name: Some("t".into()), ..Default::default() };
        said_in_all_versions(&DeleteTopicsRequest { topics: vec![topic], ..Default::default() });
        let member = MemberIdentity { member_id: "m".into(), ..Default::default() };
        said_in_all_versions(&LeaveGroupRequest { group_id: "g".into(), members: vec![member], ..Default::default() });
    }

    #[test]
    fn the_answer_of_an_older_coordinator_names_it_as_a_new_one_does() {
        let asked = FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() };
        let old = FindCoordinatorResponse { node_id: 7, host: "h".into(), port: 9, ..Default::default() };
        let [coordinator] = &asked.raised(old, 3).coordinators[..] else { panic!("one coordinator") };
        assert_eq!((&*coordinator.key, coordinator.node_id, coordinator.port), ("g", 7, 9));
    }
}
