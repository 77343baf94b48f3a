//! Whole partitions from their start to the end they have now, without a group.

use crate::Failure;
use crate::produce::record_line;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub struct Consume {
    #[arg(long)]
    topic: String,
    /// instead of the records: `partition count sha256` over `key TAB value NEWLINE` in order of offsets
    #[arg(long)]
    digest: bool,
}

impl Consume {
    pub fn run(self, mut config: ClientConfig) -> Result<(), Failure> {
        config.set("group.id", "not-used").set("enable.auto.commit", "false").set("enable.partition.eof", "false");
        let consumer: BaseConsumer = config.create()?;
        let mut ends = self.assign(&consumer)?;
        let mut digests: BTreeMap<i32, (u64, Sha256)> =
            ends.keys().map(|&partition| (partition, (0, Sha256::new()))).collect();
        ends.retain(|_, &mut (start, end)| start < end);
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut silent_since = Instant::now();
        while !ends.is_empty() {
            let Some(polled) = consumer.poll(Duration::from_millis(100)) else {
                if silent_since.elapsed() > DEADLINE {
                    return Err(format!("nothing came for {DEADLINE:?}; still open: {ends:?}").into());
                }
                continue;
            };
            silent_since = Instant::now();
            let message = polled?;
            let (partition, offset) = (message.partition(), message.offset());
            let Some(&(_, end)) = ends.get(&partition) else { continue };
            if offset < end {
                let line = record_line(partition, offset, message.key(), message.payload());
                if self.digest {
                    let of_record = line.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
                    let (count, sha) = digests.get_mut(&partition).ok_or("a partition not asked for")?;
                    *count += 1;
                    sha.update(of_record);
                } else {
                    out.write_all(&line)?;
                }
            }
            if offset + 1 >= end {
                ends.remove(&partition);
            }
        }
        if self.digest {
            for (partition, (count, sha)) in digests {
                writeln!(out, "{partition} {count} {:x}", sha.finalize())?;
            }
        }
        Ok(out.flush()?)
    }

    /// Assigns every partition from its start; returns (start, end) of each.
    fn assign(&self, consumer: &BaseConsumer) -> Result<BTreeMap<i32, (i64, i64)>, Failure> {
        let metadata = consumer.fetch_metadata(Some(&self.topic), DEADLINE)?;
        let topic = metadata.topics().first().ok_or("no such topic")?;
        let mut ends = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for partition in topic.partitions() {
            ends.insert(partition.id(), consumer.fetch_watermarks(&self.topic, partition.id(), DEADLINE)?);
            list.add_partition_offset(&self.topic, partition.id(), Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        Ok(ends)
    }
}
