//! DescribeLogDirs (key 35, v0-5): what lies in each log directory (KIP-113, KIP-827).

use super::RequestContext;
use super::reply::Close;
use crate::base::ErrorCode;
use crate::base::local::join_all;
use crate::protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use crate::protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::ring::{fs, runtime};
use crate::shard::{LogInDir, ShardIndex};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

/// metadata.version 4.3-IV0.
const CORDONS_VERSION: i16 = 30;

/// Which partitions are asked for; `None` is all.
type Wanted = Option<HashMap<String, HashSet<i32>>>;

/// Answers one request.
pub async fn handle(ctx: &RequestContext, request: DescribeLogDirsRequest) -> Result<DescribeLogDirsResponse, Close> {
    let shard = &ctx.shard;
    let mut wanted: Wanted = request.topics.as_ref().map(|_| HashMap::new());
    for topic in request.topics.iter().flatten() {
        let of_topic = wanted.get_or_insert_default().entry(topic.topic.to_string()).or_default();
        of_topic.extend(&topic.partitions);
    }
    let cores = (0..shard.shard_count()).map(ShardIndex);
    let asked = cores.map(|core| shard.call(core, |owner| async move { owner.logs_in_dirs() }));
    let logs: Vec<LogInDir> = join_all(asked.collect()).await.into_iter().flatten().flatten().collect();
    let dirs = &shard.shared.log_dirs;
    // Where the metadata cannot say it, nobody is told (`isCordonedLogDirsSupported`).
    let knows_cordons = shard.image().metadata_version() >= CORDONS_VERSION;
    let mut results = Vec::new();
    for path in &shard.shared.config.log_dirs {
        let online = dirs.dirs().iter().any(|dir| dir.path() == path && !dir.health().has_failed());
        let described = match online {
            true => space_of(path).await.map(|space| DescribeLogDirsResult {
                is_cordoned: knows_cordons && shard.is_cordoned(path),
                ..described(path, space, &logs, &wanted)
            }),
            false => Err(io::Error::other("it is offline")),
        };
        results.push(described.unwrap_or_else(|_| DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError.code(),
            log_dir: shown(path),
            total_bytes: -1,
            usable_bytes: -1,
            ..DescribeLogDirsResult::default()
        }));
    }
    Ok(DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() })
}

/// Bytes in all and usable ones. A directory that has gone away, or is unreadable, is an error.
async fn space_of(path: &Path) -> io::Result<(i64, i64)> {
    let path: PathBuf = path.to_owned();
    let (free, total) = runtime::blocking(move || fs::free_and_total_bytes(&path)).await?;
    Ok((i64::try_from(total).unwrap_or(i64::MAX), i64::try_from(free).unwrap_or(i64::MAX)))
}

fn shown(path: &Path) -> crate::protocol::Str {
    fs::absolute(path).display().to_string().into()
}

fn described(path: &Path, space: (i64, i64), logs: &[LogInDir], wanted: &Wanted) -> DescribeLogDirsResult {
    let is_wanted = |log: &&LogInDir| match wanted {
        None => true,
        Some(wanted) => wanted.get(&*log.name.topic).is_some_and(|p| p.contains(&log.name.partition)),
    };
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in logs.iter().filter(|log| log.dir == path).filter(is_wanted) {
        topics.entry(&log.name.topic).or_default().push(DescribeLogDirsPartition {
            partition_index: log.name.partition,
            partition_size: i64::try_from(log.bytes).unwrap_or(i64::MAX),
            offset_lag: log.offset_lag,
            is_future_key: log.is_future,
        });
    }
    let topic = |(name, mut partitions): (&str, Vec<DescribeLogDirsPartition>)| {
        partitions.sort_by_key(|p| p.partition_index);
        DescribeLogDirsTopic { name: name.into(), partitions }
    };
    DescribeLogDirsResult {
        error_code: ErrorCode::None.code(),
        log_dir: shown(path),
        topics: topics.into_iter().map(topic).collect(),
        total_bytes: space.0,
        usable_bytes: space.1,
        ..DescribeLogDirsResult::default()
    }
}
