//! Reading and writing what is used once (compaction) and shall leave the page cache as it was. Blocking.

use super::errno;
use super::file::{File, RWF_DONTCACHE};
use std::io;

impl File {
    /// [`File::read_at`]; what had to be read from the disk does not stay in the page cache, where the kernel can do
    /// that.
    pub fn read_at_passing(&self, buffer: &mut [u8], pos: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() && self.device().uncached_reads() {
            let rest = &mut buffer[done..];
            let iovec = libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() };
            let at = (pos + done as u64) as i64;
            // SAFETY: the one vector describes `rest`, which outlives the call.
            let n = unsafe { libc::preadv2(self.fd(), &raw const iovec, 1, at, RWF_DONTCACHE) };
            match errno::of_call(n) {
                Ok(0) => return Ok(done),
                Ok(n) => done += n,
                Err(e) if errno::is_passing(&e) => {}
                Err(e) if errno::is_unsupported(&e) => self.device().no_uncached_reads(),
                Err(e) => return Err(e),
            }
        }
        Ok(done + self.read_at(&mut buffer[done..], pos + done as u64)?)
    }

    /// [`File::write_at`]; the bytes go to the device soon and leave the page cache, where the kernel can do that.
    pub fn write_at_passing(&self, bytes: &[u8], pos: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() && self.device().uncached_reads() {
            let rest = &bytes[done..];
            let iovec = libc::iovec { iov_base: rest.as_ptr().cast_mut().cast(), iov_len: rest.len() };
            let at = (pos + done as u64) as i64;
            // SAFETY: the one vector describes `rest`, which outlives the call and is only read.
            let n = unsafe { libc::pwritev2(self.fd(), &raw const iovec, 1, at, RWF_DONTCACHE) };
            match errno::of_call(n) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(e) if errno::is_passing(&e) => {}
                Err(e) if errno::is_unsupported(&e) => self.device().no_uncached_reads(),
                Err(e) => return Err(e),
            }
        }
        self.write_at(&bytes[done..], pos + done as u64)
    }

    /// Lets go of what the page cache holds of the file, as far as it is on the device.
    pub fn forget_cached(&self) {
        // SAFETY: takes plain numbers; it is advice, and what became of it does not matter.
        unsafe { libc::posix_fadvise(self.fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use crate::ring::file::{File, OpenMode};

    #[test]
    fn bytes_go_there_and_back_and_leave_the_page_cache() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::open(&dir.path().join("f"), OpenMode::CreateNew).unwrap();
        let bytes: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
        file.write_at_passing(&bytes[..100_000], 0).unwrap();
        file.write_at_passing(&bytes[100_000..], 100_000).unwrap();
        file.sync_data().unwrap();
        file.forget_cached();
        let mut read = vec![0; 400_000];
        assert_eq!(file.read_at_passing(&mut read, 0).unwrap(), bytes.len());
        assert_eq!(&read[..bytes.len()], &bytes);
        assert_eq!(file.read_at_passing(&mut read[..10], 299_995).unwrap(), 5);
    }
}
