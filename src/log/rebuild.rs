//! Rebuilding what a segment's data determines: its end, its indexes, the epochs, the producers. Blocking.

use super::append::replay_producer;
use super::config::LogConfig;
use super::epochs::Epochs;
use super::files::FileKind;
use super::found::FoundSegment;
use super::index::{Entry, Index, OffsetEntry, TimeEntry};
use super::producers::Producers;
use super::scan::{Scanner, Unsound};
use super::segment::{Segment, TxnIndexState};
use super::snapshot;
use super::write::write_index_tails;
use crate::base::{LeaderEpoch, Offset, TimestampMs};
use crate::record::BatchHeader;
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::Path;

/// What was cut off a segment's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// How many bytes.
    pub bytes: u64,
    /// Why.
    pub why: Unsound,
}

/// Takes the active segment of a cleanly closed log as its indexes say, walking only the batches after the last
/// entry. `None`: something does not fit, and the whole segment must be checked.
pub(super) fn load_active(
    dir: &Path,
    base: Offset,
    found: &FoundSegment,
    now: TimestampMs,
) -> io::Result<Option<Segment>> {
    let mut segment = Segment::new(base, now);
    if found.size == 0 {
        return Ok(Some(segment));
    }
    let entries = ((found.offset_index.unwrap_or(0) / 8) as u32, (found.time_index.unwrap_or(0) / 12) as u32);
    let offset = last_entry::<OffsetEntry>(&FileKind::OffsetIndex.path(dir, base), entries.0, base)?;
    let time = last_entry::<TimeEntry>(&FileKind::TimeIndex.path(dir, base), entries.1, base)?;
    let begin = offset.map_or(0, |e| u64::from(e.position));
    let fits = offset.is_none_or(|e| e.offset >= base && begin < found.size) && time.is_none_or(|e| e.offset >= base);
    if !fits || found.size > u64::from(u32::MAX) {
        return Ok(None);
    }
    let file = File::open(&segment.path(dir), OpenMode::ReadWrite)?;
    let mut scanner = Scanner::new(file.clone(), begin, found.size, false);
    let (mut next, mut max) = (base, time);
    let mut first = true;
    while let Some(batch) = scanner.next()? {
        let Ok(batch) = batch else { return Ok(None) };
        let as_indexed = !first || offset.is_none_or(|e| e.offset == batch.meta.last);
        if batch.meta.last < next || !as_indexed {
            return Ok(None);
        }
        first = false;
        next = batch.meta.last.plus(1);
        if max.is_none_or(|m| batch.meta.max_timestamp > m.timestamp) {
            max = Some(TimeEntry { timestamp: batch.meta.max_timestamp, offset: batch.meta.last });
        }
    }
    segment.txn_index = TxnIndexState::AsFound;
    segment.written = segment.written.found(found.size as u32, next, entries, max);
    segment.written.first_timestamp = first_timestamp(&file)?;
    segment.offset_index = Index::on_disk(entries.0);
    segment.time_index = Index::on_disk(entries.1);
    Ok(Some(segment))
}

fn first_timestamp(file: &File) -> io::Result<TimestampMs> {
    let mut scanner = Scanner::new(file.clone(), 0, file.len()?, false);
    Ok(match scanner.next()? {
        Some(Ok(batch)) => batch.meta.max_timestamp,
        _ => TimestampMs::NONE,
    })
}

fn last_entry<E: Entry>(path: &Path, entries: u32, base: Offset) -> io::Result<Option<E>> {
    let Some(last) = entries.checked_sub(1) else { return Ok(None) };
    let mut bytes = vec![0; E::SIZE];
    let n = File::open(path, OpenMode::Read)?.read_at(&mut bytes, u64::from(last) * E::SIZE as u64)?;
    Ok((n == E::SIZE).then(|| E::parse(&bytes, base)))
}

/// What a batch must follow on.
struct Order<'a> {
    next: Offset,
    base: Offset,
    /// Offsets leave no gaps: nothing was compacted here.
    exact: bool,
    latest: Option<LeaderEpoch>,
    /// Where the latest epoch was first met in this scan, if the epoch file did not know it.
    raised_at: Option<(u64, Offset)>,
    epochs: &'a mut Epochs,
}

