//! Which batches a range of a segment holds: acquisition goes by their offsets.

use crate::base::Offset;
use crate::log::FileRange;
use crate::record::BatchHeader;
use crate::record::header::{HEADER_LEN, MAGIC_AT};
use crate::record::legacy::LegacyEntry;
use crate::share::LogBatch;
use bytes::Bytes;
use std::collections::HashSet;
use std::io;

/// Read at once: many small batches, and little of a large one.
const WINDOW: usize = 32 << 10;

/// A batch and where it lies in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its offsets.
    pub batch: LogBatch,
    /// Where it begins, from the range's beginning.
    pub at: u32,
    /// Where it ends.
    pub end: u32,
    /// Its producer, where it is transactional, and whether it is a marker.
    pub transaction: Option<(i64, bool)>,
}

/// The whole batches of `range` in order, to the first that begins after `upto`.
pub async fn batches_in(range: &FileRange, upto: Offset) -> io::Result<Vec<Placed>> {
    let mut found = Vec::new();
    let (mut window, mut window_at) = (Bytes::new(), 0u32);
    let mut at = 0u32;
    while range.len.saturating_sub(at) as usize >= HEADER_LEN {
        let mut head = window.get((at - window_at) as usize..).filter(|rest| rest.len() >= HEADER_LEN);
        if head.is_none() {
            let len = WINDOW.min((range.len - at) as usize);
            window = range.file.read(range.position + u64::from(at), len).await?;
            window_at = at;
            head = Some(&window);
        }
        let Some(placed) = head.and_then(|head| place(head, at)).filter(|placed| placed.end <= range.len) else {
            break;
        };
        if placed.batch.base > upto {
            break;
        }
        at = placed.end;
        found.push(placed);
    }
    Ok(found)
}

fn place(head: &[u8], at: u32) -> Option<Placed> {
    if *head.get(MAGIC_AT)? < 2 {
        let entry = LegacyEntry::parse_head(head).ok()?;
        let end = at.checked_add(u32::try_from(entry.size).ok()?)?;
        let batch = LogBatch { base: entry.offset, last: entry.offset };
        return Some(Placed { batch, at, end, transaction: None });
    }
    let header = BatchHeader::of(head)?;
    let end = at.checked_add(u32::try_from(header.size()?).ok()?)?;
    let transaction = header.is_transactional().then(|| (header.producer_id().0, header.is_control()));
    Some(Placed { batch: LogBatch { base: header.base_offset(), last: header.last_offset() }, at, end, transaction })
}

/// Those of aborted transactions: `aborted` names producers and their transactions' first offsets.
pub fn aborted_batches(batches: &[Placed], aborted: &[(i64, i64)]) -> Vec<LogBatch> {
    let mut coming: Vec<(i64, i64)> = aborted.iter().map(|(producer, first)| (*first, *producer)).collect();
    coming.sort_unstable();
    let mut coming = coming.into_iter().peekable();
    let mut open = HashSet::new();
    let mut found = Vec::new();
    for placed in batches {
        while let Some((_, producer)) = coming.next_if(|(first, _)| *first <= placed.batch.last.0) {
            open.insert(producer);
        }
        match placed.transaction {
            // A marker ends its producer's transaction.
            Some((producer, true)) => {
                open.remove(&producer);
            }
            Some((producer, false)) if open.contains(&producer) => found.push(placed.batch),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aborted_batches_lie_between_the_first_offset_and_the_marker() {
        let placed = |base: i64, transaction| Placed {
            batch: LogBatch { base: Offset(base), last: Offset(base + 9) },
            at: 0,
            end: 0,
            transaction,
        };
        let batches = [
            placed(0, Some((7, false))),
            placed(10, None),
            placed(20, Some((8, false))),
            placed(30, Some((7, true))),
            placed(40, Some((7, false))),
        ];
        let bases: Vec<i64> = aborted_batches(&batches, &[(7, 0)]).iter().map(|b| b.base.0).collect();
        assert_eq!(bases, [0], "the next transaction of the producer is another");
        let bases: Vec<i64> = aborted_batches(&batches, &[(8, 20), (7, 40)]).iter().map(|b| b.base.0).collect();
        assert_eq!(bases, [20, 40]);
        assert_eq!(aborted_batches(&batches, &[]), []);
    }
}
