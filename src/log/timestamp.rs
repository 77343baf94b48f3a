//! Finding offsets by time (ListOffsets).

use super::core::Log;
use super::deleted::open_even_if_deleted;
use super::error::ReadError;
use super::files::FileKind;
use super::index::{OffsetEntry, TimeEntry, floor_in_file, last_in_file};
use super::read::{BatchPlace, SegmentView, Walk};
use crate::base::{Offset, TimestampMs};
use crate::record::BatchView;
use crate::record::scan::scan;
use crate::ring::file::{File, OpenMode};
use crate::ring::runtime;
use std::io;
use std::ops::ControlFlow;

/// A record by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp.
    pub timestamp: TimestampMs,
    /// Its offset.
    pub offset: Offset,
}

/// How much a batch may unpack to while a record is looked for in it; beyond, the batch itself is the answer.
const UNPACKED_MAX: u64 = 1 << 30;

/// So many batches after the one a closed segment's time index ends with are looked at: had the file lost its end, the
/// next one would be later.
const NEXT_BATCHES: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// The first record at or after this time.
    From(TimestampMs),
    /// The first of the records with the largest timestamp.
    Max,
}

/// A look-up by time. Borrows nothing of the log.
#[derive(Debug)]
pub struct TimestampLookup {
    segments: Vec<TimeView>,
    wanted: Wanted,
    start: Offset,
}

#[derive(Debug)]
struct TimeView {
    view: SegmentView,
    /// The largest timestamp, when it is known: of the active segment, and of those written since the start.
    max: Option<TimeEntry>,
    time_entries_on_disk: u32,
    time_tail: Option<TimeEntry>,
    /// The floor of the tail's time entry in the tail of the offset index.
    offset_tail: Option<OffsetEntry>,
}

impl Log {
    /// Looks for the first record at or after `timestamp`; run the answer.
    pub fn offset_for_timestamp(&self, timestamp: TimestampMs) -> TimestampLookup {
        self.lookup(Wanted::From(timestamp))
    }

    /// Looks for the first record with the largest timestamp in the log; run the answer.
    pub fn max_timestamp(&self) -> TimestampLookup {
        self.lookup(Wanted::Max)
    }

    fn lookup(&self, wanted: Wanted) -> TimestampLookup {
        let first = self.segment_index(self.start);
        let views = self.segments.range(first..).filter(|s| s.written.size > 0).map(|segment| {
            let known = segment.written.max_time;
            let time_tail = match wanted {
                Wanted::From(timestamp) => segment.time_index.floor_in_tail::<TimeEntry>(timestamp, segment.base),
                Wanted::Max => None,
            };
            let target = match wanted {
                Wanted::From(_) => time_tail.map(|t| t.offset.max(self.start)),
                Wanted::Max => Some(known.offset),
            };
            let floor = |offset| segment.offset_index.floor_in_tail::<OffsetEntry>(offset, segment.base);
            TimeView {
                view: SegmentView::of(segment, &self.dir, &self.suspects),
                max: (known.timestamp != TimestampMs::NONE).then_some(known),
                time_entries_on_disk: segment.time_index.entries_on_disk(),
                time_tail,
                offset_tail: target.and_then(floor),
            }
        });
        TimestampLookup { segments: views.collect(), wanted, start: self.start }
    }
}

impl TimestampLookup {
    /// Looks. `None`: there is no such record.
    pub async fn run(self) -> Result<Option<TimestampOffset>, ReadError> {
        match self.wanted {
            Wanted::From(timestamp) => self.first_from(timestamp).await,
            Wanted::Max => self.largest().await,
        }
    }

