//! Requests as the state machine takes them, answers as it gives them.

use super::share::{AlterAsk, Altered, Answered, Partitioned};
use super::streams::Answered as StreamsAnswered;
use crate::base::{ErrorCode, ProducerEpoch, ProducerId, Uuid};
use crate::log::Verification;
use crate::protocol::Str;
use crate::protocol::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use crate::protocol::messages::delete_groups_response::DeletableGroupResult;
use crate::protocol::messages::describe_groups_response::DescribedGroup;
use crate::protocol::messages::leave_group_response::MemberResponse;
use crate::protocol::messages::list_groups_response::ListedGroup;
use crate::protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::protocol::messages::share_group_describe_response::DescribedGroup as DescribedShareGroup;
use crate::protocol::messages::streams_group_describe_response::DescribedGroup as DescribedStreamsGroup;
use crate::protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, SyncGroupRequest,
    SyncGroupResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use crate::record::control::EndTxnMarker;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who sends a request, as far as groups care.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// `client.id`; it begins the generated member id.
    pub client_id: String,
    /// The client's address as Java prints it: `/127.0.0.1`.
    pub client_host: String,
    /// The version of the request.
    pub api_version: i16,
}

/// A request to one coordinator partition.
#[derive(Clone, Debug)]
pub enum Request {
    /// JoinGroup.
    Join(Caller, JoinGroupRequest),
    /// SyncGroup.
    Sync(SyncGroupRequest),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup, with `members` filled in also for versions 0 to 2.
    Leave(LeaveGroupRequest),
    /// OffsetCommit: topics and partitions exist; `name` and `topic_id` are both set.
    Commit(Caller, OffsetCommitRequest),
    /// OffsetFetch of one group; `name` is set. True: wait for commits under way, and refuse
    /// offsets a transaction may still change.
    Fetch(OffsetFetchRequestGroup, bool),
    /// DescribeGroups.
    Describe(Caller, Vec<Str>),
    /// ListGroups.
    List(ListGroupsRequest),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(Caller, ConsumerGroupHeartbeatRequest),
    /// ConsumerGroupDescribe.
    ConsumerDescribe(Vec<Str>),
    /// DeleteGroups.
    Delete(Vec<Str>),
    /// OffsetDelete: topics and partitions exist.
    OffsetDelete(OffsetDeleteRequest),
    /// TxnOffsetCommit: topics and partitions exist.
    TxnCommit(Caller, TxnOffsetCommitRequest, Verification),
    /// The end of a transaction that may hold offsets (WriteTxnMarkers).
    EndTransaction(TxnEnd),
    /// ShareGroupHeartbeat.
    ShareHeartbeat(Caller, ShareGroupHeartbeatRequest),
    /// ShareGroupDescribe.
    ShareDescribe(Vec<Str>),
    /// StreamsGroupHeartbeat.
    StreamsHeartbeat(Caller, StreamsGroupHeartbeatRequest),
    /// StreamsGroupDescribe.
    StreamsDescribe(Vec<Str>),
    /// Partitions' progress in a share group has begun (true), or could not be begun.
    ShareInitialized(Arc<str>, Vec<(Uuid, i32)>, bool),
    /// The partitions a share group has begun.
    SharePartitions(Arc<str>),
    /// A share group begins elsewhere.
    ShareAlter(Arc<str>, AlterAsk),
    /// A share group is to forget these topics; all, where none are named.
    ShareDelete(Arc<str>, Option<BTreeSet<Uuid>>),
    /// A share group's progress in these topics is deleted.
    ShareDeleted(Arc<str>, BTreeSet<Uuid>),
}

/// The end of a producer's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnEnd {
    /// Whose.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// What is decided, and by which coordinator.
    pub marker: EndTxnMarker,
    /// The epoch was raised for the end (`transaction.version` 2).
    pub raised: bool,
}

