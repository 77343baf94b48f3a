//! The sparse indexes beside a segment: `.index` (offset to position) and `.timeindex` (timestamp to offset),
//! in Kafka's entry formats. Entries of the tail are kept in memory in the file's own bytes and written by the
//! page; what is in the file is searched there, page by page, so that an index costs no memory but its tail.

use crate::base::{Offset, TimestampMs};
use crate::ring::file::File;
use std::io;

/// Bytes of tail after which a page is due to be written.
pub const PAGE: usize = 4096;

/// One of the two formats.
pub trait Entry: Copy {
    /// Bytes of one entry.
    const SIZE: usize;
    /// What entries ascend by and are searched by.
    type Key: Copy + Ord;
    /// Reads one entry of a segment that begins at `base`. `bytes` has [`Self::SIZE`] bytes.
    fn parse(bytes: &[u8], base: Offset) -> Self;
    /// Appends the entry's bytes.
    fn put(&self, base: Offset, out: &mut Vec<u8>);
    /// Its key.
    fn key(&self) -> Self::Key;
}

/// `OffsetIndex`: the last offset of an append and the position where the append begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The last offset of the batch.
    pub offset: Offset,
    /// Where the batch begins in the segment.
    pub position: u32,
}

impl Entry for OffsetEntry {
    const SIZE: usize = 8;
    type Key = Offset;

    fn parse(bytes: &[u8], base: Offset) -> Self {
        Self { offset: base.plus(i64::from(be_u32(bytes, 0))), position: be_u32(bytes, 4) }
    }

    fn put(&self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.offset.since(base) as u32).to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }

    fn key(&self) -> Offset {
        self.offset
    }
}

/// `TimeIndex`: the largest timestamp so far and the last offset of the batch that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// The largest timestamp in the segment up to here.
    pub timestamp: TimestampMs,
    /// The last offset of the batch that brought it.
    pub offset: Offset,
}

impl Entry for TimeEntry {
    const SIZE: usize = 12;
    type Key = TimestampMs;

    fn parse(bytes: &[u8], base: Offset) -> Self {
        let high = u64::from(be_u32(bytes, 0)) << 32;
        let timestamp = TimestampMs((high | u64::from(be_u32(bytes, 4))) as i64);
        Self { timestamp, offset: base.plus(i64::from(be_u32(bytes, 8))) }
    }

    fn put(&self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.0.to_be_bytes());
        out.extend_from_slice(&(self.offset.since(base) as u32).to_be_bytes());
    }

    fn key(&self) -> TimestampMs {
        self.timestamp
    }
}

fn be_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// One index of one segment: how many entries its file has, and those that are not in it yet.
#[derive(Clone, Debug, Default)]
pub struct Index {
    on_disk: u32,
    tail: Vec<u8>,
}

impl Index {
    /// An index whose file holds `entries` entries.
    pub fn on_disk(entries: u32) -> Self {
        Self { on_disk: entries, tail: Vec::new() }
    }

    /// Adds an entry; the caller keeps them ascending.
    pub fn push<E: Entry>(&mut self, entry: E, base: Offset) {
        entry.put(base, &mut self.tail);
    }

    /// Entries in the file.
    pub fn entries_on_disk(&self) -> u32 {
        self.on_disk
    }

    /// Entries in all.
    pub fn entries<E: Entry>(&self) -> u32 {
        self.on_disk + (self.tail.len() / E::SIZE) as u32
    }

    /// Bytes that are not in the file yet.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// True when a page of entries waits.
    pub fn page_due(&self) -> bool {
        self.tail.len() >= PAGE
    }

    /// The tail's first `bytes` bytes are in the file now.
    pub fn tail_written<E: Entry>(&mut self, bytes: usize) {
        let bytes = bytes.min(self.tail.len());
        self.tail.drain(..bytes);
        if self.tail.is_empty() {
            self.tail = Vec::new();
        }
        self.on_disk += (bytes / E::SIZE) as u32;
    }

    /// The last entry with a key <= `key` in the tail. `None`: it is in the file, if anywhere.
    pub fn floor_in_tail<E: Entry>(&self, key: E::Key, base: Offset) -> Option<E> {
        floor_in::<E>(&self.tail, key, base).map(|(entry, _)| entry)
    }
}

