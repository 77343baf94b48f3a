//! Reading: which bytes of which file answer a fetch. The bytes themselves go from the file to the socket.

use super::append::header_of;
use super::core::Log;
use super::deleted::open_even_if_deleted;
use super::error::ReadError;
use super::files::FileKind;
use super::index::{OffsetEntry, first_in_file, floor_in_file};
use super::mend::Suspects;
use super::segment::Segment;
use crate::base::Offset;
use crate::record::header::{HEADER_LEN, MAGIC_AT};
use crate::record::legacy::LegacyEntry;
use crate::ring::file::{File, OpenMode};
use crate::ring::runtime;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A range of one segment file. The clone of the file keeps the bytes readable when the segment is deleted.
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The file.
    pub file: File,
    /// Where the range begins, in bytes.
    pub position: u64,
    /// How many bytes.
    pub len: u32,
}

/// What answers a fetch.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// The bytes; `None` when there is nothing to read yet.
    pub range: Option<FileRange>,
    /// The first offset of the batch the range begins with, if it was looked at; else what was asked for.
    pub first_offset: Offset,
    /// The base offset of the segment the range is in.
    pub segment: Offset,
    /// The range ends at a batch boundary, where the batch with this offset will begin.
    pub next_offset: Option<Offset>,
    /// The offset index that was looked into for it.
    index: Option<IndexPage>,
}

/// The answer to [`Log::read`].
#[derive(Debug)]
pub enum Read {
    /// No file had to be looked into.
    Ready(ReadPlan),
    /// An index or a header has to be read first.
    Lookup(ReadLookup),
}

/// Places where batches are known to begin: what sequential readers at the log's end ask for.
#[derive(Debug, Default)]
pub struct Hints {
    places: VecDeque<Place>,
    /// The closed segment whose file is kept open.
    reading: Option<Offset>,
    /// The offset index that the last look-up used.
    index: Option<(Offset, IndexPage)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    segment: Offset,
    offset: Offset,
    position: u32,
}

/// Enough for the last few writes and a handful of readers.
const HINTS_MAX: usize = 16;

impl Hints {
    /// The batch that begins with `offset` stands, or will stand, at `position` of `segment`.
    pub(super) fn note(&mut self, segment: Offset, offset: Offset, position: u32) {
        let place = Place { segment, offset, position };
        if self.places.contains(&place) {
            return;
        }
        if self.places.len() == HINTS_MAX {
            self.places.pop_front();
        }
        self.places.push_back(place);
    }

    fn position(&self, segment: Offset, offset: Offset) -> Option<u32> {
        if offset == segment {
            return Some(0);
        }
        self.places.iter().rev().find(|p| p.segment == segment && p.offset == offset).map(|p| p.position)
    }

    /// Segments before `start` are gone.
    pub(super) fn forget_before(&mut self, start: Offset) {
        self.places.retain(|place| place.segment >= start);
        self.reading = self.reading.filter(|segment| *segment >= start);
        self.index = self.index.take().filter(|(segment, _)| *segment >= start);
    }

    pub(super) fn holds_files(&self) -> bool {
        self.index.is_some()
    }

