//! Files: positioned reads and writes, blocking for recovery and asynchronous for the shards.

use super::append::{AppendPath, Device};
use super::buffer::Buffer;
use super::errno;
use super::fs::FsKind;
use super::patience::while_scarce;
use super::process::limits;
use super::uring::{Core, Keep, Op, Owner, SendParts};
use bytes::Bytes;
use io_uring::squeue::Flags;
use io_uring::{opcode, types};
use nix::sys::statfs;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// `RWF_DONTCACHE` (Linux 6.14): what had to be read from the disk does not stay in the page cache; what is written goes
/// to the device at once.
pub(super) const RWF_DONTCACHE: i32 = 0x80;

/// Appends to a file of at least this size reserve blocks ahead ...
const RESERVE_FROM_BYTES: u64 = 4 << 20;
/// ... an eighth of its size, but no more than this: so much may lie behind the end of a closed segment until it is
/// deleted or cut.
const RESERVE_BYTES_MAX: u64 = 8 << 20;

/// Whether bytes read from the disk shall stay in the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColdBytes {
    /// Yes: they will be read again soon (indexes, batch headers).
    Keep,
    /// No: a consumer catching up reads them once, and what producers just wrote is worth more.
    PassThrough,
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing one, for reading.
    Read,
    /// An existing one, for reading and writing.
    ReadWrite,
    /// A new one, for reading and writing; an error if there is one.
    CreateNew,
    /// For reading and writing; created when there is none.
    Create,
}

/// Open now, in the whole process.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// How many [`File`]s are open in this process.
pub fn open_count() -> usize {
    OPEN.load(Ordering::Relaxed)
}

/// One of [`open_count`].
struct Counted;

impl Counted {
    fn new() -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Inner {
    file: fs::File,
    _counted: Counted,
    device: Arc<Device>,
    /// Where the blocks reserved for appends end.
    reserved_to: AtomicU64,
    /// See [`File::cuts`].
    cuts: AtomicU64,
    /// See [`File::distrust`].
    distrusted: AtomicBool,
    /// For faults.
    #[cfg(test)]
    path: std::path::PathBuf,
}

impl Inner {
    fn new(file: fs::File, device: Arc<Device>, #[cfg(test)] path: &Path) -> Self {
        Self {
            file,
            _counted: Counted::new(),
            device,
            reserved_to: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            distrusted: AtomicBool::new(false),
            #[cfg(test)]
            path: path.to_owned(),
        }
    }
}

/// An open file, shared between cores; it stays open while a clone lives or an operation is in flight.
#[derive(Clone)]
pub struct File(Arc<Inner>);

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({})", self.0.file.as_raw_fd())
    }
}

impl File {
    /// Opens a file. Blocking.
    pub fn open(path: &Path, mode: OpenMode) -> io::Result<Self> {
        let mut options = fs::OpenOptions::new();
        match mode {
            OpenMode::Read => options.read(true),
            OpenMode::ReadWrite => options.read(true).write(true),
            OpenMode::CreateNew => options.read(true).write(true).create_new(true),
            OpenMode::Create => options.read(true).write(true).create(true).truncate(false),
        };
        let file = while_scarce(|| options.open(path))?;
        let dev = file.metadata()?.dev();
        let kind = || statfs::fstatfs(&file).map_or(FsKind::Other("unknown".into()), |stat| FsKind::from_statfs(&stat));
        let device = Device::of(dev, kind);
        Ok(Self(Arc::new(Inner::new(
            file,
            device,
            #[cfg(test)]
            path,
        ))))
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.file.as_raw_fd()
    }

    pub(super) fn device(&self) -> &Device {
        &self.0.device
    }

    pub(super) fn owner(&self) -> Owner {
        Owner::file(self.0.clone())
    }