/// Goes through a whole segment: checksums, order, epochs. Cuts the file at the first batch that is not sound,
/// writes both indexes anew and gives the segment.
pub(super) fn check_segment(
    dir: &Path,
    base: Offset,
    found: &FoundSegment,
    config: &LogConfig,
    epochs: &mut Epochs,
    exact: bool,
    now: TimestampMs,
    checked: &dyn Fn(u64),
) -> io::Result<(Segment, Option<Cut>)> {
    let file = File::open(&FileKind::Log.path(dir, base), OpenMode::ReadWrite)?;
    let mut order = Order { next: base, base, exact, latest: None, raised_at: None, epochs };
    let mut scanner = Scanner::new(file.clone(), 0, found.size, true);
    let mut segment = Segment::new(base, now);
    let (mut end, mut why, mut markers) = (0, None, false);
    while let Some(scanned) = scanner.next()? {
        let judged = scanned.and_then(|batch| {
            order.judge(batch.meta.base, batch.meta.last, batch.header.as_ref(), batch.position).map(|()| batch)
        });
        match judged {
            Ok(batch) => {
                end = batch.position + u64::from(batch.size);
                segment.batch_written(&batch.meta, config.index_interval_bytes);
                markers |= batch.header.is_some_and(|header| header.is_control());
                checked(u64::from(batch.size));
            }
            Err(unsound) => {
                why = Some(unsound);
                break;
            }
        }
    }
    if let (Some(EPOCH_FELL), Some((position, offset))) = (&why, order.raised_at) {
        // The batch that raised the epoch is the bent one: it goes too.
        order.epochs.truncate_from_end(offset);
        end = position;
        segment = walk(&file, Segment::new(base, now), position, config.index_interval_bytes)?;
    }
    segment.finish_time_index();
    if markers {
        segment.txn_index = TxnIndexState::Stale;
    } else {
        fs::remove_file(&FileKind::TxnIndex.path(dir, base))?;
    }
    let cut = why.map(|why| Cut { bytes: found.size - end, why });
    if cut.is_some() {
        file.set_len(end)?;
    }
    write_index_tails(&mut segment, dir)?;
    Ok((segment, cut))
}

/// The segment as it is when it ends at `upto`, of which all is known to be sound.
fn walk(file: &File, mut segment: Segment, upto: u64, interval: u32) -> io::Result<Segment> {
    let mut scanner = Scanner::new(file.clone(), 0, upto, false);
    while let Some(Ok(batch)) = scanner.next()? {
        segment.batch_written(&batch.meta, interval);
    }
    Ok(segment)
}

const EPOCH_FELL: Unsound = Unsound::OutOfOrder("the leader epoch is lower than that of the batch before");

impl Order<'_> {
    /// Whether a sound batch also stands where it may.
    fn judge(
        &mut self,
        base: Offset,
        last: Offset,
        header: Option<&BatchHeader>,
        position: u64,
    ) -> Result<(), Unsound> {
        if last < base || base < self.next {
            return Err(Unsound::OutOfOrder("the batch's offsets do not follow on the batch before"));
        }
        // An entry of an old format names its last offset alone.
        if self.exact && header.is_some() && base != self.next {
            return Err(Unsound::OutOfOrder("offsets are missing before the batch"));
        }
        if last.since(self.base) > i64::from(i32::MAX) {
            return Err(Unsound::OutOfOrder("the batch's offset does not fit the segment"));
        }
        // Without an epoch are old formats, and what was written before there were any.
        if let Some(epoch) = header.map(BatchHeader::leader_epoch) {
            let known = self.latest.is_some() || self.epochs.epoch_at(base).is_some();
            if known || epoch != LeaderEpoch::UNKNOWN {
                self.judge_epoch(base, epoch, position)?;
            }
        }
        self.next = last.plus(1);
        Ok(())
    }

    fn judge_epoch(&mut self, base: Offset, epoch: LeaderEpoch, position: u64) -> Result<(), Unsound> {
        if epoch.0 < 0 || self.latest.is_some_and(|latest| epoch < latest) {
            return Err(EPOCH_FELL);
        }
        let known = self.epochs.latest().map(|e| e.epoch);
        if known.is_none_or(|known| epoch > known) {
            self.epochs.note(epoch, base);
            self.raised_at = Some((position, base));
        } else if self.epochs.epoch_at(base).is_some_and(|at| at != epoch) {
            return Err(Unsound::OutOfOrder("the leader epoch is not the one the epoch file has for the offset"));
        }
        self.latest = Some(epoch);
        Ok(())
    }
}

/// The producers as of `end`: the newest snapshot that can be read, and the batches after it.
pub(super) fn replay_producers(
    dir: &Path,
    segments: &[Segment],
    snapshots: &[Offset],
    end: Offset,
) -> io::Result<Producers> {
    let mut from = segments.first().map_or(end, |s| s.base);
    let mut producers = Producers::default();
    for &offset in snapshots.iter().rev().filter(|s| **s <= end) {
        match snapshot::decode(&fs::read(&FileKind::Snapshot.path(dir, offset))?) {
            Some(loaded) => {
                (from, producers) = (from.max(offset), loaded);
                break;
            }
            None => tracing::warn!("{} is malformed", FileKind::Snapshot.path(dir, offset).display()),
        }
    }
    for segment in segments.iter().filter(|s| s.written.next > from && s.written.size > 0) {
        let file = File::open(&segment.path(dir), OpenMode::Read)?;
        let mut scanner = Scanner::new(file, 0, u64::from(segment.written.size), false);
        while let Some(Ok(batch)) = scanner.next()? {
            if batch.meta.base < from {
                continue;
            }
            match (batch.whole, batch.header) {
                (Some(whole), _) => _ = replay_producer(&mut producers, &whole),
                (None, Some(header)) if header.has_producer() && !header.is_control() => {
                    producers.append(&header, header.base_offset(), header.max_timestamp());
                }
                _ => {}
            }
        }
    }
    Ok(producers)
}
