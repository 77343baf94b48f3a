//! `corelog topics` (`org.apache.kafka.tools.TopicCommand`).

mod change;
mod describe;

use super::pattern::Pattern;
use super::print::json;
use super::{Connect, Streams, Tool, ToolError};
use crate::client::topics::Topic;
use crate::client::{ClientError, Cluster};
use crate::protocol::json::Json;
use clap::{Args, FromArgMatches};

pub const TOOL: Tool = Tool {
    name: "topics",
    script: "kafka-topics.sh",
    about: "Creates, lists, describes, alters and deletes topics",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// List the topics
    #[arg(long)]
    list: bool,
    /// Create a topic
    #[arg(long)]
    create: bool,
    /// Delete topics
    #[arg(long)]
    delete: bool,
    /// Give topics more partitions
    #[arg(long)]
    alter: bool,
    /// Tell of topics and their partitions
    #[arg(long)]
    describe: bool,
    /// The topic; but for --create also a regular expression
    #[arg(long)]
    topic: Option<String>,
    /// The topic to describe, by its id
    #[arg(long)]
    topic_id: Option<String>,
    /// A configuration of the topic to create
    #[arg(long, value_name = "name=value")]
    config: Vec<String>,
    /// Gone since Kafka 4.0: use configs --alter --delete-config
    #[arg(long, hide = true)]
    delete_config: Vec<String>,
    /// How many partitions
    #[arg(long, value_name = "#")]
    partitions: Option<i32>,
    /// How many replicas of each partition
    #[arg(long, value_name = "#")]
    replication_factor: Option<i32>,
    /// The brokers of each partition, the preferred leader first
    #[arg(long, value_name = "0:1,1:2,...")]
    replica_assignment: Option<String>,
    /// Describe only partitions with replicas out of sync
    #[arg(long)]
    under_replicated_partitions: bool,
    /// Describe only partitions whose leader is not there
    #[arg(long)]
    unavailable_partitions: bool,
    /// Describe only partitions with less than min.insync.replicas in sync
    #[arg(long)]
    under_min_isr_partitions: bool,
    /// Describe only partitions with exactly min.insync.replicas in sync
    #[arg(long)]
    at_min_isr_partitions: bool,
    /// Describe only topics with configurations of their own
    #[arg(long)]
    topics_with_overrides: bool,
    /// With --alter, --delete, --describe: no topic is no error
    #[arg(long)]
    if_exists: bool,
    /// With --create: a topic that is there is no error
    #[arg(long)]
    if_not_exists: bool,
    /// Leave internal topics out of a list or description
    #[arg(long)]
    exclude_internal: bool,
    /// At most so many partitions in one answer
    #[arg(long, value_name = "#", default_value_t = 2000)]
    partition_size_limit_per_response: i32,
}

impl Arguments {
    /// Which combinations there are (`TopicCommandOptions.checkArgs`).
    fn check(&self) -> Result<(), ToolError> {
        let usage = |why: &str| Err(ToolError::Usage(why.into()));
        let actions = [self.list, self.create, self.delete, self.alter, self.describe];
        if actions.iter().filter(|action| **action).count() != 1 {
            return usage("Command must include exactly one action: --list, --describe, --create, --alter or --delete");
        }
        if self.topic.is_none() && !self.list && !self.describe {
            return usage("Missing required argument \"[topic]\"");
        }
        if self.describe && self.if_exists && self.topic.is_none() && self.topic_id.is_none() {
            return usage("--topic or --topic-id is required to describe a topic");
        }
        if self.alter && !self.config.is_empty() {
            return usage(
                "--config can't be used with --alter: configs --alter --add-config changes configurations of topics",
            );
        }
        if self.alter && self.partitions.is_none() {
            return usage("Missing required argument \"[partitions]\"");
        }
        let assigned = self.replica_assignment.is_some();
        let report = self.reports();
        let misplaced = [
            (!self.config.is_empty() && !self.create, "config"),
            (self.partitions.is_some() && !(self.create || self.alter), "partitions"),
            (self.replication_factor.is_some() && !self.create, "replication-factor"),
            (assigned && !(self.create || self.alter), "replica-assignment"),
            (self.create && assigned && self.partitions.is_some(), "partitions"),
            (self.create && assigned && self.replication_factor.is_some(), "replication-factor"),
            (self.under_replicated_partitions && !self.describe, "under-replicated-partitions"),
            (self.unavailable_partitions && !self.describe, "unavailable-partitions"),
            (self.under_min_isr_partitions && !self.describe, "under-min-isr-partitions"),
            (self.at_min_isr_partitions && !self.describe, "at-min-isr-partitions"),
            (self.topics_with_overrides && (!self.describe || report), "topics-with-overrides"),
            (self.if_exists && !(self.alter || self.delete || self.describe), "if-exists"),
            (self.if_not_exists && !self.create, "if-not-exists"),
            (self.exclude_internal && !(self.list || self.describe), "exclude-internal"),
        ];
        match misplaced.iter().find(|(wrong, _)| *wrong) {
            Some((_, name)) => usage(&format!("Option \"[{name}]\" can't be used with the other options given")),
            None => Ok(()),
        }
    }

