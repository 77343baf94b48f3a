//! The command line of the tools that look into a stopped node's files.

use clap::Args;
use std::path::PathBuf;

/// The only class of Kafka's that can be named as a decoder.
pub const STRING_DECODER: &str = "org.apache.kafka.tools.api.StringDecoder";

/// What `dump-log` takes (kafka-dump-log.sh).
#[derive(Debug, Args)]
pub struct DumpArguments {
    /// The files to print, separated by commas
    #[arg(long = "files", value_name = "file1, file2, ...", value_delimiter = ',', required_unless_present = "more")]
    pub files: Vec<PathBuf>,
    /// The files to print, one by one
    #[arg(value_name = "FILE")]
    pub more: Vec<PathBuf>,
    /// Print keys and values; on when a decoder is named
    #[arg(long)]
    pub print_data_log: bool,
    /// Print a line for each record; on when keys and values are printed
    #[arg(long)]
    pub deep_iteration: bool,
    /// Only print keys and values of the records
    #[arg(long)]
    pub skip_record_metadata: bool,
    /// Only ask whether an index would be accepted at start
    #[arg(long)]
    pub index_sanity_check: bool,
    /// Compare the indexes with their segments without printing them
    #[arg(long)]
    pub verify_index_only: bool,
    /// Read at most so many bytes of each file
    #[arg(long, value_name = "size")]
    pub max_bytes: Option<u32>,
    /// The size of the largest batch, for checking an index
    #[arg(long, value_name = "size", default_value_t = 5 << 20)]
    pub max_message_size: u32,
    /// How values are read: only org.apache.kafka.tools.api.StringDecoder, there is no JVM to load another
    #[arg(long, value_name = "class", num_args = 0..=1, default_missing_value = STRING_DECODER)]
    pub value_decoder_class: Option<String>,
    /// How keys are read: only org.apache.kafka.tools.api.StringDecoder
    #[arg(long, value_name = "class", num_args = 0..=1, default_missing_value = STRING_DECODER)]
    pub key_decoder_class: Option<String>,
    /// Read records as those of __consumer_offsets
    #[arg(long)]
    pub offsets_decoder: bool,
    /// Read records as those of __transaction_state
    #[arg(long)]
    pub transaction_log_decoder: bool,
    /// Read records as those of __cluster_metadata
    #[arg(long)]
    pub cluster_metadata_decoder: bool,
    /// Read records as those of __remote_log_metadata
    #[arg(long)]
    pub remote_log_metadata_decoder: bool,
    /// Read records as those of __share_group_state
    #[arg(long)]
    pub share_group_state_decoder: bool,
}

/// What `verify` takes.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// A log directory, or one of a partition
    #[arg(value_name = "DIR", required = true)]
    pub dirs: Vec<PathBuf>,
    /// Look although a broker uses the directory; what it is writing may look broken
    #[arg(long)]
    pub running: bool,
}

/// What `doctor` takes.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// The node's properties file: its log directories and sockets are looked at
    #[arg(long, short, value_name = "server.properties")]
    pub config: Option<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Measure the disks of the log directories and the loopback too: some seconds, and 256 MB written to each
    #[arg(long)]
    pub self_test: bool,
}

/// What `takeover` takes.
#[derive(Debug, Args)]
pub struct TakeoverArguments {
    /// The log directories; those of the properties file where it is given
    #[arg(value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Only say what would be done and what stands against it; nothing is changed
    #[arg(long)]
    pub check: bool,
    /// The node's properties file
    #[arg(long, short, value_name = "server.properties")]
    pub config: Option<PathBuf>,
    /// Topic configurations of a ZooKeeper-era node: what kafka-topics.sh --describe printed, or lines of: topic key=value
    #[arg(long, value_name = "FILE", conflicts_with = "no_topic_configs")]
    pub topic_configs: Option<PathBuf>,
    /// No topic of the ZooKeeper-era node had a configuration of its own
    #[arg(long)]
    pub no_topic_configs: bool,
}
