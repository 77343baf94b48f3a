//! How much work the check of one batch may be: a shard does small ones on the spot, larger ones leave its core.

use crate::record::Compression;
use crate::record::rebuild::Packing;

/// Unpacked records may take so many times the bytes of the packed ones...
const EXPANSION_MAX: u64 = 256;
/// ...and always so many: a batch of a few bytes may hold a long row of zeros.
const UNPACKED_ALWAYS: u64 = 16 << 20;
/// What a batch that is packed anew may take unpacked: it is held in memory as a whole.
const REPACKED_MAX: u64 = 128 << 20;

/// How much work one check may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// On a shard: about a millisecond.
    Turn,
    /// On a thread of its own: as much as a batch may ask for.
    Full,
}

impl Effort {
    /// So many bytes may come out of a batch of `packed` bytes.
    pub(super) fn unpacked_max(self, codec: Compression, packed: usize) -> u64 {
        let full = (packed as u64).saturating_mul(EXPANSION_MAX).max(UNPACKED_ALWAYS);
        match self {
            Self::Full => full,
            // Measured: docs/STORAGE.md, "Checks of produced batches".
            Self::Turn => match codec {
                Compression::Gzip => 256 << 10,
                Compression::Zstd => 512 << 10,
                Compression::None | Compression::Snappy | Compression::Lz4 => 1 << 20,
            },
        }
    }

    /// Whether `unpacked` bytes may be packed anew.
    pub(super) fn may_pack(self, packing: Packing, unpacked: u64) -> bool {
        let max = match (self, packing.codec, packing.level) {
            (Self::Full, _, _) => REPACKED_MAX,
            (Self::Turn, Compression::None, _) => 1 << 20,
            (Self::Turn, Compression::Snappy, _) | (Self::Turn, Compression::Lz4, None) => 256 << 10,
            (Self::Turn, Compression::Lz4, Some(_)) => 8 << 10,
            (Self::Turn, Compression::Zstd, None | Some(..=3)) => 128 << 10,
            (Self::Turn, Compression::Gzip, _) => 16 << 10,
            (Self::Turn, Compression::Zstd, Some(4..=12)) => 8 << 10,
            (Self::Turn, Compression::Zstd, Some(_)) => 0,
        };
        unpacked <= max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shard_does_on_the_spot_is_bounded_whatever_the_batch_claims() {
        for id in 0..5 {
            let codec = Compression::from_id(id).unwrap();
            for packed in [100, 1 << 20, 1 << 30] {
                assert!(Effort::Turn.unpacked_max(codec, packed) <= 1 << 20);
                assert!(Effort::Full.unpacked_max(codec, packed) >= 16 << 20);
                for level in [None, Some(1), Some(22)] {
                    assert!(!Effort::Turn.may_pack(Packing { codec, level }, 2 << 20));
                }
            }
        }
        assert_eq!(Effort::Full.unpacked_max(Compression::Zstd, 1 << 20), 256 << 20);
    }
}
