//! Packing records with the codecs of attribute bits 0-2, in the framings that every client of Kafka reads.

use super::Compression;
use std::io::{self, Write};

/// The blocks Java packs snappy streams in.
const SNAPPY_BLOCK: usize = 32 * 1024;
/// What Java's snappy streams begin with: xerial's magic, version 1, compatible with version 1.
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];

/// Appends `body`, packed, to `out`. `level` holds for gzip (1 to 9) and zstd; `None` is the codec's own default.
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
