//! Numbered records without end: the load under which a broker is killed.

use crate::produce::{Acknowledgements, finish, send};
use crate::{Failure, asked_to_finish};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Load {
    #[arg(long)]
    topic: String,
    /// no more than so many records wait for their acknowledgement
    #[arg(long, default_value_t = 1000)]
    in_flight_max: i32,
    /// no more than so many records a second
    #[arg(long, default_value_t = u64::MAX)]
    per_second: u64,
    /// bytes of each value at least
    #[arg(long, default_value_t = 100)]
    value_len: usize,
}

impl Load {
    /// Values are `n` padded to the wanted length; keys are `n mod 997`, so that records spread.
    pub fn run(self, config: ClientConfig) -> Result<(), Failure> {
        let producer: ThreadedProducer<Acknowledgements> = config.create_with_context(Acknowledgements::default())?;
        let done = asked_to_finish();
        let mut number = 0u64;
        let began = Instant::now();
        while !done.load(Ordering::Acquire) {
            let due = u128::from(number) * 1_000_000 / u128::from(self.per_second);
            while began.elapsed().as_micros() < due && !done.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
            while producer.in_flight_count() >= self.in_flight_max && !done.load(Ordering::Acquire) {
                producer.poll(Duration::from_millis(1));
            }
            if let Some((error, reason)) = producer.client().fatal_error() {
                return Err(format!("librdkafka gave up: {error}: {reason}").into());
            }
            let key = (number % 997).to_string();
            let value = format!("{number:0>width$}", width = self.value_len);
            send(&producer, BaseRecord::to(&self.topic).key(key.as_bytes()).payload(value.as_bytes()))?;
            number += 1;
        }
        finish(&producer)?;
        eprintln!("sent {number}");
        Ok(())
    }
}
