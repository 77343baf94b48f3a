//! The JSON of reassignments: which replicas a partition is to have, and in which log directories.

use crate::base::TopicPartition;
use crate::commands::ToolError;
use crate::commands::print::numbers;
use crate::protocol::json::Json;
use crate::ring::fs;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Leaves the choice of the directory to the broker.
pub const ANY_LOG_DIR: &str = "any";

/// A replica: the broker and the partition, in the order in which Kafka's tool tells of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica {
    /// The broker.
    pub broker: i32,
    /// The partition.
    pub at: TopicPartition,
}

impl std::fmt::Display for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.at, self.broker)
    }
}

/// What a file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The replicas of each partition.
    pub partitions: Vec<(TopicPartition, Vec<i32>)>,
    /// The directories of those replicas for which one is named.
    pub log_dirs: BTreeMap<Replica, String>,
}

fn parsed(file: &Path) -> Result<Value, String> {
    let bytes = fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", file.display()))?;
    match json.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => Ok(json),
        _ => Err(format!("Not supported version field value {}", json.get("version").unwrap_or(&Value::Null))),
    }
}

fn list<'a>(json: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match json.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("{name} must be a list")),
    }
}

impl Plan {
    /// Reads a `--reassignment-json-file`.
    ///
    /// # Errors
    /// A sentence: no such file, no JSON, or none of this form.
    pub fn read(file: &Path) -> Result<Self, String> {
        Self::of(&parsed(file)?)
    }

    fn of(json: &Value) -> Result<Self, String> {
        let mut plan = Self::default();
        for item in list(json, "partitions")? {
            let index = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
            let topic = item.get("topic").and_then(Value::as_str);
            let partition = item.get("partition").and_then(index);
            let replicas = item.get("replicas").and_then(|value| value.as_array()?.iter().map(index).collect());
            let (Some(topic), Some(partition), Some(replicas)) = (topic, partition, replicas) else {
                return Err(format!("topic, partition and replicas are needed in {item}"));
            };
            let replicas: Vec<i32> = replicas;
            let at = TopicPartition::new(topic, partition);
            if let Some(dirs) = item.get("log_dirs") {
                let dirs: Option<Vec<&str>> = dirs.as_array().and_then(|dirs| dirs.iter().map(Value::as_str).collect());
                let dirs = dirs.ok_or_else(|| format!("log_dirs must be a list of names in {item}"))?;
                if dirs.len() != replicas.len() {
                    return Err(format!(
                        "Size of replicas list {replicas:?} is different from size of log dirs list [{}] for partition {at}",
                        dirs.join(", ")
                    ));
                }
                let named = replicas.iter().zip(dirs).filter(|(_, dir)| *dir != ANY_LOG_DIR);
                plan.log_dirs
                    .extend(named.map(|(broker, dir)| (Replica { broker: *broker, at: at.clone() }, dir.into())));
            }
            plan.partitions.push((at, replicas));
        }
        Ok(plan)
    }

    /// Whether it can be carried out as it is.
    ///
    /// # Errors
    /// A sentence: it is empty, or holds something twice.
    pub fn check(&self) -> Result<(), String> {
        if self.partitions.is_empty() {
            return Err("Partition reassignment list cannot be empty".into());
        }
        if self.partitions.iter().any(|(_, replicas)| replicas.is_empty()) {
            return Err("Partition replica list cannot be empty".into());
        }
        let twice = duplicates(self.partitions.iter().map(|(at, _)| at));
        if !twice.is_empty() {
            let twice = crate::commands::print::joined(twice);
            return Err(format!("Partition reassignment contains duplicate topic partitions: {twice}"));
        }
        let twice: Vec<String> = self
            .partitions
            .iter()
            .filter_map(|(at, replicas)| {
                let twice = duplicates(replicas.iter());
                let told = crate::commands::print::joined(&twice);
                (!twice.is_empty()).then(|| format!("{at} contains multiple entries for {told}"))
            })
            .collect();
        match twice.is_empty() {
            true => Ok(()),
            false => Err(format!("Partition replica lists may not contain duplicate entries: {}", twice.join(". "))),
        }
    }
}

/// What stands more than once.
pub fn duplicates<T: Ord>(items: impl Iterator<Item = T>) -> BTreeSet<T> {
    let (mut seen, mut twice) = (BTreeSet::new(), Vec::new());
    for item in items {
        if let Some(before) = seen.replace(item) {
            twice.push(before);
        }
    }
    twice.into_iter().collect()
}

