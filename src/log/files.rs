//! Names of the files in a partition's directory, and the small ones among them.

use crate::base::{Offset, Uuid};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a file named after an offset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `.log`
    Log,
    /// `.index`
    OffsetIndex,
    /// `.timeindex`
    TimeIndex,
    /// `.txnindex`
    TxnIndex,
    /// `.snapshot`
    Snapshot,
}

impl FileKind {
    /// The file name's ending, dot included.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TxnIndex => ".txnindex",
            Self::Snapshot => ".snapshot",
        }
    }

    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TxnIndex, Self::Snapshot];

    /// The path of the file of this kind for `offset`: twenty digits and the ending.
    pub fn path(self, dir: &Path, offset: Offset) -> PathBuf {
        dir.join(format!("{:020}{}", offset.0, self.suffix()))
    }

    /// Reads a name made by [`Self::path`].
    pub fn parse(name: &str) -> Option<(Self, Offset)> {
        let (digits, _) = name.split_once('.')?;
        let kind = Self::ALL.into_iter().find(|k| name[digits.len()..] == *k.suffix())?;
        let valid = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
        valid.then(|| digits.parse().ok().map(|offset| (kind, Offset(offset))))?
    }
}

/// Waiting to be deleted.
pub const DELETED_SUFFIX: &str = ".deleted";
/// The cleaner's unfinished work.
pub const CLEANED_SUFFIX: &str = ".cleaned";
/// The cleaner's finished work, about to take its place.
pub const SWAP_SUFFIX: &str = ".swap";
/// Which leader wrote from which offset on.
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// The partition's topic id.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// Writes `partition.metadata` (`PartitionMetadataFile`). Blocking. Not made durable: the log's first flush does that,
/// so that a thousand partitions are created without as many fsyncs. Where a power cut comes first, the metadata says
/// whose the directory is ([`is_partition_metadata_lost`]).
pub fn write_partition_metadata(dir: &Path, topic_id: Uuid) -> io::Result<()> {
    fs::write_replacing(&dir.join(PARTITION_METADATA), partition_metadata(topic_id).as_bytes())
}

/// The same, and made durable.
pub fn restore_partition_metadata(dir: &Path, topic_id: Uuid) -> io::Result<()> {
    fs::write_atomic(&dir.join(PARTITION_METADATA), partition_metadata(topic_id).as_bytes())
}

fn partition_metadata(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}\n")
}

/// True when `partition.metadata` is there with nothing in it: a power cut came before it was flushed. Blocking.
pub fn is_partition_metadata_lost(dir: &Path) -> io::Result<bool> {
    match fs::read(&dir.join(PARTITION_METADATA)) {
        Ok(bytes) => Ok(bytes.iter().all(|b| *b == 0)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Reads `partition.metadata`; `None` when there is none, or a power cut left it empty. Blocking.
///
/// # Errors
/// `InvalidData` when the file is not as Kafka writes it.
pub fn read_partition_metadata(dir: &Path) -> io::Result<Option<Uuid>> {
    let path = dir.join(PARTITION_METADATA);
    let text = match fs::read(&path) {
        Ok(bytes) if bytes.iter().all(|b| *b == 0) => return Ok(None),
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut lines = text.lines();
    let version = lines.next().and_then(|l| l.strip_prefix("version: "));
    let id = lines.next().and_then(|l| l.strip_prefix("topic_id: ")).and_then(Uuid::parse);
    match (version, id) {
        (Some("0"), Some(id)) if !id.is_zero() => Ok(Some(id)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is malformed", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for kind in FileKind::ALL {
            let path = kind.path(Path::new("/d"), Offset(42));
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(FileKind::parse(name), Some((kind, Offset(42))), "{name}");
        }
        for other in
            ["00000000000000000042.log.swap", "42.log", "leader-epoch-checkpoint", "x.log", "", "00000000000000000042"]
        {
            assert_eq!(FileKind::parse(other), None, "{other}");
        }
    }

    #[test]
    fn partition_metadata_is_kafkas_text() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_partition_metadata(dir.path()).unwrap(), None);
        let id = Uuid::parse("MkU3OEVBNTcwNTJENDM2Qg").unwrap();
        write_partition_metadata(dir.path(), id).unwrap();
        assert_eq!(read_partition_metadata(dir.path()).unwrap(), Some(id));
        std::fs::write(dir.path().join(PARTITION_METADATA), "version: 0\n").unwrap();
        assert!(read_partition_metadata(dir.path()).is_err());
    }
}