/// The answer to a [`Request`], of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// JoinGroup.
    Join(JoinGroupResponse),
    /// SyncGroup.
    Sync(SyncGroupResponse),
    /// Heartbeat.
    Heartbeat(HeartbeatResponse),
    /// LeaveGroup.
    Leave(LeaveGroupResponse),
    /// OffsetCommit.
    Commit(OffsetCommitResponse),
    /// OffsetFetch of one group.
    Fetch(OffsetFetchResponseGroup),
    /// DescribeGroups of this partition's groups.
    Describe(Vec<DescribedGroup>),
    /// ListGroups of this partition's groups, or why not.
    List(Result<Vec<ListedGroup>, ErrorCode>),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponse),
    /// ConsumerGroupDescribe of this partition's groups.
    ConsumerDescribe(Vec<DescribedConsumerGroup>),
    /// DeleteGroups of this partition's groups.
    Delete(Vec<DeletableGroupResult>),
    /// OffsetDelete.
    OffsetDelete(OffsetDeleteResponse),
    /// TxnOffsetCommit.
    TxnCommit(TxnOffsetCommitResponse),
    /// The end of a transaction: whether its marker is written.
    Ended(ErrorCode),
    /// ShareGroupHeartbeat, and what is to be begun.
    ShareHeartbeat(Answered),
    /// ShareGroupDescribe of this partition's groups.
    ShareDescribe(Vec<DescribedShareGroup>),
    /// StreamsGroupHeartbeat, and the internal topics to be created.
    StreamsHeartbeat(StreamsAnswered),
    /// StreamsGroupDescribe of this partition's groups.
    StreamsDescribe(Vec<DescribedStreamsGroup>),
    /// A share group's partitions, or why not.
    SharePartitions(Partitioned),
    /// What is to begin elsewhere, or why not.
    ShareAlter(Altered),
    /// It is noted, or why not.
    ShareDone(Result<(), ErrorCode>),
}

macro_rules! answers {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        impl From<$type> for Answer {
            fn from(response: $type) -> Self {
                Self::$name(response)
            }
        }
        impl TryFrom<Answer> for $type {
            type Error = WrongAnswer;
            fn try_from(answer: Answer) -> Result<Self, WrongAnswer> {
                if let Answer::$name(response) = answer { Ok(response) } else { Err(WrongAnswer) }
            }
        }
    )*};
}

answers! {
    Join: JoinGroupResponse,
    Sync: SyncGroupResponse,
    Heartbeat: HeartbeatResponse,
    Leave: LeaveGroupResponse,
    Commit: OffsetCommitResponse,
    Fetch: OffsetFetchResponseGroup,
    Describe: Vec<DescribedGroup>,
    List: Result<Vec<ListedGroup>, ErrorCode>,
    ConsumerHeartbeat: ConsumerGroupHeartbeatResponse,
    ConsumerDescribe: Vec<DescribedConsumerGroup>,
    Delete: Vec<DeletableGroupResult>,
    OffsetDelete: OffsetDeleteResponse,
    TxnCommit: TxnOffsetCommitResponse,
    Ended: ErrorCode,
    ShareHeartbeat: Answered,
    ShareDescribe: Vec<DescribedShareGroup>,
    StreamsHeartbeat: StreamsAnswered,
    StreamsDescribe: Vec<DescribedStreamsGroup>,
    SharePartitions: Partitioned,
    ShareAlter: Altered,
    ShareDone: Result<(), ErrorCode>,
}

/// An answer of another kind than the request: a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongAnswer;

