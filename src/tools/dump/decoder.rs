//! What a record's key and value are, as text.

use crate::base::{java_text, varint};
use crate::protocol::json::Json;
use crate::protocol::shape::Shape;
use crate::protocol::{DecodeError, MessageKind};
use crate::record::Record;
use bytes::Bytes;

/// How keys and values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// As text.
    Text,
    /// `__consumer_offsets`.
    Offsets,
    /// `__transaction_state`.
    Transactions,
    /// `__cluster_metadata`.
    Metadata,
    /// `__share_group_state`.
    ShareGroups,
    /// `__remote_log_metadata`.
    RemoteLog,
}

/// Key and value to print; `None`: there is none.
pub type Texts = (Option<Vec<u8>>, Option<Vec<u8>>);

impl Decoder {
    /// What to print for a record.
    ///
    /// # Errors
    /// A record of a coordinator without a key ends the dump, as it ends Kafka's.
    pub fn texts(self, offset: i64, record: &Record<'_>) -> Result<Texts, String> {
        Ok(match self {
            Self::Text => (record.key.map(text), record.value.map(text)),
            Self::Metadata => (None, Some(metadata(offset, record).into_bytes())),
            Self::RemoteLog => (None, Some(remote_log(offset, record).into_bytes())),
            Self::Offsets | Self::Transactions | Self::ShareGroups => {
                let key = record.key.ok_or_else(|| {
                    format!(
                        "Failed to decode message at offset {offset} using the specified decoder (message had a \
                         missing key)"
                    )
                })?;
                self.coordinator(offset, key, record.value)
            }
        })
    }

    fn coordinator(self, offset: i64, key: &[u8], value: Option<&[u8]>) -> Texts {
        let read = || -> Result<(String, String), Unread> {
            let (kind, key) = prefixed(key)?;
            let shape = self.shape(MessageKind::CoordinatorKey, kind).ok_or(Unread::Type(kind))?;
            let key = format!("{{\"type\":\"{kind}\",\"data\":{}}}", shape.read(key, 0)?);
            let Some(value) = value else { return Ok((key, "<DELETE>".into())) };
            let (version, value) = prefixed(value)?;
            let shape = self.shape(MessageKind::CoordinatorValue, kind).ok_or(Unread::Type(kind))?;
            let mut data = shape.read(value, version)?;
            if shape.name == "GroupMetadataValue" {
                open_members(&mut data);
            }
            Ok((key, format!("{{\"version\":\"{version}\",\"data\":{data}}}")))
        };
        match read() {
            Ok((key, value)) => (Some(key.into_bytes()), Some(value.into_bytes())),
            Err(Unread::Type(kind)) => {
                (Some(format!("Unknown record type {kind} at offset {offset}, skipping.").into_bytes()), None)
            }
            Err(Unread::Bytes(why)) => (Some(format!("Error at offset {offset}, skipping. {why}").into_bytes()), None),
        }
    }

    /// The key or value of a coordinator's record of this type; each coordinator numbers its records from 0.
    pub fn shape(self, kind: MessageKind, key: i16) -> Option<&'static Shape> {
        let value = kind == MessageKind::CoordinatorValue;
        let name = match (self, key) {
            (Self::Transactions, 0) => ["TransactionLogKey", "TransactionLogValue"],
            (Self::ShareGroups, 0) => ["ShareSnapshotKey", "ShareSnapshotValue"],
            (Self::ShareGroups, 1) => ["ShareUpdateKey", "ShareUpdateValue"],
            (Self::Offsets, 0) => ["LegacyOffsetCommitKey", "LegacyOffsetCommitValue"],
            (Self::Offsets, 1) => ["OffsetCommitKey", "OffsetCommitValue"],
            (Self::Offsets, 2..) => return Shape::of_key(kind, key),
            _ => return None,
        };
        Shape::named(name[usize::from(value)])
    }
}

/// Why a record of a coordinator cannot be printed.
enum Unread {
    Type(i16),
    Bytes(DecodeError),
}

impl From<DecodeError> for Unread {
    fn from(error: DecodeError) -> Self {
        Self::Bytes(error)
    }
}

/// As Java makes a string of bytes: what is no UTF-8 becomes a replacement character.
fn text(bytes: &[u8]) -> Vec<u8> {
    java_text::decode(bytes).into_bytes()
}

fn prefixed(bytes: &[u8]) -> Result<(i16, Bytes), DecodeError> {
    let (number, rest) = bytes.split_first_chunk::<2>().ok_or(DecodeError::Truncated)?;
    Ok((i16::from_be_bytes(*number), Bytes::copy_from_slice(rest)))
}

/// Members of consumer groups say what they subscribe to and are assigned in a format of their own.
fn open_members(group: &mut Json) {
    if group.get("protocolType") != Some(&Json::Text("consumer".into())) {
        return;
    }
    let Some(Json::Array(members)) = group.get_mut("members") else { return };
    for member in members {
        for (field, name) in
            [("subscription", "ConsumerProtocolSubscription"), ("assignment", "ConsumerProtocolAssignment")]
        {
            let Some(slot) = member.get_mut(field) else { continue };
            let Json::Bytes(bytes) = &*slot else { continue };
            let opened = prefixed(bytes).and_then(|(version, bytes)| match Shape::named(name) {
                Some(shape) => shape.read(bytes, version),
                None => Err(DecodeError::UnsupportedVersion(name, version)),
            });
            if let Ok(opened) = opened {
                *slot = opened;
            }
        }
    }
}

/// `REGISTER_BROKER_RECORD`
fn constant(name: &str) -> String {
    let mut out = String::new();
    for (at, c) in name.chars().enumerate() {
        if at > 0 && c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

fn metadata(offset: i64, record: &Record<'_>) -> String {
    match framed(record, MessageKind::Metadata) {
        Ok((shape, version, data)) => {
            format!("{{\"type\":\"{}\",\"version\":{version},\"data\":{data}}}", constant(shape.name))
        }
        Err(why) => format!("Error at {offset}, skipping. {why}"),
    }
}

/// Kafka prints these by `toString`; here they are JSON like the metadata's.
fn remote_log(offset: i64, record: &Record<'_>) -> String {
    match framed(record, MessageKind::RemoteLog) {
        Ok((shape, _, data)) => format!("{}{data}", shape.name),
        Err(why) => format!("Error at offset {offset}, skipping. {why}"),
    }
}

/// A value behind the frame of the metadata log: frame version, type, version.
fn framed(record: &Record<'_>, kind: MessageKind) -> Result<(&'static Shape, i16, Json), String> {
    let mut rest = record.value.unwrap_or_default();
    let mut number = || -> Result<u32, String> {
        let (number, len) = varint::read_u32(rest).map_err(|e| DecodeError::from(e).to_string())?;
        rest = rest.get(len..).unwrap_or_default();
        Ok(number)
    };
    // The remote log's frame is type and version alone.
    if kind == MessageKind::Metadata {
        match number()? {
            1 => {}
            other => {
                return Err(format!(
                    "Could not deserialize metadata record due to unknown frame version {other}(only frame version 1 is supported)"
                ));
            }
        }
    }
    let (key, version) = (number()?, number()?);
    let shape = i16::try_from(key).ok().and_then(|key| Shape::of_key(kind, key));
    let shape = shape.ok_or_else(|| format!("Unknown record id {key}"))?;
    let version = i16::try_from(version).map_err(|_| format!("{} of unknown version {version}", shape.name))?;
    let data = shape.read(Bytes::copy_from_slice(rest), version).map_err(|e| e.to_string())?;
    Ok((shape, version, data))
}
