//! `corelog consumer-groups` (`org.apache.kafka.tools.consumer.group.ConsumerGroupCommand`).

mod delete;
mod describe;
mod reset;
mod rows;
mod time;

use super::pattern::Pattern;
use super::print::json;
use super::{Connect, Streams, Tool, ToolError};
use crate::base::TopicPartition;
use crate::client::groups::Listing;
use crate::client::{ClientError, Cluster};
use crate::protocol::json::Json;
use clap::{Args, FromArgMatches};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub const TOOL: Tool = Tool {
    name: "consumer-groups",
    script: "kafka-consumer-groups.sh",
    about: "Lists, describes and deletes groups of consumers, and resets their offsets",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// List the groups
    #[arg(long)]
    list: bool,
    /// Tell of groups: their offsets and lag, or --members, --state
    #[arg(long)]
    describe: bool,
    /// Delete groups that have no members
    #[arg(long)]
    delete: bool,
    /// Set the offsets of groups that have no members
    #[arg(long)]
    reset_offsets: bool,
    /// Delete the offsets of some topics
    #[arg(long)]
    delete_offsets: bool,
    /// The group; may be repeated
    #[arg(long)]
    group: Vec<String>,
    /// All groups
    #[arg(long)]
    all_groups: bool,
    /// A topic whose offsets are meant, also as topic:0,1; may be repeated
    #[arg(long)]
    topic: Vec<String>,
    /// All topics the group has offsets of
    #[arg(long)]
    all_topics: bool,
    /// How long to wait for the group, in ms
    #[arg(long, value_name = "ms")]
    timeout: Option<u64>,
    /// Only show what would be set; so it is without --execute
    #[arg(long)]
    dry_run: bool,
    /// Set the offsets
    #[arg(long)]
    execute: bool,
    /// Print the offsets as CSV
    #[arg(long)]
    export: bool,
    /// To this offset
    #[arg(long, value_name = "offset")]
    to_offset: Option<i64>,
    /// To the offsets of a CSV file
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// To the first record at that time or later: YYYY-MM-DDThh:mm:ss.sss, UTC unless it ends with +hh:mm
    #[arg(long, value_name = "datetime")]
    to_datetime: Option<String>,
    /// To the first record not older than this: PnDTnHnMnS
    #[arg(long, value_name = "duration")]
    by_duration: Option<String>,
    /// To the beginning
    #[arg(long)]
    to_earliest: bool,
    /// To the end
    #[arg(long)]
    to_latest: bool,
    /// To what is committed, or the end
    #[arg(long)]
    to_current: bool,
    /// So many records forward, or back
    #[arg(long, value_name = "n")]
    shift_by: Option<i64>,
    /// Describe the members
    #[arg(long)]
    members: bool,
    /// Describe more
    #[arg(long)]
    verbose: bool,
    /// Describe the offsets; so it is when nothing else is said
    #[arg(long)]
    offsets: bool,
    /// Describe, or list, the state; a list may be of some states: stable,empty
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    state: Option<String>,
    /// List the types, or groups of some types: classic,consumer
    #[arg(long, num_args = 0..=1, default_missing_value = "", value_name = "TYPE")]
    r#type: Option<String>,
    /// Say whether a regular expression can be used in a subscription
    #[arg(long, value_name = "REGEX")]
    validate_regex: Option<String>,
}