    async fn first_from(self, timestamp: TimestampMs) -> Result<Option<TimestampOffset>, ReadError> {
        for mut segment in self.segments {
            if segment.max().await?.timestamp < timestamp {
                continue;
            }
            let begin = segment.begin_for(timestamp, self.start).await?;
            let matches = |b: &BatchPlace| b.max_timestamp >= timestamp && b.last >= self.start;
            let Some((place, file)) = segment.find(begin, matches).await? else { continue };
            let found = record_in(&file, &place, |t, offset| t >= timestamp && offset >= self.start).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn largest(self) -> Result<Option<TimestampOffset>, ReadError> {
        let mut best: Option<(TimeEntry, TimeView)> = None;
        for mut segment in self.segments {
            let max = segment.max().await?;
            if max.timestamp != TimestampMs::NONE && best.as_ref().is_none_or(|(b, _)| max.timestamp > b.timestamp) {
                best = Some((max, segment));
            }
        }
        let Some((max, mut segment)) = best else { return Ok(None) };
        let begin = segment.view.floor(max.offset, segment.offset_tail).await?;
        let Some((place, file)) = segment.find(begin, |b| b.max_timestamp == max.timestamp).await? else {
            return Ok(None);
        };
        record_in(&file, &place, |t, _| t == max.timestamp).await
    }
}

impl TimeView {
    /// The segment's largest timestamp: its time index ends with it when the segment is closed. What the index says is
    /// held against the batches; where it is wrong they are gone through.
    async fn max(&mut self) -> io::Result<TimeEntry> {
        if let Some(max) = self.max {
            return Ok(max);
        }
        let last = match self.time_entries_on_disk {
            0 => None,
            entries => last_in_file::<TimeEntry>(&self.time_index().await?, entries, self.view.base).await?,
        };
        let none = TimeEntry { timestamp: TimestampMs::NONE, offset: self.view.base };
        let max = if self.is_true(last.unwrap_or(none)).await? {
            last.unwrap_or(none)
        } else {
            self.view.distrust(FileKind::TimeIndex);
            self.walked_max().await?
        };
        self.max = Some(max);
        Ok(max)
    }

    /// Whether the batch at the entry's offset has its timestamp, and the next ones have none that is later.
    async fn is_true(&mut self, entry: TimeEntry) -> io::Result<bool> {
        let position = self.view.floor(entry.offset, None).await?;
        let Some(place) = self.view.walk_to(position, entry.offset).await? else { return Ok(false) };
        if place.max_timestamp != entry.timestamp || (place.base > entry.offset && entry.timestamp != TimestampMs::NONE)
        {
            return Ok(false);
        }
        let mut walk = Walk::new(self.view.file().await?, place.position, self.view.size);
        for _ in 0..NEXT_BATCHES {
            match walk.next().await? {
                Some(next) if next.max_timestamp > entry.timestamp => return Ok(false),
                Some(_) => {}
                None => break,
            }
        }
        Ok(true)
    }

    /// The largest timestamp, by every batch's header.
    async fn walked_max(&mut self) -> io::Result<TimeEntry> {
        let mut max = TimeEntry { timestamp: TimestampMs::NONE, offset: self.view.base };
        let mut walk = Walk::new(self.view.file().await?, 0, self.view.size);
        while let Some(place) = walk.next().await? {
            if place.max_timestamp > max.timestamp {
                max = TimeEntry { timestamp: place.max_timestamp, offset: place.last };
            }
        }
        Ok(max)
    }

    async fn time_index(&self) -> io::Result<File> {
        let path = self.view.path_of(FileKind::TimeIndex);
        runtime::blocking(move || open_even_if_deleted(&path, OpenMode::Read)).await
    }

    /// Where to begin looking for `timestamp`.
    async fn begin_for(&mut self, timestamp: TimestampMs, start: Offset) -> io::Result<u32> {
        let entry = match self.time_tail {
            Some(entry) => Some(entry),
            None if self.time_entries_on_disk == 0 => None,
            None => {
                let index = self.time_index().await?;
                let (entries, mut page) = (self.time_entries_on_disk, u32::MAX);
                floor_in_file::<TimeEntry>(&index, entries, timestamp, self.view.base, &mut page).await?
            }
        };
        let on_disk = entry.filter(|_| self.time_tail.is_none());
        if let Some(entry) = on_disk
            && !self.meets_a_batch(entry).await?
        {
            self.view.distrust(FileKind::TimeIndex);
            return Ok(0);
        }
        let offset = entry.map_or(self.view.base, |e| e.offset).max(start);
        let tail = self.offset_tail.filter(|t| self.time_tail.is_some() && t.offset <= offset);
        self.view.floor(offset, tail).await
    }

    /// Whether the batch at the entry's offset has its timestamp.
    async fn meets_a_batch(&mut self, entry: TimeEntry) -> io::Result<bool> {
        let position = self.view.floor(entry.offset, None).await?;
        let place = self.view.walk_to(position, entry.offset).await?;
        Ok(place.is_some_and(|p| p.max_timestamp == entry.timestamp && p.base <= entry.offset))
    }

    /// The first batch from `position` on that `matches`.
    async fn find(
        &mut self,
        position: u32,
        matches: impl Fn(&BatchPlace) -> bool,
    ) -> io::Result<Option<(BatchPlace, File)>> {
        let file = self.view.file().await?;
        let mut walk = Walk::new(file.clone(), position, self.view.size);
        while let Some(place) = walk.next().await? {
            if matches(&place) {
                return Ok(Some((place, file)));
            }
        }
        Ok(None)
    }
}

/// The first record in a batch that `matches`. A batch that cannot be looked into answers with its last record.
async fn record_in(
    file: &File,
    place: &BatchPlace,
    matches: impl Fn(TimestampMs, Offset) -> bool,
) -> Result<Option<TimestampOffset>, ReadError> {
    let bytes = file.read(u64::from(place.position), place.size as usize).await?;
    let whole = TimestampOffset { timestamp: place.max_timestamp, offset: place.last };
    let Ok(batch) = BatchView::parse(&bytes) else { return Ok(Some(whole)) };
    let visit = |record: crate::record::scan::RecordPlace| {
        if matches(record.timestamp, record.offset) { ControlFlow::Break(record) } else { ControlFlow::Continue(()) }
    };
    Ok(match scan(&batch, UNPACKED_MAX, visit) {
        Ok(found) => found.map(|r| TimestampOffset { timestamp: r.timestamp, offset: r.offset }),
        Err(error) => {
            tracing::warn!("a batch at offset {} cannot be looked into: {error}", place.base);
            Some(whole)
        }
    })
}