    /// Forgets the files; places stay known.
    pub(super) fn close_files(&mut self) {
        (self.reading, self.index) = (None, None);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// An open index file, and the page the last look-up ended in.
#[derive(Clone, Debug)]
struct IndexPage {
    file: File,
    page: u32,
}

/// One segment as a look-up needs it.
#[derive(Clone, Debug)]
pub(super) struct SegmentView {
    pub base: Offset,
    file: Option<File>,
    path: PathBuf,
    /// Bytes that may be read.
    pub size: u32,
    entries_on_disk: u32,
    index: Option<IndexPage>,
    dir: Arc<Path>,
    suspects: Suspects,
}

impl SegmentView {
    pub(super) fn of(segment: &Segment, dir: &Arc<Path>, suspects: &Suspects) -> Self {
        Self {
            base: segment.base,
            file: segment.file.clone(),
            path: segment.path(dir),
            size: segment.written.size,
            entries_on_disk: segment.offset_index.entries_on_disk(),
            index: None,
            dir: dir.clone(),
            suspects: suspects.clone(),
        }
    }

    /// The path of one of the segment's other files.
    pub(super) fn path_of(&self, kind: FileKind) -> PathBuf {
        kind.path(&self.dir, self.base)
    }

    /// The segment's file, opened if it is not.
    pub(super) async fn file(&mut self) -> io::Result<File> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let path = self.path.clone();
        let file = runtime::blocking(move || open_even_if_deleted(&path, OpenMode::ReadWrite)).await?;
        self.file = Some(file.clone());
        Ok(file)
    }

    /// Where to begin searching for `offset`: `tail` is what the index's part in memory says.
    pub(super) async fn floor(&mut self, offset: Offset, tail: Option<OffsetEntry>) -> io::Result<u32> {
        if let Some(entry) = tail {
            return Ok(entry.position);
        }
        if self.entries_on_disk == 0 {
            return Ok(0);
        }
        let mut index = match self.index.take() {
            Some(index) => index,
            None => {
                let path = self.path_of(FileKind::OffsetIndex);
                let file = runtime::blocking(move || open_even_if_deleted(&path, OpenMode::Read)).await?;
                IndexPage { file, page: u32::MAX }
            }
        };
        let (file, page) = (&index.file, &mut index.page);
        let floor = floor_in_file::<OffsetEntry>(file, self.entries_on_disk, offset, self.base, page).await?;
        // Where all entries are behind the offset the first has to be a true one.
        let entry = match floor {
            Some(entry) => Some(entry),
            None => first_in_file::<OffsetEntry>(file, self.base).await?,
        };
        self.index = Some(index);
        let is_true = match entry {
            Some(entry) => self.meets_a_batch(entry).await?,
            None => false,
        };
        if !is_true {
            self.distrust(FileKind::OffsetIndex);
        }
        // The walk from the beginning finds the batch.
        Ok(floor.filter(|_| is_true).map_or(0, |entry| entry.position))
    }

    /// Whether the entry points at a batch that is not after its offset.
    async fn meets_a_batch(&mut self, entry: OffsetEntry) -> io::Result<bool> {
        if entry.position >= self.size {
            return Ok(false);
        }
        let head = self.file().await?.read(u64::from(entry.position), HEADER_LEN).await?;
        let place = place_of(&head, entry.position).filter(|place| place.base <= place.last);
        Ok(place.is_some_and(|place| place.base >= self.base && place.last <= entry.offset))
    }

    /// Notes, and tells once, that an index does not agree with its segment: it will be written anew.
    pub(super) fn distrust(&self, kind: FileKind) {
        if self.suspects.add(self.base) {
            let path = self.path_of(kind);
            tracing::warn!("{} does not agree with its segment: the segment itself is gone through", path.display());
        }
    }

    /// The first batch at or after `position` whose last offset is not before `offset`.
    pub(super) async fn walk_to(&mut self, position: u32, offset: Offset) -> io::Result<Option<BatchPlace>> {
        let file = self.file().await?;
        let mut walk = Walk::new(file, position, self.size);
        while let Some(place) = walk.next().await? {
            if place.last >= offset {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// A batch found in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchPlace {
    pub base: Offset,
    pub last: Offset,
    pub position: u32,
    pub size: u32,
    pub max_timestamp: crate::base::TimestampMs,
}

/// Steps from batch header to batch header.
pub(super) struct Walk {
    file: File,
    position: u32,
    end: u32,
    window: bytes::Bytes,
    window_at: u32,
}

/// What a walk reads at once: several small batches, and not much of a large one.
const WINDOW: usize = 8 * 1024;

impl Walk {
    pub(super) fn new(file: File, position: u32, end: u32) -> Self {
        Self { file, position, end, window: bytes::Bytes::new(), window_at: 0 }
    }

    /// The next batch; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<BatchPlace>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let mut place = self.in_window();
        if place.is_none() {
            self.window = self.file.read(u64::from(self.position), WINDOW).await?;
            self.window_at = self.position;
            place = self.in_window();
        }
        let place = place.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("no batch at position {} of a segment", self.position))
        })?;
        self.position = self.position.saturating_add(place.size);
        Ok(Some(place))
    }

