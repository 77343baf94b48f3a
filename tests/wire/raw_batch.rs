//! Batches byte by byte: any field may contradict any other.

use corelog::record::Compression;
use std::io::Write;

/// One record, every field as it shall stand in the bytes.
#[derive(Clone)]
pub struct RawRecord {
    /// The length field, where it shall not be the record's own.
    pub length: Option<i32>,
    pub attributes: u8,
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    /// Length field and bytes.
    pub key: (i32, Vec<u8>),
    pub value: (i32, Vec<u8>),
    /// What stands in place of the headers: their count and they.
    pub headers: Vec<u8>,
}

/// A record with a key and a value.
pub fn record(offset_delta: i32, timestamp_delta: i64) -> RawRecord {
    RawRecord {
        length: None,
        attributes: 0,
        timestamp_delta,
        offset_delta,
        key: (3, b"key".to_vec()),
        value: (5, b"value".to_vec()),
        headers: vec![0],
    }
}

impl RawRecord {
    pub fn keyless(mut self) -> Self {
        self.key = (-1, Vec::new());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = vec![self.attributes];
        put(&mut body, zigzag(self.timestamp_delta));
        put(&mut body, zigzag(i64::from(self.offset_delta)));
        for (length, bytes) in [&self.key, &self.value] {
            put(&mut body, zigzag(i64::from(*length)));
            body.extend_from_slice(bytes);
        }
        body.extend_from_slice(&self.headers);
        let mut out = Vec::new();
        put(&mut out, zigzag(i64::from(self.length.unwrap_or(body.len() as i32))));
        out.extend_from_slice(&body);
        out
    }
}

/// The records one behind the other.
pub fn body(records: &[RawRecord]) -> Vec<u8> {
    records.iter().flat_map(RawRecord::bytes).collect()
}

/// A zig-zag number as a varint of as many bytes as it takes.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// A whole batch, every field as it shall stand in the bytes; the checksum is right.
#[derive(Clone)]
pub struct RawBatch {
    pub base_offset: i64,
    /// The length field, where it shall not be the batch's own.
    pub length: Option<i32>,
    pub magic: u8,
    /// Bits beside the codec's.
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer: (i64, i16, i32),
    pub count: i32,
    /// The codec's number.
    pub codec: i16,
    /// The bytes after the header, packed.
    pub payload: Vec<u8>,
}

/// A sound batch of these records, packed by `codec`; the header follows from the records.
pub fn batch(records: &[RawRecord], codec: Compression, base_timestamp: i64) -> RawBatch {
    let max = records.iter().map(|r| base_timestamp.wrapping_add(r.timestamp_delta)).max().unwrap_or(-1);
    RawBatch {
        base_offset: 0,
        length: None,
        magic: 2,
        attributes: 0,
        last_offset_delta: records.len() as i32 - 1,
        base_timestamp,
        max_timestamp: max,
        producer: (-1, -1, -1),
        count: records.len() as i32,
        codec: codec.id(),
        payload: pack(codec, &body(records)),
    }
}

impl RawBatch {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut covered = (self.attributes | self.codec).to_be_bytes().to_vec();
        covered.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        covered.extend_from_slice(&self.base_timestamp.to_be_bytes());
        covered.extend_from_slice(&self.max_timestamp.to_be_bytes());
        covered.extend_from_slice(&self.producer.0.to_be_bytes());
        covered.extend_from_slice(&self.producer.1.to_be_bytes());
        covered.extend_from_slice(&self.producer.2.to_be_bytes());
        covered.extend_from_slice(&self.count.to_be_bytes());
        covered.extend_from_slice(&self.payload);
        let mut out = self.base_offset.to_be_bytes().to_vec();
        out.extend_from_slice(&self.length.unwrap_or(covered.len() as i32 + 9).to_be_bytes());
        out.extend_from_slice(&(-1i32).to_be_bytes());
        out.push(self.magic);
        out.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
        out.extend_from_slice(&covered);
        out
    }
}

/// Packs as Java's clients do.
pub fn pack(codec: Compression, body: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => body.to_vec(),
        Compression::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(body).and_then(|()| writer.finish()).expect("gzip")
        }
        Compression::Snappy => {
            let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
            for block in body.chunks(32 << 10) {
                let packed = raw_snappy(block);
                out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
                out.extend_from_slice(&packed);
            }
            out
        }
        Compression::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
            let mut writer = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            writer.write_all(body).expect("lz4");
            writer.finish().expect("lz4")
        }
        Compression::Zstd => zstd::stream::encode_all(body, 3).expect("zstd"),
    }
}

/// One snappy block without frames, as librdkafka sends it.
pub fn raw_snappy(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).expect("snappy")
}
