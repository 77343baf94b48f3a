//! Packing records with the codecs of attribute bits 0-2, in the framings that every client of Kafka reads.

use super::Compression;
use std::io::{self, Write};

/// The blocks Java packs snappy streams in.
const SNAPPY_BLOCK: usize = 32 * 1024;
/// What Java's snappy streams begin with: xerial's magic, version 1, compatible with version 1.
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];

/// The level of lz4 for which Kafka takes the fast compressor; any other is one of the high compressor's.
pub const LZ4_FAST_LEVEL: i32 = 9;
/// The levels of the high compressor (`LZ4HC_CLEVEL_MIN`, `LZ4HC_CLEVEL_MAX`); Kafka's go from 1 to 17.
const LZ4_HIGH: std::ops::RangeInclusive<i32> = 3..=12;

/// Appends `body`, packed, to `out`. `level` holds for gzip (1 to 9), lz4 (1 to 17, of which 9 is the fastest) and zstd;
/// `None` is the codec's own default.
///
/// # Errors
/// The codec's; none is known but for want of memory.
pub fn compress(compression: Compression, level: Option<i32>, body: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match compression {
        Compression::None => out.extend_from_slice(body),
        Compression::Gzip => {
            let level = level
                .and_then(|l| u32::try_from(l).ok())
                .map_or(flate2::Compression::default(), |l| flate2::Compression::new(l.clamp(1, 9)));
            let mut writer = flate2::write::GzEncoder::new(out, level);
            writer.write_all(body)?;
            writer.finish()?;
        }
        Compression::Snappy => {
            out.extend_from_slice(&XERIAL_HEADER);
            let mut encoder = snap::raw::Encoder::new();
            for block in body.chunks(SNAPPY_BLOCK) {
                let packed = encoder.compress_vec(block).map_err(io::Error::other)?;
                out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
                out.extend_from_slice(&packed);
            }
        }
        Compression::Lz4 if level.is_some_and(|level| level != LZ4_FAST_LEVEL) => {
            let level = level.unwrap_or(LZ4_FAST_LEVEL).clamp(*LZ4_HIGH.start(), *LZ4_HIGH.end());
            let mut builder = lz4::EncoderBuilder::new();
            builder.block_size(lz4::BlockSize::Max64KB).block_mode(lz4::BlockMode::Independent);
            builder.block_checksum(lz4::liblz4::BlockChecksum::NoBlockChecksum);
            builder.checksum(lz4::ContentChecksum::NoChecksum).level(level.unsigned_abs());
            let mut writer = builder.build(out)?;
            writer.write_all(body)?;
            writer.finish().1?;
        }
        Compression::Lz4 => {
            use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
            // Java reads independent blocks only.
            let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
            let mut writer = FrameEncoder::with_frame_info(info, out);
            writer.write_all(body)?;
            writer.finish().map_err(io::Error::other)?;
        }
        Compression::Zstd => {
            let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
            let mut writer = zstd::stream::write::Encoder::new(out, level)?;
            // High levels make tables of many megabytes unless they know that there is little to come.
            writer.set_pledged_src_size(Some(body.len() as u64))?;
            writer.write_all(body)?;
            writer.finish()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::compression::unpack;

    #[test]
    fn levels_of_lz4_pack_tighter_in_frames_that_java_reads() {
        let text: Vec<u8> = (0..60_000u32).flat_map(|i| format!("{} ", i * 7919 % 9973).into_bytes()).collect();
        let packed = |level| {
            let mut out = Vec::new();
            compress(Compression::Lz4, level, &text, &mut out).unwrap();
            assert_eq!(unpack(Compression::Lz4, &out, text.len()).unwrap(), text, "{level:?}");
            // Version 1, independent blocks, no checksum of a block, no size, no checksum of the content; 64 KiB.
            assert_eq!(out[4..6], [0b0110_0000, 0b0100_0000], "{level:?}");
            out
        };
        let fast = packed(None);
        assert_eq!(packed(Some(9)), fast, "Kafka's default is the fast compressor");
        let high: Vec<usize> = [1, 3, 12].map(|level| packed(Some(level)).len()).to_vec();
        assert!(high[0] < fast.len() && high[2] < high[1], "{} {high:?}", fast.len());
        assert_eq!(packed(Some(17)), packed(Some(12)), "the highest there is");
    }

    #[test]
    fn what_is_packed_unpacks_behind_what_stood_before() {
        let text: Vec<u8> = (0..30_000u32).flat_map(|i| format!("{} ", i * 7919 % 997).into_bytes()).collect();
        for body in [&text[..], b"", b"x"] {
            for id in 0..5 {
                let codec = Compression::from_id(id).unwrap();
                for level in [None, Some(1)] {
                    let mut out = b"front".to_vec();
                    compress(codec, level, body, &mut out).unwrap();
                    assert_eq!(&out[..5], b"front");
                    assert_eq!(unpack(codec, &out[5..], text.len()).unwrap(), body, "{codec:?}");
                    assert!(id == 0 || body.len() < 100 || out.len() < body.len(), "{codec:?} packs");
                }
            }
        }
    }
}
