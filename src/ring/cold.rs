//! Reading what is not in the page cache and will be read once. It is done on a kernel worker: neither the disk nor
//! making room for pages holds up the core. And it takes no place from what others read: uncached where the kernel and
//! the file system can do that (`RWF_DONTCACHE`), else the pages are given up behind the reader, if they were not
//! there before.

use super::ahead::CHUNK_BYTES;
use super::buffer::Buffer;
use super::errno;
use super::file::{ColdBytes, File};
use super::runtime;
use super::uring::{Core, Keep, Op};
use bytes::Bytes;
use io_uring::squeue::Flags;
use io_uring::{opcode, types};
use std::io;
use std::rc::Rc;

/// Linux 6.5; the same number on every architecture.
const SYS_CACHESTAT: libc::c_long = 451;
const PAGE_BYTES: u64 = 4096;

/// A range of which no more than this share is in the page cache counts as not there: looking for a batch leaves
/// single pages.
const STRAY_PAGES: u64 = 8;

fn pages_of(pos: u64, len: usize) -> u64 {
    (pos + len as u64).div_ceil(PAGE_BYTES) - pos / PAGE_BYTES
}

impl File {
    /// Whether the whole range is in the page cache. Where the kernel cannot tell, it is taken not to be.
    pub(crate) fn is_resident(&self, pos: u64, len: usize) -> bool {
        self.resident_pages(pos, len).is_some_and(|pages| pages >= pages_of(pos, len))
    }

    /// How many pages of the range are in the page cache; `None` where the kernel cannot tell (before Linux 6.5).
    pub(super) fn resident_pages(&self, pos: u64, len: usize) -> Option<u64> {
        let range = [pos, len as u64];
        let mut stat = [0_u64; 5];
        // SAFETY: cachestat(fd, {offset, length}, {five counters}, 0) reads and writes just these arrays.
        let status = unsafe { libc::syscall(SYS_CACHESTAT, self.fd(), range.as_ptr(), stat.as_mut_ptr(), 0) };
        (status == 0).then_some(stat[0])
    }

    /// Reads `len` bytes from `pos`, fewer only at the end of the file; see the module.
    pub(crate) async fn read_cold(&self, pos: u64, len: usize) -> io::Result<Bytes> {
        let mut buffer = Buffer::with_capacity(len);
        let Some(core) = Core::try_with(Clone::clone) else {
            return Ok(self.read_blocking(buffer, pos, len)?.freeze());
        };
        let resident = self.resident_pages(pos, len);
        if resident.is_none() {
            match self.read_resident(&mut buffer, pos, len, ColdBytes::PassThrough) {
                Ok(_) => {}
                Err(e) if errno::is_passing(&e) || errno::is_unsupported(&e) => {}
                Err(e) => return Err(e),
            }
        }
        let done = buffer.len();
        let was_cold = resident.map_or(done == 0, |pages| pages <= pages_of(pos, len) / STRAY_PAGES);
        if was_cold {
            self.stop_kernel_ahead();
        }
        buffer = self.read_by_ring(&core, buffer, pos + done as u64, len - done, true, Flags::ASYNC).await?;
        if !self.device().uncached_reads() && was_cold {
            self.give_up_pages(&core, pos, buffer.len());
        }
        Ok(buffer.freeze())
    }

    /// Whether a range can be read; looked at only where reading this file failed before. Who begins to send a range that
    /// cannot be read has to close the connection, with the other answers in it.
    ///
    /// # Errors
    /// Of the read.
    pub(crate) async fn check_readable(&self, pos: u64, len: usize) -> io::Result<()> {
        let mut done = 0;
        while self.is_distrusted() && done < len {
            let read = self.read_cold(pos + done as u64, CHUNK_BYTES.min(len - done)).await?;
            if read.is_empty() {
                break;
            }
            done += read.len();
        }
        Ok(())
    }

