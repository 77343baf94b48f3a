//! AlterReplicaLogDirs (key 34, v1-2): moves partitions to other log directories of this node (KIP-113). The answer says
//! that the moves have begun; DescribeLogDirs shows how far they are.

use super::RequestContext;
use super::reply::Close;
use crate::base::{ErrorCode, TopicIdPartition, TopicPartition, Uuid};
use crate::log::names;
use crate::protocol::messages::alter_replica_log_dirs_request::AlterReplicaLogDirsRequest;
use crate::protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
};
use crate::router::{self, Item};
use crate::shard::Shard;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Answers one request.
pub async fn handle(
    ctx: &RequestContext,
    request: AlterReplicaLogDirsRequest,
) -> Result<AlterReplicaLogDirsResponse, Close> {
    let image = ctx.shard.image();
    let (mut asked, mut items, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for dir in &request.dirs {
        let path = PathBuf::from(&*dir.path);
        let target = target(&ctx.shard, &path);
        for topic in &dir.topics {
            let known = image.topic_by_name(&topic.name);
            for &partition in &topic.partitions {
                let slot = codes.len();
                asked.push((topic.name.clone(), partition));
                let id = known.map(|t| TopicIdPartition { topic_id: t.id, partition });
                codes.push(match (&target, id.filter(|id| image.partition(id).is_some())) {
                    _ if is_too_long(&topic.name, partition) => Some(ErrorCode::InvalidTopicException),
                    (Err(error), _) => Some(*error),
                    (Ok(_), None) => Some(ErrorCode::UnknownTopicOrPartition),
                    (Ok(ask), Some(id)) => {
                        items.push(Item { slot, id, ask: *ask });
                        None
                    }
                });
            }
        }
    }
    router::ask_into(&ctx.shard, items, &mut codes, move_here).await;
    let codes = codes.into_iter().map(|code| code.unwrap_or(ErrorCode::ReplicaNotAvailable));
    let mut results: Vec<AlterReplicaLogDirTopicResult> = Vec::new();
    for ((topic_name, partition_index), code) in asked.into_iter().zip(codes) {
        let result = AlterReplicaLogDirPartitionResult { partition_index, error_code: code.code() };
        match results.iter_mut().find(|topic| topic.topic_name == topic_name) {
            Some(topic) => topic.partitions.push(result),
            None => results.push(AlterReplicaLogDirTopicResult { topic_name, partitions: vec![result] }),
        }
    }
    Ok(AlterReplicaLogDirsResponse { results, ..AlterReplicaLogDirsResponse::default() })
}

/// The number of the directory, 57 for one that is not configured, 56 for one that is offline, 39 for one that is
/// cordoned (KIP-1066).
fn target(shard: &Shard, path: &Path) -> Result<usize, ErrorCode> {
    let configured = shard.shared.config.log_dirs.iter().any(|dir| crate::ring::fs::absolute(dir) == path);
    let found = shard.shared.log_dirs.number_of(path);
    let at = found.ok_or(if configured { ErrorCode::KafkaStorageError } else { ErrorCode::LogDirNotFound })?;
    let cordoned = shard.shared.log_dirs.dirs().get(at).is_some_and(|dir| shard.is_cordoned(dir.path()));
    if cordoned { Err(ErrorCode::InvalidReplicaAssignment) } else { Ok(at) }
}

/// The name of its `-future` directory would be longer than the file system takes (KAFKA-4893).
fn is_too_long(topic: &str, partition: i32) -> bool {
    let name = TopicPartition::new(topic, partition);
    format!("{name}.{}{}", Uuid::ZERO.to_hex(), names::FUTURE).len() > 255
}

async fn move_here(shard: Rc<Shard>, items: Vec<Item<usize>>) -> Vec<(usize, ErrorCode)> {
    let moved = |item: Item<usize>| (item.slot, shard.move_log(item.id, item.ask).err().unwrap_or(ErrorCode::None));
    items.into_iter().map(moved).collect()
}
