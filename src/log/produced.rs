//! Which bytes of a Produce request are its one batch (`ProduceRequest.validateRecords`, `ByteBufferLogInputStream`).

use super::error::AppendError;
use crate::record::header::{HEADER_LEN, LOG_OVERHEAD, MAGIC_AT, MAGIC_V2};
use crate::record::{BatchError, BatchView};

/// The least a record of format 0 takes: a length below it is impossible in every format.
const LENGTH_MIN: i32 = 14;

/// The batch at the front of what a client sent: exactly one, of format 2. What follows it is no batch as long as it
/// is too short to hold one. Neither checksum nor contents are looked at.
pub(super) fn one_batch(records: &[u8]) -> Result<BatchView<'_>, AppendError> {
    let Some(size) = next_size(records)? else { return Err(AppendError::NotOneBatch(0)) };
    let magic = records.get(MAGIC_AT).map_or(-1, |magic| *magic as i8);
    if magic != MAGIC_V2 {
        return Err(AppendError::UnsupportedMagic(magic));
    }
    if next_size(records.get(size..).unwrap_or_default())?.is_some() {
        return Err(AppendError::NotOneBatch(2));
    }
    BatchView::parse(records).map_err(|error| match error {
        BatchError::BadLength(_) | BatchError::Truncated { .. } => AppendError::Malformed(format!(
            "Record batch is corrupt (the size {size} is smaller than the minimum allowed overhead {HEADER_LEN})"
        )),
        other => other.into(),
    })
}

/// Why what a client sent is not the one batch that it must be; nothing of a log is asked for it.
pub fn check_produced(records: &[u8]) -> Result<(), AppendError> {
    one_batch(records).map(drop)
}

/// The size of the batch at the front of `bytes`; `None` where they are too few to hold it.
fn next_size(bytes: &[u8]) -> Result<Option<usize>, AppendError> {
    let field = bytes.get(8..LOG_OVERHEAD).and_then(|field| field.first_chunk::<4>());
    let Some(length) = field.map(|field| i32::from_be_bytes(*field)) else { return Ok(None) };
    if length < LENGTH_MIN {
        return Err(AppendError::Malformed(format!(
            "Record size {length} is less than the minimum record overhead ({LENGTH_MIN})"
        )));
    }
    let Some(magic) = bytes.get(MAGIC_AT).map(|magic| *magic as i8) else { return Ok(None) };
    if !(0..=MAGIC_V2).contains(&magic) {
        return Err(AppendError::Malformed(format!("Invalid magic found in record: {magic}")));
    }
    let Some(size) = length.checked_add(LOG_OVERHEAD as i32) else {
        return Err(AppendError::Unexpected(format!("The batch claims the impossible length {length}")));
    };
    let size = size as usize;
    Ok((size <= bytes.len()).then_some(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, TimestampMs};
    use crate::record::BatchBuilder;

    fn sample() -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset(0));
        builder.append(TimestampMs(7), None, Some(b"value"), &[]);
        builder.build().to_vec()
    }

    fn of_length(length: i32) -> Vec<u8> {
        let mut bytes = sample();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn what_is_cut_off_is_no_batch() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert_eq!(one_batch(&bytes[..len]).unwrap_err(), AppendError::NotOneBatch(0), "cut at {len}");
        }
        assert_eq!(one_batch(&bytes).unwrap().size(), bytes.len());
    }

    #[test]
    fn a_second_batch_is_refused_and_less_than_one_is_left_out() {
        let bytes = sample();
        assert_eq!(one_batch(&[&bytes[..], &bytes].concat()).unwrap_err(), AppendError::NotOneBatch(2));
        assert!(one_batch(&[&bytes[..], &[0; 11]].concat()).is_ok());
        assert!(matches!(one_batch(&[&bytes[..], &[0; 12]].concat()), Err(AppendError::Malformed(_))));
    }

    #[test]
    fn impossible_lengths_are_told_apart_as_kafka_does() {
        for length in [i32::MIN, -1, 0, 13] {
            assert!(matches!(one_batch(&of_length(length)), Err(AppendError::Malformed(_))), "{length}");
        }
        let beyond = [i32::MAX - 12, 1 << 20].map(of_length);
        assert!(beyond.iter().all(|bytes| one_batch(bytes).unwrap_err() == AppendError::NotOneBatch(0)));
        for length in [i32::MAX - 11, i32::MAX] {
            assert!(matches!(one_batch(&of_length(length)), Err(AppendError::Unexpected(_))), "{length}");
        }
    }
}