    /// Bytes. Blocking, but never for long.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.0.file.metadata()?.len())
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends (with a hole). Blocking.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.cuts.fetch_add(1, Ordering::Release);
        self.0.file.set_len(len)
    }

    /// Changes whenever bytes that were there may have been replaced by others.
    pub(super) fn cuts(&self) -> u64 {
        self.0.cuts.load(Ordering::Acquire)
    }

    /// A range of it could not be read while it was sent.
    pub(super) fn distrust(&self) {
        self.0.distrusted.store(true, Ordering::Release);
    }

    /// Whether that ever happened.
    pub(super) fn is_distrusted(&self) -> bool {
        self.0.distrusted.load(Ordering::Acquire)
    }

    /// Whether both are the same open file.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// `fdatasync`. Blocking.
    ///
    /// # Errors
    /// As those of [`Self::fdatasync`].
    pub fn sync_data(&self) -> io::Result<()> {
        #[cfg(test)]
        errno::of_sync(super::fault::check(&self.0.path, super::fault::Op::Sync))?;
        errno::of_sync(self.0.file.sync_data())
    }

    /// Fills `buffer` from `pos`; the number of bytes is short only at the end of the file. Blocking.
    pub fn read_at(&self, buffer: &mut [u8], pos: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.file.read_at(&mut buffer[done..], pos + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `pos`. Blocking.
    pub fn write_at(&self, bytes: &[u8], pos: u64) -> io::Result<()> {
        self.0.file.write_all_at(bytes, pos)
    }

    /// Reserves blocks for `len` bytes from `pos` without changing the length. Blocking, but fast on ext4 and XFS.
    /// A file system that cannot do it is no error.
    pub fn preallocate(&self, pos: u64, len: u64) -> io::Result<()> {
        use nix::fcntl::{FallocateFlags, fallocate};
        let Ok((pos, len)) = i64::try_from(pos).and_then(|pos| Ok((pos, i64::try_from(len)?))) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        match fallocate(&self.0.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, pos, len) {
            Err(nix::errno::Errno::EOPNOTSUPP | nix::errno::Errno::ENOSYS) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Writes all of `parts` at `pos`, one behind the other, on the path chosen for the device ([`AppendPath`]).
    /// Short writes, EINTR and EAGAIN are continued.
    ///
    /// # Errors
    /// Of the write; some of the bytes may have been written. [`errno::is_disk_full`] tells a full disk.
    pub async fn write_vectored(&self, parts: Vec<Bytes>, mut pos: u64) -> io::Result<()> {
        #[cfg(test)]
        super::fault::check(&self.0.path, super::fault::Op::Write)?;
        let mut parts = parts;
        parts.retain(|part| !part.is_empty());
        while !parts.is_empty() {
            let begun = super::clock::mono();
            let core = Core::try_with(Clone::clone);
            let (result, vectors) = match (self.0.device.path(begun), core) {
                (AppendPath::Ring, Some(core)) => {
                    let vectors = SendParts::new(parts);
                    let iovecs = vectors.iovecs();
                    let entry = opcode::Writev::new(types::Fd(self.fd()), iovecs.as_ptr(), iovecs.len() as u32);
                    let op = Op::new(&core, entry.offset(pos).build(), Keep::Parts(vectors), self.owner());
                    match op.await {
                        (result, Keep::Parts(vectors)) => (errno::of(result), vectors),
                        _ => return Err(io::ErrorKind::Interrupted.into()),
                    }
                }
                _ => {
                    let vectors = SendParts::new(parts);
                    let waits = self.0.device.is_watched(begun).then(limits::thread_waits);
                    if self.0.device.reserves_blocks {
                        self.reserve_ahead(pos, vectors.len());
                    }
                    let result = self.plain_write(&vectors, pos);
                    let waited = || waits.map(|before| limits::thread_waits() != before);
                    self.0.device.plain_write_took(begun, super::clock::mono(), waited);
                    (result, vectors)
                }
            };
            let done = match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(done) => done,
                Err(e) if errno::is_passing(&e) => 0,
                Err(e) => return Err(e),
            };
            pos += done as u64;
            parts = vectors.rest(done);
        }
        Ok(())
    }

    /// Before an append of `len` bytes at `pos`: sees to it that its blocks are reserved.
    fn reserve_ahead(&self, pos: u64, len: usize) {
        let end = pos + len as u64;
        if end < RESERVE_FROM_BYTES || end <= self.0.reserved_to.load(Ordering::Relaxed) {
            return;
        }
        let ahead = (end / 8).min(RESERVE_BYTES_MAX);
        // Where that fails (a full disk) the write itself decides, and no more is tried.
        let reserved = self.preallocate(pos, len as u64 + ahead).map_or(u64::MAX, |()| end + ahead);
        self.0.reserved_to.store(reserved, Ordering::Relaxed);
    }

    fn plain_write(&self, vectors: &SendParts, pos: u64) -> io::Result<usize> {
        // It may take long: who waits for this core's turn to end does not wait for it.
        Core::try_with(|core| core.ring_others());
        let iovecs = vectors.iovecs();
        // SAFETY: the vectors point into `parts`, which `vectors` owns and which outlives the call.
        let n = unsafe { libc::pwritev(self.fd(), iovecs.as_ptr(), iovecs.len() as i32, pos as i64) };
        errno::of_call(n)
    }

    /// Reads `len` bytes from `pos`, fewer only at the end of the file. Bytes in the page cache are copied at
    /// once; what is not there is read through the ring, so that the shard does not wait for the disk.
    pub async fn read(&self, pos: u64, len: usize) -> io::Result<Bytes> {
        if let Some(bytes) = super::ahead::peek(self, pos, len) {
            return Ok(bytes);
        }
        let mut buffer = Buffer::with_capacity(len);
        buffer = self.read_into(buffer, pos, len, ColdBytes::Keep).await?;
        Ok(buffer.freeze())
    }

    /// [`Self::read`] behind what `buffer` holds already; it has room for `len` more.
    pub(crate) async fn read_into(
        &self,
        mut buffer: Buffer,
        pos: u64,
        len: usize,
        cold: ColdBytes,
    ) -> io::Result<Buffer> {
        let mut done = 0;
        if len > 0 {
            match self.read_resident(&mut buffer, pos, len, cold) {
                Ok(n) => done = n,
                Err(e) if errno::is_passing(&e) || errno::is_unsupported(&e) => {}
                Err(e) => return Err(e),
            }
        }
        let Some(core) = Core::try_with(Clone::clone) else {
            return self.read_blocking(buffer, pos + done as u64, len - done);
        };
        let uncached = cold == ColdBytes::PassThrough;
        self.read_by_ring(&core, buffer, pos + done as u64, len - done, uncached, Flags::empty()).await
    }

    /// Reads behind what `buffer` holds; `uncached` where the device can, with `flags` on the ring's entry.
    pub(super) async fn read_by_ring(
        &self,
        core: &Rc<Core>,
        mut buffer: Buffer,
        mut pos: u64,
        len: usize,
        uncached: bool,
        flags: Flags,
    ) -> io::Result<Buffer> {
        let end = pos + len as u64;
        while pos < end {
            let (room, spare) = buffer.spare();
            let want = spare.min((end - pos) as usize) as u32;
            let uncached = uncached && self.0.device.uncached_reads();
            let rw_flags = if uncached { RWF_DONTCACHE } else { 0 };
            let read = opcode::Read::new(types::Fd(self.fd()), room, want).offset(pos);
            let entry = read.rw_flags(rw_flags).build().flags(flags);
            let (result, keep) = Op::new(core, entry, Keep::Buffer(buffer), self.owner()).await;
            let Keep::Buffer(returned) = keep else { return Err(io::ErrorKind::Interrupted.into()) };
            buffer = returned;
            match errno::of(result) {
                Ok(0) => break,
                Ok(n) => {
                    // SAFETY: the kernel wrote `n` bytes into the spare room it was given.
                    unsafe { buffer.filled(n) };
                    pos += n as u64;
                }
                Err(e) if errno::is_passing(&e) => {}
                Err(e) if uncached && errno::is_unsupported(&e) => self.0.device.no_uncached_reads(),
                Err(e) => return Err(e),
            }
        }
        Ok(buffer)
    }

    /// Copies what of the range is in the page cache, from its beginning, without waiting for the disk. Zero
    /// bytes are "not there" or the end of the file.
    pub(super) fn read_resident(
        &self,
        buffer: &mut Buffer,
        pos: u64,
        len: usize,
        cold: ColdBytes,
    ) -> io::Result<usize> {
        // A try that finds nothing has the kernel begin to read: what then comes shall not stay either.
        let uncached = cold == ColdBytes::PassThrough && self.0.device.uncached_reads();
        let flags = libc::RWF_NOWAIT | if uncached { RWF_DONTCACHE } else { 0 };
        let (room, spare) = buffer.spare();
        let iovec = libc::iovec { iov_base: room.cast(), iov_len: len.min(spare) };
        // SAFETY: the one vector describes the buffer's own spare room.
        let n = unsafe { libc::preadv2(self.fd(), &raw const iovec, 1, pos as i64, flags) };
        let n = errno::of_call(n)?;
        // SAFETY: the kernel wrote `n` bytes into the spare room.
        unsafe { buffer.filled(n) };
        Ok(n)
    }

    pub(super) fn read_blocking(&self, mut buffer: Buffer, pos: u64, len: usize) -> io::Result<Buffer> {
        let mut bytes = vec![0; len];
        let n = self.read_at(&mut bytes, pos)?;
        buffer.extend(&bytes[..n]);
        Ok(buffer)
    }

    /// `fdatasync` through the ring: the shard goes on meanwhile.
    ///
    /// # Errors
    /// After an error the bytes may be lost although a second try succeeds: the log dir must be given up. None of them
    /// is [`errno::is_disk_full`].
    pub async fn fdatasync(&self) -> io::Result<()> {
        #[cfg(test)]
        errno::of_sync(super::fault::check(&self.0.path, super::fault::Op::Sync))?;
        let Some(core) = Core::try_with(Clone::clone) else { return self.sync_data() };
        loop {
            let entry = opcode::Fsync::new(types::Fd(self.fd())).flags(types::FsyncFlags::DATASYNC).build();
            let (result, _) = Op::new(&core, entry, Keep::Nothing, self.owner()).await;
            match errno::of(result) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return errno::of_sync(Err(e)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::runtime::block_on_test;

    impl File {
        /// The same file on a device of which nothing is known yet.
        pub(crate) fn on_device_of_its_own(self) -> Self {
            let inner = Arc::try_unwrap(self.0).ok().unwrap();
            let device = Arc::new(Device::with_path(AppendPath::Plain));
            Self(Arc::new(Inner::new(inner.file, device, &inner.path)))
        }
    }

    fn new_file() -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        let file = File::open(&dir.path().join("f"), OpenMode::CreateNew).unwrap();
        (dir, file)
    }

    #[test]
    fn parts_are_written_one_behind_the_other_and_read_back() {
        block_on_test(async {
            let (_dir, file) = new_file();
            let parts: Vec<_> = (0..3000_u32).map(|n| Bytes::from(n.to_be_bytes().to_vec())).collect();
            let whole = parts.concat();
            file.write_vectored(parts, 5).await.unwrap();
            assert_eq!(file.len().unwrap(), 5 + whole.len() as u64);
            assert_eq!(file.read(5, whole.len()).await.unwrap(), whole);
        });
    }

    #[test]
    fn the_ring_and_the_plain_path_write_the_same() {
        block_on_test(async {
            for path in [AppendPath::Ring, AppendPath::Plain] {
                let (_dir, file) = new_file();
                let inner = Arc::try_unwrap(file.0).ok().unwrap();
                let device = Arc::new(Device::with_path(path));
                let file = File(Arc::new(Inner::new(inner.file, device, &inner.path)));
                file.write_vectored(vec![Bytes::from_static(b"one "), Bytes::new(), Bytes::from_static(b"two")], 0)
                    .await
                    .unwrap();
                assert_eq!(&file.read(0, 100).await.unwrap()[..], b"one two", "{path:?}");
                file.fdatasync().await.unwrap();
            }
        });
    }

    #[test]
    fn a_read_past_the_end_is_short() {
        block_on_test(async {
            let (_dir, file) = new_file();
            file.write_at(b"abc", 0).unwrap();
            assert_eq!(&file.read(1, 10).await.unwrap()[..], b"bc");
            assert!(file.read(3, 10).await.unwrap().is_empty());
        });
    }

    #[test]
    fn a_file_stays_open_while_an_operation_is_in_flight() {
        block_on_test(async {
            let (_dir, file) = new_file();
            file.write_at(b"abc", 0).unwrap();
            let pending = file.clone();
            let mut sync = Box::pin(async move { pending.fdatasync().await });
            assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(sync.as_mut().poll(cx).is_pending())).await);
            drop(file);
            sync.await.unwrap();
        });
    }

    #[test]
    fn dropping_a_read_in_flight_leaves_the_ring_usable() {
        block_on_test(async {
            let (_dir, file) = new_file();
            file.write_at(&[9; 4096], 0).unwrap();
            for _ in 0..100 {
                let mut sync = Box::pin(file.fdatasync());
                let _ = std::future::poll_fn(|cx| std::task::Poll::Ready(sync.as_mut().poll(cx).is_pending())).await;
                drop(sync);
            }
            assert_eq!(file.read(0, 4096).await.unwrap(), vec![9; 4096]);
        });
    }

    #[test]
    fn preallocated_blocks_do_not_change_the_length() {
        let (_dir, file) = new_file();
        file.preallocate(0, 1 << 20).unwrap();
        assert_eq!(file.len().unwrap(), 0);
    }

    #[test]
    fn files_work_without_a_runtime_too() {
        let (_dir, file) = new_file();
        let future = async {
            file.write_vectored(vec![Bytes::from_static(b"x")], 0).await.unwrap();
            file.read(0, 1).await.unwrap()
        };
        let mut future = Box::pin(future);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert_eq!(future.as_mut().poll(&mut cx), std::task::Poll::Ready(Bytes::from_static(b"x")));
    }

    use std::future::Future;
}
