//! The values of `__cluster_metadata`: uvarint frame version 1, uvarint record type, uvarint record version, then the
//! record in its flexible form (`MetadataRecordSerde`).

use crate::base::varint;
use crate::protocol::messages::*;
use crate::protocol::{DecodeError, Decoder, EncodeError, Encoder, Message, Part};
use bytes::{Bytes, BytesMut};

/// The only frame version there is.
const FRAME_VERSION: u32 = 1;

/// Why a value of the metadata log is no record we can apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataRecordError {
    /// A frame version other than 1.
    FrameVersion(u32),
    /// A record type this version of corelog does not know: a newer Kafka wrote it.
    UnknownType(u32),
    /// A version of a known type that is too new.
    UnknownVersion(&'static str, u32),
    /// The bytes are not the record they claim to be.
    Malformed(DecodeError),
}

impl std::fmt::Display for MetadataRecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FrameVersion(version) => write!(f, "metadata record with unknown frame version {version}"),
            Self::UnknownType(kind) => write!(f, "metadata record of unknown type {kind}"),
            Self::UnknownVersion(name, version) => write!(f, "{name} of unknown version {version}"),
            Self::Malformed(error) => write!(f, "malformed metadata record: {error}"),
        }
    }
}

impl std::error::Error for MetadataRecordError {}

impl From<DecodeError> for MetadataRecordError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl From<varint::VarintError> for MetadataRecordError {
    fn from(error: varint::VarintError) -> Self {
        Self::Malformed(error.into())
    }
}

macro_rules! records {
    ($($variant:ident($message:ident),)*) => {
        /// One record of the metadata log, by its type.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $(
                #[doc = concat!("Kafka's `", stringify!($message), "`.")]
                $variant($message),
            )*
        }

        impl MetadataRecord {
            /// Reads a value of the metadata log.
            pub fn decode(value: &Bytes) -> Result<Self, MetadataRecordError> {
                let (frame, kind, version, body) = unframe(value)?;
                if frame != FRAME_VERSION {
                    return Err(MetadataRecordError::FrameVersion(frame));
                }
                $(
                    if kind == <$message>::KEY as u32 {
                        return body_of::<$message>(body, version).map(Self::$variant);
                    }
                )*
                Err(MetadataRecordError::UnknownType(kind))
            }

            /// Writes the value in record version `version`.
            pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
                match self {
                    $(Self::$variant(record) => framed(record, version),)*
                }
            }

            /// Kafka's name of the record.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$message>::NAME,)*
                }
            }
        }

        $(
            impl From<$message> for MetadataRecord {
                fn from(record: $message) -> Self {
                    Self::$variant(record)
                }
            }
        )*
    };
}

records! {
    RegisterBroker(RegisterBrokerRecord),
    UnregisterBroker(UnregisterBrokerRecord),
    Topic(TopicRecord),
    Partition(PartitionRecord),
    Config(ConfigRecord),
    PartitionChange(PartitionChangeRecord),
    FenceBroker(FenceBrokerRecord),
    UnfenceBroker(UnfenceBrokerRecord),
    RemoveTopic(RemoveTopicRecord),
    DelegationToken(DelegationTokenRecord),
    UserScramCredential(UserScramCredentialRecord),
    FeatureLevel(FeatureLevelRecord),
    ClientQuota(ClientQuotaRecord),
    ProducerIds(ProducerIdsRecord),
    BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    AccessControlEntry(AccessControlEntryRecord),
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord),
    NoOp(NoOpRecord),
    ZkMigrationState(ZkMigrationStateRecord),
    RemoveUserScramCredential(RemoveUserScramCredentialRecord),
    BeginTransaction(BeginTransactionRecord),
    EndTransaction(EndTransactionRecord),
    AbortTransaction(AbortTransactionRecord),
    RemoveDelegationToken(RemoveDelegationTokenRecord),
    RegisterController(RegisterControllerRecord),
    ClearElr(ClearElrRecord),
}

impl MetadataRecord {
    /// Writes the value in the version a log of this `metadata.version` takes.
    pub fn encode_for(&self, metadata_version: i16) -> Result<Bytes, EncodeError> {
        self.encode(self.version_for(metadata_version))
    }

