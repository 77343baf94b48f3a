//! Reading the batches of a closed segment, whole and checked, from front to back. Blocking.

use super::error::CleanError;
use crate::base::Offset;
use crate::record::header::HEADER_LEN;
use crate::record::legacy::{LegacyEntry, is_legacy};
use crate::record::legacy_records::LegacyView;
use crate::record::{BatchHeader, BatchView};
use crate::ring::file::File;

/// One batch of a segment.
pub enum Found<'a> {
    /// In today's format.
    Batch(BatchView<'a>),
    /// In format 0 or 1.
    Legacy(LegacyView<'a>),
}

impl Found<'_> {
    /// Bytes of it.
    pub fn size(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.size(),
            Self::Legacy(view) => view.entry.size,
        }
    }
}

/// One segment on its way through the cleaner.
pub struct Source {
    segment: Offset,
    file: File,
    end: u64,
    position: u64,
    /// The bytes from `position - at` on.
    window: Vec<u8>,
    at: usize,
    len: usize,
    window_bytes: usize,
}

impl Source {
    /// Reads `file`, the segment that begins at `segment`, up to `end`, about `window_bytes` at a time: more only for a
    /// batch that is larger.
    pub fn new(segment: Offset, file: File, end: u64, window_bytes: usize) -> Self {
        let window_bytes = window_bytes.max(4096);
        Self { segment, file, end, position: 0, window: Vec::new(), at: 0, len: 0, window_bytes }
    }

    /// The segment's base offset.
    pub fn segment(&self) -> Offset {
        self.segment
    }

    /// The next batch; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Found<'_>>, CleanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let size = match self.size_here() {
            Some(size) => size,
            None => {
                self.load(HEADER_LEN)?;
                self.size_here().ok_or_else(|| self.broken("no batch begins there"))?
            }
        };
        if size as u64 > self.end - self.position {
            return Err(self.broken("the segment ends inside a batch"));
        }
        if self.len - self.at < size {
            self.load(size)?;
        }
        let from = self.at;
        let (bytes, position) = (self.window.get(from..from + size).unwrap_or_default(), self.position);
        let found = if is_legacy(bytes) {
            LegacyView::parse_checked(bytes).map(Found::Legacy).map_err(|e| format!("an entry of an old format: {e:?}"))
        } else {
            BatchView::parse_checked(bytes).map(Found::Batch).map_err(|e| e.to_string())
        };
        let found = found.map_err(|why| broken_at(self.segment, position, &why))?;
        self.at += size;
        self.position += size as u64;
        Ok(Some(found))
    }

    /// The size of the batch at the position, when its head is in the window.
    fn size_here(&self) -> Option<usize> {
        let here = self.window.get(self.at..self.len)?;
        if is_legacy(here) {
            return LegacyEntry::parse_head(here).ok().map(|entry| entry.size);
        }
        BatchHeader::of(here)?.size()
    }

    /// Fills the window from the position on, with at least `need` bytes.
    fn load(&mut self, need: usize) -> Result<(), CleanError> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let want = self.window_bytes.max(need).min(left);
        // A window that grew for one large batch is given back.
        if self.window.len() != want {
            self.window = vec![0; want];
        }
        self.len = self.file.read_at_passing(&mut self.window, self.position).map_err(CleanError::Read)?;
        self.at = 0;
        if self.len < need.min(left) {
            return Err(self.broken("the file is shorter than the segment"));
        }
        Ok(())
    }

    fn broken(&self, why: &str) -> CleanError {
        broken_at(self.segment, self.position, why)
    }
}

fn broken_at(segment: Offset, position: u64, why: &str) -> CleanError {
    CleanError::uncleanable(segment, format!("position {position}: {why}"))
}
