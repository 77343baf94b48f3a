//! Transactions: one commits, one aborts, offsets go with a third, and a second producer fences the first.

use crate::Failure;
use crate::produce::Acknowledgements;
use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::Offset;
use std::sync::atomic::Ordering;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);
const RECORDS: usize = 10;

#[derive(clap::Args)]
pub struct Transact {
    #[arg(long)]
    topic: String,
    /// commit an offset of this group in a transaction
    #[arg(long)]
    group: Option<String>,
    /// leave a transaction open until standard input ends
    #[arg(long)]
    hang: bool,
}

type Transactional = ThreadedProducer<Acknowledgements>;

impl Transact {
    pub fn run(self, config: ClientConfig) -> Result<(), Failure> {
        let producer = begin(&config)?;
        if self.hang {
            self.write(&producer, "open")?;
            producer.flush(DEADLINE)?;
            println!("open");
            let finish = crate::asked_to_finish();
            while !finish.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(20));
            }
            return Ok(());
        }
        self.write(&producer, "good")?;
        producer.commit_transaction(DEADLINE)?;
        println!("committed {RECORDS}");
        self.write(&producer, "bad")?;
        producer.flush(DEADLINE)?;
        producer.abort_transaction(DEADLINE)?;
        println!("aborted {RECORDS}");
        if let Some(group) = &self.group {
            println!("offset {}", self.offsets(&producer, &config, group)?);
        }
        let second = begin(&config)?;
        producer.begin_transaction()?;
        let written = self.write_records(&producer, "zombie").and_then(|()| Ok(producer.commit_transaction(DEADLINE)?));
        println!("{}", if written.is_err() { "fenced" } else { "a zombie commits" });
        drop(second);
        Ok(())
    }

    fn write(&self, producer: &Transactional, what: &str) -> Result<(), Failure> {
        producer.begin_transaction()?;
        self.write_records(producer, what)
    }

    fn write_records(&self, producer: &Transactional, what: &str) -> Result<(), Failure> {
        for n in 0..RECORDS {
            let value = format!("{what}-{n}");
            crate::produce::send(producer, BaseRecord::to(&self.topic).payload(value.as_bytes()))?;
        }
        Ok(())
    }

    /// Commits offset 7 of partition 0 in a transaction; what the group then has.
    fn offsets(&self, producer: &Transactional, config: &ClientConfig, group: &str) -> Result<i64, Failure> {
        let mut reader = ClientConfig::new();
        reader.set("bootstrap.servers", config.get("bootstrap.servers").unwrap_or_default());
        let consumer: BaseConsumer = reader.set("group.id", group).create()?;
        let metadata = consumer.group_metadata().ok_or("no group metadata")?;
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&self.topic, 0, Offset::Offset(7))?;
        producer.begin_transaction()?;
        producer.send_offsets_to_transaction(&offsets, &metadata, DEADLINE)?;
        producer.commit_transaction(DEADLINE)?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, 0);
        let committed = consumer.committed_offsets(asked, DEADLINE)?;
        let found = committed.find_partition(&self.topic, 0).map(|p| p.offset());
        Ok(found.and_then(|offset| offset.to_raw()).unwrap_or(-1))
    }
}

fn begin(config: &ClientConfig) -> Result<Transactional, Failure> {
    let producer: Transactional = config.create_with_context(Acknowledgements { quiet: true, ..Default::default() })?;
    producer.init_transactions(DEADLINE)?;
    Ok(producer)
}
