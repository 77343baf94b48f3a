//! What is produced: the size of batches and records, keys, compression, acknowledgements and durability.

use crate::kafka::{self, Codec};
use bytes::Bytes;
use std::io;

/// Flags of the workloads that produce.
#[derive(clap::Args, Clone, Debug)]
pub struct Payload {
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=16 << 20))]
    pub record: u32,
    /// Keys of the records, in turn; 0: records have no key.
    #[arg(long, default_value_t = 0)]
    pub keys: u64,
    /// Packs the batches, which then hold text.
    #[arg(long, value_enum)]
    pub compression: Option<Codec>,
    /// Required acknowledgements: -1 (all), 1 or 0.
    #[arg(long, default_value_t = -1, allow_hyphen_values = true, value_parser = clap::value_parser!(i16).range(-1..=1))]
    pub acks: i16,
    /// Whether a record is acknowledged from the page cache (parity) or when it is on the disk (sync): `flush.messages` of
    /// the topics.
    #[arg(long, value_enum, default_value_t = Durability::Parity)]
    pub durability: Durability,
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    /// As Apache Kafka by default: the record is in the page cache.
    Parity,
    /// fdatasync before the acknowledgement.
    Sync,
}

impl Payload {
    /// A batch whose request is about `size` bytes (before it is packed), and its records.
    ///
    /// # Errors
    /// A batch that cannot be packed.
    pub fn batch(&self, size: u32) -> io::Result<(Bytes, u64)> {
        if let Some(codec) = self.compression {
            return kafka::packed_text(size as usize, self.record as usize, codec);
        }
        let (size, record) = (size as usize, self.record as usize);
        // What a small batch could not hold otherwise.
        let value = record.min(size.saturating_sub(120)).max(1);
        let of = |records: usize| kafka::keyed_batch(self.keys, records, value);
        let (one, two) = (of(1).len(), of(2).len());
        let mut records = 1 + size.saturating_sub(one + 90) / (two - one);
        loop {
            let batch = of(records);
            if batch.len() + 90 <= size || records == 1 {
                return Ok((batch, records as u64));
            }
            records -= 1;
        }
    }

    /// The configurations of a topic of this durability class.
    pub fn topic_configs(&self) -> Vec<(&'static str, &'static str)> {
        match self.durability {
            Durability::Parity => Vec::new(),
            Durability::Sync => vec![("flush.messages", "1")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use corelog::record::BatchView;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        payload: Payload,
    }

    #[test]
    fn batches_have_the_size_the_records_and_the_keys_that_are_asked() {
        let of = |flags: &[&str]| Only::parse_from([&["x"], flags].concat()).payload;
        for (flags, size, least, most) in [
            (&[][..], 1 << 20, 1030, 1045),
            (&["--record", "100"], 64 << 10, 580, 620),
            (&["--record", "100", "--keys", "5"], 64 << 10, 500, 620),
            (&["--record", "100"], 100, 1, 1),
            (&["--compression", "lz4", "--record", "500"], 100_000, 195, 205),
        ] {
            let (batch, records) = of(flags).batch(size).unwrap();
            let view = BatchView::parse_checked(&batch).unwrap();
            assert_eq!(view.header().count() as u64, records, "{flags:?}");
            assert!((least..=most).contains(&records), "{flags:?}: {records}");
            assert!(batch.len() < size as usize + 200, "{flags:?}: {}", batch.len());
        }
        let (batch, _) = of(&["--keys", "2"]).batch(10_000).unwrap();
        let view = BatchView::parse_checked(&batch).unwrap();
        let keys: std::collections::BTreeSet<_> = view.records().map(|r| r.unwrap().key.map(<[u8]>::to_vec)).collect();
        assert_eq!(keys.len(), 2);
    }
}
