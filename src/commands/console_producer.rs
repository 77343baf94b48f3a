//! `corelog console-producer` (`org.apache.kafka.tools.ConsoleProducer`).

mod lines;

use super::connect::{key_values, load};
use super::{Connect, Streams, Tool, ToolError};
use crate::client::producer::{Failure, Producer, ProducerConfig};
use crate::client::{ClientError, Cluster};
use crate::ring::clock;
use crate::ring::plain::Input;
use crate::ring::process::{Signals, random_bytes};
use clap::{Args, FromArgMatches};
use lines::{LineReader, Lines};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub const TOOL: Tool = Tool {
    name: "console-producer",
    script: "kafka-console-producer.sh",
    about: "Writes lines of standard input to a topic",
    arguments: |command| Arguments::augment_args(command),
    run: |matches, streams| run(&Arguments::from_arg_matches(matches)?, streams),
};

/// The class whose lines these are; there is no JVM to load another.
const LINE_READER: &str = "org.apache.kafka.tools.LineMessageReader";

#[derive(Debug, Args)]
struct Arguments {
    #[command(flatten)]
    connect: Connect,
    /// The topic
    #[arg(long)]
    topic: Option<String>,
    /// Wait for each record before the next one is read
    #[arg(long)]
    sync: bool,
    /// none, gzip, snappy, lz4 or zstd; gzip when nothing is said
    #[arg(long, num_args = 0..=1, default_missing_value = "gzip", value_name = "CODEC")]
    compression_codec: Option<String>,
    /// The bytes of a batch
    #[arg(long, value_name = "bytes")]
    batch_size: Option<String>,
    /// Deprecated: --batch-size
    #[arg(long, hide = true)]
    max_partition_memory_bytes: Option<String>,
    /// How often a batch is sent again (3)
    #[arg(long, value_name = "#")]
    message_send_max_retries: Option<String>,
    /// How long to wait before that, in ms (100)
    #[arg(long, value_name = "ms")]
    retry_backoff_ms: Option<String>,
    /// How long a record waits for others, in ms (1000)
    #[arg(long, value_name = "ms")]
    timeout: Option<String>,
    /// -1 or all, 0, 1 (-1)
    #[arg(long, value_name = "acks")]
    request_required_acks: Option<String>,
    /// How long to wait for an answer, in ms (1500)
    #[arg(long, value_name = "ms")]
    request_timeout_ms: Option<String>,
    /// The age of metadata; there is nothing to set here, they are asked for after errors
    #[arg(long, value_name = "ms", hide = true)]
    metadata_expiry_ms: Option<String>,
    /// How long to wait for metadata, in ms (60000)
    #[arg(long, value_name = "ms")]
    max_block_ms: Option<String>,
    /// The bytes that may wait (33554432)
    #[arg(long, value_name = "bytes")]
    max_memory_bytes: Option<String>,
    /// The socket's buffer; the kernel's own is used
    #[arg(long, value_name = "bytes", hide = true)]
    socket_buffer_size: Option<String>,
    /// Only org.apache.kafka.tools.LineMessageReader, there is no JVM to load another
    #[arg(long, value_name = "class")]
    line_reader: Option<String>,
    /// How lines are read: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator,
    /// headers.key.separator, ignore.error, null.marker
    #[arg(long, value_name = "key=value")]
    reader_property: Vec<String>,
    /// Deprecated: --reader-property
    #[arg(long, value_name = "key=value", hide = true)]
    property: Vec<String>,
    /// A properties file for the reader
    #[arg(long, value_name = "FILE")]
    reader_config: Option<PathBuf>,
    /// A property of the producer
    #[arg(long, value_name = "key=value")]
    command_property: Vec<String>,
    /// Deprecated: --command-property
    #[arg(long, value_name = "key=value", hide = true)]
    producer_property: Vec<String>,
    /// Deprecated: --command-config
    #[arg(long = "producer.config", id = "producer_config", value_name = "FILE", hide = true)]
    producer_config: Option<PathBuf>,
}

impl Arguments {
    fn check(&self, streams: &mut Streams<'_>) -> Result<(), ToolError> {
        let usage = |why: &str| Err(ToolError::Usage(why.into()));
        if self.topic.is_none() {
            return usage("Missing required argument \"[topic]\"");
        }
        let twice = [
            (
                self.connect.command_config.is_some() && self.producer_config.is_some(),
                "--command-config and --producer.config",
            ),
            (
                !self.command_property.is_empty() && !self.producer_property.is_empty(),
                "--command-property and --producer-property",
            ),
            (!self.reader_property.is_empty() && !self.property.is_empty(), "--reader-property and --property"),
        ];
        if let Some((_, names)) = twice.iter().find(|(both, _)| *both) {
            return usage(&format!("Options {names} cannot be specified together."));
        }
        if let Some(class) = self.line_reader.as_deref().filter(|class| *class != LINE_READER) {
            return usage(&format!("{class} cannot be loaded without a JVM; there is {LINE_READER}"));
        }
        let deprecated = [
            (!self.producer_property.is_empty(), "--producer-property", "a future version", "--command-property"),
            (self.producer_config.is_some(), "--producer.config", "a future version", "--command-config"),
            (!self.property.is_empty(), "--property", "a future version", "--reader-property"),
            (
                self.max_partition_memory_bytes.is_some(),
                "--max-partition-memory-bytes",
                "Apache Kafka 5.0",
                "--batch-size",
            ),
        ];
        for (given, name, when, successor) in deprecated {
            if given {
                writeln!(
                    streams.out,
                    "Warning: {name} is deprecated and will be removed in {when}. Use {successor} instead."
                )?;
            }
        }
        Ok(())
    }

