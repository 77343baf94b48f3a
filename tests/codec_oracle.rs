//! The generated codec against the `kafka-protocol` crate: every message and version that it has, randomly filled.
//!
//! The bytes are written from the schema by `codec_support`. Both codecs must read them and write the same bytes
//! again, so what either writes the other reads, and the two agree with the schema.

mod codec_support;

use bytes::{Bytes, BytesMut};
use corelog::protocol::messages::CATALOG;
use kafka_protocol::protocol::{Decodable, Encodable, Message, VersionRange};

const ROUNDS: usize = 25;

fn recode_as<M: Decodable + Encodable>(bytes: &Bytes, version: i16) -> Option<Bytes> {
    let mut input = bytes.clone();
    let message = M::decode(&mut input, version).ok()?;
    let mut out = BytesMut::new();
    message.encode(&mut out, version).ok()?;
    input.is_empty().then(|| out.freeze())
}

/// A message as the oracle has it.
struct Theirs {
    versions: VersionRange,
    recode: fn(&Bytes, i16) -> Option<Bytes>,
    encode_default: fn(i16) -> Option<Bytes>,
}

fn theirs<M: Message + Decodable + Encodable + Default>() -> Theirs {
    Theirs {
        versions: M::VERSIONS,
        recode: recode_as::<M>,
        encode_default: |version| {
            let mut out = BytesMut::new();
            M::default().encode(&mut out, version).ok().map(|()| out.freeze())
        },
    }
}

macro_rules! oracle_messages {
    ($($name:ident),* $(,)?) => {
        fn oracle(name: &str) -> Option<Theirs> {
            match name {
                $(stringify!($name) => Some(theirs::<kafka_protocol::messages::$name>()),)*
                _ => None,
            }
        }
    };
}

oracle_messages! {
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddRaftVoterRequest, AddRaftVoterResponse, AllocateProducerIdsRequest, AllocateProducerIdsResponse,
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterConfigsRequest, AlterConfigsResponse,
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, AlterPartitionRequest,
    AlterPartitionResponse, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse, AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    ApiVersionsRequest, ApiVersionsResponse, AssignReplicasToDirsRequest, AssignReplicasToDirsResponse,
    BeginQuorumEpochRequest, BeginQuorumEpochResponse, BrokerHeartbeatRequest, BrokerHeartbeatResponse,
    BrokerRegistrationRequest, BrokerRegistrationResponse, ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, ControllerRegistrationRequest,
    ControllerRegistrationResponse, CreateAclsRequest, CreateAclsResponse, CreateDelegationTokenRequest,
    CreateDelegationTokenResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DefaultPrincipalData, DeleteAclsRequest, DeleteAclsResponse, DeleteGroupsRequest,
    DeleteGroupsResponse, DeleteRecordsRequest, DeleteRecordsResponse, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse, DeleteShareGroupStateRequest, DeleteShareGroupStateResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, DescribeAclsRequest, DescribeAclsResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse, DescribeClusterRequest, DescribeClusterResponse, DescribeConfigsRequest,
    DescribeConfigsResponse, DescribeDelegationTokenRequest, DescribeDelegationTokenResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeProducersRequest,
    DescribeProducersResponse, DescribeQuorumRequest, DescribeQuorumResponse, DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsResponse, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTransactionsRequest, DescribeTransactionsResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse, ElectLeadersRequest, ElectLeadersResponse, EndQuorumEpochRequest,
    EndQuorumEpochResponse, EndTxnMarker, EndTxnRequest, EndTxnResponse, EnvelopeRequest, EnvelopeResponse,
    ExpireDelegationTokenRequest, ExpireDelegationTokenResponse, FetchRequest, FetchResponse, FetchSnapshotRequest,
    FetchSnapshotResponse, FindCoordinatorRequest, FindCoordinatorResponse, GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse, HeartbeatRequest, HeartbeatResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, InitProducerIdRequest, InitProducerIdResponse, InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse, JoinGroupRequest, JoinGroupResponse, KRaftVersionRecord, LeaderChangeMessage,
    LeaveGroupRequest, LeaveGroupResponse, ListConfigResourcesRequest, ListConfigResourcesResponse, ListGroupsRequest,
    ListGroupsResponse, ListOffsetsRequest, ListOffsetsResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, ListTransactionsRequest, ListTransactionsResponse, MetadataRequest,
    MetadataResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    ProduceRequest, ProduceResponse, PushTelemetryRequest, PushTelemetryResponse, ReadShareGroupStateRequest,
    ReadShareGroupStateResponse, ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse,
    RemoveRaftVoterRequest, RemoveRaftVoterResponse, RenewDelegationTokenRequest, RenewDelegationTokenResponse,
    RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse, ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse,
    ShareGroupDescribeRequest, ShareGroupDescribeResponse, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
    SnapshotFooterRecord, SnapshotHeaderRecord, SyncGroupRequest, SyncGroupResponse, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse, UnregisterBrokerRequest, UnregisterBrokerResponse, UpdateFeaturesRequest,
    UpdateFeaturesResponse, UpdateRaftVoterRequest, UpdateRaftVoterResponse, VoteRequest, VoteResponse, VotersRecord,
    WriteShareGroupStateRequest, WriteShareGroupStateResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
}

#[test]
fn ours_and_the_oracle_read_and_write_the_same_bytes() {
    let seed = codec_support::seed();
    let schema = codec_support::messages();
    let (mut compared, mut lacking, mut wrong) = (0, Vec::new(), Vec::new());
    for entry in CATALOG {
        let message = schema.iter().find(|message| message.name == entry.name).unwrap();
        let theirs = oracle(entry.name);
        for version in entry.versions.clone() {
            let theirs = theirs.as_ref().filter(|it| (it.versions.min..=it.versions.max).contains(&version));
            let label = codec_support::label(message, version);
            let mut rng = codec_support::rng(seed, &label);
            for _ in 0..ROUNDS {
                let bytes = Bytes::from(codec_support::random_bytes(message, version, &mut rng));
                match (entry.recode)(bytes.clone(), version) {
                    Ok(Ok(ours)) if ours == bytes => {}
                    other => wrong.push(format!("ours: {label}: {other:?} of {bytes:?}")),
                }
                let theirs = theirs.map(|it| (it.recode)(&bytes, version));
                if theirs.as_ref().is_some_and(|it| it.as_ref() != Some(&bytes)) {
                    wrong.push(format!("oracle: {label}: {theirs:?} of {bytes:?}"));
                }
            }
            let default = (entry.encode_default)(version).ok();
            if let Some(theirs) = theirs.map(|it| (it.encode_default)(version)).filter(|theirs| *theirs != default) {
                wrong.push(format!("default: {label}: {theirs:?}, ours {default:?}"));
            }
            if theirs.is_some() { compared += 1 } else { lacking.push(label) }
        }
    }
    println!("{compared} message versions compared; the oracle lacks {}: {}", lacking.len(), lacking.join(", "));
    wrong.truncate(8);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Neither number may change unnoticed: a release adds to the first or the second.
    assert_eq!((compared, lacking.len()), (597, 189));
}
