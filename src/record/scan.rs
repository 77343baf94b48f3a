//! Walking the records of a batch, packed or not, without holding more than one codec block in memory.

use super::batch::BatchView;
use super::compression::{self, DecompressError};
use crate::base::{Offset, TimestampMs, varint};
use std::io::{BufReader, Read};
use std::ops::ControlFlow;

/// Where and when one record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The record's offset.
    pub offset: Offset,
    /// Its timestamp: the batch's max timestamp when the broker stamped the batch.
    pub timestamp: TimestampMs,
}

/// Calls `visit` for each record of `batch` in order until it breaks. Keys, values and headers are skipped.
/// At most `bytes_max` bytes are unpacked.
pub fn scan<B>(
    batch: &BatchView<'_>,
    bytes_max: u64,
    mut visit: impl FnMut(RecordPlace) -> ControlFlow<B>,
) -> Result<Option<B>, DecompressError> {
    let header = batch.header();
    let codec = header.compression().ok_or(DecompressError::UnknownType)?;
    let stream = compression::reader(codec, batch.body())?.take(bytes_max);
    let mut stream = BufReader::with_capacity(8 * 1024, stream);
    let stamped = header.is_log_append_time().then(|| header.max_timestamp());
    for _ in 0..header.count() {
        let len = read_varint(&mut stream)?;
        let len = u64::try_from(len).map_err(|_| malformed())?;
        let mut body = stream.by_ref().take(len);
        let mut attributes = [0u8];
        body.read_exact(&mut attributes)?;
        let timestamp_delta = read_varint(&mut body)?;
        let offset_delta = read_varint(&mut body)?;
        if std::io::copy(&mut body, &mut std::io::sink())? > len || body.limit() != 0 {
            return Err(malformed());
        }
        let timestamp = stamped.unwrap_or_else(|| TimestampMs(header.base_timestamp().0.wrapping_add(timestamp_delta)));
        let place = RecordPlace { offset: Offset(header.base_offset().0.wrapping_add(offset_delta)), timestamp };
        if let ControlFlow::Break(found) = visit(place) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn malformed() -> DecompressError {
    DecompressError::Corrupt("a record is malformed".into())
}

fn read_varint(stream: &mut impl Read) -> Result<i64, DecompressError> {
    let mut bytes = [0u8; 10];
    for i in 0..bytes.len() {
        stream.read_exact(&mut bytes[i..=i])?;
        if bytes[i] < 0x80 {
            return varint::read_i64(&bytes[..=i]).map(|(value, _)| value).map_err(|_| malformed());
        }
    }
    Err(malformed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::builder::BatchBuilder;
    use crate::record::compression::tests::{PACKED, pack};
    use crate::record::header::{BatchHeader, HEADER_LEN};
    use zerocopy::{FromBytes, IntoBytes};

    /// Re-packs an uncompressed batch as a client with that codec would have sent it.
    fn packed(bytes: &[u8], codec: compression::Compression) -> Vec<u8> {
        let body = pack(codec, &bytes[HEADER_LEN..]);
        let mut head = bytes[..HEADER_LEN].to_vec();
        head[8..12].copy_from_slice(&((HEADER_LEN - 12 + body.len()) as i32).to_be_bytes());
        head[22] |= codec.id() as u8;
        let mut header = BatchHeader::read_from_bytes(&head).unwrap();
        header.seal(&body);
        [header.as_bytes(), &body].concat()
    }

    #[test]
    fn finds_the_records_in_every_codec() {
        let mut builder = BatchBuilder::new(Offset(100));
        for i in 0..1000 {
            builder.append(TimestampMs(5000 + i), None, Some(format!("value {i}").as_bytes()), &[("h", None)]);
        }
        let plain = builder.build();
        let mut all = vec![plain.to_vec()];
        all.extend(PACKED.map(|codec| packed(&plain, codec)));
        for bytes in all {
            let batch = BatchView::parse_checked(&bytes).unwrap();
            let stop =
                |p: RecordPlace| if p.timestamp.0 >= 5777 { ControlFlow::Break(p) } else { ControlFlow::Continue(()) };
            let found = scan(&batch, 1 << 20, stop).unwrap();
            assert_eq!(found, Some(RecordPlace { offset: Offset(877), timestamp: TimestampMs(5777) }));
            let mut seen = 0;
            assert_eq!(
                scan::<()>(&batch, 1 << 20, |_| {
                    seen += 1;
                    ControlFlow::Continue(())
                }),
                Ok(None)
            );
            assert_eq!(seen, 1000);
            assert!(scan::<()>(&batch, 100, |_| ControlFlow::Continue(())).is_err());
            assert_eq!(batch.unpacked(1 << 20).unwrap(), &plain[HEADER_LEN..]);
        }
    }
}