/// The last entry with a key <= `key` among whole entries in `bytes`, and whether it is the last of all.
fn floor_in<E: Entry>(bytes: &[u8], key: E::Key, base: Offset) -> Option<(E, bool)> {
    let entry = |i: usize| E::parse(&bytes[i * E::SIZE..(i + 1) * E::SIZE], base);
    let entries = bytes.len() / E::SIZE;
    let (mut low, mut high) = (0, entries);
    while low < high {
        let middle = (low + high) / 2;
        if entry(middle).key() <= key { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1).map(|i| (entry(i), low == entries))
}

/// The last entry with a key <= `key` among the first `entries` entries of an index file. `page` is where to look
/// first, and then where the entry was found: who reads on from there finds the next one in the same page.
pub async fn floor_in_file<E: Entry>(
    file: &File,
    entries: u32,
    key: E::Key,
    base: Offset,
    page: &mut u32,
) -> io::Result<Option<E>> {
    let per_page = (PAGE / E::SIZE) as u32;
    let (mut low, mut high) = (0, entries.div_ceil(per_page));
    let mut found = None;
    let mut probe = *page;
    while low < high {
        let guessed = probe >= low && probe < high;
        let middle = if guessed { probe } else { low + (high - low) / 2 };
        let first = middle * per_page;
        let count = per_page.min(entries - first) as usize;
        let bytes = file.read(u64::from(first) * E::SIZE as u64, count * E::SIZE).await?;
        match floor_in::<E>(&bytes, key, base) {
            Some((entry, last)) => {
                (found, *page) = (Some(entry), middle);
                if !last {
                    break;
                }
                low = middle + 1;
                probe = low;
            }
            None => (high, probe) = (middle, u32::MAX),
        }
    }
    Ok(found)
}

/// The first entry of an index file.
pub async fn first_in_file<E: Entry>(file: &File, base: Offset) -> io::Result<Option<E>> {
    let bytes = file.read(0, E::SIZE).await?;
    Ok((bytes.len() == E::SIZE).then(|| E::parse(&bytes, base)))
}

/// The last of the first `entries` entries of an index file.
pub async fn last_in_file<E: Entry>(file: &File, entries: u32, base: Offset) -> io::Result<Option<E>> {
    let Some(last) = (entries as usize).checked_sub(1) else { return Ok(None) };
    let bytes = file.read((last * E::SIZE) as u64, E::SIZE).await?;
    Ok((bytes.len() == E::SIZE).then(|| E::parse(&bytes, base)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::file::OpenMode;
    use crate::ring::runtime::block_on_test;

    #[test]
    fn bytes_are_kafkas() {
        let mut index = Index::default();
        index.push(OffsetEntry { offset: Offset(1000 + 0x0102), position: 0x0304_0506 }, Offset(1000));
        assert_eq!(index.tail(), [0, 0, 1, 2, 3, 4, 5, 6]);
        let mut index = Index::default();
        index.push(TimeEntry { timestamp: TimestampMs(0x0102), offset: Offset(1009) }, Offset(1000));
        assert_eq!(index.tail(), [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9]);
    }

    #[test]
    fn floor_is_found_in_tail_and_in_file_alike() {
        let base = Offset(50);
        let mut index = Index::default();
        for i in 0..5000u32 {
            index.push(OffsetEntry { offset: base.plus(i64::from(i) * 10 + 9), position: i * 4096 }, base);
        }
        let dir = tempfile::tempdir().unwrap();
        let file = File::open(&dir.path().join("i"), OpenMode::CreateNew).unwrap();
        file.write_at(index.tail(), 0).unwrap();
        block_on_test(async move {
            for (target, guess) in [0, 50, 58, 59, 60, 5178, 5179, 12_345, 50_048, 50_049, 60_000]
                .into_iter()
                .flat_map(|target| [0, 1, 5, 9, 10, u32::MAX].map(|guess| (target, guess)))
            {
                let in_tail = index.floor_in_tail::<OffsetEntry>(Offset(target), base);
                let mut page = guess;
                let in_file = floor_in_file::<OffsetEntry>(&file, 5000, Offset(target), base, &mut page).await.unwrap();
                assert_eq!(in_tail, in_file, "{target} from page {guess}");
                let expected = (target - 59).div_euclid(10);
                let expected = (expected >= 0).then(|| expected.min(4999) as u32 * 4096);
                assert_eq!(in_file.map(|e| e.position), expected, "{target}");
            }
            assert_eq!(last_in_file::<OffsetEntry>(&file, 5000, base).await.unwrap().unwrap().position, 4999 * 4096);
        });
    }

    #[test]
    fn what_was_written_leaves_the_tail() {
        let mut index = Index::on_disk(3);
        for i in 0..4 {
            index.push(OffsetEntry { offset: Offset(i), position: i as u32 }, Offset(0));
        }
        index.tail_written::<OffsetEntry>(16);
        assert_eq!((index.entries_on_disk(), index.entries::<OffsetEntry>(), index.tail().len()), (5, 7, 16));
    }
}
