//! What went wrong between a tool and the brokers.

use crate::base::ErrorCode;
use crate::protocol::{DecodeError, EncodeError};

/// Why a request had no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// No connection, or it broke: another try may succeed.
    Network(String),
    /// The time for the whole call is over; the last reason.
    Timeout(String),
    /// A broker answered with an error.
    Broker(ErrorCode, Option<String>),
    /// The broker has no version of this request that we know, or lacks what was asked of it.
    Unsupported(String),
    /// The broker's bytes are not what the protocol says.
    Malformed(String),
    /// The properties or arguments cannot work.
    Config(String),
    /// SIGINT or SIGTERM came while an answer was waited for.
    Interrupted,
}

impl ClientError {
    /// The error of an answer's code; `None` when it is success.
    pub fn of(code: i16, message: Option<&str>) -> Option<Self> {
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => None,
            Some(known) => Some(Self::Broker(known, message.map(str::to_owned))),
            None => Some(Self::Broker(ErrorCode::UnknownServerError, Some(format!("unknown error code {code}")))),
        }
    }

    /// `Err` unless the code is success.
    pub fn check(code: i16, message: Option<&str>) -> Result<(), Self> {
        Self::of(code, message).map_or(Ok(()), Err)
    }

    /// The code a broker answered.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker(code, _) => Some(*code),
            _ => None,
        }
    }

    /// True where the same request may succeed a little later, perhaps at another broker
    /// (`RetriableException`).
    pub fn is_retriable(&self) -> bool {
        use ErrorCode as E;
        match self {
            Self::Network(_) => true,
            Self::Broker(code, _) => matches!(
                code,
                E::CorruptMessage
                    | E::LeaderNotAvailable
                    | E::NotLeaderOrFollower
                    | E::RequestTimedOut
                    | E::ReplicaNotAvailable
                    | E::NetworkException
                    | E::CoordinatorLoadInProgress
                    | E::CoordinatorNotAvailable
                    | E::NotCoordinator
                    | E::NotEnoughReplicas
                    | E::NotEnoughReplicasAfterAppend
                    | E::NotController
                    | E::KafkaStorageError
                    | E::FencedLeaderEpoch
                    | E::UnknownLeaderEpoch
                    | E::OffsetNotAvailable
                    | E::ListenerNotFound
                    | E::UnstableOffsetCommit
                    | E::ConcurrentTransactions
            ),
            Self::Timeout(_) | Self::Unsupported(_) | Self::Malformed(_) | Self::Config(_) | Self::Interrupted => false,
        }
    }

    /// The name of the exception that Kafka's client throws, as its tools print it before some messages.
    pub fn exception(&self) -> String {
        let name = match self {
            Self::Network(_) => "NetworkException".to_owned(),
            Self::Timeout(_) => "TimeoutException".to_owned(),
            Self::Unsupported(_) => "UnsupportedVersionException".to_owned(),
            Self::Interrupted => "WakeupException".to_owned(),
            Self::Malformed(_) => return "org.apache.kafka.common.protocol.types.SchemaException".to_owned(),
            Self::Config(_) => return "org.apache.kafka.common.config.ConfigException".to_owned(),
            Self::Broker(code, _) => exception_of(*code),
        };
        format!("org.apache.kafka.common.errors.{name}")
    }

    /// As Java prints the exception: its name and its message.
    pub fn with_exception(&self) -> String {
        format!("{}: {self}", self.exception())
    }
}

/// Kafka's exception for a code: mostly the code's name in camel case.
fn exception_of(code: ErrorCode) -> String {
    use ErrorCode as E;
    match code {
        E::TopicAlreadyExists => "TopicExistsException".into(),
        E::InvalidTopicException => "InvalidTopicException".into(),
        E::RequestTimedOut => "TimeoutException".into(),
        E::MessageTooLarge => "RecordTooLargeException".into(),
        E::RecordListTooLarge => "RecordBatchTooLargeException".into(),
        E::InvalidConfig => "InvalidConfigurationException".into(),
        E::NonEmptyGroup => "GroupNotEmptyException".into(),
        E::OffsetMetadataTooLarge => "OffsetMetadataTooLarge".into(),
        _ => {
            let camel: String = code
                .name()
                .split('_')
                .map(|word| match word.split_at_checked(1) {
                    Some((first, rest)) => format!("{first}{}", rest.to_ascii_lowercase()),
                    None => String::new(),
                })
                .collect();
            format!("{camel}Exception")
        }
    }
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broker(_, Some(message)) if !message.is_empty() => f.write_str(message),
            Self::Broker(code, _) => f.write_str(meaning(*code)),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Network(why)
            | Self::Timeout(why)
            | Self::Unsupported(why)
            | Self::Malformed(why)
            | Self::Config(why) => f.write_str(why),
        }
    }
}

/// What a code means, where the broker said no more than that.
fn meaning(code: ErrorCode) -> &'static str {
    use ErrorCode as E;
    match code {
        E::UnknownTopicOrPartition => "This server does not host this topic-partition.",
        E::UnknownTopicId => "This server does not host this topic ID.",
        E::InvalidTopicException => "The topic's name is not valid.",
        E::GroupIdNotFound => "The group id does not exist.",
        E::NonEmptyGroup => "The group is not empty.",
        E::GroupSubscribedToTopic => "A member of the group is subscribed to the topic.",
        E::OffsetOutOfRange => "The offset is outside of what the partition holds.",
        E::NotController => "This broker is not the controller.",
        E::LeaderNotAvailable => "The partition has no leader for now.",
        E::NotLeaderOrFollower => "The broker asked is not the partition's leader.",
        E::TopicAuthorizationFailed => "Access to the topic is not authorized.",
        E::GroupAuthorizationFailed => "Access to the group is not authorized.",
        E::ClusterAuthorizationFailed => "Access to the cluster is not authorized.",
        E::MessageTooLarge => "The records take more than the topic's max.message.bytes.",
        E::RebalanceInProgress => "The group is rebalancing.",
        E::UnknownMemberId => "The coordinator does not know this member.",
        E::ElectionNotNeeded => "The wanted leader leads already.",
        E::PreferredLeaderNotAvailable => "The preferred leader is not available.",
        E::NoReassignmentInProgress => "No reassignment of this partition is in progress.",
        _ => code.name(),
    }
}

impl std::error::Error for ClientError {}

impl From<EncodeError> for ClientError {
    fn from(error: EncodeError) -> Self {
        Self::Unsupported(format!("the broker is too old for this request: {error}"))
    }
}

impl From<DecodeError> for ClientError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(format!("an answer that cannot be read: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_have_javas_names() {
        let name = |code| ClientError::Broker(code, None).exception();
        assert_eq!(name(ErrorCode::TopicAlreadyExists), "org.apache.kafka.common.errors.TopicExistsException");
        assert_eq!(name(ErrorCode::GroupIdNotFound), "org.apache.kafka.common.errors.GroupIdNotFoundException");
        assert_eq!(name(ErrorCode::InvalidPartitions), "org.apache.kafka.common.errors.InvalidPartitionsException");
        let told = ClientError::of(69, Some("Group g not found.")).unwrap();
        assert_eq!(
            told.with_exception(),
            "org.apache.kafka.common.errors.GroupIdNotFoundException: Group g not found."
        );
    }

    #[test]
    fn a_code_nobody_knows_is_an_error_and_zero_is_none() {
        assert!(ClientError::check(0, None).is_ok());
        assert!(ClientError::check(9999, None).unwrap_err().to_string().contains("9999"));
    }
}
