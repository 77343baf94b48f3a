//! The codecs of attribute bits 0-2: gzip, snappy (raw or with xerial's framing), lz4 frames, zstd.

use super::records::RecordError;
use super::unpack::{GzipReader, SnappyReader, lz4_frame};
use std::borrow::Cow;
use std::io::{self, Read};

/// How a batch's records are compressed (`CompressionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// snappy; Java frames it as xerial's library does, others send one raw block.
    Snappy,
    /// lz4 frames.
    Lz4,
    /// zstd.
    Zstd,
}

impl Compression {
    /// The codec with this number in the attributes.
    pub const fn from_id(id: i16) -> Option<Self> {
        Some(match id {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// Its number in the attributes.
    pub const fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }
}

/// Why records could not be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecompressError {
    /// The attributes name a codec nobody defined.
    UnknownType,
    /// Unpacked they exceed the caller's bound.
    TooLarge {
        /// The bound, in bytes.
        bytes_max: usize,
    },
    /// The compressed bytes are malformed; the codec's own words.
    Corrupt(String),
    /// Unpacked they are no records.
    Record(RecordError),
}

impl std::fmt::Display for DecompressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownType => f.write_str("unknown compression type"),
            Self::TooLarge { bytes_max } => write!(f, "the records take more than {bytes_max} bytes unpacked"),
            Self::Corrupt(why) => write!(f, "the compressed records are malformed: {why}"),
            Self::Record(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for DecompressError {}

impl From<RecordError> for DecompressError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<io::Error> for DecompressError {
    fn from(error: io::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// zstd's largest window, as a power of two: 2^27 is what zstd's own highest level uses and Java's limit.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Unpacks all of `body`, borrowing it when it is not compressed. At most `bytes_max` bytes come out.
pub fn unpack(compression: Compression, body: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, DecompressError> {
    if compression == Compression::None {
        return Ok(Cow::Borrowed(body));
    }
    let mut out = Vec::new();
    unpack_into(compression, body, bytes_max, &mut out)?;
    Ok(Cow::Owned(out))
}

/// Appends all of `body`, unpacked, to `out`: at most `bytes_max` bytes.
pub fn unpack_into(
    compression: Compression,
    body: &[u8],
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let taken = reader(compression, body)?.take(bytes_max as u64 + 1).read_to_end(out)?;
    if taken > bytes_max { Err(DecompressError::TooLarge { bytes_max }) } else { Ok(()) }
}

/// A stream of the unpacked bytes of `body`; memory stays within one block or window of the codec.
pub fn reader<'a>(compression: Compression, body: &'a [u8]) -> Result<Box<dyn Read + 'a>, DecompressError> {
    Ok(match compression {
        Compression::None => Box::new(body),
        Compression::Gzip => Box::new(GzipReader::new(body)),
        Compression::Snappy => Box::new(SnappyReader::new(body)),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(lz4_frame(body)?)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::unpack::XERIAL_MAGIC;
    use super::*;
    use std::io::Write;

    /// Packs as a client would.
    pub(crate) fn pack(compression: Compression, body: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => body.to_vec(),
            Compression::Gzip => {
                let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                w.write_all(body).unwrap();
                w.finish().unwrap()
            }
            Compression::Snappy => {
                let mut out = XERIAL_MAGIC.to_vec();
                out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
                for block in body.chunks(32 * 1024) {
                    let packed = snap::raw::Encoder::new().compress_vec(block).unwrap();
                    out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
                    out.extend_from_slice(&packed);
                }
                out
            }
            Compression::Lz4 => {
                let mut w = lz4_flex::frame::FrameEncoder::new(Vec::new());
                w.write_all(body).unwrap();
                w.finish().unwrap()
            }
            Compression::Zstd => zstd::stream::encode_all(body, 3).unwrap(),
        }
    }

    pub(crate) const PACKED: [Compression; 4] =
        [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    fn text() -> Vec<u8> {
        (0..20_000u32).flat_map(|i| format!("line {} of some text\n", i * 7919 % 1000).into_bytes()).collect()
    }

    #[test]
    fn each_codec_gives_the_bytes_back_and_keeps_the_bound() {
        let text = text();
        for c in PACKED {
            let packed = pack(c, &text);
            assert_eq!(unpack(c, &packed, text.len()).unwrap(), text, "{c:?}");
            assert_eq!(
                unpack(c, &packed, text.len() - 1),
                Err(DecompressError::TooLarge { bytes_max: text.len() - 1 }),
                "{c:?}"
            );
        }
        let raw = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        assert_eq!(unpack(Compression::Snappy, &raw, text.len()).unwrap(), text);
    }

    fn bent(bytes: &[u8], at: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x40;
        bytes
    }

    #[test]
    fn cut_and_bent_streams_never_panic_nor_pass_the_bound() {
        let text = text();
        for c in PACKED {
            let packed = pack(c, &text);
            for at in (0..packed.len()).step_by(packed.len() / 200 + 1) {
                for bytes in [&packed[..at], &bent(&packed, at)] {
                    if let Ok(out) = unpack(c, bytes, 2 * text.len()) {
                        assert!(out.len() <= 2 * text.len());
                    }
                }
            }
        }
    }

    #[test]
    fn a_negative_snappy_frame_length_is_refused() {
        let mut bytes = XERIAL_MAGIC.to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
        assert!(matches!(unpack(Compression::Snappy, &bytes, 1 << 20), Err(DecompressError::Corrupt(_))));
        let claims_a_gigabyte = [0x80, 0x80, 0x80, 0x80, 0x04, 0];
        assert!(matches!(unpack(Compression::Snappy, &claims_a_gigabyte, 1 << 20), Err(DecompressError::Corrupt(_))));
    }
}
