//! The command line.

use super::tool_arguments::{DoctorArguments, DumpArguments, TakeoverArguments, VerifyArguments};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A drop-in replacement for the Apache Kafka broker.
///
/// Without a properties file a node starts that is ready to use: node 1 on 127.0.0.1:9092 with its data in ./data,
/// which is created and formatted when absent or empty. With one, Kafka's names and defaults hold, and the log
/// directories must have been formatted.
#[derive(Debug, Parser)]
#[command(name = "corelog", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Arguments {
    /// A properties file as Kafka reads it
    #[arg(value_name = "server.properties")]
    pub file: Option<PathBuf>,
    /// Sets a property over the file's; may be repeated, the last of a key wins
    #[arg(long = "override", value_name = "key=value", value_parser = key_value)]
    pub overrides: Vec<(String, String)>,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  corelog
  corelog --override listeners=PLAINTEXT://0.0.0.0:9092 --override advertised.listeners=PLAINTEXT://kafka1:9092
  corelog storage format --standalone -t $(corelog storage random-uuid) -c server.properties
  corelog server.properties";

/// What the program does besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Formats log directories and tells about them (kafka-storage.sh)
    #[command(subcommand)]
    Storage(StorageCommand),
    /// Prints segments, indexes, snapshots (kafka-dump-log.sh)
    DumpLog(DumpArguments),
    /// Checks the files of a stopped node, changing nothing: exit code 0 whole, 1 findings, 2 not looked at
    Verify(VerifyArguments),
    /// Says what a start on an Apache Kafka node's directories would do (--check), and makes a KRaft node of a
    /// ZooKeeper-era one: exit code 0 nothing stands against it, 1 something does, 2 it could not be asked
    Takeover(TakeoverArguments),
    /// Reports how this machine suits corelog: exit code 0 as wanted, 1 something deviates, 2 corelog does not run here
    Doctor(DoctorArguments),
}

/// The commands of kafka-storage.sh.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// Get information about the log directories on this node
    Info(ConfigFile),
    /// Format the log directories on this node
    Format(FormatArguments),
    /// Print a random UUID
    RandomUuid,
}

/// The properties file of a storage command.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file to use
    #[arg(long, short)]
    pub config: PathBuf,
}

/// What `format` takes.
#[derive(Debug, Args)]
pub struct FormatArguments {
    /// The configuration file to use
    #[arg(long, short)]
    pub config: PathBuf,
    /// The cluster ID to use
    #[arg(long, short = 't')]
    pub cluster_id: String,
    /// A SCRAM credential to put into the metadata log, e.g. 'SCRAM-SHA-256=[name=alice,password=alice-secret]'
    #[arg(long, short = 'S')]
    pub add_scram: Vec<String>,
    /// Pass over directories that are formatted already instead of failing
    #[arg(long, short = 'g')]
    pub ignore_formatted: bool,
    /// The release whose metadata.version to begin with
    #[arg(long, short)]
    pub release_version: Option<String>,
    /// The level of one feature to begin with, e.g. metadata.version=30
    #[arg(long, short, value_name = "feature=level", value_parser = key_value)]
    pub feature: Vec<(String, String)>,
    /// Make this node the only voter of a dynamic quorum
    #[arg(long, short, group = "voters")]
    pub standalone: bool,
    /// Write no voters
    #[arg(long, short = 'N', group = "voters")]
    pub no_initial_controllers: bool,
    /// The voters of a dynamic quorum: id@host:port:directory, separated by commas
    #[arg(long, short = 'I', group = "voters")]
    pub initial_controllers: Option<String>,
}

/// Splits `key=value` at the first `=`.
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("it must be written key=value".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tool_arguments::STRING_DECODER;

    fn read(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("corelog").chain(line.split_whitespace()))
    }

    #[test]
    fn the_file_may_stand_before_or_after_overrides() {
        for line in ["a.properties --override k=1 --override k=2=3", "--override k=1 --override k=2=3 a.properties"] {
            let arguments = read(line).unwrap();
            assert_eq!(arguments.file, Some(PathBuf::from("a.properties")));
            assert_eq!(arguments.overrides, [("k".into(), "1".into()), ("k".into(), "2=3".into())]);
        }
        assert!(read("").unwrap().file.is_none());
    }

    #[test]
    fn kafkas_format_flags_are_taken_long_and_short() {
        for line in [
            "storage format --config c --cluster-id t --standalone --ignore-formatted --feature f=1 --release-version 4.0",
            "storage format -c c -t t -s -g -f f=1 -r 4.0",
        ] {
            let Some(Command::Storage(StorageCommand::Format(format))) = read(line).unwrap().command else {
                panic!("{line}");
            };
            assert_eq!((format.config, format.cluster_id.as_str()), (PathBuf::from("c"), "t"));
            assert!(format.standalone && format.ignore_formatted && !format.no_initial_controllers);
            assert_eq!(format.feature, [("f".to_owned(), "1".to_owned())]);
            assert_eq!(format.release_version.as_deref(), Some("4.0"));
        }
    }

    #[test]
    fn kafkas_dump_flags_are_taken() {
        let dump = |line: &str| match read(line).unwrap().command {
            Some(Command::DumpLog(dump)) => dump,
            _ => panic!("{line}"),
        };
        let given = dump("dump-log --files a.log,b.index c.log --value-decoder-class --max-bytes 7");
        assert_eq!((given.files.len(), given.more.len(), given.max_bytes), (2, 1, Some(7)));
        assert_eq!(given.value_decoder_class.as_deref(), Some(STRING_DECODER));
        assert_eq!((given.key_decoder_class, given.max_message_size), (None, 5 << 20));
        assert_eq!(dump("dump-log a.log --key-decoder-class x").key_decoder_class.as_deref(), Some("x"));
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "--override",
            "--override k",
            "--override =v",
            "--frob",
            "a b",
            "storage",
            "storage frob",
            "storage format -c c",
            "storage format -t t",
            "storage format -c c -t t -s -N",
            "storage format -c c -t t -s -I 1@h:1:x",
            "storage info",
            "dump-log",
            "verify",
            "dump-log --files",
            "dump-log --files a --max-bytes x",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
