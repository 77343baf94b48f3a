//! The records in an entry of format 0 or 1 (`AbstractLegacyRecordBatch`), and the v2 batch that compaction makes of
//! them: Apache Kafka 4 writes no others.

use super::compression::{Compression, DecompressError, unpack_into};
use super::header::{DELETE_HORIZON_BIT, HeaderFields, LOG_APPEND_TIME_BIT};
use super::legacy::{LegacyEntry, LegacyError};
use super::records::{Headers, Record};
use super::rewrite;
use super::unpack::lz4_with_true_flags_checksum;
use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};
use std::io;

/// Offset, size, CRC, magic, attributes: what every entry begins with.
const FRONT: usize = 18;
/// The smallest an entry's size field may say (`RECORD_OVERHEAD_V0`).
const SIZE_MIN: usize = 14;

/// One record of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyRecord<'a> {
    /// Its offset in the log.
    pub offset: Offset,
    /// Its time; none in format 0.
    pub timestamp: TimestampMs,
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null (a tombstone).
    pub value: Option<&'a [u8]>,
}

/// An entry with its bytes, its checksum verified.
#[derive(Clone, Copy, Debug)]
pub struct LegacyView<'a> {
    /// Its front.
    pub entry: LegacyEntry,
    bytes: &'a [u8],
}

fn corrupt(why: &str) -> DecompressError {
    DecompressError::Corrupt(why.to_owned())
}

impl<'a> LegacyView<'a> {
    /// The entry at the front of `bytes`.
    ///
    /// # Errors
    /// See [`LegacyError`].
    pub fn parse_checked(bytes: &'a [u8]) -> Result<Self, LegacyError> {
        let entry = LegacyEntry::parse_checked(bytes)?;
        Ok(Self { entry, bytes: bytes.get(..entry.size).ok_or(LegacyError::Truncated)? })
    }

    /// Its records: itself, or those inside it where it is a wrapper, unpacked into `scratch`, at most `bytes_max`.
    ///
    /// # Errors
    /// What Kafka refuses too: no value, nothing inside, wrappers within wrappers, offsets that cannot be.
    pub fn records<'s>(
        &self,
        scratch: &'s mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<Vec<LegacyRecord<'s>>, DecompressError>
    where
        'a: 's,
    {
        let entry = &self.entry;
        let (key, value) = key_and_value(self.bytes, entry.magic)?;
        let codec = entry.compression().ok_or(DecompressError::UnknownType)?;
        if codec == Compression::None {
            return Ok(vec![LegacyRecord { offset: entry.offset, timestamp: entry.timestamp, key, value }]);
        }
        let packed = value.ok_or_else(|| corrupt("a packed entry without a value"))?;
        scratch.clear();
        match codec {
            Compression::Zstd => return Err(corrupt("zstd in an old format")),
            Compression::Lz4 if entry.magic == 0 => {
                unpack_into(codec, &lz4_with_true_flags_checksum(packed)?, bytes_max, scratch)?;
            }
            _ => unpack_into(codec, packed, bytes_max, scratch)?,
        }
        self.inside(scratch)
    }