    /// What the kernel reads ahead by itself would look as if others had wanted it; we do our own ([`super::ahead`]).
    fn stop_kernel_ahead(&self) {
        // SAFETY: takes plain numbers; it is advice, and what became of it does not matter.
        unsafe { libc::posix_fadvise(self.fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    }

    /// Lets go of the clean pages of a range; on a kernel worker, as it may wait for other cores.
    fn give_up_pages(&self, core: &Rc<Core>, pos: u64, len: usize) {
        // The page that the range before ended in is wholly read only now.
        let from = pos / PAGE_BYTES * PAGE_BYTES;
        let len = (pos + len as u64 - from) as libc::off_t;
        let entry = opcode::Fadvise::new(types::Fd(self.fd()), len, libc::POSIX_FADV_DONTNEED).offset(from).build();
        let giving_up = Op::new(core, entry.flags(Flags::ASYNC), Keep::Nothing, self.owner());
        runtime::spawn(async move { drop(giving_up.await) }).detach();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ring::file::OpenMode;
    use crate::ring::runtime::block_on_test;
    use std::time::Duration;

    /// A file that is not in the page cache. Not in the temporary directory, which may be memory.
    pub(crate) fn cold_file(bytes: usize) -> (tempfile::TempDir, File, Vec<u8>) {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let file = File::open(&dir.path().join("f"), OpenMode::CreateNew).unwrap();
        let content: Vec<u8> = (0..bytes).map(|n| (n * 7 % 251) as u8).collect();
        file.write_at(&content, 0).unwrap();
        file.sync_data().unwrap();
        file.forget_cached();
        assert_eq!(file.resident_pages(0, bytes), Some(0), "the pages can be given up");
        (dir, file, content)
    }

    #[test]
    fn what_was_not_in_the_page_cache_is_read_and_not_there_afterwards() {
        block_on_test(async {
            for uncached in [true, false] {
                let (_dir, file, content) = cold_file(1 << 20);
                let file = file.on_device_of_its_own();
                if !uncached {
                    file.device().no_uncached_reads();
                }
                // The tail is what producers just wrote.
                assert_eq!(&file.read(900_000, 100_000).await.unwrap(), &content[900_000..1_000_000]);
                let tail = file.resident_pages(900_000, 100_000).unwrap();
                assert!(tail >= 25);
                for (at, len) in [(0, 262_144), (262_144, 100_000), (362_144, 300_000)] {
                    let read = file.read_cold(at, len).await.unwrap();
                    assert!(read == content[at as usize..at as usize + len], "{at}");
                }
                // The advice is taken by a kernel worker.
                let mut tries = 0;
                while file.resident_pages(0, 600_000) != Some(0) {
                    tries += 1;
                    assert!(tries < 1000, "uncached {uncached}: {:?} pages stay", file.resident_pages(0, 600_000));
                    runtime::sleep(Duration::from_millis(5)).await;
                }
                assert_eq!(file.resident_pages(900_000, 100_000), Some(tail), "the tail stays");
                let end = file.read_cold(800_000, 1 << 20).await.unwrap();
                assert!(end == content[800_000..], "short at the end of the file");
                assert_eq!(file.resident_pages(900_000, 100_000), Some(tail), "the tail stays, also when it is read");
            }
        });
    }

    #[test]
    fn a_small_read_that_finds_nothing_leaves_nothing() {
        block_on_test(async {
            let (_dir, file, content) = cold_file(1 << 20);
            let read = file.read_into(Buffer::with_capacity(5000), 70_000, 5000, ColdBytes::PassThrough).await.unwrap();
            assert_eq!(read.freeze(), content[70_000..75_000]);
            if file.device().uncached_reads() {
                assert!(file.resident_pages(0, 1 << 20).unwrap() < 40, "{:?}", file.resident_pages(0, 1 << 20));
            }
            assert_eq!(file.read(70_000, 5000).await.unwrap(), content[70_000..75_000]);
            assert!(file.resident_pages(70_000, 5000).unwrap() > 0, "an ordinary read stays");
        });
    }
}
