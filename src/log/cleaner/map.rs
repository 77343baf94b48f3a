//! Which offset is the last of each key (`SkimpyOffsetMap`): a hash table of fixed size that does not hold the keys.
//!
//! An entry takes 16 bytes, where Apache Kafka's takes 24: 80 bits of the key's hash and 48 bits of its offset, counted
//! from where the map begins. The hash is SipHash-1-3 under a secret drawn for each round. Kafka's MD5 needs no secret
//! and has none: who finds two keys of one MD5 makes it lose one of them. Ours cannot be aimed at, and by chance a key
//! meets another's 80 bits once in 10^24 comparisons, of which a look-up makes a few.

use crate::base::Offset;
use siphasher::sip128::SipHasher13;

/// Entries of a bucket: one cache line, so that a look-up touches one or two of them.
const BUCKET: usize = 4;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 16;
const OFFSET_BITS: u32 = 48;
const OFFSET_MASK: u128 = (1 << OFFSET_BITS) - 1;

/// See the module.
pub struct OffsetMap {
    hasher: SipHasher13,
    /// Offsets are kept as differences from here, plus one: an entry of zeros is free.
    base: Offset,
    buckets: Vec<[u128; BUCKET]>,
    len: usize,
    len_max: usize,
    latest: Offset,
}

impl OffsetMap {
    /// A map for keys at `base` and after, in at most `memory_bytes`, of which `load_factor` is used; smaller when there
    /// are no more than `keys_max` keys. `secret` is random.
    pub fn new(memory_bytes: usize, load_factor: f64, keys_max: u64, base: Offset, secret: [u64; 2]) -> Self {
        let load_factor = load_factor.clamp(0.01, 1.0);
        let wanted = ((keys_max as f64 / load_factor) as u64).saturating_add(2 * BUCKET as u64);
        let slots = (memory_bytes / ENTRY_BYTES).min(usize::try_from(wanted).unwrap_or(usize::MAX));
        let buckets = (slots / BUCKET).max(1);
        let slots = buckets * BUCKET;
        // One entry stays free, or a look-up of a key that is not there would not end.
        let len_max = ((slots as f64 * load_factor) as usize).clamp(1, slots - 1);
        Self {
            hasher: SipHasher13::new_with_keys(secret[0], secret[1]),
            base,
            // Zeroed by the kernel page by page as they are touched.
            buckets: vec![[0; BUCKET]; buckets],
            len: 0,
            len_max,
            latest: Offset(-1),
        }
    }

    /// True when no further key fits.
    pub fn is_full(&self) -> bool {
        self.len >= self.len_max
    }

    /// How many keys it holds.
    pub fn keys(&self) -> usize {
        self.len
    }

    /// Everything up to this offset has gone through the map; -1 before anything did.
    pub fn latest(&self) -> Offset {
        self.latest
    }

    /// Takes note that everything up to `offset` went through.
    pub fn advance(&mut self, offset: Offset) {
        self.latest = self.latest.max(offset);
    }

    /// The key's last offset is `offset`. False, and nothing is changed, when the map is full or the offset is further
    /// from the map's beginning than an entry can say.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let distance = offset.since(self.base).saturating_add(1);
        if self.is_full() || distance <= 0 || distance as u128 > OFFSET_MASK {
            return false;
        }
        let probe = Probe::of(&self.hasher, key, self.buckets.len());
        let entry = probe.print | distance as u128;
        for at in probe.buckets() {
            let bucket = &mut self.buckets[at];
            for slot in bucket.iter_mut() {
                let same = *slot & !OFFSET_MASK == probe.print;
                if *slot == 0 || same {
                    self.len += usize::from(*slot == 0);
                    *slot = entry;
                    self.latest = self.latest.max(offset);
                    return true;
                }
            }
        }
        false
    }

    /// The key's last offset.
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let probe = Probe::of(&self.hasher, key, self.buckets.len());
        for at in probe.buckets() {
            for slot in self.buckets[at] {
                if slot == 0 {
                    return None;
                }
                if slot & !OFFSET_MASK == probe.print {
                    return Some(self.base.plus((slot & OFFSET_MASK) as i64 - 1));
                }
            }
        }
        None
    }
}

/// Where a key may be.
struct Probe {
    /// The upper 80 bits of its entry.
    print: u128,
    first: usize,
    second: usize,
    buckets: usize,
}

impl Probe {
    fn of(hasher: &SipHasher13, key: &[u8], buckets: usize) -> Self {
        let (one, two) = hasher.hash(key).as_u64();
        let place = |hash: u64| ((u128::from(hash) * buckets as u128) >> 64) as usize;
        let print = (u128::from(one) << 64) | (u128::from(two & 0xffff) << OFFSET_BITS);
        // A print of zeros at distance zero cannot be: distances begin at one.
        Self { print, first: place(two), second: place(one), buckets }
    }

    /// Two places by hash, then on from the second: a full bucket rarely meets another.
    fn buckets(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, second, buckets) = (self.first, self.second, self.buckets);
        std::iter::once(first).chain((0..buckets).map(move |i| (second + i) % buckets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::collections::HashMap;

    #[test]
    fn it_agrees_with_a_map_of_keys_up_to_its_load() {
        for seed in 0..20u64 {
            let mut random = StdRng::seed_from_u64(seed);
            let base = Offset(random.random_range(0..1 << 40));
            let load = random.random_range(0.3..1.0);
            let mut map = OffsetMap::new(random.random_range(16..40_000), load, u64::MAX, base, [seed, 7]);
            let mut model = HashMap::new();
            for i in 0..10_000 {
                let key = random.random_range(0..2000u32).to_be_bytes();
                let offset = base.plus(i);
                if !map.put(&key, offset) {
                    break;
                }
                model.insert(key, offset);
                assert_eq!(map.latest(), offset);
            }
            assert_eq!(map.keys(), model.len(), "seed {seed}");
            for key in (0..2100u32).map(u32::to_be_bytes) {
                assert_eq!(map.get(&key), model.get(&key).copied(), "seed {seed}");
            }
        }
    }

    #[test]
    fn memory_and_load_bound_it() {
        let full = |map: &mut OffsetMap| (0..10_000u32).take_while(|i| map.put(&i.to_be_bytes(), Offset(9))).count();
        assert_eq!(full(&mut OffsetMap::new(1600, 0.9, u64::MAX, Offset(0), [1, 2])), 90);
        assert_eq!(full(&mut OffsetMap::new(1600, 1.0, u64::MAX, Offset(0), [1, 2])), 99);
        assert_eq!(full(&mut OffsetMap::new(0, 0.5, u64::MAX, Offset(0), [1, 2])), 2, "one bucket there always is");
        let few = OffsetMap::new(1 << 40, 0.9, 100, Offset(0), [1, 2]);
        assert!((100..120).contains(&few.len_max), "no more memory than there can be keys: {}", few.len_max);
    }

    #[test]
    fn an_offset_too_far_away_is_not_taken() {
        let mut map = OffsetMap::new(1600, 0.9, u64::MAX, Offset(10), [1, 2]);
        assert!(!map.put(b"k", Offset(9)));
        assert!(!map.put(b"k", Offset(10 + (1 << 48))));
        assert!(map.put(b"k", Offset(10)));
        assert_eq!(map.get(b"k"), Some(Offset(10)));
        map.advance(Offset(5));
        assert_eq!(map.latest(), Offset(10));
        map.advance(Offset(50));
        assert_eq!(map.latest(), Offset(50));
    }
}