    /// The record version Kafka writes at this `metadata.version` (`MetadataVersion`). A registration change takes
    /// the lowest version that holds its fields, as Kafka's does.
    fn version_for(&self, metadata_version: i16) -> i16 {
        match self {
            Self::RegisterBroker(_) => match metadata_version {
                ..7 => 0,
                7 => 1,
                8..17 => 2,
                17..30 => 3,
                30.. => 4,
            },
            Self::Partition(_) | Self::PartitionChange(_) => match metadata_version {
                ..17 => 0,
                17..23 => 1,
                23.. => 2,
            },
            Self::BrokerRegistrationChange(change) => {
                if change.cordoned_log_dirs.is_some() {
                    3
                } else if !change.log_dirs.is_empty() {
                    2
                } else {
                    i16::from(change.in_controlled_shutdown != 0)
                }
            }
            _ => 0,
        }
    }
}

fn unframe(value: &Bytes) -> Result<(u32, u32, u32, Bytes), MetadataRecordError> {
    let mut at = 0;
    let mut next = || -> Result<u32, MetadataRecordError> {
        let (number, len) = varint::read_u32(value.get(at..).unwrap_or_default())?;
        at += len;
        Ok(number)
    };
    let (frame, kind, version) = (next()?, next()?, next()?);
    Ok((frame, kind, version, value.slice(at..)))
}

fn body_of<M: Message>(body: Bytes, version: u32) -> Result<M, MetadataRecordError> {
    let known = i16::try_from(version).ok().filter(|version| M::VERSIONS.contains(version));
    let known = known.ok_or(MetadataRecordError::UnknownVersion(M::NAME, version))?;
    let mut decoder = Decoder::new(body);
    let record = M::decode(&mut decoder, known)?;
    match decoder.remaining() {
        0 => Ok(record),
        left => Err(DecodeError::TrailingBytes(left).into()),
    }
}

fn framed<M: Message>(record: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut encoder = Encoder::with_capacity(record.size(version)?);
    record.encode(&mut encoder, version)?;
    let mut value = BytesMut::new();
    varint::put_u32(&mut value, FRAME_VERSION);
    varint::put_u32(&mut value, M::KEY as u32);
    varint::put_u32(&mut value, version as u32);
    for part in encoder.finish() {
        match part {
            Part::Bytes(bytes) => value.extend_from_slice(&bytes),
            Part::Gap(_) => return Err(EncodeError::Gap),
        }
    }
    Ok(value.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Uuid;

    #[test]
    fn a_feature_level_has_kafkas_bytes() {
        let record = MetadataRecord::from(FeatureLevelRecord {
            name: "metadata.version".into(),
            feature_level: 30,
            ..Default::default()
        });
        let bytes = record.encode_for(30).unwrap();
        assert_eq!(&bytes[..], b"\x01\x0c\x00\x11metadata.version\x00\x1e\x00");
        assert_eq!(MetadataRecord::decode(&bytes), Ok(record));
    }

    #[test]
    fn unknown_frames_types_and_versions_are_told_apart() {
        let decode = |bytes: &'static [u8]| MetadataRecord::decode(&Bytes::from_static(bytes));
        assert_eq!(decode(&[2, 20, 0, 0]), Err(MetadataRecordError::FrameVersion(2)));
        assert_eq!(decode(&[1, 6, 0, 0]), Err(MetadataRecordError::UnknownType(6)));
        assert_eq!(decode(&[1, 20, 7, 0]), Err(MetadataRecordError::UnknownVersion("NoOpRecord", 7)));
        assert_eq!(decode(&[1, 20]), Err(MetadataRecordError::Malformed(DecodeError::Truncated)));
        assert_eq!(decode(&[1, 20, 0, 0, 9]), Err(MetadataRecordError::Malformed(DecodeError::TrailingBytes(1))));
    }

    #[test]
    fn record_versions_follow_the_metadata_version() {
        let partition = MetadataRecord::from(PartitionRecord { topic_id: Uuid::ONE, ..Default::default() });
        let versions: Vec<_> = [7, 16, 17, 22, 25, 30].map(|v| partition.encode_for(v).unwrap()[2]).into();
        assert_eq!(versions, [0, 0, 1, 1, 2, 2]);
        let broker = MetadataRecord::from(RegisterBrokerRecord::default());
        assert_eq!(broker.encode_for(25).unwrap()[2], 3);
    }
}
