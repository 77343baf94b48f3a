//! Directories, small files, locks: blocking calls, for the blocking pool, recovery threads, start and stop.

use super::errno;
use super::patience::{while_held, while_scarce};
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use nix::sys::statfs;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What is mounted where a path lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FsKind {
    /// XFS, recommended.
    Xfs,
    /// ext4 (ext2 and ext3 say the same of themselves).
    Ext4,
    /// Memory.
    Tmpfs,
    /// Any other, by name or magic number.
    Other(String),
}

impl std::fmt::Display for FsKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Xfs => "xfs",
            Self::Ext4 => "ext4",
            Self::Tmpfs => "tmpfs",
            Self::Other(name) => name,
        })
    }
}

impl FsKind {
    pub(crate) fn from_statfs(stat: &statfs::Statfs) -> Self {
        match stat.filesystem_type() {
            statfs::XFS_SUPER_MAGIC => Self::Xfs,
            statfs::EXT4_SUPER_MAGIC => Self::Ext4,
            statfs::TMPFS_MAGIC => Self::Tmpfs,
            statfs::BTRFS_SUPER_MAGIC => Self::Other("btrfs".into()),
            statfs::OVERLAYFS_SUPER_MAGIC => Self::Other("overlayfs".into()),
            statfs::NFS_SUPER_MAGIC => Self::Other("nfs".into()),
            other => Self::Other(format!("file system 0x{:x}", other.0)),
        }
    }
}

/// The kind of the file system on which `path` (which exists) lies.
pub fn fs_kind(path: &Path) -> io::Result<FsKind> {
    Ok(FsKind::from_statfs(&statfs::statfs(path)?))
}

/// Bytes free for this process and bytes in all, of the file system on which `path` lies.
pub fn free_and_total_bytes(path: &Path) -> io::Result<(u64, u64)> {
    let stat = statfs::statfs(path)?;
    let block = stat.block_size() as u64;
    Ok((stat.blocks_available() * block, stat.blocks() * block))
}

/// A whole file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    while_scarce(|| fs::read(path))
}

/// Replaces a file so that a crash leaves the old or the new one: `<path>.tmp`, fsync, rename, fsync of the directory.
pub fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let mut file = while_scarce(|| fs::File::create(&temporary))?;
    file.write_all(content)?;
    errno::of_sync(file.sync_all())?;
    drop(file);
    fs::rename(&temporary, path)?;
    sync_dir(parent(path))
}

/// Replaces a file so that a reader, or the next start of the process, finds the old or the new one. Nothing is made
/// durable: that is left to [`sync_file`] and [`sync_dir`].
pub fn write_replacing(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    while_scarce(|| fs::File::create(&temporary))?.write_all(content)?;
    fs::rename(&temporary, path)
}

/// Makes a file's content durable.
pub fn sync_file(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    errno::of_sync(super::fault::check(path, super::fault::Op::Sync))?;
    errno::of_sync(while_scarce(|| fs::File::open(path))?.sync_data())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates a directory and its missing parents, and makes the new entries durable.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    if above != path {
        create_dir_all(above)?;
    }
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(e),
        Ok(()) => sync_dir(above),
    }
}

/// Creates one directory, whose parent exists. Not made durable: sync the parent for that. True when it was not there.
pub fn create_dir(path: &Path) -> io::Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(e) => Err(e),
    }
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name without its path. Entries whose names are no UTF-8 are left out: Kafka never writes such.
    pub name: String,
    /// Whether it is a directory (links are followed).
    pub is_dir: bool,
    /// Bytes.
    pub len: u64,
    /// Last modification, milliseconds since 1970.
    pub mtime_ms: i64,
}

/// The entries of a directory, by name. One that vanishes while we look is left out.
pub fn read_dir(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in while_scarce(|| fs::read_dir(path))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let meta = match fs::metadata(entry.path()) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        entries.push(DirEntry { name, is_dir: meta.is_dir(), len: meta.len(), mtime_ms: mtime_of(&meta) });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn mtime_of(meta: &fs::Metadata) -> i64 {
    meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_millis() as i64)
}

