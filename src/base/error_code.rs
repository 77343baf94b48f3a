//! Kafka's error codes (`org.apache.kafka.common.protocol.Errors`, Apache Kafka 4.3).

/// An error code as it travels on the wire, under Kafka's own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum ErrorCode {
    /// `UNKNOWN_SERVER_ERROR`, not retriable.
    UnknownServerError = -1,
    /// `NONE`, not retriable.
    None = 0,
    /// `OFFSET_OUT_OF_RANGE`, not retriable.
    OffsetOutOfRange = 1,
    /// `CORRUPT_MESSAGE`, retriable.
    CorruptMessage = 2,
    /// `UNKNOWN_TOPIC_OR_PARTITION`, retriable.
    UnknownTopicOrPartition = 3,
    /// `INVALID_FETCH_SIZE`, not retriable.
    InvalidFetchSize = 4,
    /// `LEADER_NOT_AVAILABLE`, retriable.
    LeaderNotAvailable = 5,
    /// `NOT_LEADER_OR_FOLLOWER`, retriable.
    NotLeaderOrFollower = 6,
    /// `REQUEST_TIMED_OUT`, retriable.
    RequestTimedOut = 7,
    /// `BROKER_NOT_AVAILABLE`, not retriable.
    BrokerNotAvailable = 8,
    /// `REPLICA_NOT_AVAILABLE`, retriable.
    ReplicaNotAvailable = 9,
    /// `MESSAGE_TOO_LARGE`, not retriable.
    MessageTooLarge = 10,
    /// `STALE_CONTROLLER_EPOCH`, not retriable.
    StaleControllerEpoch = 11,
    /// `OFFSET_METADATA_TOO_LARGE`, not retriable.
    OffsetMetadataTooLarge = 12,
    /// `NETWORK_EXCEPTION`, retriable.
    NetworkException = 13,
    /// `COORDINATOR_LOAD_IN_PROGRESS`, retriable.
    CoordinatorLoadInProgress = 14,
    /// `COORDINATOR_NOT_AVAILABLE`, retriable.
    CoordinatorNotAvailable = 15,
    /// `NOT_COORDINATOR`, retriable.
    NotCoordinator = 16,
    /// `INVALID_TOPIC_EXCEPTION`, not retriable.
    InvalidTopicException = 17,
    /// `RECORD_LIST_TOO_LARGE`, not retriable.
    RecordListTooLarge = 18,
    /// `NOT_ENOUGH_REPLICAS`, retriable.
    NotEnoughReplicas = 19,
    /// `NOT_ENOUGH_REPLICAS_AFTER_APPEND`, retriable.
    NotEnoughReplicasAfterAppend = 20,
    /// `INVALID_REQUIRED_ACKS`, not retriable.
    InvalidRequiredAcks = 21,
    /// `ILLEGAL_GENERATION`, not retriable.
    IllegalGeneration = 22,
    /// `INCONSISTENT_GROUP_PROTOCOL`, not retriable.
    InconsistentGroupProtocol = 23,
    /// `INVALID_GROUP_ID`, not retriable.
    InvalidGroupId = 24,
    /// `UNKNOWN_MEMBER_ID`, not retriable.
    UnknownMemberId = 25,
    /// `INVALID_SESSION_TIMEOUT`, not retriable.
    InvalidSessionTimeout = 26,
    /// `REBALANCE_IN_PROGRESS`, not retriable.
    RebalanceInProgress = 27,
    /// `INVALID_COMMIT_OFFSET_SIZE`, not retriable.
    InvalidCommitOffsetSize = 28,
    /// `TOPIC_AUTHORIZATION_FAILED`, not retriable.
    TopicAuthorizationFailed = 29,
    /// `GROUP_AUTHORIZATION_FAILED`, not retriable.
    GroupAuthorizationFailed = 30,
    /// `CLUSTER_AUTHORIZATION_FAILED`, not retriable.
    ClusterAuthorizationFailed = 31,
    /// `INVALID_TIMESTAMP`, not retriable.
    InvalidTimestamp = 32,
    /// `UNSUPPORTED_SASL_MECHANISM`, not retriable.
    UnsupportedSaslMechanism = 33,
    /// `ILLEGAL_SASL_STATE`, not retriable.
    IllegalSaslState = 34,
    /// `UNSUPPORTED_VERSION`, not retriable.
    UnsupportedVersion = 35,
    /// `TOPIC_ALREADY_EXISTS`, not retriable.
    TopicAlreadyExists = 36,
    /// `INVALID_PARTITIONS`, not retriable.
    InvalidPartitions = 37,
    /// `INVALID_REPLICATION_FACTOR`, not retriable.
    InvalidReplicationFactor = 38,
    /// `INVALID_REPLICA_ASSIGNMENT`, not retriable.
    InvalidReplicaAssignment = 39,
    /// `INVALID_CONFIG`, not retriable.
    InvalidConfig = 40,
    /// `NOT_CONTROLLER`, retriable.
    NotController = 41,
    /// `INVALID_REQUEST`, not retriable.
    InvalidRequest = 42,
    /// `UNSUPPORTED_FOR_MESSAGE_FORMAT`, not retriable.
    UnsupportedForMessageFormat = 43,
    /// `POLICY_VIOLATION`, not retriable.
    PolicyViolation = 44,
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`, not retriable.
    OutOfOrderSequenceNumber = 45,
    /// `DUPLICATE_SEQUENCE_NUMBER`, not retriable.
    DuplicateSequenceNumber = 46,
    /// `INVALID_PRODUCER_EPOCH`, not retriable.
    InvalidProducerEpoch = 47,
    /// `INVALID_TXN_STATE`, not retriable.
    InvalidTxnState = 48,
    /// `INVALID_PRODUCER_ID_MAPPING`, not retriable.
    InvalidProducerIdMapping = 49,
    /// `INVALID_TRANSACTION_TIMEOUT`, not retriable.
    InvalidTransactionTimeout = 50,
    /// `CONCURRENT_TRANSACTIONS`, retriable.
    ConcurrentTransactions = 51,
    /// `TRANSACTION_COORDINATOR_FENCED`, not retriable.
    TransactionCoordinatorFenced = 52,
    /// `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`, not retriable.
    TransactionalIdAuthorizationFailed = 53,
    /// `SECURITY_DISABLED`, not retriable.
    SecurityDisabled = 54,
    /// `OPERATION_NOT_ATTEMPTED`, not retriable.
    OperationNotAttempted = 55,
    /// `KAFKA_STORAGE_ERROR`, retriable.
    KafkaStorageError = 56,
    /// `LOG_DIR_NOT_FOUND`, not retriable.
    LogDirNotFound = 57,
    /// `SASL_AUTHENTICATION_FAILED`, not retriable.
    SaslAuthenticationFailed = 58,
    /// `UNKNOWN_PRODUCER_ID`, not retriable.
    UnknownProducerId = 59,
    /// `REASSIGNMENT_IN_PROGRESS`, not retriable.
    ReassignmentInProgress = 60,
    /// `DELEGATION_TOKEN_AUTH_DISABLED`, not retriable.
    DelegationTokenAuthDisabled = 61,
    /// `DELEGATION_TOKEN_NOT_FOUND`, not retriable.
    DelegationTokenNotFound = 62,
    /// `DELEGATION_TOKEN_OWNER_MISMATCH`, not retriable.
    DelegationTokenOwnerMismatch = 63,
    /// `DELEGATION_TOKEN_REQUEST_NOT_ALLOWED`, not retriable.
    DelegationTokenRequestNotAllowed = 64,
    /// `DELEGATION_TOKEN_AUTHORIZATION_FAILED`, not retriable.
    DelegationTokenAuthorizationFailed = 65,
    /// `DELEGATION_TOKEN_EXPIRED`, not retriable.
    DelegationTokenExpired = 66,
    /// `INVALID_PRINCIPAL_TYPE`, not retriable.
    InvalidPrincipalType = 67,
    /// `NON_EMPTY_GROUP`, not retriable.
    NonEmptyGroup = 68,
    /// `GROUP_ID_NOT_FOUND`, not retriable.
    GroupIdNotFound = 69,
    /// `FETCH_SESSION_ID_NOT_FOUND`, retriable.
    FetchSessionIdNotFound = 70,
    /// `INVALID_FETCH_SESSION_EPOCH`, retriable.
    InvalidFetchSessionEpoch = 71,
    /// `LISTENER_NOT_FOUND`, retriable.
    ListenerNotFound = 72,
    /// `TOPIC_DELETION_DISABLED`, not retriable.
    TopicDeletionDisabled = 73,
    /// `FENCED_LEADER_EPOCH`, retriable.
    FencedLeaderEpoch = 74,
    /// `UNKNOWN_LEADER_EPOCH`, retriable.
    UnknownLeaderEpoch = 75,
    /// `UNSUPPORTED_COMPRESSION_TYPE`, not retriable.
    UnsupportedCompressionType = 76,
    /// `STALE_BROKER_EPOCH`, not retriable.
    StaleBrokerEpoch = 77,
    /// `OFFSET_NOT_AVAILABLE`, retriable.
    OffsetNotAvailable = 78,
    /// `MEMBER_ID_REQUIRED`, not retriable.
    MemberIdRequired = 79,
    /// `PREFERRED_LEADER_NOT_AVAILABLE`, retriable.
    PreferredLeaderNotAvailable = 80,
    /// `GROUP_MAX_SIZE_REACHED`, not retriable.
    GroupMaxSizeReached = 81,
    /// `FENCED_INSTANCE_ID`, not retriable.
    FencedInstanceId = 82,
    /// `ELIGIBLE_LEADERS_NOT_AVAILABLE`, retriable.
    EligibleLeadersNotAvailable = 83,
    /// `ELECTION_NOT_NEEDED`, retriable.
    ElectionNotNeeded = 84,
    /// `NO_REASSIGNMENT_IN_PROGRESS`, not retriable.
    NoReassignmentInProgress = 85,
    /// `GROUP_SUBSCRIBED_TO_TOPIC`, not retriable.
    GroupSubscribedToTopic = 86,
    /// `INVALID_RECORD`, not retriable.
    InvalidRecord = 87,
    /// `UNSTABLE_OFFSET_COMMIT`, retriable.
    UnstableOffsetCommit = 88,
    /// `THROTTLING_QUOTA_EXCEEDED`, retriable.
    ThrottlingQuotaExceeded = 89,
    /// `PRODUCER_FENCED`, not retriable.
    ProducerFenced = 90,
    /// `RESOURCE_NOT_FOUND`, not retriable.
    ResourceNotFound = 91,
    /// `DUPLICATE_RESOURCE`, not retriable.
    DuplicateResource = 92,
    /// `UNACCEPTABLE_CREDENTIAL`, not retriable.
    UnacceptableCredential = 93,
    /// `INCONSISTENT_VOTER_SET`, not retriable.
    InconsistentVoterSet = 94,
    /// `INVALID_UPDATE_VERSION`, not retriable.
    InvalidUpdateVersion = 95,
    /// `FEATURE_UPDATE_FAILED`, not retriable.
    FeatureUpdateFailed = 96,
    /// `PRINCIPAL_DESERIALIZATION_FAILURE`, not retriable.
    PrincipalDeserializationFailure = 97,
    /// `SNAPSHOT_NOT_FOUND`, not retriable.
    SnapshotNotFound = 98,
    /// `POSITION_OUT_OF_RANGE`, not retriable.
    PositionOutOfRange = 99,
    /// `UNKNOWN_TOPIC_ID`, retriable.
    UnknownTopicId = 100,
    /// `DUPLICATE_BROKER_REGISTRATION`, not retriable.
    DuplicateBrokerRegistration = 101,
    /// `BROKER_ID_NOT_REGISTERED`, not retriable.
    BrokerIdNotRegistered = 102,
    /// `INCONSISTENT_TOPIC_ID`, retriable.
    InconsistentTopicId = 103,
    /// `INCONSISTENT_CLUSTER_ID`, not retriable.
    InconsistentClusterId = 104,
    /// `TRANSACTIONAL_ID_NOT_FOUND`, not retriable.
    TransactionalIdNotFound = 105,
    /// `FETCH_SESSION_TOPIC_ID_ERROR`, retriable.
    FetchSessionTopicIdError = 106,
    /// `INELIGIBLE_REPLICA`, not retriable.
    IneligibleReplica = 107,
    /// `NEW_LEADER_ELECTED`, not retriable.
    NewLeaderElected = 108,
    /// `OFFSET_MOVED_TO_TIERED_STORAGE`, not retriable.
    OffsetMovedToTieredStorage = 109,
    /// `FENCED_MEMBER_EPOCH`, not retriable.
    FencedMemberEpoch = 110,
    /// `UNRELEASED_INSTANCE_ID`, not retriable.
    UnreleasedInstanceId = 111,
    /// `UNSUPPORTED_ASSIGNOR`, not retriable.
    UnsupportedAssignor = 112,
    /// `STALE_MEMBER_EPOCH`, not retriable.
    StaleMemberEpoch = 113,
    /// `MISMATCHED_ENDPOINT_TYPE`, not retriable.
    MismatchedEndpointType = 114,
    /// `UNSUPPORTED_ENDPOINT_TYPE`, not retriable.
    UnsupportedEndpointType = 115,
    /// `UNKNOWN_CONTROLLER_ID`, not retriable.
    UnknownControllerId = 116,
    /// `UNKNOWN_SUBSCRIPTION_ID`, not retriable.
    UnknownSubscriptionId = 117,
    /// `TELEMETRY_TOO_LARGE`, not retriable.
    TelemetryTooLarge = 118,
    /// `INVALID_REGISTRATION`, not retriable.
    InvalidRegistration = 119,
    /// `TRANSACTION_ABORTABLE`, not retriable.
    TransactionAbortable = 120,
    /// `INVALID_RECORD_STATE`, not retriable.
    InvalidRecordState = 121,
    /// `SHARE_SESSION_NOT_FOUND`, retriable.
    ShareSessionNotFound = 122,
    /// `INVALID_SHARE_SESSION_EPOCH`, retriable.
    InvalidShareSessionEpoch = 123,
    /// `FENCED_STATE_EPOCH`, not retriable.
    FencedStateEpoch = 124,
    /// `INVALID_VOTER_KEY`, not retriable.
    InvalidVoterKey = 125,
    /// `DUPLICATE_VOTER`, not retriable.
    DuplicateVoter = 126,
    /// `VOTER_NOT_FOUND`, not retriable.
    VoterNotFound = 127,
    /// `INVALID_REGULAR_EXPRESSION`, not retriable.
    InvalidRegularExpression = 128,
    /// `REBOOTSTRAP_REQUIRED`, not retriable.
    RebootstrapRequired = 129,
    /// `STREAMS_INVALID_TOPOLOGY`, not retriable.
    StreamsInvalidTopology = 130,
    /// `STREAMS_INVALID_TOPOLOGY_EPOCH`, not retriable.
    StreamsInvalidTopologyEpoch = 131,
    /// `STREAMS_TOPOLOGY_FENCED`, not retriable.
    StreamsTopologyFenced = 132,
    /// `SHARE_SESSION_LIMIT_REACHED`, retriable.
    ShareSessionLimitReached = 133,
}

/// Every code, ascending.
pub const ALL: &[ErrorCode] = &[
    ErrorCode::UnknownServerError,
    ErrorCode::None,
    ErrorCode::OffsetOutOfRange,
    ErrorCode::CorruptMessage,
    ErrorCode::UnknownTopicOrPartition,
    ErrorCode::InvalidFetchSize,
    ErrorCode::LeaderNotAvailable,
    ErrorCode::NotLeaderOrFollower,
    ErrorCode::RequestTimedOut,
    ErrorCode::BrokerNotAvailable,
    ErrorCode::ReplicaNotAvailable,
    ErrorCode::MessageTooLarge,
    ErrorCode::StaleControllerEpoch,
    ErrorCode::OffsetMetadataTooLarge,
    ErrorCode::NetworkException,
    ErrorCode::CoordinatorLoadInProgress,
    ErrorCode::CoordinatorNotAvailable,
    ErrorCode::NotCoordinator,
    ErrorCode::InvalidTopicException,
    ErrorCode::RecordListTooLarge,
    ErrorCode::NotEnoughReplicas,
    ErrorCode::NotEnoughReplicasAfterAppend,
    ErrorCode::InvalidRequiredAcks,
    ErrorCode::IllegalGeneration,
    ErrorCode::InconsistentGroupProtocol,
    ErrorCode::InvalidGroupId,
    ErrorCode::UnknownMemberId,
    ErrorCode::InvalidSessionTimeout,
    ErrorCode::RebalanceInProgress,
    ErrorCode::InvalidCommitOffsetSize,
    ErrorCode::TopicAuthorizationFailed,
    ErrorCode::GroupAuthorizationFailed,
    ErrorCode::ClusterAuthorizationFailed,
    ErrorCode::InvalidTimestamp,
    ErrorCode::UnsupportedSaslMechanism,
    ErrorCode::IllegalSaslState,
    ErrorCode::UnsupportedVersion,
    ErrorCode::TopicAlreadyExists,
    ErrorCode::InvalidPartitions,
    ErrorCode::InvalidReplicationFactor,
    ErrorCode::InvalidReplicaAssignment,
    ErrorCode::InvalidConfig,
    ErrorCode::NotController,
    ErrorCode::InvalidRequest,
    ErrorCode::UnsupportedForMessageFormat,
    ErrorCode::PolicyViolation,
    ErrorCode::OutOfOrderSequenceNumber,
    ErrorCode::DuplicateSequenceNumber,
    ErrorCode::InvalidProducerEpoch,
    ErrorCode::InvalidTxnState,
    ErrorCode::InvalidProducerIdMapping,
    ErrorCode::InvalidTransactionTimeout,
    ErrorCode::ConcurrentTransactions,
    ErrorCode::TransactionCoordinatorFenced,
    ErrorCode::TransactionalIdAuthorizationFailed,
    ErrorCode::SecurityDisabled,
    ErrorCode::OperationNotAttempted,
    ErrorCode::KafkaStorageError,
    ErrorCode::LogDirNotFound,
    ErrorCode::SaslAuthenticationFailed,
    ErrorCode::UnknownProducerId,
    ErrorCode::ReassignmentInProgress,
    ErrorCode::DelegationTokenAuthDisabled,
    ErrorCode::DelegationTokenNotFound,
    ErrorCode::DelegationTokenOwnerMismatch,
    ErrorCode::DelegationTokenRequestNotAllowed,
    ErrorCode::DelegationTokenAuthorizationFailed,
    ErrorCode::DelegationTokenExpired,
    ErrorCode::InvalidPrincipalType,
    ErrorCode::NonEmptyGroup,
    ErrorCode::GroupIdNotFound,
    ErrorCode::FetchSessionIdNotFound,
    ErrorCode::InvalidFetchSessionEpoch,
    ErrorCode::ListenerNotFound,
    ErrorCode::TopicDeletionDisabled,
    ErrorCode::FencedLeaderEpoch,
    ErrorCode::UnknownLeaderEpoch,
    ErrorCode::UnsupportedCompressionType,
    ErrorCode::StaleBrokerEpoch,
    ErrorCode::OffsetNotAvailable,
    ErrorCode::MemberIdRequired,
    ErrorCode::PreferredLeaderNotAvailable,
    ErrorCode::GroupMaxSizeReached,
    ErrorCode::FencedInstanceId,
    ErrorCode::EligibleLeadersNotAvailable,
    ErrorCode::ElectionNotNeeded,
    ErrorCode::NoReassignmentInProgress,
    ErrorCode::GroupSubscribedToTopic,
    ErrorCode::InvalidRecord,
    ErrorCode::UnstableOffsetCommit,
    ErrorCode::ThrottlingQuotaExceeded,
    ErrorCode::ProducerFenced,
    ErrorCode::ResourceNotFound,
    ErrorCode::DuplicateResource,
    ErrorCode::UnacceptableCredential,
    ErrorCode::InconsistentVoterSet,
    ErrorCode::InvalidUpdateVersion,
    ErrorCode::FeatureUpdateFailed,
    ErrorCode::PrincipalDeserializationFailure,
    ErrorCode::SnapshotNotFound,
    ErrorCode::PositionOutOfRange,
    ErrorCode::UnknownTopicId,
    ErrorCode::DuplicateBrokerRegistration,
    ErrorCode::BrokerIdNotRegistered,
    ErrorCode::InconsistentTopicId,
    ErrorCode::InconsistentClusterId,
    ErrorCode::TransactionalIdNotFound,
    ErrorCode::FetchSessionTopicIdError,
    ErrorCode::IneligibleReplica,
    ErrorCode::NewLeaderElected,
    ErrorCode::OffsetMovedToTieredStorage,
    ErrorCode::FencedMemberEpoch,
    ErrorCode::UnreleasedInstanceId,
    ErrorCode::UnsupportedAssignor,
    ErrorCode::StaleMemberEpoch,
    ErrorCode::MismatchedEndpointType,
    ErrorCode::UnsupportedEndpointType,
    ErrorCode::UnknownControllerId,
    ErrorCode::UnknownSubscriptionId,
    ErrorCode::TelemetryTooLarge,
    ErrorCode::InvalidRegistration,
    ErrorCode::TransactionAbortable,
    ErrorCode::InvalidRecordState,
    ErrorCode::ShareSessionNotFound,
    ErrorCode::InvalidShareSessionEpoch,
    ErrorCode::FencedStateEpoch,
    ErrorCode::InvalidVoterKey,
    ErrorCode::DuplicateVoter,
    ErrorCode::VoterNotFound,
    ErrorCode::InvalidRegularExpression,
    ErrorCode::RebootstrapRequired,
    ErrorCode::StreamsInvalidTopology,
    ErrorCode::StreamsInvalidTopologyEpoch,
    ErrorCode::StreamsTopologyFenced,
    ErrorCode::ShareSessionLimitReached,
];

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The code with this number; a number Kafka 4.3 does not define is `None`.
    pub fn from_code(code: i16) -> Option<Self> {
        ALL.get(usize::try_from(i32::from(code) + 1).ok()?).copied().filter(|e| e.code() == code)
    }

    /// Kafka's constant name, as its tools print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownServerError => "UNKNOWN_SERVER_ERROR",
            Self::None => "NONE",
            Self::OffsetOutOfRange => "OFFSET_OUT_OF_RANGE",
            Self::CorruptMessage => "CORRUPT_MESSAGE",
            Self::UnknownTopicOrPartition => "UNKNOWN_TOPIC_OR_PARTITION",
            Self::InvalidFetchSize => "INVALID_FETCH_SIZE",
            Self::LeaderNotAvailable => "LEADER_NOT_AVAILABLE",
            Self::NotLeaderOrFollower => "NOT_LEADER_OR_FOLLOWER",
            Self::RequestTimedOut => "REQUEST_TIMED_OUT",
            Self::BrokerNotAvailable => "BROKER_NOT_AVAILABLE",
            Self::ReplicaNotAvailable => "REPLICA_NOT_AVAILABLE",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::StaleControllerEpoch => "STALE_CONTROLLER_EPOCH",
            Self::OffsetMetadataTooLarge => "OFFSET_METADATA_TOO_LARGE",
            Self::NetworkException => "NETWORK_EXCEPTION",
            Self::CoordinatorLoadInProgress => "COORDINATOR_LOAD_IN_PROGRESS",
            Self::CoordinatorNotAvailable => "COORDINATOR_NOT_AVAILABLE",
            Self::NotCoordinator => "NOT_COORDINATOR",
            Self::InvalidTopicException => "INVALID_TOPIC_EXCEPTION",
            Self::RecordListTooLarge => "RECORD_LIST_TOO_LARGE",
            Self::NotEnoughReplicas => "NOT_ENOUGH_REPLICAS",
            Self::NotEnoughReplicasAfterAppend => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            Self::InvalidRequiredAcks => "INVALID_REQUIRED_ACKS",
            Self::IllegalGeneration => "ILLEGAL_GENERATION",
            Self::InconsistentGroupProtocol => "INCONSISTENT_GROUP_PROTOCOL",
            Self::InvalidGroupId => "INVALID_GROUP_ID",
            Self::UnknownMemberId => "UNKNOWN_MEMBER_ID",
            Self::InvalidSessionTimeout => "INVALID_SESSION_TIMEOUT",
            Self::RebalanceInProgress => "REBALANCE_IN_PROGRESS",
            Self::InvalidCommitOffsetSize => "INVALID_COMMIT_OFFSET_SIZE",
            Self::TopicAuthorizationFailed => "TOPIC_AUTHORIZATION_FAILED",
            Self::GroupAuthorizationFailed => "GROUP_AUTHORIZATION_FAILED",
            Self::ClusterAuthorizationFailed => "CLUSTER_AUTHORIZATION_FAILED",
            Self::InvalidTimestamp => "INVALID_TIMESTAMP",
            Self::UnsupportedSaslMechanism => "UNSUPPORTED_SASL_MECHANISM",
            Self::IllegalSaslState => "ILLEGAL_SASL_STATE",
            Self::UnsupportedVersion => "UNSUPPORTED_VERSION",
            Self::TopicAlreadyExists => "TOPIC_ALREADY_EXISTS",
            Self::InvalidPartitions => "INVALID_PARTITIONS",
            Self::InvalidReplicationFactor => "INVALID_REPLICATION_FACTOR",
            Self::InvalidReplicaAssignment => "INVALID_REPLICA_ASSIGNMENT",
            Self::InvalidConfig => "INVALID_CONFIG",
            Self::NotController => "NOT_CONTROLLER",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::UnsupportedForMessageFormat => "UNSUPPORTED_FOR_MESSAGE_FORMAT",
            Self::PolicyViolation => "POLICY_VIOLATION",
            Self::OutOfOrderSequenceNumber => "OUT_OF_ORDER_SEQUENCE_NUMBER",
            Self::DuplicateSequenceNumber => "DUPLICATE_SEQUENCE_NUMBER",
            Self::InvalidProducerEpoch => "INVALID_PRODUCER_EPOCH",
            Self::InvalidTxnState => "INVALID_TXN_STATE",
            Self::InvalidProducerIdMapping => "INVALID_PRODUCER_ID_MAPPING",
            Self::InvalidTransactionTimeout => "INVALID_TRANSACTION_TIMEOUT",
            Self::ConcurrentTransactions => "CONCURRENT_TRANSACTIONS",
            Self::TransactionCoordinatorFenced => "TRANSACTION_COORDINATOR_FENCED",
            Self::TransactionalIdAuthorizationFailed => "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
            Self::SecurityDisabled => "SECURITY_DISABLED",
            Self::OperationNotAttempted => "OPERATION_NOT_ATTEMPTED",
            Self::KafkaStorageError => "KAFKA_STORAGE_ERROR",
            Self::LogDirNotFound => "LOG_DIR_NOT_FOUND",
            Self::SaslAuthenticationFailed => "SASL_AUTHENTICATION_FAILED",
            Self::UnknownProducerId => "UNKNOWN_PRODUCER_ID",
            Self::ReassignmentInProgress => "REASSIGNMENT_IN_PROGRESS",
            Self::DelegationTokenAuthDisabled => "DELEGATION_TOKEN_AUTH_DISABLED",
            Self::DelegationTokenNotFound => "DELEGATION_TOKEN_NOT_FOUND",
            Self::DelegationTokenOwnerMismatch => "DELEGATION_TOKEN_OWNER_MISMATCH",
            Self::DelegationTokenRequestNotAllowed => "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
            Self::DelegationTokenAuthorizationFailed => "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
            Self::DelegationTokenExpired => "DELEGATION_TOKEN_EXPIRED",
            Self::InvalidPrincipalType => "INVALID_PRINCIPAL_TYPE",
            Self::NonEmptyGroup => "NON_EMPTY_GROUP",
            Self::GroupIdNotFound => "GROUP_ID_NOT_FOUND",
            Self::FetchSessionIdNotFound => "FETCH_SESSION_ID_NOT_FOUND",
            Self::InvalidFetchSessionEpoch => "INVALID_FETCH_SESSION_EPOCH",
            Self::ListenerNotFound => "LISTENER_NOT_FOUND",
            Self::TopicDeletionDisabled => "TOPIC_DELETION_DISABLED",
            Self::FencedLeaderEpoch => "FENCED_LEADER_EPOCH",
            Self::UnknownLeaderEpoch => "UNKNOWN_LEADER_EPOCH",
            Self::UnsupportedCompressionType => "UNSUPPORTED_COMPRESSION_TYPE",
            Self::StaleBrokerEpoch => "STALE_BROKER_EPOCH",
            Self::OffsetNotAvailable => "OFFSET_NOT_AVAILABLE",
            Self::MemberIdRequired => "MEMBER_ID_REQUIRED",
            Self::PreferredLeaderNotAvailable => "PREFERRED_LEADER_NOT_AVAILABLE",
            Self::GroupMaxSizeReached => "GROUP_MAX_SIZE_REACHED",
            Self::FencedInstanceId => "FENCED_INSTANCE_ID",
            Self::EligibleLeadersNotAvailable => "ELIGIBLE_LEADERS_NOT_AVAILABLE",
            Self::ElectionNotNeeded => "ELECTION_NOT_NEEDED",
            Self::NoReassignmentInProgress => "NO_REASSIGNMENT_IN_PROGRESS",
            Self::GroupSubscribedToTopic => "GROUP_SUBSCRIBED_TO_TOPIC",
            Self::InvalidRecord => "INVALID_RECORD",
            Self::UnstableOffsetCommit => "UNSTABLE_OFFSET_COMMIT",
            Self::ThrottlingQuotaExceeded => "THROTTLING_QUOTA_EXCEEDED",
            Self::ProducerFenced => "PRODUCER_FENCED",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::DuplicateResource => "DUPLICATE_RESOURCE",
            Self::UnacceptableCredential => "UNACCEPTABLE_CREDENTIAL",
            Self::InconsistentVoterSet => "INCONSISTENT_VOTER_SET",
            Self::InvalidUpdateVersion => "INVALID_UPDATE_VERSION",
            Self::FeatureUpdateFailed => "FEATURE_UPDATE_FAILED",
            Self::PrincipalDeserializationFailure => "PRINCIPAL_DESERIALIZATION_FAILURE",
            Self::SnapshotNotFound => "SNAPSHOT_NOT_FOUND",
            Self::PositionOutOfRange => "POSITION_OUT_OF_RANGE",
            Self::UnknownTopicId => "UNKNOWN_TOPIC_ID",
            Self::DuplicateBrokerRegistration => "DUPLICATE_BROKER_REGISTRATION",
            Self::BrokerIdNotRegistered => "BROKER_ID_NOT_REGISTERED",
            Self::InconsistentTopicId => "INCONSISTENT_TOPIC_ID",
            Self::InconsistentClusterId => "INCONSISTENT_CLUSTER_ID",
            Self::TransactionalIdNotFound => "TRANSACTIONAL_ID_NOT_FOUND",
            Self::FetchSessionTopicIdError => "FETCH_SESSION_TOPIC_ID_ERROR",
            Self::IneligibleReplica => "INELIGIBLE_REPLICA",
            Self::NewLeaderElected => "NEW_LEADER_ELECTED",
            Self::OffsetMovedToTieredStorage => "OFFSET_MOVED_TO_TIERED_STORAGE",
            Self::FencedMemberEpoch => "FENCED_MEMBER_EPOCH",
            Self::UnreleasedInstanceId => "UNRELEASED_INSTANCE_ID",
            Self::UnsupportedAssignor => "UNSUPPORTED_ASSIGNOR",
            Self::StaleMemberEpoch => "STALE_MEMBER_EPOCH",
            Self::MismatchedEndpointType => "MISMATCHED_ENDPOINT_TYPE",
            Self::UnsupportedEndpointType => "UNSUPPORTED_ENDPOINT_TYPE",
            Self::UnknownControllerId => "UNKNOWN_CONTROLLER_ID",
            Self::UnknownSubscriptionId => "UNKNOWN_SUBSCRIPTION_ID",
            Self::TelemetryTooLarge => "TELEMETRY_TOO_LARGE",
            Self::InvalidRegistration => "INVALID_REGISTRATION",
            Self::TransactionAbortable => "TRANSACTION_ABORTABLE",
            Self::InvalidRecordState => "INVALID_RECORD_STATE",
            Self::ShareSessionNotFound => "SHARE_SESSION_NOT_FOUND",
            Self::InvalidShareSessionEpoch => "INVALID_SHARE_SESSION_EPOCH",
            Self::FencedStateEpoch => "FENCED_STATE_EPOCH",
            Self::InvalidVoterKey => "INVALID_VOTER_KEY",
            Self::DuplicateVoter => "DUPLICATE_VOTER",
            Self::VoterNotFound => "VOTER_NOT_FOUND",
            Self::InvalidRegularExpression => "INVALID_REGULAR_EXPRESSION",
            Self::RebootstrapRequired => "REBOOTSTRAP_REQUIRED",
            Self::StreamsInvalidTopology => "STREAMS_INVALID_TOPOLOGY",
            Self::StreamsInvalidTopologyEpoch => "STREAMS_INVALID_TOPOLOGY_EPOCH",
            Self::StreamsTopologyFenced => "STREAMS_TOPOLOGY_FENCED",
            Self::ShareSessionLimitReached => "SHARE_SESSION_LIMIT_REACHED",
        }
    }

    /// True where the client's request succeeded.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::None)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_contiguous_and_round_trip() {
        for (i, e) in ALL.iter().enumerate() {
            assert_eq!(e.code(), i as i16 - 1);
            assert_eq!(ErrorCode::from_code(e.code()), Some(*e));
        }
        assert_eq!(ErrorCode::from_code(i16::MAX), None);
        assert_eq!(ErrorCode::from_code(-2), None);
    }
}
