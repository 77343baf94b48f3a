//! Files on their way out. They are renamed to `.deleted` at once and removed after `file.delete.delay.ms`, as Apache
//! Kafka does it: whoever has one open goes on reading, and whoever was about to open one still finds it. What a stop
//! leaves behind goes at the next start.

use super::files::{DELETED_SUFFIX, FileKind};
use crate::base::Offset;
use crate::ring::file::{File, OpenMode};
use crate::ring::{errno, fs, runtime};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What becomes of the producer snapshots at the segments' base offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// They go too: the log begins later now.
    Go,
    /// They stay: other segments take the place of these (compaction).
    Stay,
}

/// Renames the files of the segments with these base offsets to `.deleted`, and has them removed after `delay` by a
/// background task of the calling core. For retention, and for the cleaner once the segments it replaced have left the
/// log's list. A file that is not there is no error.
///
/// # Errors
/// Of a rename; segments before that one are on their way. A disk too full for a rename loses the file at once.
pub async fn delete_segments(
    dir: Arc<Path>,
    bases: Vec<Offset>,
    snapshots: Snapshots,
    delay: Duration,
) -> io::Result<()> {
    let renamed = runtime::blocking(move || rename_segments(&dir, &bases, snapshots)).await?;
    remove_after(renamed, delay);
    Ok(())
}

/// The blocking first half of [`delete_segments`], for who is on the blocking pool already; gives the new paths, for
/// [`remove_after`].
pub fn rename_segments(dir: &Path, bases: &[Offset], snapshots: Snapshots) -> io::Result<Vec<PathBuf>> {
    // The log file first: indexes without a segment are removed at the next start, should we not come further.
    let mut kinds = vec![FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex];
    if snapshots == Snapshots::Go {
        kinds.push(FileKind::Snapshot);
    }
    let mut renamed = Vec::new();
    for base in bases {
        for kind in &kinds {
            let path = kind.path(dir, *base);
            let to = deleted(&path);
            match fs::rename_unsynced(&path, &to) {
                Ok(()) => renamed.push(to),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) if errno::is_disk_full(&e) => fs::remove_file(&path)?,
                Err(e) => return Err(e),
            }
        }
    }
    Ok(renamed)
}

/// Removes files after `delay`, in the background of the calling core. That one is gone by then is no error.
pub fn remove_after(paths: Vec<PathBuf>, delay: Duration) {
    if paths.is_empty() {
        return;
    }
    runtime::spawn_background(async move {
        runtime::sleep(delay).await;
        if let Err(e) = runtime::blocking(move || paths.iter().try_for_each(|path| fs::remove_file(path))).await {
            tracing::warn!("files that were deleted remain until the next start: {e}");
        }
    })
    .detach();
}

/// Opens a segment's file for somebody who learned of it a moment ago: under its new name if it was deleted meanwhile.
/// Blocking.
pub(super) fn open_even_if_deleted(path: &Path, mode: OpenMode) -> io::Result<File> {
    match File::open(path, mode) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => File::open(&deleted(path), mode).map_err(|_| e),
        other => other,
    }
}

fn deleted(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(DELETED_SUFFIX);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::runtime::block_on_test;

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().into_iter().map(|e| e.name).collect()
    }

    fn two_segments() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for base in [Offset(0), Offset(7)] {
            for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::Snapshot] {
                std::fs::write(kind.path(dir.path(), base), kind.suffix()).unwrap();
            }
        }
        dir
    }

    #[test]
    fn files_are_renamed_at_once_and_removed_after_the_delay() {
        let dir = two_segments();
        block_on_test(async {
            let delay = Duration::from_millis(30);
            delete_segments(dir.path().into(), vec![Offset(0)], Snapshots::Go, delay).await.unwrap();
            let after = names(dir.path());
            assert_eq!(after.iter().filter(|n| n.ends_with(DELETED_SUFFIX)).count(), 4, "{after:?}");
            assert_eq!(after.iter().filter(|n| n.starts_with("00000000000000000007.")).count(), 4, "{after:?}");
            while names(dir.path()).len() > 4 {
                runtime::sleep(Duration::from_millis(2)).await;
            }
        });
        assert!(names(dir.path()).iter().all(|n| n.starts_with("00000000000000000007.")), "the other segment stays");
    }

    #[test]
    fn a_replaced_segment_leaves_its_snapshot() {
        let dir = two_segments();
        let renamed = rename_segments(dir.path(), &[Offset(0), Offset(7)], Snapshots::Stay).unwrap();
        assert_eq!(renamed.len(), 6);
        assert!(FileKind::Snapshot.path(dir.path(), Offset(0)).exists());
        assert_eq!(rename_segments(dir.path(), &[Offset(0)], Snapshots::Stay).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn who_comes_late_still_finds_the_file() {
        let dir = two_segments();
        let path = FileKind::Log.path(dir.path(), Offset(0));
        let held = File::open(&path, OpenMode::Read).unwrap();
        for renamed in rename_segments(dir.path(), &[Offset(0)], Snapshots::Go).unwrap() {
            if renamed == deleted(&path) {
                assert_eq!(open_even_if_deleted(&path, OpenMode::Read).unwrap().len().unwrap(), 4);
            }
            fs::remove_file(&renamed).unwrap();
        }
        assert_eq!(open_even_if_deleted(&path, OpenMode::Read).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(held.len().unwrap(), 4, "an open file stays readable");
    }
}
