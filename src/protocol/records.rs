//! The record data of a response.

use bytes::Bytes;

/// Records in memory, or the room for records that a file will fill on the way to the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// The batches themselves.
    Bytes(Bytes),
    /// So many bytes come from a file; the encoder leaves a `Part::Gap` there.
    Gap(u32),
}

impl Records {
    /// No records.
    pub const fn new() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Gap(length) => *length as usize,
        }
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}