/// The topics of a `--topics-to-move-json-file`.
///
/// # Errors
/// As of [`Plan::read`].
pub fn topics(file: &Path) -> Result<Vec<String>, String> {
    let json = parsed(file)?;
    let name = |item: &Value| {
        let name = item.get("topic").and_then(Value::as_str).map(str::to_owned);
        name.ok_or_else(|| format!("topic is needed in {item}"))
    };
    list(&json, "topics")?.iter().map(name).collect()
}

/// The JSON that would bring these replicas about.
pub fn json(partitions: &BTreeMap<TopicPartition, Vec<i32>>, log_dirs: &BTreeMap<Replica, String>) -> Json {
    let item = |(at, replicas): (&TopicPartition, &Vec<i32>)| {
        let dir = |broker: &i32| {
            let named = log_dirs.get(&Replica { broker: *broker, at: at.clone() });
            Json::Text(named.map_or(ANY_LOG_DIR, String::as_str).to_owned())
        };
        Json::Object(vec![
            ("topic", Json::Text(at.topic.to_string())),
            ("partition", Json::Int(at.partition.into())),
            ("replicas", numbers(replicas)),
            ("log_dirs", Json::Array(replicas.iter().map(dir).collect())),
        ])
    };
    Json::Object(vec![("version", Json::Int(1)), ("partitions", Json::Array(partitions.iter().map(item).collect()))])
}

/// Partitions spread over brokers in stripes: each begins with the next broker.
///
/// # Errors
/// Fewer brokers than replicas.
pub fn striped(
    partitions: &BTreeMap<TopicPartition, Vec<i32>>,
    brokers: &[i32],
) -> Result<BTreeMap<TopicPartition, Vec<i32>>, ToolError> {
    let place = |(at, replicas): (&TopicPartition, &Vec<i32>)| {
        if replicas.len() > brokers.len() {
            return Err(ToolError::Failed(format!(
                "The target replication factor of {} cannot be reached because only {} broker(s) are registered.",
                replicas.len(),
                brokers.len()
            )));
        }
        let from = usize::try_from(at.partition).unwrap_or(0);
        let chosen = brokers.iter().cycle().skip(from % brokers.len().max(1)).take(replicas.len());
        Ok((at.clone(), chosen.copied().collect()))
    };
    partitions.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Plan, String> {
        Plan::of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_plan_comes_back_as_it_was_printed() {
        let (one, two) = (TopicPartition::new("t", 1), TopicPartition::new("t", 0));
        let partitions = BTreeMap::from([(one.clone(), vec![1, 2]), (two, vec![2])]);
        let dirs = BTreeMap::from([(Replica { broker: 2, at: one }, "/b".to_owned())]);
        let text = json(&partitions, &dirs).to_string();
        assert!(text.starts_with(
            "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[2],\"log_dirs\":[\"any\"]}"
        ));
        let plan = of(&text).unwrap();
        assert_eq!(plan.partitions.into_iter().collect::<BTreeMap<_, _>>(), partitions);
        assert_eq!(plan.log_dirs, dirs);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for (text, why) in [
            ("{}", "cannot be empty"),
            (r#"{"partitions":[{"topic":"t","partition":0,"replicas":[]}]}"#, "replica list cannot be empty"),
            (
                r#"{"partitions":[{"topic":"t","partition":0,"replicas":[1]},{"topic":"t","partition":0,"replicas":[2]}]}"#,
                "duplicate topic partitions: t-0",
            ),
            (r#"{"partitions":[{"topic":"t","partition":0,"replicas":[1,1]}]}"#, "t-0 contains multiple entries for 1"),
        ] {
            assert!(of(text).unwrap().check().unwrap_err().contains(why), "{text}");
        }
        for text in [
            r#"{"partitions":[{"topic":"t","partition":0}]}"#,
            r#"{"partitions":[{"topic":"t","partition":"0","replicas":[1]}]}"#,
            r#"{"partitions":[{"topic":"t","partition":0,"replicas":[1],"log_dirs":["a","b"]}]}"#,
            r#"{"partitions":[{"topic":"t","partition":0,"replicas":[1],"log_dirs":"a"}]}"#,
            r#"{"partitions":{}}"#,
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn stripes_begin_with_the_next_broker() {
        let at = |n| TopicPartition::new("t", n);
        let now = BTreeMap::from([(at(0), vec![1, 2]), (at(1), vec![1, 2]), (at(2), vec![1, 2])]);
        let placed = striped(&now, &[1, 2, 3]).unwrap();
        assert_eq!(placed.into_values().collect::<Vec<_>>(), [[1, 2], [2, 3], [3, 1]]);
        assert!(striped(&now, &[1]).is_err() && striped(&now, &[]).is_err());
    }
}