impl Arguments {
    /// Which combinations there are (`ConsumerGroupCommandOptions.checkArgs`).
    fn check(&self) -> Result<(), ToolError> {
        let usage = |why: &str| Err(ToolError::Usage(why.into()));
        let actions = [
            self.list,
            self.describe,
            self.delete,
            self.reset_offsets,
            self.delete_offsets,
            self.validate_regex.is_some(),
        ];
        let scoped = !self.group.is_empty() || self.all_groups;
        if self.describe && !scoped {
            return usage("Option [describe] takes one of these options: [group], [all-groups]");
        }
        if self.describe && [self.members, self.offsets, self.state.is_some()].iter().filter(|one| **one).count() > 1 {
            return usage("Option [describe] takes at most one of these options: [members], [offsets], [state]");
        }
        if self.describe && self.state.as_deref().is_some_and(|state| !state.is_empty()) {
            return usage("Option [describe] does not take a value for [state]");
        }
        if self.delete && !scoped {
            return usage("Option [delete] takes one of these options: [group], [all-groups]");
        }
        if self.delete && !self.topic.is_empty() {
            return usage("The consumer does not support topic-specific offset deletion from a consumer group.");
        }
        if self.delete_offsets && (self.group.is_empty() || self.topic.is_empty()) {
            return usage("Option [delete-offsets] takes the following options: [group], [topic]");
        }
        if self.reset_offsets && self.dry_run && self.execute {
            return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
        }
        if self.reset_offsets && !scoped {
            return usage("Option [reset-offsets] takes one of these options: [group], [all-groups]");
        }
        if self.targets() > 1 {
            return usage(
                "Only one of --to-offset, --shift-by, --to-datetime, --by-duration, --to-earliest, --to-latest, --to-current, --from-file can be given",
            );
        }
        if !self.group.is_empty() && (self.all_groups || self.list) {
            let other = if self.all_groups { "all-groups" } else { "list" };
            return usage(&format!("Option \"[group]\" can't be used with option \"[{other}]\""));
        }
        if !self.topic.is_empty() && (self.list || self.describe) {
            let other = if self.list { "list" } else { "describe" };
            return usage(&format!("Option \"[topic]\" can't be used with option \"[{other}]\""));
        }
        if !self.describe && (self.members || self.verbose || self.offsets) {
            return usage("Options [members], [verbose] and [offsets] are there with [describe] only");
        }
        if (self.state.is_some() && !self.describe && !self.list) || (self.r#type.is_some() && !self.list) {
            return usage("Option [state] is there with [describe] and [list] only, [type] with [list] only");
        }
        if actions.iter().filter(|action| **action).count() != 1 {
            return usage(
                "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, \
                 --delete-offsets, --validate-regex",
            );
        }
        Ok(())
    }

    /// How many places to reset to are given.
    fn targets(&self) -> usize {
        let given = [
            self.to_offset.is_some(),
            self.from_file.is_some(),
            self.to_datetime.is_some(),
            self.by_duration.is_some(),
            self.to_earliest,
            self.to_latest,
            self.to_current,
            self.shift_by.is_some(),
        ];
        given.iter().filter(|one| **one).count()
    }
}