impl Request {
    /// The answer that says `error` and nothing else, in each API's own way: what a coordinator
    /// says that is loading (14), is not the coordinator (16), or could not write.
    pub fn refuse(&self, error: ErrorCode) -> Answer {
        let error_code = error as i16;
        match self {
            Self::Join(_, request) => {
                JoinGroupResponse { error_code, member_id: request.member_id.clone(), ..Default::default() }.into()
            }
            Self::Sync(_) => SyncGroupResponse { error_code, ..Default::default() }.into(),
            // While loading, heartbeats are taken on trust: sessions start anew afterwards.
            Self::Heartbeat(_) if error == ErrorCode::CoordinatorLoadInProgress => HeartbeatResponse::default().into(),
            Self::Heartbeat(_) => HeartbeatResponse { error_code, ..Default::default() }.into(),
            Self::Leave(request) if error == ErrorCode::UnknownMemberId => unknown_members(request).into(),
            Self::Leave(_) => LeaveGroupResponse { error_code, ..Default::default() }.into(),
            Self::Commit(_, request) => commit_error(request, error).into(),
            Self::Fetch(request, _) => {
                OffsetFetchResponseGroup { group_id: request.group_id.clone(), error_code, ..Default::default() }.into()
            }
            Self::Describe(_, groups) => groups
                .iter()
                .map(|id| DescribedGroup { group_id: id.clone(), error_code, ..Default::default() })
                .collect::<Vec<_>>()
                .into(),
            Self::List(_) => Answer::List(Err(error)),
            Self::OffsetDelete(_) => OffsetDeleteResponse { error_code, ..Default::default() }.into(),
            Self::TxnCommit(_, request, _) => txn_commit_error(request, error).into(),
            Self::EndTransaction(_) => error.into(),
            Self::ConsumerHeartbeat(..) => ConsumerGroupHeartbeatResponse { error_code, ..Default::default() }.into(),
            Self::ConsumerDescribe(groups) => groups
                .iter()
                .map(|id| DescribedConsumerGroup { group_id: id.clone(), error_code, ..Default::default() })
                .collect::<Vec<_>>()
                .into(),
            Self::ShareHeartbeat(..) => (ShareGroupHeartbeatResponse { error_code, ..Default::default() }, None).into(),
            Self::ShareDescribe(groups) => groups
                .iter()
                .map(|id| DescribedShareGroup { group_id: id.clone(), error_code, ..Default::default() })
                .collect::<Vec<_>>()
                .into(),
            Self::StreamsHeartbeat(..) => {
                (StreamsGroupHeartbeatResponse { error_code, ..Default::default() }, Vec::new()).into()
            }
            Self::StreamsDescribe(groups) => groups
                .iter()
                .map(|id| DescribedStreamsGroup { group_id: id.clone(), error_code, ..Default::default() })
                .collect::<Vec<_>>()
                .into(),
            Self::ShareInitialized(..) | Self::ShareDeleted(..) => Answer::ShareDone(Err(error)),
            Self::SharePartitions(_) | Self::ShareDelete(..) => Answer::SharePartitions(Err(error)),
            Self::ShareAlter(..) => Answer::ShareAlter(Err(error)),
            Self::Delete(groups) => groups
                .iter()
                .map(|id| DeletableGroupResult { group_id: id.clone(), error_code })
                .collect::<Vec<_>>()
                .into(),
        }
    }
}

fn unknown_members(request: &LeaveGroupRequest) -> LeaveGroupResponse {
    let members = request
        .members
        .iter()
        .map(|m| MemberResponse {
            member_id: m.member_id.clone(),
            group_instance_id: m.group_instance_id.clone(),
            error_code: ErrorCode::UnknownMemberId as i16,
        })
        .collect();
    LeaveGroupResponse { members, ..Default::default() }
}

/// `error` for every partition of a commit in a transaction.
pub fn txn_commit_error(request: &TxnOffsetCommitRequest, error: ErrorCode) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|p| TxnOffsetCommitResponsePartition { partition_index: p.partition_index, error_code: error.code() })
            .collect(),
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

/// `error` for every partition of a commit.
pub fn commit_error(request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|p| OffsetCommitResponsePartition { partition_index: p.partition_index, error_code: error as i16 })
            .collect(),
    });
    OffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}
