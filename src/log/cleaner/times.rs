//! A closed segment's times, read from its files. Blocking.

use super::range::SegmentTimes;
use crate::base::TimestampMs;
use crate::log::append::header_of;
use crate::log::files::FileKind;
use crate::log::index::{Entry, TimeEntry};
use crate::log::replace::ClosedSegment;
use crate::record::HEADER_LEN;
use crate::record::legacy::{LegacyEntry, is_legacy};
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The segments of the log in a directory.
pub struct FileTimes(pub Arc<Path>);

impl SegmentTimes for FileTimes {
    fn largest(&self, segment: &ClosedSegment) -> io::Result<TimestampMs> {
        if let Some(last) = segment.time_index_bytes.checked_sub(TimeEntry::SIZE as u64) {
            let file = File::open(&FileKind::TimeIndex.path(&self.0, segment.base), OpenMode::Read)?;
            let mut bytes = [0; TimeEntry::SIZE];
            if file.read_at(&mut bytes, last)? == TimeEntry::SIZE {
                let entry = TimeEntry::parse(&bytes, segment.base);
                if entry.timestamp.0 >= 0 {
                    return Ok(entry.timestamp);
                }
            }
        }
        fs::mtime_ms(&FileKind::Log.path(&self.0, segment.base)).map(TimestampMs)
    }

    fn first(&self, segment: &ClosedSegment) -> io::Result<TimestampMs> {
        let file = File::open(&FileKind::Log.path(&self.0, segment.base), OpenMode::Read)?;
        let mut bytes = [0; HEADER_LEN];
        file.read_at(&mut bytes, 0)?;
        if is_legacy(&bytes) {
            return Ok(LegacyEntry::parse_head(&bytes).map_or(TimestampMs::NONE, |entry| entry.timestamp));
        }
        Ok(header_of(&bytes).map_or(TimestampMs::NONE, |header| header.max_timestamp()))
    }
}