/// What goes wrong once the command line is understood.
enum Failure {
    /// A usage that only the cluster's answers showed to be wrong.
    Usage(String),
    /// What Kafka's tool tells of with the exception's name when `ExecutionException` carries it.
    Cluster(ClientError),
    /// A sentence of the tool itself.
    Said(String),
    Output(std::io::Error),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Cluster(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    arguments.check()?;
    if let Some(regex) = &arguments.validate_regex {
        return match Pattern::whole(regex) {
            Ok(_) => Ok(writeln!(streams.out, "The regular expression `{regex}` is valid.")?),
            Err(_) => Ok(writeln!(streams.out, "The regular expression `{regex}` is invalid.")?),
        };
    }
    if arguments.reset_offsets && !arguments.dry_run && !arguments.execute {
        writeln!(
            streams.err,
            "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will \
             require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if \
             you are scripting this command and want to keep the current default behavior without prompting."
        )?;
    }
    let mut properties = arguments.connect.properties()?;
    if let Some(timeout) = arguments.timeout {
        properties.insert("default.api.timeout.ms".into(), timeout.to_string());
    }
    let mut cluster = arguments.connect.cluster_with("adminclient-1", &properties)?;
    let done = match arguments {
        Arguments { list: true, .. } => list(arguments, &mut cluster, streams),
        Arguments { describe: true, .. } => describe::describe(arguments, &mut cluster, streams),
        Arguments { delete: true, .. } => delete::groups(arguments, &mut cluster, streams),
        Arguments { delete_offsets: true, .. } => delete::offsets(arguments, &mut cluster, streams),
        _ => reset::reset(arguments, &mut cluster, streams),
    };
    // Kafka's tool tells of these on standard output and ends with 0.
    let failed = match done {
        Ok(()) => return Ok(()),
        Err(Failure::Output(error)) => return Err(error.into()),
        Err(Failure::Usage(why)) => return Err(ToolError::Usage(why)),
        Err(Failure::Said(why)) => why,
        Err(Failure::Cluster(error)) => error.with_exception(),
    };
    Ok(writeln!(streams.out, "\nError: Executing consumer group command failed due to {failed}")?)
}

const STATES: [&str; 7] =
    ["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling"];
const TYPES: [&str; 2] = ["Classic", "Consumer"];

/// The names of a list, as Kafka writes them; nothing is all.
fn chosen(given: Option<&str>, known: &[&'static str], what: &str) -> Result<Vec<&'static str>, Failure> {
    let given = given.unwrap_or_default();
    if given.is_empty() {
        return Ok(known.to_vec());
    }
    let plain = |text: &str| text.trim().replace('_', "").to_ascii_lowercase();
    let one = |text: &str| known.iter().copied().find(|name| plain(name) == plain(text));
    given.split(',').map(one).collect::<Option<_>>().ok_or_else(|| {
        Failure::Usage(format!("Invalid {what} list '{given}'. Valid {what}s are: {}", known.join(", ")))
    })
}

fn list(arguments: &Arguments, cluster: &mut Cluster, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let states = chosen(arguments.state.as_deref(), &STATES, "state")?;
    let types = chosen(arguments.r#type.as_deref(), &TYPES, "type")?;
    // Brokers that tell neither are taken at their word only where nobody asked.
    let asked = |given: &Option<String>| given.as_deref().is_some_and(|text| !text.is_empty());
    let fits = |group: &Listing| {
        (!asked(&arguments.state) || states.contains(&&*group.state))
            && (!asked(&arguments.r#type) || types.contains(&&*group.kind))
    };
    let groups: Vec<Listing> = cluster.list_consumer_groups()?.into_iter().filter(fits).collect();
    if arguments.connect.json {
        let item = |group: &Listing| {
            Json::Object(vec![
                ("group", Json::Text(group.id.clone())),
                ("type", Json::Text(group.kind.clone())),
                ("state", Json::Text(group.state.clone())),
            ])
        };
        return Ok(json(streams, &Json::Array(groups.iter().map(item).collect()))?);
    }
    let (with_type, with_state) = (arguments.r#type.is_some(), arguments.state.is_some());
    if !with_type && !with_state {
        groups.iter().try_for_each(|group| writeln!(streams.out, "{}", group.id))?;
        return Ok(());
    }
    let width = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0).max(15) + 10;
    let mut row = |group: &str, kind: &str, state: &str| -> std::io::Result<()> {
        write!(streams.out, "{group:<width$}")?;
        if with_type {
            write!(streams.out, " {kind:<20}")?;
        }
        if with_state {
            write!(streams.out, " {state:<20}")?;
        }
        writeln!(streams.out)
    };
    row("GROUP", "TYPE", "STATE")?;
    groups.iter().try_for_each(|group| row(&group.id, &group.kind, &group.state))?;
    Ok(())
}

/// The groups meant by `--group` or `--all-groups`.
fn group_ids(arguments: &Arguments, cluster: &mut Cluster) -> Result<Vec<String>, Failure> {
    match arguments.all_groups {
        true => Ok(cluster.list_consumer_groups()?.into_iter().map(|group| group.id).collect()),
        false => {
            let ids: BTreeSet<String> = arguments.group.iter().cloned().collect();
            Ok(ids.into_iter().collect())
        }
    }
}

/// `topic:0,1`.
fn partitions_of(argument: &str) -> Result<Vec<TopicPartition>, Failure> {
    let [topic, list] = argument.split(':').collect::<Vec<_>>()[..] else {
        return Err(Failure::Usage(format!("Invalid topic arg '{argument}', expected topic name and partitions")));
    };
    let partition = |text: &str| match text.parse() {
        Ok(index) => Ok(TopicPartition::new(topic, index)),
        Err(_) => Err(Failure::Usage(format!("Invalid partition '{text}' specified in topic arg '{argument}''"))),
    };
    list.split(',').map(partition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_of_a_topic_are_read() {
        let names = |text| partitions_of(text).ok().map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(names("t:0,3").unwrap(), ["t-0", "t-3"]);
        for wrong in ["t", "t:x", "t:1:2"] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn states_and_types_are_chosen_in_any_case() {
        assert_eq!(
            chosen(Some("stable, PREPARINGREBALANCE"), &STATES, "state").ok().unwrap(),
            ["Stable", "PreparingRebalance"]
        );
        assert_eq!(chosen(Some(""), &TYPES, "type").ok().unwrap(), TYPES);
        assert!(chosen(Some("bogus"), &TYPES, "type").is_err());
    }
}