    fn in_window(&self) -> Option<BatchPlace> {
        let at = self.position.checked_sub(self.window_at)? as usize;
        place_of(self.window.get(at..)?, self.position)
    }
}

/// Reads the head of a batch of any format. `None` when there are too few bytes, or they are no head.
pub(super) fn place_of(bytes: &[u8], position: u32) -> Option<BatchPlace> {
    if *bytes.get(MAGIC_AT)? < 2 {
        let entry = LegacyEntry::parse_head(bytes).ok()?;
        let (base, max_timestamp) = (entry.offset, entry.timestamp);
        return Some(BatchPlace { base, last: base, position, size: entry.size as u32, max_timestamp });
    }
    let header = header_of(bytes)?;
    let size = u32::try_from(header.size()?).ok()?;
    let (base, last) = (header.base_offset(), header.last_offset());
    Some(BatchPlace { base, last, position, size, max_timestamp: header.max_timestamp() })
}

impl Log {
    /// Plans to read from the batch that holds `from`, up to but not including `upto` (a batch boundary below or at
    /// the written end: high watermark, last stable offset or written offset). At most `max_bytes`, which may end
    /// inside a batch; with `at_least_one` the first batch is whole, however large.
    ///
    /// # Errors
    /// `OutOfRange` when `from` is before the log start or after `upto`.
    pub fn read(&self, from: Offset, max_bytes: u32, upto: Offset, at_least_one: bool) -> Result<Read, ReadError> {
        if self.is_offline() {
            return Err(ReadError::Offline);
        }
        let upto = upto.min(self.written_offset());
        if from < self.start || from > self.written_offset() {
            return Err(ReadError::OutOfRange { offset: from, start: self.start, end: self.written_offset() });
        }
        if from >= upto || (max_bytes == 0 && !at_least_one) {
            return Ok(Read::Ready(ReadPlan::empty(from)));
        }
        let index = self.segment_index(from);
        let Some(segment) = self.segments.get(index) else { return Ok(Read::Ready(ReadPlan::empty(from))) };
        let position = self.hints.position(segment.base, from);
        let limit = self.limit_in(segment, index, upto);
        if let (Some(position), Some((limit, next)), Some(file)) = (position, limit, &segment.file) {
            let available = limit.saturating_sub(position);
            if available > 0 && available <= max_bytes {
                let range = FileRange { file: file.clone(), position: u64::from(position), len: available };
                let mut plan = ReadPlan::empty(from);
                (plan.range, plan.segment, plan.next_offset) = (Some(range), segment.base, Some(next));
                return Ok(Read::Ready(plan));
            }
        }
        let floor = |target: Offset| segment.offset_index.floor_in_tail::<OffsetEntry>(target, segment.base);
        Ok(Read::Lookup(ReadLookup {
            segments: self.views_from(index),
            from,
            upto,
            max_bytes,
            at_least_one,
            position,
            limit,
            from_tail: floor(from),
            upto_tail: floor(upto),
        }))
    }

    /// What a look-up needs of the segments from the one at `index` on.
    fn views_from(&self, index: usize) -> Vec<SegmentView> {
        let mut views: Vec<_> =
            self.segments.range(index..).map(|s| SegmentView::of(s, &self.dir, &self.suspects)).collect();
        if let (Some(first), Some((base, index))) = (views.first_mut(), &self.hints.index) {
            first.index = (first.base == *base).then(|| index.clone());
        }
        views
    }

