//! `corelog delete-records` (`org.apache.kafka.tools.DeleteRecordsCommand`).

use super::print::json;
use super::{Connect, Streams, Tool, ToolError};
use crate::base::{ErrorCode, TopicPartition};
use crate::client::cluster::At;
use crate::client::{ClientError, Cluster};
use crate::protocol::json::Json;
use crate::protocol::messages::DeleteRecordsRequest;
use crate::protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use crate::ring::fs;
use clap::{Args, FromArgMatches};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How long the broker may take before it answers, in ms.
const TIMEOUT_MS: i32 = 30_000;

pub const TOOL: Tool = Tool {
    name: "delete-records",
    script: "kafka-delete-records.sh",
    about: "Deletes the records of partitions before an offset",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// A file: {"partitions": [{"topic": "foo", "partition": 1, "offset": 1}], "version": 1}; -1 is the end
    #[arg(long, value_name = "FILE")]
    offset_json_file: Option<PathBuf>,
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let missing = || ToolError::Usage("Missing required argument \"[offset-json-file]\"".into());
    let file = arguments.offset_json_file.as_ref().ok_or_else(missing)?;
    let bytes = fs::read(file).map_err(|e| ToolError::Failed(format!("{}: {e}", file.display())))?;
    let wanted = offsets(&bytes).map_err(ToolError::Failed)?;
    let mut cluster = arguments.connect.cluster("adminclient-1")?;
    if !arguments.connect.json {
        writeln!(streams.out, "Executing records delete operation")?;
        streams.out.flush()?;
    }
    let mut items = Vec::new();
    let mut lines = Vec::new();
    for (at, offset) in &wanted {
        let done = cluster.call(|cluster| delete(cluster, at, *offset));
        let (mark, error) = match &done {
            Ok(mark) => (Json::Int(*mark), Json::Null),
            Err(error) => (Json::Null, Json::Text(error.to_string())),
        };
        items.push(Json::Object(vec![
            ("topic", Json::Text(at.topic.to_string())),
            ("partition", Json::Int(at.partition.into())),
            ("lowWatermark", mark),
            ("error", error),
        ]));
        lines.push(match done {
            Ok(mark) => format!("partition: {at}\tlow_watermark: {mark}"),
            Err(error) => format!("partition: {at}\terror: {}", error.with_exception()),
        });
    }
    if arguments.connect.json {
        return Ok(json(streams, &Json::Array(items))?);
    }
    writeln!(streams.out, "Records delete operation completed:")?;
    lines.iter().try_for_each(|line| writeln!(streams.out, "{line}"))?;
    Ok(())
}

/// The partition's new beginning.
fn delete(cluster: &mut Cluster, at: &TopicPartition, offset: i64) -> Result<i64, ClientError> {
    let metadata = cluster.metadata(Some(&[&*at.topic]))?;
    let topic = metadata.topics.first();
    topic.map_or(Ok(()), |topic| ClientError::check(topic.error_code, None))?;
    let mut partitions = topic.iter().flat_map(|topic| &topic.partitions);
    let unknown = || ClientError::Broker(ErrorCode::UnknownTopicOrPartition, None);
    let partition = partitions.find(|partition| partition.partition_index == at.partition).ok_or_else(unknown)?;
    if partition.leader_id < 0 {
        return Err(ClientError::Broker(ErrorCode::LeaderNotAvailable, None));
    }
    let partitions = vec![DeleteRecordsPartition { partition_index: at.partition, offset }];
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic { name: (&*at.topic).into(), partitions }],
        timeout_ms: TIMEOUT_MS,
    };
    let answer = cluster.ask(At::Broker(partition.leader_id), &request)?;
    let result = answer.topics.iter().flat_map(|topic| &topic.partitions).next().ok_or_else(unknown)?;
    ClientError::check(result.error_code, None).map(|()| result.low_watermark)
}

/// Reads the file; the error is a sentence.
fn offsets(bytes: &[u8]) -> Result<BTreeMap<TopicPartition, i64>, String> {
    let json: Value = serde_json::from_slice(bytes).map_err(|_| "The input string is not a valid JSON".to_owned())?;
    match json.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => {}
        other => return Err(format!("Not supported version field value {}", other.unwrap_or_default())),
    }
    let list = json.get("partitions").and_then(Value::as_array).ok_or("Missing partitions field")?;
    let mut found = BTreeMap::new();
    let mut twice = Vec::new();
    for entry in list {
        let number = |key: &str| entry.get(key).and_then(Value::as_i64);
        let topic = entry.get("topic").and_then(Value::as_str);
        let partition = number("partition").and_then(|index| i32::try_from(index).ok());
        let (Some(topic), Some(partition), Some(offset)) = (topic, partition, number("offset")) else {
            return Err(format!("topic, partition and offset are needed, not {entry}"));
        };
        let at = TopicPartition::new(topic, partition);
        if found.insert(at.clone(), offset).is_some() {
            twice.push(at.to_string());
        }
    }
    match twice.is_empty() {
        true => Ok(found),
        false => Err(format!("Offset json file contains duplicate topic partitions: {}", twice.join(","))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_wrong_ones_are_told() {
        let one = br#"{"partitions":[{"topic":"t","partition":1,"offset":-1}],"version":1}"#;
        assert_eq!(offsets(one).unwrap()[&TopicPartition::new("t", 1)], -1);
        let table: [(&[u8], &str); 5] = [
            (b"{", "not a valid JSON"),
            (b"{}", "Missing partitions field"),
            (br#"{"version":2,"partitions":[]}"#, "Not supported version field value 2"),
            (br#"{"partitions":[{"topic":"t"}]}"#, "are needed"),
            (
                br#"{"partitions":[{"topic":"t","partition":1,"offset":1},{"topic":"t","partition":1,"offset":2}]}"#,
                "duplicate topic partitions: t-1",
            ),
        ];
        for (bytes, words) in table {
            assert!(offsets(bytes).unwrap_err().contains(words), "{words}");
        }
    }
}
