//! The checkpoint files in a log directory's root (`OffsetCheckpointFile`): one offset per partition, as text.

use crate::base::{Offset, TopicPartition};
use crate::ring::fs;
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// Up to where each log is on the device.
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// Where each log begins, if later than its first segment.
pub const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// High watermarks.
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// Up to where the cleaner came.
pub const CLEANED: &str = "cleaner-offset-checkpoint";

/// The content of one of these files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCheckpoint {
    offsets: HashMap<TopicPartition, Offset>,
}

impl OffsetCheckpoint {
    /// The offset of a partition.
    pub fn get(&self, partition: &TopicPartition) -> Option<Offset> {
        self.offsets.get(partition).copied()
    }

    /// Sets the offset of a partition.
    pub fn set(&mut self, partition: TopicPartition, offset: Offset) {
        self.offsets.insert(partition, offset);
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicPartition, Offset)> {
        self.offsets.iter().map(|(partition, offset)| (partition, *offset))
    }

    /// Forgets a partition.
    pub fn remove(&mut self, partition: &TopicPartition) {
        self.offsets.remove(partition);
    }

    /// How many partitions it has.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// True when it has none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// A version line, a count line, `topic partition offset` lines, sorted.
    pub fn encode(&self) -> String {
        let mut lines: Vec<_> = self.offsets.iter().collect();
        lines.sort();
        let mut out = format!("0\n{}\n", lines.len());
        for (partition, offset) in lines {
            out.push_str(&format!("{} {} {offset}\n", partition.topic, partition.partition));
        }
        out
    }

    /// Reads the text; `None` when it is malformed.
    pub fn decode(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()?.trim() != "0" {
            return None;
        }
        let count: usize = lines.next()?.trim().parse().ok()?;
        let mut checkpoint = Self::default();
        for line in lines.filter(|l| !l.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let (topic, partition, offset) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            checkpoint.set(TopicPartition::new(topic, partition), Offset(offset));
        }
        (checkpoint.len() == count).then_some(checkpoint)
    }

    /// Reads the file `name` in `dir`. None there is an empty one; a malformed one is reported and counts as empty:
    /// recovery then looks at more than it had to. Blocking.
    pub fn read(dir: &Path, name: &str) -> io::Result<Self> {
        let path = dir.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e),
        };
        if bytes.is_empty() {
            return Ok(Self::default()); // as Kafka creates them
        }
        Ok(Self::decode(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|| {
            tracing::warn!("{} is malformed and is left aside", path.display());
            Self::default()
        }))
    }

    /// Writes the file `name` in `dir`: temporary file, fsync, rename, fsync of the directory. Blocking.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        fs::write_atomic(&dir.join(name), self.encode().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_there_and_back_and_nonsense_is_refused() {
        let mut checkpoint = OffsetCheckpoint::default();
        checkpoint.set(TopicPartition::new("b", 1), Offset(7));
        checkpoint.set(TopicPartition::new("a", 10), Offset(0));
        assert_eq!(checkpoint.encode(), "0\n2\na 10 0\nb 1 7\n");
        assert_eq!(OffsetCheckpoint::decode(&checkpoint.encode()), Some(checkpoint));
        for bad in ["", "1\n0\n", "0\n1\n", "0\n1\na b 3\n", "0\n1\na 3\n", "0\n-1\n"] {
            assert_eq!(OffsetCheckpoint::decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_missing_or_malformed_file_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(OffsetCheckpoint::read(dir.path(), LOG_STARTS).unwrap().is_empty());
        std::fs::write(dir.path().join(LOG_STARTS), "0\n5\n").unwrap();
        assert!(OffsetCheckpoint::read(dir.path(), LOG_STARTS).unwrap().is_empty());
        let mut checkpoint = OffsetCheckpoint::default();
        checkpoint.set(TopicPartition::new("a", 0), Offset(3));
        checkpoint.write(dir.path(), LOG_STARTS).unwrap();
        assert_eq!(OffsetCheckpoint::read(dir.path(), LOG_STARTS).unwrap(), checkpoint);
    }
}