/// Last modification, milliseconds since 1970.
pub fn mtime_ms(path: &Path) -> io::Result<i64> {
    Ok(mtime_of(&fs::metadata(path)?))
}

/// Sets when a file was last modified, in milliseconds since 1970.
pub fn set_mtime_ms(path: &Path, mtime_ms: i64) -> io::Result<()> {
    let at = UNIX_EPOCH + std::time::Duration::from_millis(u64::try_from(mtime_ms).unwrap_or(0));
    while_scarce(|| fs::File::options().write(true).open(path))?.set_modified(at)
}

/// Renames, and makes the change durable in both directories.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(parent(to))?;
    if parent(from) != parent(to) { sync_dir(parent(from)) } else { Ok(()) }
}

/// Renames; a power cut may undo it.
pub fn rename_unsynced(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file. That it is not there is no error.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes a directory with all in it. That it is not there is no error.
pub fn remove_dir_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a directory's entries durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    errno::of_sync(super::fault::check(path, super::fault::Op::Sync))?;
    errno::of_sync(while_scarce(|| fs::File::open(path))?.sync_all())
}

/// Whether something is there.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// The path from the root on, links and dots as they are.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The path without links and dots.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// A locked file; unlocked on drop, and by the kernel when the process ends.
#[derive(Debug)]
pub struct Lock(Flock<fs::File>);

impl Lock {
    /// Makes everything on the locked file's file system durable with one call: cheaper than syncing thousands of
    /// files. Blocking.
    ///
    /// # Errors
    /// Also those of writing back any file there since the lock was taken.
    pub fn sync_file_system(&self) -> io::Result<()> {
        errno::of_sync(nix::unistd::syncfs(&*self.0).map_err(io::Error::from))
    }
}

/// Locks a file (created if need be) for this process alone, as Kafka locks `.lock` of each log dir.
///
/// Waits a few seconds for a holder that is just being killed. Blocking.
///
/// # Errors
/// `WouldBlock` when another process holds it.
pub fn lock(path: &Path) -> io::Result<Lock> {
    while_held(io::ErrorKind::WouldBlock, || lock_now(path))
}

fn lock_now(path: &Path) -> io::Result<Lock> {
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    // Java locks with POSIX record locks, which flock does not see; a lock of the open file description meets both.
    let whole =
        libc::flock { l_type: libc::F_WRLCK as _, l_whence: libc::SEEK_SET as _, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)).map_err(|errno| match errno {
        nix::errno::Errno::EACCES => io::ErrorKind::WouldBlock.into(),
        other => io::Error::from(other),
    })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map(Lock).map_err(|(_, errno)| errno.into())
}

/// Whether some process holds the lock of a file, as [`lock`] or Java takes it. Nothing is created or taken.
pub fn is_locked(path: &Path) -> io::Result<bool> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    let mut whole =
        libc::flock { l_type: libc::F_WRLCK as _, l_whence: libc::SEEK_SET as _, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut whole))?;
    Ok(whole.l_type != libc::F_UNLCK as libc::c_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoint");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"2").unwrap();
        assert_eq!(read(&path).unwrap(), b"2");
        let names: Vec<_> = read_dir(dir.path()).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["checkpoint"]);
    }

    #[test]
    fn the_second_lock_on_a_file_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let first = lock(&path).unwrap();
        assert_eq!(lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(is_locked(&path).unwrap());
        drop(first);
        assert!(!is_locked(&path).unwrap());
        assert!(!is_locked(&dir.path().join("none")).unwrap());
        lock(&path).unwrap();
    }

    #[test]
    fn removing_what_is_not_there_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        remove_file(&dir.path().join("none")).unwrap();
        remove_dir_all(&dir.path().join("none")).unwrap();
    }

    #[test]
    fn directories_are_created_with_their_parents() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        create_dir_all(&deep).unwrap();
        create_dir_all(&deep).unwrap();
        assert!(deep.is_dir());
    }
}
