//! Space that is held for the time when the disk is full: retention needs a little to roll and rename, and the metadata
//! log to take the change that frees more. A file in the log directory holds it; Apache Kafka passes it over.

use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::Path;

/// Its name.
pub const RESERVE: &str = ".corelog-reserve";
const RESERVE_BYTES_MAX: u64 = 4 << 20;
/// Of the file system, where that is less.
const RESERVE_PART: u64 = 64;
/// What is written to prove that the device takes it.
const PROOF_BYTES: usize = 4096;

/// Holds the reserve of a log directory, if twice as much is free: else what is written next finds the disk full again.
/// Blocking.
///
/// # Errors
/// ENOSPC or EDQUOT where there is not enough; nothing is held then.
pub fn hold(dir: &Path) -> io::Result<()> {
    let (_, total) = fs::free_and_total_bytes(dir)?;
    let bytes = (total / RESERVE_PART).min(RESERVE_BYTES_MAX);
    let path = dir.join(RESERVE);
    let held = File::open(&path, OpenMode::Create).and_then(|file| {
        file.set_len(2 * bytes)?;
        file.preallocate(0, 2 * bytes)?;
        file.set_len(bytes)
    });
    if held.is_err() {
        fs::remove_file(&path)?;
    }
    held
}

/// Holds the reserve and proves that the device takes what is written: it may have said that it is full while it failed.
/// Blocking.
///
/// # Errors
/// As [`hold`]; those of the sync say that the device has failed.
pub fn hold_proved(dir: &Path) -> io::Result<()> {
    hold(dir)?;
    let path = dir.join(RESERVE);
    let proved = File::open(&path, OpenMode::ReadWrite).and_then(|file| {
        file.write_at(&[0; PROOF_BYTES], 0)?;
        file.sync_data()
    });
    if proved.is_err() {
        fs::remove_file(&path)?;
    }
    proved
}

/// Gives it up. Blocking.
pub fn release(dir: &Path) -> io::Result<()> {
    fs::remove_file(&dir.join(RESERVE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{errno, fault};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_device_that_cannot_sync_is_not_full_but_failed() {
        for code in [libc::ENOSPC, libc::EDQUOT, libc::EIO] {
            let dir = tempfile::tempdir().unwrap();
            fault::inject(dir.path(), fault::Op::Sync, code, 1);
            hold(dir.path()).unwrap();
            let error = hold_proved(dir.path()).unwrap_err();
            assert!(!errno::is_disk_full(&error), "{error}");
            assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "it is given up");
            hold_proved(dir.path()).unwrap();
        }
    }

    #[test]
    fn blocks_are_held_and_given_up() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            hold(dir.path()).unwrap();
            let meta = std::fs::metadata(dir.path().join(RESERVE)).unwrap();
            assert!(meta.len() > 0 && meta.len() <= RESERVE_BYTES_MAX);
            assert!(meta.blocks() * 512 >= meta.len(), "{} blocks for {} bytes", meta.blocks(), meta.len());
        }
        release(dir.path()).unwrap();
        release(dir.path()).unwrap();
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    }
}
