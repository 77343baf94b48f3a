//! The transaction index beside a segment (`.txnindex`, `TransactionIndex`): the aborted transactions whose markers
//! stand in the segment, by ascending marker.

use crate::base::{Offset, ProducerId};
use crate::ring::fs;
use std::io;
use std::path::Path;

/// Bytes of one entry: i16 version 0, then four i64.
pub const ENTRY_LEN: usize = 34;
const VERSION: i16 = 0;

/// One aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose.
    pub producer: ProducerId,
    /// Where it begins.
    pub first: Offset,
    /// Where its marker stands.
    pub last: Offset,
    /// The last stable offset once the marker was appended.
    pub last_stable: Offset,
}

impl AbortedTxn {
    /// Appends the entry's bytes.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&VERSION.to_be_bytes());
        for number in [self.producer.0, self.first.0, self.last.0, self.last_stable.0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let version = i16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
        let number = |i: usize| bytes.get(2 + i * 8..10 + i * 8)?.try_into().ok().map(i64::from_be_bytes);
        let txn = Self {
            producer: ProducerId(number(0)?),
            first: Offset(number(1)?),
            last: Offset(number(2)?),
            last_stable: Offset(number(3)?),
        };
        (version == VERSION && txn.first.0 >= 0 && txn.first <= txn.last).then_some(txn)
    }
}

/// The bytes of an index.
pub fn encode(transactions: &[AbortedTxn]) -> Vec<u8> {
    let mut out = Vec::with_capacity(transactions.len() * ENTRY_LEN);
    transactions.iter().for_each(|txn| txn.put(&mut out));
    out
}

/// Reads an index; `None` when the bytes are none: markers must ascend, and stand at or after `base`.
pub fn decode(bytes: &[u8], base: Offset) -> Option<Vec<AbortedTxn>> {
    if bytes.len() % ENTRY_LEN != 0 {
        return None;
    }
    let transactions: Vec<_> = bytes.chunks_exact(ENTRY_LEN).map(AbortedTxn::parse).collect::<Option<_>>()?;
    let ascending = transactions.windows(2).all(|two| two[0].last < two[1].last);
    let inside = transactions.first().is_none_or(|txn| txn.last >= base);
    (ascending && inside).then_some(transactions)
}

/// Reads the index file of the segment that begins at `base`; one that is not there is empty. Blocking.
///
/// # Errors
/// `InvalidData`, naming the file, when it is malformed.
pub fn read(path: &Path, base: Offset) -> io::Result<Vec<AbortedTxn>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    decode(&bytes, base).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("the transaction index {} is malformed", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(producer: i64, first: i64, last: i64) -> AbortedTxn {
        AbortedTxn {
            producer: ProducerId(producer),
            first: Offset(first),
            last: Offset(last),
            last_stable: Offset(last + 1),
        }
    }

    #[test]
    fn entries_are_kafkas_34_bytes() {
        let bytes = encode(&[txn(0x0102, 5, 9)]);
        let mut expected = vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
        for number in [5i64, 9, 10] {
            expected.extend_from_slice(&number.to_be_bytes());
        }
        assert_eq!((bytes.len(), &bytes), (ENTRY_LEN, &expected));
    }

    #[test]
    fn what_was_written_is_read_and_what_is_bent_is_refused() {
        let all = [txn(1, 0, 10), txn(2, 3, 12), txn(1, 11, 40)];
        let bytes = encode(&all);
        assert_eq!(decode(&bytes, Offset(10)).unwrap(), all);
        assert_eq!(decode(&[], Offset(10)).unwrap(), []);
        assert!(decode(&bytes, Offset(11)).is_none(), "a marker before the segment");
        assert!(decode(&encode(&[all[1], all[0]]), Offset(0)).is_none(), "markers fall");
        assert!(decode(&encode(&[txn(1, 11, 10)]), Offset(0)).is_none(), "it ends before it begins");
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len], Offset(0)).is_some(), len % ENTRY_LEN == 0, "cut at {len}");
        }
        let mut newer = bytes.clone();
        newer[1] = 1;
        assert!(decode(&newer, Offset(0)).is_none(), "a version nobody defined");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.txnindex");
        assert_eq!(read(&path, Offset(0)).unwrap(), []);
        std::fs::write(&path, &bytes[1..]).unwrap();
        assert!(read(&path, Offset(0)).unwrap_err().to_string().contains("0.txnindex"));
    }
}
