//! What the codecs' streams look like around their blocks, read as Java reads them: gzip members, xerial's snappy
//! frames, the end of an lz4 frame.

use std::io::{self, Read};

/// The largest block a framed snappy stream may claim to hold; Java writes 32 KiB.
const SNAPPY_BLOCK_MAX: usize = 16 << 20;
/// What xerial's snappy streams begin with; two version words follow.
pub(super) const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_LEN: usize = 16;
/// What a gzip member begins with: magic and the method "deflate".
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const LZ4_CONTENT_SIZE: u8 = 0x08;
const LZ4_MAGIC: [u8; 4] = 0x184D_2204u32.to_le_bytes();

fn corrupt(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Reads gzip members one behind the other. What follows the last one and is no member is left out, as Java does.
pub(super) struct GzipReader<'a> {
    member: flate2::bufread::GzDecoder<&'a [u8]>,
}

impl<'a> GzipReader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { member: flate2::bufread::GzDecoder::new(body) }
    }
}

impl Read for GzipReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.member.read(out)?;
            if n > 0 || out.is_empty() {
                return Ok(n);
            }
            let rest = *self.member.get_ref();
            if !rest.starts_with(&GZIP_MAGIC) {
                return Ok(0);
            }
            self.member = flate2::bufread::GzDecoder::new(rest);
        }
    }
}

/// Reads xerial's frames (i32 length, raw block, ...) or one raw block.
pub(super) struct SnappyReader<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    at: usize,
}

impl<'a> SnappyReader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body, framed: body.starts_with(&XERIAL_MAGIC), block: Vec::new(), at: 0 }
    }

    /// The next compressed block; `None` at the end.
    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        if !self.framed {
            let block = std::mem::take(&mut self.rest);
            return Ok((!block.is_empty()).then_some(block));
        }
        // Streams may follow each other.
        while self.rest.starts_with(&XERIAL_MAGIC) {
            self.rest = self.rest.get(XERIAL_HEADER_LEN..).ok_or_else(|| corrupt("a snappy header is cut off"))?;
        }
        // Java takes less than a length for the end.
        let Some((len, rest)) = self.rest.split_first_chunk::<4>() else { return Ok(None) };
        // Lengths are compared as unsigned numbers with what is left: a negative one is too large (CVE-2023-34455).
        let cut = || corrupt("a snappy frame is cut off");
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or_else(cut)?;
        self.rest = rest;
        Ok(Some(block))
    }
}

impl Read for SnappyReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.block.len() {
            let Some(block) = self.next_block()? else { return Ok(0) };
            let len = snap::raw::decompress_len(block).map_err(io::Error::other)?;
            // A byte of snappy makes at most 64 of output (a copy of 64 takes 3): a claim beyond is a lie.
            if len > SNAPPY_BLOCK_MAX.max(block.len()) || len > block.len().saturating_mul(64) {
                return Err(corrupt("a snappy block claims an impossible size"));
            }
            self.block.resize(len, 0);
            let written = snap::raw::Decoder::new().decompress(block, &mut self.block).map_err(io::Error::other)?;
            self.block.truncate(written);
            self.at = 0;
        }
        let from = self.block.get(self.at..).unwrap_or_default();
        let n = from.len().min(out.len());
        out[..n].copy_from_slice(&from[..n]);
        self.at += n;
        Ok(n)
    }
}

/// An lz4 frame with the checksum of its flags put right: Kafka's clients of format 0 took it over the magic as well.
pub(super) fn lz4_with_true_flags_checksum(body: &[u8]) -> io::Result<Vec<u8>> {
    let cut = || corrupt("an lz4 frame is cut off");
    let flags = *body.get(4).ok_or_else(cut)?;
    let end = if flags & LZ4_CONTENT_SIZE == 0 { 6 } else { 14 };
    let mut mended = body.to_vec();
    let sum = twox_hash::XxHash32::oneshot(0, body.get(4..end).ok_or_else(cut)?);
    *mended.get_mut(end).ok_or_else(cut)? = (sum >> 8) as u8;
    Ok(mended)
}

/// The first lz4 frame of `body`, its end mark included. What follows is left out, as Java does; a frame that does not
/// end is refused, and one whose blocks depend on each other, which Java cannot read.
pub(super) fn lz4_frame(body: &[u8]) -> io::Result<&[u8]> {
    const BLOCKS_INDEPENDENT: u8 = 0x20;
    const BLOCK_CHECKSUMS: u8 = 0x10;
    const CONTENT_CHECKSUM: u8 = 0x04;
    let cut = || corrupt("an lz4 frame is cut off");
    if !body.starts_with(&LZ4_MAGIC) {
        return Err(corrupt("no lz4 frame"));
    }
    let flags = *body.get(4).ok_or_else(cut)?;
    if flags & BLOCKS_INDEPENDENT == 0 {
        return Err(corrupt("an lz4 frame with blocks that depend on each other"));
    }
    let trailer = if flags & BLOCK_CHECKSUMS == 0 { 0 } else { 4 };
    let mut at = if flags & LZ4_CONTENT_SIZE == 0 { 7 } else { 15 };
    loop {
        let size = body.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or_else(cut)?;
        let size = (u32::from_le_bytes(*size) & 0x7fff_ffff) as usize;
        at += 4;
        if size == 0 {
            at += if flags & CONTENT_CHECKSUM == 0 { 0 } else { 4 };
            return body.get(..at).ok_or_else(cut);
        }
        at = at.saturating_add(size + trailer);
    }
}
