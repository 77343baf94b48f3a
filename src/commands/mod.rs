//! The tools that ask a running broker, as Kafka's scripts of the same names do without a JVM: their flags, their
//! output, their exit codes. One file a tool, one line in [`table`]; docs/TOOLS.md says where they differ.

mod broker_api_versions;
mod cluster;
mod configs;
mod connect;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod delete_records;
mod features;
mod get_offsets;
mod groups;
mod leader_election;
mod log_dirs;
mod metadata_quorum;
mod pattern;
mod print;
mod reassign_partitions;
mod table;
mod topics;
mod transactions;

use crate::client::ClientError;
use clap::{ArgMatches, Command};
use std::io::{self, Write};

pub use connect::Connect;
pub use table::TOOLS;

/// A tool: `corelog NAME`, and the script that calls it.
pub struct Tool {
    /// The subcommand.
    pub name: &'static str,
    /// Kafka's script.
    pub script: &'static str,
    /// One line of help.
    pub about: &'static str,
    arguments: fn(Command) -> Command,
    run: fn(&ArgMatches, &mut Streams<'_>) -> Result<(), ToolError>,
}

/// Where the text goes.
pub struct Streams<'a> {
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
}

/// Why a tool ends with 1.
#[derive(Debug)]
pub enum ToolError {
    /// The command line does not fit together.
    Usage(String),
    /// It did not work; a sentence for standard error.
    Failed(String),
    /// It did not work, and that was said already.
    Told,
    /// The text could not be written: its reader has gone, as a rule.
    Output(io::Error),
}

impl From<io::Error> for ToolError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ClientError> for ToolError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Config(why) => Self::Usage(why),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<clap::Error> for ToolError {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl Tool {
    /// What the command line of the tool may hold.
    pub fn command(&self) -> Command {
        let command = (self.arguments)(Command::new(self.name).about(self.about));
        // Values such as -1 are values; a tool told nothing says what it could be told.
        let command = command.mut_args(|argument| {
            let needs_value = argument.get_action().takes_values()
                && argument.get_num_args().is_none_or(|values| values.min_values() > 0);
            if needs_value { argument.allow_hyphen_values(true) } else { argument }
        });
        command.arg_required_else_help(true)
    }

    /// Runs it; false is exit code 1.
    pub fn run(&self, matches: &ArgMatches, streams: &mut Streams<'_>) -> bool {
        let done = match matches.get_flag("version") {
            true => writeln!(streams.out, "{KAFKA_VERSION}-corelog-{}", env!("CARGO_PKG_VERSION")).map_err(Into::into),
            false => (self.run)(matches, streams),
        };
        let done = done.and_then(|()| streams.out.flush().map_err(Into::into));
        // Nobody is left to be told when standard error is gone too.
        let told = match &done {
            Ok(()) => Ok(()),
            Err(ToolError::Usage(why)) => {
                writeln!(streams.err, "{}\nFor more information, try 'corelog {} --help'.", why.trim_end(), self.name)
            }
            Err(ToolError::Failed(why)) => writeln!(streams.err, "{why}"),
            Err(ToolError::Told | ToolError::Output(_)) => streams.out.flush(),
        };
        done.is_ok() && told.is_ok()
    }
}

/// The release whose tools these do as.
const KAFKA_VERSION: &str = "4.3.1";

/// The tool with this name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}
