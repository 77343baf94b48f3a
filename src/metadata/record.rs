//! The records of `__cluster_metadata` and their frame: uvarint frame version 1, uvarint type,
//! uvarint version, flexible body (`AbstractApiMessageSerde`).

use crate::base::varint::{put_u32, read_u32};
use crate::protocol::messages as m;
use crate::protocol::{DecodeError, EncodeError, Message, decode_all, encode_to_bytes};
use bytes::{Bytes, BytesMut};

/// The frame's own version.
const FRAME_VERSION: u32 = 1;

/// Why a record of the metadata log could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The frame ends early or has another version.
    BadFrame,
    /// A type Kafka 4.3 does not define.
    UnknownType(u32),
    /// The body cannot be read.
    Body(DecodeError),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadFrame => f.write_str("the record's frame cannot be read"),
            Self::UnknownType(t) => write!(f, "record type {t} is not known"),
            Self::Body(e) => write!(f, "the record's body cannot be read: {e}"),
        }
    }
}

impl std::error::Error for RecordError {}

macro_rules! records {
    ($($variant:ident($message:ident) $doc:literal),* $(,)?) => {
        /// One record, decoded.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Record {
            $(#[doc = $doc] $variant(m::$message),)*
        }

        impl Record {
            /// Reads a framed record.
            pub fn decode(framed: &Bytes) -> Result<Self, RecordError> {
                let (kind, version, body) = unframe(framed)?;
                match i16::try_from(kind).map_err(|_| RecordError::UnknownType(kind))? {
                    $(m::$message::KEY => decode_all(body, version).map(Self::$variant).map_err(RecordError::Body),)*
                    _ => Err(RecordError::UnknownType(kind)),
                }
            }

            /// Writes the record in its frame, as `version` of its type.
            pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
                match self {
                    $(Self::$variant(message) => frame(m::$message::KEY, version, &encode_to_bytes(message, version)?),)*
                }
            }

            /// The newest version of this record's type.
            pub fn newest_version(&self) -> i16 {
                match self {
                    $(Self::$variant(_) => *m::$message::VERSIONS.end(),)*
                }
            }
        }

        $(impl From<m::$message> for Record {
            fn from(message: m::$message) -> Self {
                Self::$variant(message)
            }
        })*
    };
}

records! {
    RegisterBroker(RegisterBrokerRecord) "A broker came.",
    UnregisterBroker(UnregisterBrokerRecord) "A broker was removed for good.",
    Topic(TopicRecord) "A topic was created.",
    Partition(PartitionRecord) "A partition was created.",
    Config(ConfigRecord) "A configuration was set, or removed (null).",
    PartitionChange(PartitionChangeRecord) "A partition changed.",
    FenceBroker(FenceBrokerRecord) "A broker was fenced.",
    UnfenceBroker(UnfenceBrokerRecord) "A broker was unfenced.",
    RemoveTopic(RemoveTopicRecord) "A topic was deleted.",
    DelegationToken(DelegationTokenRecord) "A delegation token.",
    UserScramCredential(UserScramCredentialRecord) "A SCRAM credential.",
    FeatureLevel(FeatureLevelRecord) "A feature was finalized.",
    ClientQuota(ClientQuotaRecord) "A client quota.",
    ProducerIds(ProducerIdsRecord) "A block of producer ids was handed out.",
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) "A broker's registration changed.",
    AccessControlEntry(AccessControlEntryRecord) "An ACL.",
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord) "An ACL was removed.",
    NoOp(NoOpRecord) "Keeps the log moving.",
    ZkMigrationState(ZkMigrationStateRecord) "Left by a migration from ZooKeeper.",
    RemoveUserScramCredential(RemoveUserScramCredentialRecord) "A SCRAM credential was removed.",
    BeginTransaction(BeginTransactionRecord) "What follows applies together.",
    EndTransaction(EndTransactionRecord) "Apply it.",
    AbortTransaction(AbortTransactionRecord) "Forget it.",
    RemoveDelegationToken(RemoveDelegationTokenRecord) "A delegation token was removed.",
    RegisterController(RegisterControllerRecord) "A controller came.",
    ClearElr(ClearElrRecord) "Eligible leader replicas are forgotten.",
}

fn unframe(framed: &Bytes) -> Result<(u32, i16, Bytes), RecordError> {
    let mut at = 0;
    let mut next = || {
        let (value, len) = framed.get(at..).and_then(|b| read_u32(b).ok()).ok_or(RecordError::BadFrame)?;
        at += len;
        Ok::<u32, RecordError>(value)
    };
    if next()? != FRAME_VERSION {
        return Err(RecordError::BadFrame);
    }
    let kind = next()?;
    let version = i16::try_from(next()?).map_err(|_| RecordError::BadFrame)?;
    Ok((kind, version, framed.slice(at..)))
}

fn frame(kind: i16, version: i16, body: &[u8]) -> Result<Bytes, EncodeError> {
    let mut framed = BytesMut::with_capacity(body.len() + 6);
    put_u32(&mut framed, FRAME_VERSION);
    put_u32(&mut framed, u32::from(kind.unsigned_abs()));
    put_u32(&mut framed, u32::from(version.unsigned_abs()));
    framed.extend_from_slice(body);
    Ok(framed.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Uuid;

    #[test]
    fn a_record_survives_its_frame() {
        let record = Record::from(m::TopicRecord { name: "orders".into(), topic_id: Uuid::ONE });
        let bytes = record.encode(record.newest_version()).expect("encodable");
        assert_eq!(&bytes[..3], &[1, 2, 0]);
        assert_eq!(Record::decode(&bytes), Ok(record));
    }

    #[test]
    fn broken_frames_are_told_apart() {
        let decode = |bytes: &[u8]| Record::decode(&Bytes::copy_from_slice(bytes));
        assert_eq!(decode(&[]), Err(RecordError::BadFrame));
        assert_eq!(decode(&[2, 2, 0]), Err(RecordError::BadFrame));
        assert_eq!(decode(&[1, 99, 0]), Err(RecordError::UnknownType(99)));
        assert!(matches!(decode(&[1, 2, 0, 9]), Err(RecordError::Body(_))));
    }
}
