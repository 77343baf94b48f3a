//! One segment from front to back: checksums, offsets, epochs; its indexes are compared on the way.

use super::indexes::{Aborted, OffsetIndex, TimeIndex};
use super::report::Report;
use crate::base::{LeaderEpoch, Offset};
use crate::log::epochs::Epochs;
use crate::log::files::{FileKind, LEADER_EPOCH_CHECKPOINT};
use crate::record::legacy::LegacyEntry;
use crate::record::{BatchHeader, Records};
use crate::tools::FileError;
use crate::tools::segment_file::{Format, RawBatch, SegmentFile};
use std::path::Path;

/// A batch that unpacks to more is not looked into further.
const UNPACKED_BYTES_MAX: usize = 1 << 30;

/// What goes on from segment to segment.
pub struct Walk {
    epochs: Option<Epochs>,
    gaps: bool,
    next: Option<Offset>,
    epoch: LeaderEpoch,
}

/// What is compared with a batch.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    /// Where it begins.
    pub position: u64,
    /// Its first offset.
    pub base: Offset,
    /// Its last offset.
    pub last: Offset,
    /// Its largest timestamp.
    pub max_timestamp: i64,
}

impl Walk {
    /// Before the first segment. `gaps`: offsets may be missing.
    pub fn new(epochs: Option<Epochs>, gaps: bool) -> Self {
        Self { epochs, gaps, next: None, epoch: LeaderEpoch::UNKNOWN }
    }

    /// The offset after the last batch seen.
    pub fn end(&self) -> Option<Offset> {
        self.next
    }

    fn follow(&mut self, path: &Path, spot: &Spot, header: Option<&BatchHeader>, report: &mut Report<'_>) {
        let at = spot.position;
        if spot.last < spot.base {
            report.finding(path, format_args!("position {at}: a batch from {} to {}", spot.base, spot.last));
        }
        match self.next {
            Some(next) if spot.base < next => {
                report.finding(path, format_args!("position {at}: offset {} after {}", spot.base, next.plus(-1)));
            }
            Some(next) if spot.base > next && !self.gaps => {
                report
                    .finding(path, format_args!("position {at}: offsets {next} to {} are missing", spot.base.plus(-1)));
            }
            _ => {}
        }
        self.next = Some(spot.last.plus(1).max(self.next.unwrap_or_default()));
        let Some(epoch) = header.map(BatchHeader::leader_epoch).filter(|epoch| epoch.0 >= 0) else { return };
        if epoch < self.epoch {
            report.finding(path, format_args!("position {at}: leader epoch {epoch} after {}", self.epoch));
        }
        self.epoch = epoch.max(self.epoch);
        let Some(epochs) = &self.epochs else { return };
        // Records before the first entry were deleted; their batch may still be there.
        let known = epochs.epoch_at(spot.base);
        let covered = epochs.entries().first().is_none_or(|first| first.start <= spot.base);
        if covered && known != Some(epoch) {
            let says = known.map_or_else(|| "nothing".to_owned(), |known| format!("epoch {known}"));
            report.finding(
                path,
                format_args!("offset {} has leader epoch {epoch}, {LEADER_EPOCH_CHECKPOINT} says {says}", spot.base),
            );
        }
    }
}

/// Looks at the segment that begins at `base`; `active`: it is the last.
pub fn verify(
    dir: &Path,
    base: Offset,
    active: bool,
    walk: &mut Walk,
    report: &mut Report<'_>,
) -> Result<(), FileError> {
    let path = FileKind::Log.path(dir, base);
    let mut file = SegmentFile::open(&path).map_err(FileError::of(&path))?;
    report.summary.segments += 1;
    report.summary.bytes += file.len();
    let mut offsets = OffsetIndex::read(dir, base, active, report)?;
    let mut times = TimeIndex::read(dir, base, active, report)?;
    match walk.next {
        Some(next) if next > base => {
            report.finding(&path, format_args!("begins at offset {base}, the segment before it ends at {next}"));
        }
        // An empty active segment says by its name alone where the log goes on.
        None => walk.next = Some(base),
        Some(_) => {}
    }
    let mut position = 0;
    loop {
        let batch = match file.batch_at(position, u64::MAX) {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => {
                report.finding(&path, error);
                break;
            }
        };
        position += batch.bytes.len() as u64;
        let (header, spot) = match sound(&batch) {
            Ok(sound) => sound,
            Err(why) => {
                report.finding(&path, format_args!("position {}: {why}", batch.position));
                break;
            }
        };
        report.summary.batches += 1;
        if spot.base < base {
            report
                .finding(&path, format_args!("position {}: offset {} before the segment's", spot.position, spot.base));
        }
        if let Some(why) = unreadable(&batch) {
            report.finding(&path, format_args!("position {}: its records cannot be read: {why}", spot.position));
        }
        walk.follow(&path, &spot, header.as_ref(), report);
        offsets.pass(&spot, report);
        times.pass(&spot, report);
    }
    let left = file.len() - position.min(file.len());
    if left > 0 && !(active && report.in_use) {
        report.finding(&path, format_args!("{left} bytes at the end are no whole batch"));
    }
    if position == file.len() || active {
        offsets.end(report);
        times.end(report);
    }
    Aborted::verify(dir, base, walk.next.unwrap_or(base), report)
}

/// The batch if its checksum is right.
fn sound(batch: &RawBatch<'_>) -> Result<(Option<BatchHeader>, Spot), String> {
    let spot = |base, last, max_timestamp| Spot { position: batch.position, base, last, max_timestamp };
    match batch.format() {
        Format::V2(header, view) => {
            view.check_crc().map_err(|error| error.to_string())?;
            let at = spot(header.base_offset(), header.last_offset(), header.max_timestamp().0);
            Ok((Some(*header), at))
        }
        Format::Legacy(entry) => {
            LegacyEntry::parse_checked(batch.bytes).map_err(|_| "the checksum does not match".to_owned())?;
            Ok((None, spot(entry.offset, entry.offset, entry.timestamp.0)))
        }
        Format::Unknown(magic) => Err(format!("a batch of unknown magic {magic}")),
    }
}

/// What is wrong inside a batch whose checksum is right: its writer is at fault, and no consumer gets past it.
fn unreadable(batch: &RawBatch<'_>) -> Option<String> {
    let Format::V2(header, view) = batch.format() else { return None };
    let body = match view.unpacked(UNPACKED_BYTES_MAX) {
        Ok(body) => body,
        Err(error) => return Some(error.to_string()),
    };
    let span = header.last_offset().since(header.base_offset());
    let mut next = 0;
    for (n, record) in Records::new(&body, header.count()).enumerate() {
        match record {
            Err(error) => return Some(format!("record {n}: {error}")),
            Ok(record) if record.offset_delta < next || i64::from(record.offset_delta) > span => {
                return Some(format!("record {n} lies {} offsets behind the first", record.offset_delta));
            }
            Ok(record) => next = record.offset_delta.saturating_add(1),
        }
    }
    None
}