    fn inside<'s>(&self, mut rest: &'s [u8]) -> Result<Vec<LegacyRecord<'s>>, DecompressError> {
        let mut records = Vec::new();
        // An entry that is cut off ends them, as in Kafka.
        while let Some(size) = rest.get(8..12).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes) {
            let size = usize::try_from(size).ok().filter(|size| *size >= SIZE_MIN);
            let size = size.ok_or_else(|| corrupt("an entry in a packed one has an impossible size"))?;
            let Some((bytes, behind)) = rest.split_at_checked(size.saturating_add(12)) else { break };
            let inner = LegacyEntry::parse_head(bytes).map_err(|e| corrupt(&format!("a packed entry: {e:?}")))?;
            if inner.compression() != Some(Compression::None) {
                return Err(corrupt("a packed entry within a packed one"));
            }
            let (key, value) = key_and_value(bytes, inner.magic)?;
            let stamped = inner.magic == 1 && self.entry.is_log_append_time();
            let timestamp = if stamped { self.entry.timestamp } else { inner.timestamp };
            records.push(LegacyRecord { offset: inner.offset, timestamp, key, value });
            rest = behind;
        }
        let last = records.last().ok_or_else(|| corrupt("a packed entry with nothing inside"))?.offset;
        // Format 1 counts offsets inside from 0, and the wrapper has the last one's. Some clients left 0 there.
        if self.entry.magic == 1 && self.entry.offset != Offset::ZERO {
            let base = self.entry.offset.since(last);
            if base < 0 {
                return Err(corrupt("a packed entry's offset is before its last record's"));
            }
            records.iter_mut().for_each(|record| record.offset = record.offset.plus(base));
        }
        Ok(records)
    }
}

type KeyAndValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn key_and_value(bytes: &[u8], magic: i8) -> Result<KeyAndValue<'_>, DecompressError> {
    let at = if magic == 0 { FRONT } else { FRONT + 8 };
    let (key, rest) = delimited(bytes.get(at..).unwrap_or_default())?;
    let (value, _) = delimited(rest)?;
    Ok((key, value))
}

/// A length and so many bytes; null where the length is negative.
fn delimited(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), DecompressError> {
    let cut = || corrupt("a key or value of an old format is cut off");
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
    match usize::try_from(i32::from_be_bytes(*len)) {
        Ok(len) => rest.split_at_checked(len).map(|(taken, rest)| (Some(taken), rest)).ok_or_else(cut),
        Err(_) => Ok((None, rest)),
    }
}

/// Appends the v2 batch of the records `kept` (at least one, ascending) of `entry` to `out`, packed by the codec it
/// had. `horizon` is when its tombstones may go (KIP-534). It belongs to no producer and no leader epoch.
///
/// # Errors
/// Offsets that do not ascend or lie too far apart; the codec's.
pub fn convert(
    entry: &LegacyEntry,
    kept: &[LegacyRecord<'_>],
    horizon: Option<TimestampMs>,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "offsets in a packed entry do not ascend");
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else { return Ok(()) };
    let codec = entry.compression().unwrap_or(Compression::None);
    let base_timestamp = horizon.unwrap_or(first.timestamp);
    let mut largest = TimestampMs::NONE;
    let mut before = None;
    scratch.clear();
    for record in kept {
        let delta = i32::try_from(record.offset.since(first.offset)).ok().filter(|delta| before < Some(*delta));
        before = delta;
        largest = largest.max(record.timestamp);
        let timestamp_delta = record.timestamp.0.wrapping_sub(base_timestamp.0);
        let (offset_delta, key, value) = (delta.ok_or_else(invalid)?, record.key, record.value);
        rewrite::put_record(
            &Record { timestamp_delta, offset_delta, key, value, headers: Headers::NONE },
            timestamp_delta,
            scratch,
        );
    }
    let stamped = entry.is_log_append_time();
    let fields = HeaderFields {
        attributes: codec.id()
            | if stamped { LOG_APPEND_TIME_BIT } else { 0 }
            | if horizon.is_some() { DELETE_HORIZON_BIT } else { 0 },
        last_offset_delta: i32::try_from(last.offset.since(first.offset)).map_err(|_| invalid())?,
        base_timestamp,
        max_timestamp: if stamped { entry.timestamp } else { largest },
        count: i32::try_from(kept.len()).unwrap_or(i32::MAX),
        ..nobody(first.offset)
    };
    rewrite::put_batch(fields, codec, scratch, out)
}

/// Appends a v2 batch without records at the entry's offset.
pub fn empty(entry: &LegacyEntry, out: &mut Vec<u8>) -> io::Result<()> {
    let fields = HeaderFields { max_timestamp: entry.timestamp, ..nobody(entry.offset) };
    rewrite::put_batch(fields, Compression::None, &[], out)
}