    /// Takes note of where a plan ended, so that the next read from there finds its place without looking, and keeps
    /// the file open: the active segment's and that of one closed segment per log.
    pub fn remember(&mut self, plan: &ReadPlan) {
        let Some(range) = &plan.range else { return };
        self.used = true;
        let index = self.segment_index(plan.segment);
        let last = self.segments.len() - 1;
        let Some(segment) = self.segments.get_mut(index).filter(|s| s.base == plan.segment) else { return };
        if segment.file.is_none() {
            segment.file = Some(range.file.clone());
            if index != last {
                let before = self.hints.reading.replace(plan.segment);
                let before = before.filter(|b| *b != plan.segment && *b != self.active().base);
                if let Some(old) = before.and_then(|b| self.segments.iter_mut().find(|s| s.base == b)) {
                    old.file = None;
                }
            }
        }
        if let Some(index) = &plan.index {
            self.hints.index = Some((plan.segment, index.clone()));
        }
        if let (Some(next), Ok(end)) = (plan.next_offset, u32::try_from(range.position + u64::from(range.len))) {
            self.hints.note(plan.segment, next, end);
        }
    }

    /// Where reading in `segment` ends for `upto`, with the offset that stands there, if that is known.
    fn limit_in(&self, segment: &Segment, index: usize, upto: Offset) -> Option<(u32, Offset)> {
        if upto >= segment.written.next || index + 1 < self.segments.len() && upto >= self.segments[index + 1].base {
            return Some((segment.written.size, segment.written.next));
        }
        self.hints.position(segment.base, upto).map(|position| (position, upto))
    }
}

impl ReadPlan {
    fn empty(at: Offset) -> Self {
        Self { range: None, first_offset: at, segment: at, next_offset: None, index: None }
    }

    /// Bytes in the plan.
    pub fn len(&self) -> u32 {
        self.range.as_ref().map_or(0, |r| r.len)
    }

    /// True when there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.range.is_none()
    }
}

/// A read that has to look into an index or a segment first. Borrows nothing of the log.
#[derive(Debug)]
pub struct ReadLookup {
    /// The segment that should hold the offset, and those after it.
    segments: Vec<SegmentView>,
    from: Offset,
    upto: Offset,
    max_bytes: u32,
    at_least_one: bool,
    position: Option<u32>,
    limit: Option<(u32, Offset)>,
    from_tail: Option<OffsetEntry>,
    upto_tail: Option<OffsetEntry>,
}

impl ReadLookup {
    /// Finds the range.
    pub async fn run(mut self) -> Result<ReadPlan, ReadError> {
        let segments = std::mem::take(&mut self.segments);
        for (i, mut view) in segments.into_iter().enumerate() {
            // Compaction may have taken everything from `from` on out of its segment: the next one answers then.
            let start = match self.position {
                Some(position) if i == 0 => position,
                _ => view.floor(self.from, if i == 0 { self.from_tail } else { None }).await?,
            };
            let Some(first) = view.walk_to(start, self.from).await? else { continue };
            if first.base >= self.upto {
                break;
            }
            return self.plan(view, first, i == 0).await;
        }
        Ok(ReadPlan::empty(self.from))
    }

    async fn plan(self, mut view: SegmentView, first: BatchPlace, expected: bool) -> Result<ReadPlan, ReadError> {
        let max = if self.at_least_one { self.max_bytes.max(first.size) } else { self.max_bytes };
        let whole = (view.size, None);
        let (limit, next) = match self.limit.filter(|_| expected) {
            Some((limit, next)) => (limit, Some(next)),
            // So little may be read that the end of what may be seen does not matter, if it is further away.
            None => {
                let start = view.floor(self.upto, if expected { self.upto_tail } else { None }).await?;
                match view.walk_to(start.max(first.position), self.upto).await? {
                    Some(place) => (place.position, Some(place.base)),
                    None => whole,
                }
            }
        };
        let available = limit.saturating_sub(first.position);
        let len = available.min(max);
        let file = view.file().await?;
        let range = (len > 0).then_some(FileRange { file, position: u64::from(first.position), len });
        let next_offset = next.filter(|_| len == available);
        Ok(ReadPlan { range, first_offset: first.base, segment: view.base, next_offset, index: view.index })
    }
}
