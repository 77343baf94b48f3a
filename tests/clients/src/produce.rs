//! Lines of standard input into a topic.

use crate::Failure;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A delivery report may wait as long as librdkafka retries; then something is wrong.
const FLUSH_DEADLINE: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub struct Produce {
    #[arg(long)]
    topic: String,
    /// all records into this partition; absent: the partitioner decides
    #[arg(long)]
    partition: Option<i32>,
}

/// Prints each acknowledgement and counts what failed.
#[derive(Default)]
pub struct Acknowledgements {
    pub failed: AtomicU64,
    /// Nothing is printed.
    pub quiet: bool,
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if self.quiet {
            return;
        }
        let mut out = std::io::stdout().lock();
        match result {
            Ok(message) => {
                let line = record_line(message.partition(), message.offset(), message.key(), message.payload());
                // A closed pipe means that the scenario is gone.
                let _ = out.write_all(&line);
            }
            Err((error, message)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let value = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
                eprintln!("not delivered: {value}: {error}");
            }
        }
    }
}

/// `partition offset key TAB value`, an absent key as `-`.
pub fn record_line(partition: i32, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Vec<u8> {
    let mut line = format!("{partition} {offset} ").into_bytes();
    line.extend_from_slice(key.unwrap_or(b"-"));
    line.push(b'\t');
    line.extend_from_slice(value.unwrap_or_default());
    line.push(b'\n');
    line
}

/// Hands one record to librdkafka, waiting while its queue is full.
pub fn send(
    producer: &ThreadedProducer<Acknowledgements>,
    mut record: BaseRecord<'_, [u8], [u8]>,
) -> Result<(), Failure> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Waits for all acknowledgements; any record that failed is a failure.
pub fn finish(producer: &ThreadedProducer<Acknowledgements>) -> Result<(), Failure> {
    producer.flush(FLUSH_DEADLINE)?;
    std::io::stdout().flush()?;
    match producer.context().failed.load(Ordering::Relaxed) {
        0 => Ok(()),
        failed => Err(format!("{failed} records were not delivered").into()),
    }
}

impl Produce {
    pub fn run(self, config: ClientConfig) -> Result<(), Failure> {
        let producer: ThreadedProducer<Acknowledgements> = config.create_with_context(Acknowledgements::default())?;
        for line in std::io::stdin().lock().split(b'\n') {
            let line = line?;
            let tab = line.iter().position(|&byte| byte == b'\t').ok_or("a record is key TAB value")?;
            let (key, value) = (&line[..tab], &line[tab + 1..]);
            let mut record = BaseRecord::to(&self.topic).payload(value);
            if key != b"-" {
                record = record.key(key);
            }
            if let Some(partition) = self.partition {
                record = record.partition(partition);
            }
            send(&producer, record)?;
        }
        finish(&producer)
    }
}