fn nobody(base_offset: Offset) -> HeaderFields {
    HeaderFields {
        base_offset,
        leader_epoch: LeaderEpoch::UNKNOWN,
        attributes: 0,
        last_offset_delta: 0,
        base_timestamp: TimestampMs::NONE,
        max_timestamp: TimestampMs::NONE,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch(-1),
        base_sequence: -1,
        count: 0,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::compress::compress;
    use crate::record::{BatchView, Records};

    type Plain<'a> = (Option<&'a str>, Option<&'a str>);

    /// One entry.
    pub(crate) fn entry(
        magic: i8,
        offset: i64,
        time: i64,
        attributes: u8,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Vec<u8> {
        let mut body = vec![magic as u8, attributes];
        if magic == 1 {
            body.extend_from_slice(&time.to_be_bytes());
        }
        for part in [key, value] {
            body.extend_from_slice(&part.map_or(-1, |p| p.len() as i32).to_be_bytes());
            body.extend_from_slice(part.unwrap_or_default());
        }
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        let mut out = offset.to_be_bytes().to_vec();
        out.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
        out.extend_from_slice(&crc.sum().to_be_bytes());
        out.extend_from_slice(&body);
        out
    }

    /// A wrapper around records at `offset` and after, a millisecond apart, as Kafka 0.10 wrote it.
    pub(crate) fn wrapper(magic: i8, offset: i64, time: i64, codec: Compression, records: &[Plain<'_>]) -> Vec<u8> {
        let mut inside = Vec::new();
        for (n, (key, value)) in records.iter().enumerate() {
            let at = if magic == 0 { offset + n as i64 } else { n as i64 };
            let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
            inside.extend(entry(magic, at, time + n as i64, 0, key, value));
        }
        let mut packed = Vec::new();
        compress(codec, None, &inside, &mut packed).unwrap();
        if codec == Compression::Lz4 && magic == 0 {
            packed[6] ^= 0x55;
        }
        let last = records.len() as i64 - 1;
        entry(magic, offset + last, time + last, codec.id() as u8, None, Some(&packed))
    }

    fn told(bytes: &[u8]) -> Result<Vec<(i64, i64, String)>, DecompressError> {
        let view = LegacyView::parse_checked(bytes).unwrap();
        let mut scratch = Vec::new();
        let records = view.records(&mut scratch, 1 << 20)?;
        let text = |part: Option<&[u8]>| part.map_or("null".into(), |p| String::from_utf8_lossy(p).into_owned());
        let of = |r: &LegacyRecord<'_>| (r.offset.0, r.timestamp.0, format!("{}={}", text(r.key), text(r.value)));
        Ok(records.iter().map(of).collect())
    }

    const TWO: [Plain<'static>; 2] = [(Some("a"), Some("1")), (Some("b"), None)];

    #[test]
    fn records_are_found_in_every_format_and_codec() {
        assert_eq!(told(&entry(0, 7, 0, 0, Some(b"k"), None)).unwrap(), [(7, -1, "k=null".into())]);
        assert_eq!(told(&entry(1, 7, 99, 0, None, Some(b"v"))).unwrap(), [(7, 99, "null=v".into())]);
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4] {
            let of = |times: [i64; 2]| [(40, times[0], "a=1".to_owned()), (41, times[1], "b=null".to_owned())];
            assert_eq!(told(&wrapper(1, 40, 500, codec, &TWO)).unwrap(), of([500, 501]), "{codec:?}");
            assert_eq!(told(&wrapper(0, 40, 500, codec, &TWO)).unwrap(), of([-1, -1]), "{codec:?}");
        }
    }

    #[test]
    fn a_stamped_wrapper_dates_what_is_inside() {
        let mut packed = Vec::new();
        let inside = [entry(1, 0, 5, 0, Some(b"a"), Some(b"1")), entry(1, 1, 6, 0, Some(b"a"), Some(b"2"))].concat();
        compress(Compression::Gzip, None, &inside, &mut packed).unwrap();
        let stamped = entry(1, 9, 777, 1 | 8, None, Some(&packed));
        assert_eq!(told(&stamped).unwrap(), [(8, 777, "a=1".into()), (9, 777, "a=2".into())]);
        let zero = entry(1, 0, 777, 1, None, Some(&packed));
        assert_eq!(told(&zero).unwrap()[1].0, 1, "some clients left the wrapper's offset at 0");
    }

    #[test]
    fn what_cannot_be_is_refused_and_nothing_panics() {
        let gzip = |inside: &[u8], offset| {
            let mut packed = Vec::new();
            compress(Compression::Gzip, None, inside, &mut packed).unwrap();
            entry(1, offset, 0, 1, None, Some(&packed))
        };
        let refused = [
            gzip(b"", 5),
            gzip(&entry(1, 9, 0, 0, None, None), 5),
            gzip(&gzip(&entry(1, 0, 0, 0, None, None), 0), 0),
            gzip(&[[0; 8], [0, 0, 0, 3, 0, 0, 0, 0]].concat(), 0),
            entry(1, 5, 0, 1, None, None),
            entry(1, 5, 0, 4, None, Some(b"x")),
            entry(1, 5, 0, 7, None, Some(b"x")),
        ];
        for (n, bytes) in refused.iter().enumerate() {
            assert!(told(bytes).is_err(), "{n}");
        }
        let view = wrapper(1, 0, 0, Compression::Gzip, &TWO);
        let view = LegacyView::parse_checked(&view).unwrap();
        assert_eq!(view.records(&mut Vec::new(), 10), Err(DecompressError::TooLarge { bytes_max: 10 }));
        // Any length inside, with a good checksum over it.
        for at in 18..34 {
            for byte in [0x7f, 0x80, 0xff] {
                let mut bent = entry(1, 0, 5, 0, Some(b"ab"), Some(b"cd"));
                bent[at] = byte;
                let mut crc = flate2::Crc::new();
                crc.update(&bent[16..]);
                bent[12..16].copy_from_slice(&crc.sum().to_be_bytes());
                drop(told(&bent));
            }
        }
    }

    #[test]
    fn a_v2_batch_of_what_is_kept() {
        let bytes = wrapper(1, 40, 500, Compression::Lz4, &[TWO[0], TWO[1], TWO[0]]);
        let view = LegacyView::parse_checked(&bytes).unwrap();
        let mut scratch = Vec::new();
        let records = view.records(&mut scratch, 1 << 20).unwrap();
        let mut out = b"front".to_vec();
        convert(&view.entry, &records[1..], Some(TimestampMs(9000)), &mut Vec::new(), &mut out).unwrap();
        let batch = BatchView::parse_checked(&out[5..]).unwrap();
        let header = batch.header();
        assert_eq!((header.base_offset(), header.last_offset(), header.count()), (Offset(41), Offset(42), 2));
        assert_eq!((header.max_timestamp(), header.base_timestamp()), (TimestampMs(502), TimestampMs(9000)));
        assert!(header.has_delete_horizon() && !header.has_producer() && !header.is_log_append_time());
        assert_eq!((header.leader_epoch(), header.compression()), (LeaderEpoch::UNKNOWN, Some(Compression::Lz4)));
        let unpacked = batch.unpacked(1 << 20).unwrap();
        let times = Records::new(&unpacked, 2).map(|r| rewrite::timestamp_of(header, &r.unwrap()).0);
        assert_eq!(times.collect::<Vec<_>>(), [501, 502]);
        let twice = [records[1], records[1]];
        assert!(convert(&view.entry, &twice, None, &mut Vec::new(), &mut out).is_err());
    }
}
