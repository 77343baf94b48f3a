//! Reading ahead for those who read cold files from front to back: while one chunk is sent, the next is read. One table
//! per core, bounded in readers and bytes; what nobody asked for within seconds is forgotten.
//!
//! The page cache is not used for it: what was read ahead waits in memory of our own, so that nobody's pages have to go.

use super::clock;
use super::file::File;
use super::runtime;
use crate::base::Instant;
use crate::base::local::{self, Receiver};
use bytes::{Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

/// What is sent at once, and read where nothing was read ahead.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// What is read ahead at once: disks want large reads, or many of them.
const AHEAD_BYTES: usize = 1 << 20;
/// Readers that are remembered on a core: each holds at most what was read last and what comes next. Further readers
/// get nothing read ahead.
const READERS_MAX: usize = 16;
/// A reader that has not come back for so long has gone elsewhere.
const FORGET_AFTER: Duration = Duration::from_secs(2);

/// One who reads a file from front to back.
struct Reader {
    file: File,
    /// Of the file when it was read.
    cuts: u64,
    /// What was read last: the next range may begin a little before its end, with a batch that was cut off.
    at: u64,
    bytes: Bytes,
    /// What follows it, being read.
    next: Option<Receiver<Bytes>>,
    used: Instant,
}

impl Reader {
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    fn reads(&self, file: &File, pos: u64) -> bool {
        self.file.is_same(file) && self.cuts == file.cuts() && (self.at..=self.end()).contains(&pos)
    }

    fn slice(&self, pos: u64, len: usize) -> Bytes {
        let from = ((pos - self.at) as usize).min(self.bytes.len());
        self.bytes.slice(from..self.bytes.len().min(from + len))
    }
}

#[derive(Default)]
struct Table {
    readers: RefCell<Vec<Reader>>,
    tidying: Cell<bool>,
}

thread_local! {
    static TABLE: Table = Table::default();
}

/// Some of the `len` bytes of a cold `file` at `pos`, at least one unless the file ends there. `more` says that
/// what follows will be asked for at once.
///
/// # Errors
/// Of the read.
pub(crate) async fn read(file: &File, pos: u64, len: usize, more: bool) -> io::Result<Bytes> {
    let known = TABLE.with(|table| {
        let mut readers = table.readers.borrow_mut();
        let index = readers.iter().position(|reader| reader.reads(file, pos))?;
        Some(readers.swap_remove(index))
    });
    let now = clock::mono();
    if let Some(mut reader) = known {
        if pos < reader.end() {
            let bytes = reader.slice(pos, len);
            reader.used = now;
            keep(reader);
            return Ok(bytes);
        }
        let cuts = file.cuts();
        let ahead = match reader.next.take() {
            Some(next) => next.await.unwrap_or_default(),
            None => Bytes::new(),
        };
        let bytes = if ahead.is_empty() || cuts != reader.cuts { file.read_cold(pos, len).await? } else { ahead };
        remember(file, cuts, pos, bytes.clone(), true);
        return Ok(bytes.slice(..bytes.len().min(len)));
    }
    let cuts = file.cuts();
    let bytes = file.read_cold(pos, len).await?;
    remember(file, cuts, pos, bytes.clone(), more);
    Ok(bytes)
}

/// Keeps the reader that was just given `bytes`, and has what follows them read where it is not in the page cache.
fn remember(file: &File, cuts: u64, at: u64, bytes: Bytes, go_on: bool) {
    let room = TABLE.with(|table| table.readers.borrow().len()) < READERS_MAX;
    if !room || bytes.is_empty() {
        return;
    }
    let after = at + bytes.len() as u64;
    let there = file.len().is_ok_and(|len| after < len) && !file.is_resident(after, CHUNK_BYTES);
    let next = (go_on && there).then(|| begin(file.clone(), after));
    keep(Reader { file: file.clone(), cuts, at, bytes, next, used: clock::mono() });
}

/// Reads ahead in a task of its own. A failure is nothing read: who asks meets it himself.
fn begin(file: File, pos: u64) -> Receiver<Bytes> {
    let (sender, receiver) = local::oneshot();
    runtime::spawn(async move {
        if let Ok(bytes) = file.read_cold(pos, AHEAD_BYTES).await {
            sender.send(bytes);
        }
    })
    .detach();
    receiver
}

fn keep(reader: Reader) {
    TABLE.with(|table| {
        table.readers.borrow_mut().push(reader);
        if !table.tidying.replace(true) {
            runtime::spawn(tidy()).detach();
        }
    });
}

/// Forgets readers that do not come back; ends when there are none, so that an idle core sleeps.
async fn tidy() {
    loop {
        runtime::sleep(FORGET_AFTER).await;
        let now = clock::mono();
        let (gone, left) = TABLE.with(|table| {
            let mut readers = table.readers.borrow_mut();
            let all = std::mem::take(&mut *readers).into_iter();
            let (gone, stay): (Vec<_>, Vec<_>) = all.partition(|reader| now.since(reader.used) >= FORGET_AFTER);
            *readers = stay;
            table.tidying.set(!readers.is_empty());
            (gone, readers.len())
        });
        drop(gone);
        if left == 0 {
            return;
        }
    }
}

/// The bytes of a range that was sent just now: a batch that a fetch cut off is looked at again by the next one.
pub(super) fn peek(file: &File, pos: u64, len: usize) -> Option<Bytes> {
    TABLE.with(|table| {
        let readers = table.readers.borrow();
        let reader = readers.iter().find(|reader| reader.reads(file, pos))?;
        let head = reader.slice(pos, len);
        if head.len() == len {
            return Some(head);
        }
        let next = reader.next.as_ref()?.peek(|bytes| bytes.slice(..bytes.len().min(len - head.len())))?;
        (head.len() + next.len() == len).then(|| {
            let mut whole = BytesMut::with_capacity(len);
            whole.extend_from_slice(&head);
            whole.extend_from_slice(&next);
            whole.freeze()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::cold::tests::cold_file;
    use crate::ring::runtime::block_on_test;

    fn readers() -> usize {
        TABLE.with(|table| table.readers.borrow().len())
    }

    async fn arrived(file: &File, pos: u64) {
        for _ in 0..2000 {
            if peek(file, pos, 10).is_some() {
                return;
            }
            runtime::sleep(Duration::from_millis(1)).await;
        }
        panic!("nothing was read ahead at {pos}");
    }

    #[test]
    fn a_range_is_read_one_chunk_ahead_and_the_next_range_finds_its_beginning_read() {
        block_on_test(async {
            let (_dir, file, content) = cold_file(3 << 20);
            let mut pos = 0;
            while pos < 2_000_000 {
                let len = CHUNK_BYTES.min(2_000_000 - pos);
                let bytes = read(&file, pos as u64, len, pos + len < 2_000_000).await.unwrap();
                assert!(!bytes.is_empty() && bytes == content[pos..pos + bytes.len()], "{pos}");
                pos += bytes.len();
                if pos < 2_000_000 {
                    arrived(&file, pos as u64).await;
                }
            }
            // The next range begins within the batch that was cut off. Nothing has to be read for it.
            assert_eq!(peek(&file, 1_990_000, 8192).unwrap(), content[1_990_000..1_998_192]);
            arrived(&file, (CHUNK_BYTES + 2 * AHEAD_BYTES) as u64).await;
            let before = file.resident_pages(0, 3 << 20);
            let bytes = read(&file, 1_990_000, CHUNK_BYTES, true).await.unwrap();
            assert!(!bytes.is_empty() && bytes == content[1_990_000..1_990_000 + bytes.len()]);
            assert_eq!(file.resident_pages(0, 3 << 20), before);
            assert_eq!(readers(), 1);
        });
    }

    #[test]
    fn what_was_cut_is_not_served_from_memory() {
        block_on_test(async {
            let (_dir, file, _) = cold_file(1 << 20);
            let _ = read(&file, 0, CHUNK_BYTES, true).await.unwrap();
            arrived(&file, CHUNK_BYTES as u64).await;
            file.set_len(CHUNK_BYTES as u64).unwrap();
            file.write_at(&vec![9; CHUNK_BYTES], CHUNK_BYTES as u64).unwrap();
            assert!(peek(&file, CHUNK_BYTES as u64, 10).is_none());
            assert_eq!(read(&file, CHUNK_BYTES as u64, 100, true).await.unwrap(), vec![9; 100]);
        });
    }

    #[test]
    fn readers_are_bounded_and_forgotten_and_the_end_of_the_file_is_told() {
        block_on_test(async {
            let (_dir, file, content) = cold_file(8 << 20);
            for at in (0..40).map(|n| n * 200_000) {
                assert_eq!(read(&file, at as u64, 1000, false).await.unwrap(), content[at..at + 1000]);
                assert!(readers() <= READERS_MAX);
            }
            assert_eq!(readers(), READERS_MAX);
            assert!(read(&file, 8 << 20, 10, false).await.unwrap().is_empty());
            runtime::sleep(FORGET_AFTER * 3).await;
            assert_eq!(readers(), 0);
            assert!(!TABLE.with(|table| table.tidying.get()));
        });
    }

    #[test]
    fn what_is_in_the_page_cache_is_not_read_ahead() {
        block_on_test(async {
            let (_dir, file, content) = cold_file(1 << 20);
            let hot = CHUNK_BYTES as u64;
            assert_eq!(file.read(hot, CHUNK_BYTES).await.unwrap(), content[CHUNK_BYTES..2 * CHUNK_BYTES]);
            let _ = read(&file, 0, CHUNK_BYTES, true).await.unwrap();
            runtime::sleep(Duration::from_millis(50)).await;
            assert!(peek(&file, hot, 10).is_none());
        });
    }
}
