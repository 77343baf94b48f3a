//! Finding a record of a batch, packed or not, by its place.

use super::batch::BatchView;
use super::compression::DecompressError;
use super::stream::RecordStream;
use crate::base::{Offset, TimestampMs};
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
    let stamped = header.is_log_append_time().then(|| header.max_timestamp());
    let mut stream = RecordStream::new(batch, bytes_max)?;
    while let Some(record) = stream.next_record()? {
        let (base, delta) = (header.base_timestamp().0, record.timestamp_delta);
        let timestamp = stamped.unwrap_or_else(|| TimestampMs(base.wrapping_add(delta)));
        let offset = Offset(header.base_offset().0.wrapping_add(i64::from(record.offset_delta)));
        if let ControlFlow::Break(found) = visit(RecordPlace { offset, timestamp }) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::builder::BatchBuilder;
    use crate::record::compression::tests::PACKED;
    use crate::record::header::HEADER_LEN;
    use crate::record::stream::tests::packed;

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