    /// True where only certain partitions are described.
    fn reports(&self) -> bool {
        self.under_replicated_partitions
            || self.unavailable_partitions
            || self.under_min_isr_partitions
            || self.at_min_isr_partitions
    }
}

/// What goes wrong once the command line is understood, in Kafka's frame and on its stream.
enum Failure {
    Said(String),
    Tool(ToolError),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Said(error.to_string())
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Failed(why) => Self::Said(why),
            other => Self::Tool(other),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Tool(error.into())
    }
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    arguments.check()?;
    if !arguments.delete_config.is_empty() {
        writeln!(streams.err, "--delete-config is gone since Kafka 4.0: use configs --alter --delete-config")?;
    }
    let mut cluster = arguments.connect.cluster("adminclient-1")?;
    let done = match arguments {
        Arguments { create: true, .. } => change::create(arguments, &mut cluster, streams),
        Arguments { alter: true, .. } => change::alter(arguments, &mut cluster),
        Arguments { delete: true, .. } => change::delete(arguments, &mut cluster),
        Arguments { describe: true, .. } => describe::describe(arguments, &mut cluster, streams),
        _ => list(arguments, &mut cluster, streams),
    };
    match done {
        Ok(()) => Ok(()),
        Err(Failure::Tool(error)) => Err(error),
        Err(Failure::Said(why)) => {
            writeln!(streams.out, "Error while executing topic command : {why}")?;
            Err(ToolError::Told)
        }
    }
}

fn list(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let topics = chosen(arguments, cluster)?;
    if arguments.connect.json {
        let item = |topic: &Topic| {
            Json::Object(vec![
                ("name", Json::Text(topic.name.clone())),
                ("topicId", Json::Text(topic.id.to_string())),
                ("internal", Json::Bool(topic.internal)),
                ("partitions", Json::Int(topic.partitions.len() as i64)),
            ])
        };
        return Ok(json(streams, &Json::Array(topics.iter().map(item).collect()))?);
    }
    let names: Vec<&str> = topics.iter().map(|topic| &*topic.name).collect();
    Ok(writeln!(streams.out, "{}", names.join("\n"))?)
}

/// The topics that `--topic` means, by name; all without it.
fn chosen(arguments: &Arguments, cluster: &mut Cluster) -> Result<Vec<Topic>, Failure> {
    let pattern = arguments.topic.as_deref().map(Pattern::list).transpose()?;
    let fits = |topic: &Topic| {
        pattern.as_ref().is_none_or(|pattern| pattern.matches(&topic.name))
            && !(arguments.exclude_internal && topic.internal)
    };
    Ok(cluster.topics()?.into_values().filter(fits).collect())
}

/// As `chosen`; none is an error unless `--if-exists` says otherwise.
fn chosen_that_exist(arguments: &Arguments, cluster: &mut Cluster) -> Result<Vec<Topic>, Failure> {
    let topics = chosen(arguments, cluster)?;
    match arguments.topic.as_deref() {
        Some(name) if !name.is_empty() && topics.is_empty() && !arguments.if_exists => {
            Err(Failure::Said(format!("Topic '{name}' does not exist as expected")))
        }
        _ => Ok(topics),
    }
}
