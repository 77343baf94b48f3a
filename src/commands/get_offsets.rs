//! `corelog get-offsets` (`org.apache.kafka.tools.GetOffsetShell`).

use super::pattern::Pattern;
use super::print::{json, number};
use super::{Connect, Streams, Tool, ToolError};
use crate::base::TopicPartition;
use crate::client::offsets::{EARLIEST, EARLIEST_LOCAL, EARLIEST_PENDING_UPLOAD, LATEST, LATEST_TIERED, MAX_TIMESTAMP};
use crate::protocol::json::Json;
use clap::{Args, FromArgMatches};
use std::collections::BTreeMap;
use std::ops::Range;

pub const TOOL: Tool = Tool {
    name: "get-offsets",
    script: "kafka-get-offsets.sh",
    about: "Prints offsets of partitions: their ends, beginnings, or by time",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// Patterns separated by commas: TOPIC, TOPIC:3, TOPIC:0-3 (without 3), TOPIC:5-, :-3; TOPIC is a regular expression
    #[arg(long, value_name = "topic1:1,topic2:0-3,...")]
    topic_partitions: Option<String>,
    /// The topic, or a regular expression; all when absent
    #[arg(long)]
    topic: Option<String>,
    /// Partitions separated by commas; all when absent
    #[arg(long, value_name = "partition ids")]
    partitions: Option<String>,
    /// A time in ms, or -1 latest, -2 earliest, -3 max-timestamp, -4 earliest-local, -5 latest-tiered,
    /// -6 earliest-pending-upload
    #[arg(long, default_value = "latest")]
    time: String,
    /// Leave internal topics out
    #[arg(long)]
    exclude_internal_topics: bool,
}

/// Partitions of topics.
struct Rule {
    topics: Pattern,
    partitions: Partitions,
}

enum Partitions {
    Of(Vec<i32>),
    Within(Range<i64>),
}

impl Rule {
    fn takes(&self, topic: &str, partition: i32) -> bool {
        let fits = match &self.partitions {
            Partitions::Of(list) => list.is_empty() || list.contains(&partition),
            Partitions::Within(range) => range.contains(&i64::from(partition)),
        };
        fits && self.topics.matches(topic)
    }
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    let failed = |why: &dyn std::fmt::Display| ToolError::Failed(format!("Error occurred: {why}"));
    let rules = rules(arguments).map_err(|why| failed(&why))?;
    let time = time(&arguments.time).map_err(|why| failed(&why))?;
    let mut cluster = arguments.connect.cluster("GetOffsetShell")?;
    let topics = cluster.topics().map_err(|e| failed(&e))?;
    let wanted: BTreeMap<TopicPartition, i64> = topics
        .values()
        .filter(|topic| !(topic.internal && arguments.exclude_internal_topics))
        .flat_map(|topic| topic.partitions.iter().map(|partition| TopicPartition::new(&*topic.name, partition.index)))
        .filter(|at| rules.iter().any(|rule| rule.takes(&at.topic, at.partition)))
        .map(|at| (at, time))
        .collect();
    if wanted.is_empty() {
        return Err(failed(&"Could not match any topic-partitions with the specified filters"));
    }
    let found = cluster.list_offsets(&wanted, false).map_err(|e| failed(&e))?;
    // Kafka orders them as texts: t-10 before t-2.
    let mut lines: Vec<_> = found.into_iter().map(|(at, offset)| (at.to_string(), at, offset)).collect();
    lines.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let mut items = Vec::new();
    for (name, at, offset) in lines {
        match offset {
            Ok(offset) if offset.offset < 0 => {}
            Ok(offset) if arguments.connect.json => items.push(Json::Object(vec![
                ("topic", Json::Text(at.topic.to_string())),
                ("partition", Json::Int(at.partition.into())),
                ("offset", Json::Int(offset.offset)),
                ("timestamp", number((offset.timestamp >= 0).then_some(offset.timestamp))),
            ])),
            Ok(offset) => writeln!(streams.out, "{}:{}:{}", at.topic, at.partition, offset.offset)?,
            Err(error) => {
                let why = error.with_exception();
                writeln!(streams.err, "Skip getting offsets for topic-partition {name} due to error: {why}")?;
            }
        }
    }
    if arguments.connect.json {
        json(streams, &Json::Array(items))?;
    }
    Ok(())
}

