//! Which partition a record goes to (`BuiltInPartitioner`, KIP-794).

use std::collections::HashMap;

/// Kafka's hash of keys: MurmurHash2 with 32 bits and its seed.
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = chunk.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0_u32, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

/// The partition of a key among `count`.
pub fn of_key(key: &[u8], count: usize) -> usize {
    (murmur2(key) & i32::MAX) as usize % count.max(1)
}

/// Records without keys stay with one partition of their topic until a batch's worth has gone there.
#[derive(Debug)]
pub struct Sticky {
    batch_size: usize,
    /// The state of a small generator of random numbers.
    random: u64,
    topics: HashMap<String, (usize, usize)>,
}

impl Sticky {
    /// `seed` is random.
    pub fn new(batch_size: usize, seed: u64) -> Self {
        Self { batch_size, random: seed | 1, topics: HashMap::new() }
    }

    fn next_random(&mut self) -> u64 {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// The partition for `bytes` more of `topic`, one of `available`; `None` where there is none.
    pub fn next(&mut self, topic: &str, bytes: usize, available: &[usize]) -> Option<usize> {
        let random = self.next_random();
        let any = *available.get((random % available.len().max(1) as u64) as usize)?;
        let batch_size = self.batch_size;
        let (partition, sent) = self.topics.entry(topic.to_owned()).or_insert((any, 0));
        if *sent >= batch_size || !available.contains(partition) {
            (*partition, *sent) = (any, 0);
        }
        *sent += bytes;
        Some(*partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_javas_clients_hash_them() {
        // Computed by Utils.murmur2.
        let table: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in table {
            assert_eq!(murmur2(key), hash);
        }
    }

    #[test]
    fn records_without_keys_change_the_partition_after_a_batch() {
        let mut sticky = Sticky::new(100, 42);
        let first = sticky.next("t", 60, &[0, 1, 2]).unwrap();
        assert_eq!(sticky.next("t", 60, &[0, 1, 2]), Some(first), "a batch is not full yet");
        let seen: std::collections::HashSet<_> = (0..50).map(|_| sticky.next("t", 100, &[0, 1, 2]).unwrap()).collect();
        assert_eq!(seen.len(), 3);
        assert_eq!(sticky.next("t", 1, &[7]), Some(7), "a partition without a leader is left");
        assert_eq!(sticky.next("t", 1, &[]), None);
    }
}
