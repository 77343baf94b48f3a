//! What this core's logs take up, for DescribeLogDirs.

use super::Shard;
use crate::base::TopicPartition;
use std::path::PathBuf;
use std::rc::Rc;

/// One log in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInDir {
    /// The directory.
    pub dir: PathBuf,
    /// The partition.
    pub name: TopicPartition,
    /// Bytes of its segments.
    pub bytes: u64,
    /// How far it lies behind: the copy of a move behind its log, a log behind its high watermark.
    pub offset_lag: i64,
    /// It is the copy of a move.
    pub is_future: bool,
}

impl Shard {
    /// The logs of this core, and the copies of those that move.
    pub fn logs_in_dirs(self: &Rc<Self>) -> Vec<LogInDir> {
        let mut all = Vec::new();
        for partition in self.open_partitions() {
            let high_watermark = partition.high_watermark();
            let (dir, bytes, end) = partition.with_log(|log| {
                let dir = log.dir().parent().map(PathBuf::from).unwrap_or_default();
                (dir, log.size_bytes(), log.end_offset())
            });
            let name = partition.name.clone();
            if let Some(moving) = self.move_of(&partition.id)
                && let Some(target) = self.shared.log_dirs.dirs().get(moving.target)
            {
                all.push(LogInDir {
                    dir: target.path().to_owned(),
                    name: name.clone(),
                    bytes: moving.bytes.get(),
                    offset_lag: end.since(moving.end.get()),
                    is_future: true,
                });
            }
            all.push(LogInDir { dir, name, bytes, offset_lag: high_watermark.since(end).max(0), is_future: false });
        }
        all
    }
}