fn rules(arguments: &Arguments) -> Result<Vec<Rule>, String> {
    let pattern = |text: &str| match Pattern::list(text) {
        Ok(pattern) => Ok(pattern),
        Err(ToolError::Failed(why)) => Err(why),
        Err(_) => Err(format!("{text} is an invalid regex.")),
    };
    match &arguments.topic_partitions {
        Some(_) if arguments.topic.is_some() || arguments.partitions.is_some() => {
            Err("--topic-partitions cannot be used with --topic or --partitions".into())
        }
        Some(list) => list
            .split(',')
            .map(|rule| {
                let (topics, partitions) = rule.split_once(':').unwrap_or((rule, ""));
                let partitions = within(partitions).ok_or_else(|| format!("Invalid rule specification: {rule}"))?;
                let topics = pattern(if topics.is_empty() { ".*" } else { topics })?;
                Ok(Rule { topics, partitions: Partitions::Within(partitions) })
            })
            .collect(),
        None => {
            let given = arguments.partitions.as_deref().filter(|list| !list.is_empty());
            let ids: Result<Vec<i32>, _> = given.into_iter().flat_map(|list| list.split(',')).map(str::parse).collect();
            let ids = ids.map_err(|_| {
                let given = given.unwrap_or_default();
                format!("--partitions expects a comma separated list of numeric partition ids, but received: {given}")
            })?;
            let topics = pattern(arguments.topic.as_deref().unwrap_or(".*"))?;
            Ok(vec![Rule { topics, partitions: Partitions::Of(ids) }])
        }
    }
}

/// `3`, `0-3`, `5-`, `-3` or nothing.
fn within(text: &str) -> Option<Range<i64>> {
    let number = |text: &str, absent: i64| if text.is_empty() { Some(absent) } else { text.parse::<i64>().ok() };
    let open = i64::from(i32::MAX);
    match text.split_once('-') {
        Some((from, to)) => Some(number(from, 0)?..number(to, open)?),
        None if text.is_empty() => Some(0..open),
        None => text.parse::<i64>().ok().map(|one| one..one + 1),
    }
}

fn time(text: &str) -> Result<i64, String> {
    let number = match text {
        "latest" => LATEST,
        "earliest" => EARLIEST,
        "max-timestamp" => MAX_TIMESTAMP,
        "earliest-local" => EARLIEST_LOCAL,
        "latest-tiered" => LATEST_TIERED,
        "earliest-pending-upload" => EARLIEST_PENDING_UPLOAD,
        other => other.parse().map_err(|_| {
            format!(
                "Malformed time argument {other}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 \
                 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format \
                 timestamp"
            )
        })?,
    };
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_partitions_are_read_as_kafkas() {
        assert_eq!(within("3"), Some(3..4));
        assert_eq!(within("0-3"), Some(0..3));
        assert_eq!(within("5-"), Some(5..i64::from(i32::MAX)));
        assert_eq!(within("-3"), Some(0..3));
        assert_eq!(within(""), Some(0..i64::from(i32::MAX)));
        assert_eq!(within("x"), None);
        assert_eq!(within("1-x"), None);
    }

    #[test]
    fn times_have_names_and_numbers() {
        assert_eq!(time("-2"), Ok(EARLIEST));
        assert_eq!(time("latest"), Ok(LATEST));
        assert_eq!(time("1700000000000"), Ok(1_700_000_000_000));
        assert!(time("soon").unwrap_err().contains("Malformed time argument soon"));
    }
}
