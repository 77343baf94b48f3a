//! The command line (`ConsoleConsumerOptions`).

use super::super::connect::{key_values, load};
use super::super::{Connect, Streams, ToolError};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub connect: Connect,
    /// The topic
    #[arg(long)]
    pub topic: Option<String>,
    /// All topics whose names fit this regular expression
    #[arg(long, alias = "whitelist", value_name = "REGEX")]
    pub include: Option<String>,
    /// The partition; from its end unless --offset says otherwise
    #[arg(long)]
    pub partition: Option<i32>,
    /// Where to begin in the partition: a number, earliest, or latest
    #[arg(long)]
    pub offset: Option<String>,
    /// Begin with the first record where the group has no offset
    #[arg(long)]
    pub from_beginning: bool,
    /// The group to be a member of, and to commit offsets for; without one nothing is joined and nothing committed
    #[arg(long)]
    pub group: Option<String>,
    /// End after so many records
    #[arg(long, value_name = "#")]
    pub max_messages: Option<i64>,
    /// End when no record has come for so long
    #[arg(long, value_name = "ms")]
    pub timeout_ms: Option<i64>,
    /// Go on behind a record that cannot be printed
    #[arg(long)]
    pub skip_message_on_error: bool,
    /// read_committed or read_uncommitted
    #[arg(long, value_name = "LEVEL")]
    pub isolation_level: Option<String>,
    /// How records are printed: a class of Kafka's, by name
    #[arg(long, value_name = "class")]
    pub formatter: Option<String>,
    /// print.timestamp, print.key, print.offset, print.partition, print.epoch, print.headers, print.value,
    /// key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer,
    /// headers.deserializer
    #[arg(long, value_name = "key=value")]
    pub formatter_property: Vec<String>,
    /// Deprecated: --formatter-property
    #[arg(long, value_name = "key=value", hide = true)]
    pub property: Vec<String>,
    /// A properties file for the formatter
    #[arg(long, value_name = "FILE")]
    pub formatter_config: Option<PathBuf>,
    /// How keys are read
    #[arg(long, value_name = "class")]
    pub key_deserializer: Option<String>,
    /// How values are read
    #[arg(long, value_name = "class")]
    pub value_deserializer: Option<String>,
    /// A property of the consumer
    #[arg(long, value_name = "key=value")]
    pub command_property: Vec<String>,
    /// Deprecated: --command-property
    #[arg(long, value_name = "key=value", hide = true)]
    pub consumer_property: Vec<String>,
    /// Deprecated: --command-config
    #[arg(long = "consumer.config", id = "consumer_config", value_name = "FILE", hide = true)]
    pub consumer_config: Option<PathBuf>,
    /// Print when it has ended
    #[arg(long, hide = true)]
    pub enable_systest_events: bool,
    /// Meant something before Kafka 2
    #[arg(long, hide = true)]
    pub new_consumer: bool,
}

impl Arguments {
    pub fn check(&self, streams: &mut Streams<'_>) -> Result<(), ToolError> {
        let usage = |why: &str| Err(ToolError::Usage(why.into()));
        if self.topic.is_some() == self.include.is_some() {
            return usage("Exactly one of the following arguments is required: [topic], [include]");
        }
        if self.partition.is_some() && self.topic.is_none() {
            return usage("The topic is required when partition is specified.");
        }
        if self.partition.is_some() && self.from_beginning && self.offset.is_some() {
            return usage("Options from-beginning and offset cannot be specified together.");
        }
        if self.partition.is_none() && self.offset.is_some() {
            return usage("The partition is required when offset is specified.");
        }
        let twice = [
            (
                !self.consumer_property.is_empty() && !self.command_property.is_empty(),
                "--consumer-property and --command-property",
            ),
            (
                self.consumer_config.is_some() && self.connect.command_config.is_some(),
                "--consumer.config and --command-config",
            ),
            (!self.property.is_empty() && !self.formatter_property.is_empty(), "--property and --formatter-property"),
        ];
        if let Some((_, names)) = twice.iter().find(|(both, _)| *both) {
            return usage(&format!("Options {names} cannot be specified together."));
        }
        let deprecated = [
            (!self.consumer_property.is_empty(), "--consumer-property", "--command-property"),
            (self.consumer_config.is_some(), "--consumer.config", "--command-config"),
            (!self.property.is_empty(), "--property", "--formatter-property"),
        ];
        for (given, name, successor) in deprecated {
            if given {
                writeln!(
                    streams.out,
                    "Option {name} is deprecated and will be removed in a future version. Use {successor} instead."
                )?;
            }
        }
        Ok(())
    }

    /// The consumer's properties.
    pub fn properties(&self) -> Result<BTreeMap<String, String>, ToolError> {
        let file = self.connect.command_config.as_deref().or(self.consumer_config.as_deref());
        let mut properties = file.map_or(Ok(BTreeMap::new()), load)?;
        let in_file = properties.get("group.id").cloned();
        properties.extend(key_values(&self.command_property));
        properties.extend(key_values(&self.consumer_property));
        if let Some(level) = &self.isolation_level {
            properties.insert("isolation.level".into(), level.clone());
        }
        match properties.get("auto.offset.reset") {
            Some(reset) if self.from_beginning && reset != "earliest" => {
                return Err(ToolError::Failed(format!(
                    "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please remove one \
                     option"
                )));
            }
            Some(_) => {}
            None => {
                let reset = if self.from_beginning { "earliest" } else { "latest" };
                properties.insert("auto.offset.reset".into(), reset.into());
            }
        }
        let given = [in_file, properties.get("group.id").cloned(), self.group.clone()];
        let groups: BTreeSet<String> = given.into_iter().flatten().collect();
        if groups.len() > 1 {
            let groups: Vec<String> = groups.iter().map(|group| format!("'{group}'")).collect();
            return Err(ToolError::Usage(format!(
                "The group ids provided in different places (directly using '--group', via '--consumer-property', or \
                 via '--consumer.config') do not match. Detected group ids: {}",
                groups.join(", ")
            )));
        }
        if let Some(group) = groups.into_iter().next() {
            if self.partition.is_some() {
                return Err(ToolError::Usage("Options group and partition cannot be specified together.".into()));
            }
            properties.insert("group.id".into(), group);
        }
        Ok(properties)
    }

    /// The formatter's properties.
    pub fn formatting(&self) -> Result<BTreeMap<String, String>, ToolError> {
        let mut properties = self.formatter_config.as_deref().map_or(Ok(BTreeMap::new()), load)?;
        for (key, class) in
            [("key.deserializer", &self.key_deserializer), ("value.deserializer", &self.value_deserializer)]
        {
            if let Some(class) = class.as_ref().filter(|class| !class.is_empty()) {
                properties.insert(key.into(), class.clone());
            }
        }
        properties.extend(key_values(&self.property));
        properties.extend(key_values(&self.formatter_property));
        Ok(properties)
    }
}
