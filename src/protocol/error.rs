//! Why bytes are no message, and why a message cannot be written.

use crate::base::varint::VarintError;

/// Why bytes are not the message they claim to be. The connection that sent them is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end inside a field.
    Truncated,
    /// A length or count below the one that means null.
    NegativeLength(i64),
    /// A count of more elements than the bytes left can hold.
    CountTooLarge(u32),
    /// A string of more than 32767 bytes.
    StringTooLong(usize),
    /// Null in a field or version that has none.
    NullNotAllowed,
    /// A string that is no UTF-8.
    InvalidUtf8,
    /// A variable-length integer with too many bits.
    VarintTooLong,
    /// A tagged field whose value is shorter or longer than its size says.
    TagSize(u32),
    /// The message would take unreasonably more memory than bytes.
    TooMuchMemory,
    /// A version of a message that the codec does not know.
    UnsupportedVersion(&'static str, i16),
    /// Bytes are left behind the message.
    TrailingBytes(usize),
}

impl From<VarintError> for DecodeError {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Truncated => Self::Truncated,
            VarintError::TooLong => Self::VarintTooLong,
        }
    }
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end inside a field"),
            Self::NegativeLength(length) => write!(f, "length {length} is negative"),
            Self::CountTooLarge(count) => write!(f, "{count} elements do not fit the bytes left"),
            Self::StringTooLong(length) => write!(f, "a string of {length} bytes is too long"),
            Self::NullNotAllowed => f.write_str("null where the field has none"),
            Self::InvalidUtf8 => f.write_str("a string is not UTF-8"),
            Self::VarintTooLong => f.write_str("a variable-length integer is too long"),
            Self::TagSize(tag) => write!(f, "tagged field {tag} does not fill its size"),
            Self::TooMuchMemory => f.write_str("the message would take too much memory"),
            Self::UnsupportedVersion(name, version) => write!(f, "{name} has no version {version}"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes behind the message"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Why a message cannot be written in a version: always a mistake of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The field has a value that this version cannot carry and that may not be dropped.
    FieldLacking(&'static str, i16),
    /// Null in a version that has none.
    NullNotAllowed,
    /// A length above what its field can say.
    TooLong(usize),
    /// A version of a message that the codec does not know.
    UnsupportedVersion(&'static str, i16),
    /// Bytes were asked for where a gap, to be filled from a file, stands.
    Gap,
}

impl std::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FieldLacking(field, version) => write!(f, "version {version} has no field {field}"),
            Self::NullNotAllowed => f.write_str("null where this version has none"),
            Self::TooLong(length) => write!(f, "a length of {length} does not fit its field"),
            Self::UnsupportedVersion(name, version) => write!(f, "{name} has no version {version}"),
            Self::Gap => f.write_str("the message has a gap to be filled from a file"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// The error of a field that `version` cannot carry.
#[cold]
pub fn lacks(field: &'static str, version: i16) -> EncodeError {
    EncodeError::FieldLacking(field, version)
}
