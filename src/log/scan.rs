//! Going through a segment file from front to back, blocking: for recovery and for rebuilding state.

use super::append::header_of;
use super::segment::BatchMeta;
use crate::record::header::{CRC_FROM, HEADER_LEN, MAGIC_AT, MAGIC_V2};
use crate::record::legacy::{LegacyEntry, is_legacy};
use crate::record::{BatchHeader, BatchView};
use crate::ring::file::File;
use std::io;

/// What a scan reads at once. A larger batch is checked in pieces: memory does not grow with what a length claims.
const WINDOW: usize = 256 * 1024;

/// Why the bytes at some position are no sound batch. The log ends before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// The file ends inside the batch: a torn write.
    Torn,
    /// Length, magic or checksum are wrong.
    Corrupt(&'static str),
    /// The offset or epoch does not follow on what stands before.
    OutOfOrder(&'static str),
}

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Torn => f.write_str("the file ends inside a batch"),
            Self::Corrupt(what) | Self::OutOfOrder(what) => f.write_str(what),
        }
    }
}

/// One batch that a scan came to.
#[derive(Debug)]
pub struct Scanned<'a> {
    /// Where it begins.
    pub position: u64,
    /// Its size.
    pub size: u32,
    /// Its header; `None` for the formats 0 and 1.
    pub header: Option<BatchHeader>,
    /// Offsets and timestamp, in any format.
    pub meta: BatchMeta,
    /// All of it, unless it is larger than a window.
    pub whole: Option<BatchView<'a>>,
}

/// Reads batch after batch.
pub struct Scanner {
    file: File,
    end: u64,
    position: u64,
    check_crc: bool,
    window: Vec<u8>,
    window_at: u64,
    window_len: usize,
}

impl Scanner {
    /// Begins at `position`, goes to `end`. Without `check_crc` only heads are looked at.
    pub fn new(file: File, position: u64, end: u64, check_crc: bool) -> Self {
        Self { file, end, position, check_crc, window: Vec::new(), window_at: 0, window_len: 0 }
    }

    /// The next batch; `None` at the end. After an unsound one the scan is over.
    pub fn next(&mut self) -> io::Result<Option<Result<Scanned<'_>, Unsound>>> {
        let left = self.end.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        let position = self.position;
        self.load(HEADER_LEN)?;
        let size = match self.head(left) {
            Ok(size) => size,
            Err(unsound) => return Ok(Some(Err(unsound))),
        };
        let fits = size as usize <= WINDOW && (self.check_crc || self.control());
        if fits {
            self.load(size as usize)?;
        }
        let sound = !self.check_crc || if fits { self.crc_in_window(size) } else { self.crc_in_pieces(size)? };
        if !sound {
            return Ok(Some(Err(Unsound::Corrupt("the checksum does not match"))));
        }
        self.position += u64::from(size);
        let from = (position - self.window_at) as usize;
        let bytes = self.window.get(from..self.window_len).unwrap_or_default();
        Ok(Some(scanned(bytes, position, size, fits).ok_or(Unsound::Torn)))
    }

    /// The size of the batch at the position, if its head is sound and it ends within `left` bytes.
    fn head(&self, left: u64) -> Result<u32, Unsound> {
        let bytes = self.here();
        let Some(&magic) = bytes.get(MAGIC_AT) else { return Err(Unsound::Torn) };
        let size = if is_legacy(bytes) {
            LegacyEntry::parse_head(bytes)
                .map_err(|_| Unsound::Corrupt("the head of an old-format entry is wrong"))?
                .size
        } else if magic as i8 == MAGIC_V2 {
            let header = header_of(bytes).ok_or(Unsound::Torn)?;
            header.size().ok_or(Unsound::Corrupt("the batch length is impossible"))?
        } else {
            return Err(Unsound::Corrupt("the magic byte is wrong"));
        };
        if size as u64 > left { Err(Unsound::Torn) } else { Ok(size as u32) }
    }

    fn control(&self) -> bool {
        header_of(self.here()).is_some_and(|h| h.magic() == MAGIC_V2 && h.is_control())
    }

    fn here(&self) -> &[u8] {
        let from = self.position.saturating_sub(self.window_at) as usize;
        self.window.get(from..self.window_len).unwrap_or_default()
    }

    /// Makes `need` bytes from the position on available, as far as the file has them.
    fn load(&mut self, need: usize) -> io::Result<()> {
        let have = self.here().len();
        let want = need.min(usize::try_from(self.end - self.position).unwrap_or(usize::MAX));
        if self.window_len > 0 && self.position >= self.window_at && have >= want {
            return Ok(());
        }
        let len = WINDOW.min(usize::try_from(self.end - self.position).unwrap_or(WINDOW));
        self.window.resize(len.max(want), 0);
        self.window_len = self.file.read_at(&mut self.window, self.position)?;
        self.window_at = self.position;
        Ok(())
    }

    fn crc_in_window(&self, size: u32) -> bool {
        let Some(bytes) = self.here().get(..size as usize) else { return false };
        if is_legacy(bytes) {
            return LegacyEntry::parse_checked(bytes).is_ok();
        }
        BatchView::parse_checked(bytes).is_ok()
    }

    fn crc_in_pieces(&self, size: u32) -> io::Result<bool> {
        let Some(header) = header_of(self.here()).filter(|h| h.magic() == MAGIC_V2) else {
            // An old entry of such a size: rare enough to be read whole.
            let mut bytes = vec![0; size as usize];
            let n = self.file.read_at(&mut bytes, self.position)?;
            return Ok(LegacyEntry::parse_checked(bytes.get(..n).unwrap_or_default()).is_ok());
        };
        let mut piece = vec![0; WINDOW];
        let (mut at, end) = (self.position + CRC_FROM as u64, self.position + u64::from(size));
        let mut crc = 0;
        while at < end {
            let len = piece.len().min((end - at) as usize);
            let n = self.file.read_at(&mut piece[..len], at)?;
            if n == 0 {
                return Ok(false);
            }
            crc = crc32c::crc32c_append(crc, &piece[..n]);
            at += n as u64;
        }
        Ok(crc == header.crc())
    }
}

fn scanned(bytes: &[u8], position: u64, size: u32, whole: bool) -> Option<Scanned<'_>> {
    if is_legacy(bytes) {
        let entry = LegacyEntry::parse_head(bytes).ok()?;
        let meta = BatchMeta { base: entry.offset, last: entry.offset, size, max_timestamp: entry.timestamp };
        return Some(Scanned { position, size, header: None, meta, whole: None });
    }
    let header = header_of(bytes)?;
    let meta = BatchMeta {
        base: header.base_offset(),
        last: header.last_offset(),
        size,
        max_timestamp: header.max_timestamp(),
    };
    let whole = if whole { BatchView::parse(bytes).ok() } else { None };
    Some(Scanned { position, size, header: Some(header), meta, whole })
}
