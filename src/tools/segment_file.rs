//! Going through the batches of a segment or snapshot file without judging them: a batch is what its length says.

use crate::record::header::LOG_OVERHEAD;
use crate::record::legacy::LegacyEntry;
use crate::record::{BatchHeader, BatchView};
use crate::ring::file::{File, OpenMode};
use std::io;
use std::path::Path;

/// Bytes up to the magic byte, itself included: with fewer left there is no batch (`FileLogInputStream`).
const UP_TO_MAGIC: usize = 17;
/// What is read at once.
const WINDOW: usize = 1 << 20;
/// The smallest length field of any format.
const LENGTH_MIN: i32 = 14;

/// The batches of one file.
pub struct SegmentFile {
    file: File,
    len: u64,
    window: Vec<u8>,
    window_at: u64,
    window_len: usize,
}

/// A batch as it lies in the file.
pub struct RawBatch<'a> {
    /// Where it begins.
    pub position: u64,
    /// All of it.
    pub bytes: &'a [u8],
}

/// A batch by its format.
pub enum Format<'a> {
    /// Format 2.
    V2(&'a BatchHeader, BatchView<'a>),
    /// Formats 0 and 1.
    Legacy(LegacyEntry),
    /// Neither: the magic byte.
    Unknown(i8),
}

impl RawBatch<'_> {
    /// Which format it is in.
    pub fn format(&self) -> Format<'_> {
        if let Ok(view) = BatchView::parse(self.bytes) {
            return Format::V2(view.header(), view);
        }
        match LegacyEntry::parse_head(self.bytes) {
            Ok(entry) => Format::Legacy(entry),
            Err(_) => Format::Unknown(self.bytes.get(UP_TO_MAGIC - 1).map_or(-1, |magic| *magic as i8)),
        }
    }

    /// Its last offset, in any format.
    pub fn last_offset(&self) -> i64 {
        match self.format() {
            Format::V2(header, _) => header.last_offset().0,
            Format::Legacy(entry) => entry.offset.0,
            Format::Unknown(_) => -1,
        }
    }
}

impl SegmentFile {
    /// Opens a file to read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path, OpenMode::Read)?;
        let len = file.len()?;
        Ok(Self { file, len, window: Vec::new(), window_at: 0, window_len: 0 })
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The batch at `position`, if there is a whole one before `end`.
    ///
    /// # Errors
    /// Also a length no batch can have (`CorruptRecordException`).
    pub fn batch_at(&mut self, position: u64, end: u64) -> io::Result<Option<RawBatch<'_>>> {
        let left = end.min(self.len).saturating_sub(position);
        if left < UP_TO_MAGIC as u64 {
            return Ok(None);
        }
        let head = self.bytes(position, UP_TO_MAGIC)?;
        let length = head.get(8..LOG_OVERHEAD).and_then(|b| b.try_into().ok()).map_or(0, i32::from_be_bytes);
        if length < LENGTH_MIN {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a batch of length {length} at position {position}, less than the smallest, {LENGTH_MIN}"),
            ));
        }
        let size = LOG_OVERHEAD + length as usize;
        if size as u64 > left {
            return Ok(None);
        }
        let bytes = self.bytes(position, size)?;
        Ok((bytes.len() == size).then_some(RawBatch { position, bytes }))
    }

    fn bytes(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        let inside = position.checked_sub(self.window_at).filter(|at| at + len as u64 <= self.window_len as u64);
        if inside.is_none() {
            self.window.resize(len.max(WINDOW.min(usize::try_from(self.len - position).unwrap_or(WINDOW))), 0);
            self.window_len = self.file.read_at(&mut self.window, position)?;
            self.window_at = position;
        }
        let from = (position - self.window_at) as usize;
        Ok(self.window.get(from..self.window_len.min(from + len)).unwrap_or_default())
    }
}