    /// The producer's properties: a file's, then single ones, then those of the tool's own flags; the flags' defaults
    /// where nothing else is said.
    fn properties(&self) -> Result<BTreeMap<String, String>, ToolError> {
        let file = self.connect.command_config.as_deref().or(self.producer_config.as_deref());
        let mut properties = file.map_or(Ok(BTreeMap::new()), load)?;
        properties.extend(key_values(&self.command_property));
        properties.extend(key_values(&self.producer_property));
        let codec = self.compression_codec.as_deref().filter(|codec| !codec.is_empty());
        properties.insert("compression.type".into(), codec.unwrap_or("none").into());
        let batch_size = self.max_partition_memory_bytes.as_ref().or(self.batch_size.as_ref());
        let flags = [
            ("linger.ms", &self.timeout, "1000"),
            ("acks", &self.request_required_acks, "-1"),
            ("request.timeout.ms", &self.request_timeout_ms, "1500"),
            ("retries", &self.message_send_max_retries, "3"),
            ("retry.backoff.ms", &self.retry_backoff_ms, "100"),
            ("buffer.memory", &self.max_memory_bytes, "33554432"),
            ("batch.size", &batch_size.cloned(), "16384"),
            ("max.block.ms", &self.max_block_ms, "60000"),
        ];
        for (key, given, default) in flags {
            if given.is_some() || !properties.contains_key(key) {
                properties.insert(key.into(), given.as_deref().unwrap_or(default).into());
            }
        }
        // The client's name for the same: how long a call may take with all its tries.
        let block = properties.get("max.block.ms").cloned().unwrap_or_default();
        properties.insert("default.api.timeout.ms".into(), block);
        Ok(properties)
    }
}

fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    arguments.check(streams)?;
    let properties = arguments.properties()?;
    let mut reading = arguments.reader_config.as_deref().map_or(Ok(BTreeMap::new()), load)?;
    reading.extend(key_values(&arguments.reader_property));
    reading.extend(key_values(&arguments.property));
    let reader = LineReader::of(&reading).map_err(ToolError::Failed)?;
    let config = ProducerConfig::of(&properties)?;
    let cluster = arguments.connect.cluster_with("console-producer", &properties)?;
    let topic = arguments.topic.as_deref().unwrap_or_default();
    produce(topic, arguments.sync, reader, producer(cluster, config), streams)
}

/// A producer with a seed of its own.
pub fn producer(cluster: Cluster, config: ProducerConfig) -> Producer {
    let mut seed = [0; 8];
    random_bytes(&mut seed);
    Producer::new(cluster, config, u64::from_le_bytes(seed))
}

fn produce(
    topic: &str,
    sync: bool,
    mut reader: LineReader,
    mut producer: Producer,
    streams: &mut Streams<'_>,
) -> Result<(), ToolError> {
    let _signals = Signals::install()?;
    let mut input = Input::new();
    let mut lines = Lines::default();
    let prompt = input.is_terminal();
    let mut ask = prompt;
    let mut result = Ok(());
    'all: loop {
        if ask {
            write!(streams.out, ">")?;
            ask = false;
        }
        streams.out.flush()?;
        // What waits is bounded: standard input is read on when there is room.
        let room = producer.buffered() < producer.buffer_memory();
        let far = clock::mono().plus_ms(60_000);
        let woken = producer.wait(room.then_some(&input), far)?;
        if woken.input {
            lines.fill(&mut input)?;
        }
        while let Some(line) = lines.next() {
            ask = prompt;
            let sent = reader.read(&line).and_then(|record| {
                producer.send(topic, &record, clock::now().wall).map_err(|error| error.with_exception())
            });
            if let Err(why) = sent {
                result = Err(ToolError::Failed(why));
                break 'all;
            }
            if sync {
                producer.flush()?;
            }
            if producer.buffered() >= producer.buffer_memory() {
                producer.turn(false)?;
            }
        }
        producer.turn(false)?;
        tell(&mut producer, streams)?;
        if woken.stop || lines.ended() {
            break;
        }
    }
    producer.flush()?;
    tell(&mut producer, streams)?;
    if prompt {
        writeln!(streams.out)?;
    }
    result
}

/// Says what could not be written. As in Kafka's tool the rest goes on, and the exit code stays 0.
fn tell(producer: &mut Producer, streams: &mut Streams<'_>) -> Result<(), ToolError> {
    for Failure { at, records, error } in producer.failures() {
        let why = match &error {
            ClientError::Timeout(_) | ClientError::Network(_) | ClientError::Broker(..) => error.with_exception(),
            other => other.to_string(),
        };
        writeln!(streams.err, "ERROR Error when sending {records} message(s) to topic {} ({at}): {why}", at.topic)?;
    }
    producer.written();
    Ok(())
}
