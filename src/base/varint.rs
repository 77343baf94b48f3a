//! Kafka's variable-length integers (`ByteUtils`): seven bits a byte, low bits first; signed ones zig-zag.
//! Over-long forms are refused: at most 5 bytes for 32 bits, 10 for 64, and no bits beyond the width.

/// Why a varint could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarintError {
    /// The bytes end inside the number.
    Truncated,
    /// More bytes, or more bits, than the number's width allows.
    TooLong,
}

impl std::fmt::Display for VarintError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end inside a varint",
            Self::TooLong => "a varint is longer than its width allows",
        })
    }
}

impl std::error::Error for VarintError {}

/// Reads an unsigned 32-bit varint from the front of `bytes`: the value and how many bytes it took.
#[inline]
pub fn read_u32(bytes: &[u8]) -> Result<(u32, usize), VarintError> {
    match *bytes {
        [first, ..] if first < 0x80 => return Ok((u32::from(first), 1)),
        [first, second, ..] if second < 0x80 => return Ok((u32::from(first & 0x7f) | u32::from(second) << 7, 2)),
        _ => {}
    }
    let (value, len) = read_slow(bytes, 5)?;
    u32::try_from(value).map(|v| (v, len)).map_err(|_| VarintError::TooLong)
}

/// Reads an unsigned 64-bit varint from the front of `bytes`: the value and how many bytes it took.
#[inline]
pub fn read_u64(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    match *bytes {
        [first, ..] if first < 0x80 => return Ok((u64::from(first), 1)),
        [first, second, ..] if second < 0x80 => return Ok((u64::from(first & 0x7f) | u64::from(second) << 7, 2)),
        _ => {}
    }
    read_slow(bytes, 10)
}

/// Reads a zig-zag 32-bit varint (`readVarint`).
#[inline]
pub fn read_i32(bytes: &[u8]) -> Result<(i32, usize), VarintError> {
    let (raw, len) = read_u32(bytes)?;
    Ok((((raw >> 1) as i32) ^ -((raw & 1) as i32), len))
}

/// Reads a zig-zag 64-bit varint (`readVarlong`).
#[inline]
pub fn read_i64(bytes: &[u8]) -> Result<(i64, usize), VarintError> {
    let (raw, len) = read_u64(bytes)?;
    Ok((((raw >> 1) as i64) ^ -((raw & 1) as i64), len))
}

fn read_slow(bytes: &[u8], max_len: usize) -> Result<(u64, usize), VarintError> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(max_len).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * i as u32;
        if shift == 63 && bits > 1 {
            return Err(VarintError::TooLong);
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok((value, i + 1));
        }
    }
    Err(if bytes.len() >= max_len { VarintError::TooLong } else { VarintError::Truncated })
}

/// How many bytes `value` takes as an unsigned varint.
#[inline]
pub const fn len_u64(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

/// How many bytes `value` takes as an unsigned varint.
#[inline]
pub const fn len_u32(value: u32) -> usize {
    len_u64(value as u64)
}

/// How many bytes `value` takes as a zig-zag varint.
#[inline]
pub const fn len_i32(value: i32) -> usize {
    len_u32(zigzag_i32(value))
}

/// How many bytes `value` takes as a zig-zag varint.
#[inline]
pub const fn len_i64(value: i64) -> usize {
    len_u64(zigzag_i64(value))
}

/// Appends `value` as an unsigned varint.
#[inline]
pub fn put_u64(out: &mut impl bytes::BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Appends `value` as an unsigned varint.
#[inline]
pub fn put_u32(out: &mut impl bytes::BufMut, value: u32) {
    put_u64(out, u64::from(value));
}

/// Appends `value` as a zig-zag varint (`writeVarint`).
#[inline]
pub fn put_i32(out: &mut impl bytes::BufMut, value: i32) {
    put_u32(out, zigzag_i32(value));
}

/// Appends `value` as a zig-zag varint (`writeVarlong`).
#[inline]
pub fn put_i64(out: &mut impl bytes::BufMut, value: i64) {
    put_u64(out, zigzag_i64(value));
}

const fn zigzag_i32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

const fn zigzag_i64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_at_every_width() {
        for shift in 0..64 {
            for near in [-1i64, 0, 1] {
                let signed = (1i64 << shift).wrapping_add(near);
                for v in [signed, signed.wrapping_neg()] {
                    let mut out = Vec::new();
                    put_i64(&mut out, v);
                    assert_eq!(out.len(), len_i64(v));
                    assert_eq!(read_i64(&out), Ok((v, out.len())));
                    out.clear();
                    put_u64(&mut out, v as u64);
                    assert_eq!(out.len(), len_u64(v as u64));
                    assert_eq!(read_u64(&out), Ok((v as u64, out.len())));
                    out.clear();
                    put_i32(&mut out, v as i32);
                    assert_eq!(out.len(), len_i32(v as i32));
                    assert_eq!(read_i32(&out), Ok((v as i32, out.len())));
                }
            }
        }
    }

    #[test]
    fn known_bytes() {
        let mut out = Vec::new();
        put_i32(&mut out, -1);
        put_i32(&mut out, 150);
        put_u32(&mut out, 300);
        assert_eq!(out, [0x01, 0xac, 0x02, 0xac, 0x02]);
    }

    #[test]
    fn over_long_and_truncated_forms_are_refused() {
        assert_eq!(read_u32(&[]), Err(VarintError::Truncated));
        assert_eq!(read_u32(&[0x80; 4]), Err(VarintError::Truncated));
        assert_eq!(read_u32(&[0x80; 5]), Err(VarintError::TooLong));
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(VarintError::TooLong));
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok((u32::MAX, 5)));
        assert_eq!(read_u64(&[0x80; 10]), Err(VarintError::TooLong));
        assert_eq!(read_u64(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), Err(VarintError::TooLong));
    }
}
