//! Laying new states over old ones (`PersisterStateBatchCombiner`).

use crate::base::Offset;
use crate::share::StateBatch;
use std::collections::BTreeMap;

/// One ascending list without overlaps: of several states of an offset the one delivered more often counts, then the
/// later one in a record's life. What lies before `start` (unless -1) is left out; equal neighbours are joined.
pub fn combine(so_far: &[StateBatch], new: &[StateBatch], start: i64) -> Vec<StateBatch> {
    let kept: Vec<StateBatch> = so_far
        .iter()
        .chain(new)
        .filter(|b| b.last.0 >= start && b.first <= b.last)
        .map(|b| StateBatch { first: b.first.max(Offset(start)), ..*b })
        .collect();
    // Where each batch begins and where it has ended.
    let mut edges: Vec<(Offset, bool, (i16, i8))> = Vec::with_capacity(kept.len() * 2);
    for batch in &kept {
        let rank = (batch.delivery_count, batch.state);
        edges.push((batch.first, true, rank));
        edges.push((batch.last.plus(1), false, rank));
    }
    edges.sort_unstable();
    let mut open: BTreeMap<(i16, i8), usize> = BTreeMap::new();
    let mut combined: Vec<StateBatch> = Vec::with_capacity(kept.len());
    let mut at = Offset(0);
    for (edge, begins, rank) in edges {
        if let Some((&(delivery_count, state), _)) = open.last_key_value()
            && at < edge
        {
            push(&mut combined, StateBatch { first: at, last: edge.plus(-1), state, delivery_count });
        }
        at = edge;
        if begins {
            *open.entry(rank).or_default() += 1;
        } else if let Some(count) = open.get_mut(&rank) {
            *count -= 1;
            if *count == 0 {
                open.remove(&rank);
            }
        }
    }
    combined
}

fn push(combined: &mut Vec<StateBatch>, next: StateBatch) {
    match combined.last_mut() {
        Some(last)
            if last.last.plus(1) == next.first
                && (last.state, last.delivery_count) == (next.state, next.delivery_count) =>
        {
            last.last = next.last;
        }
        _ => combined.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(list: &[(i64, i64, i8, i16)]) -> Vec<StateBatch> {
        let of = |&(first, last, state, delivery_count): &(i64, i64, i8, i16)| StateBatch {
            first: Offset(first),
            last: Offset(last),
            state,
            delivery_count,
        };
        list.iter().map(of).collect()
    }

    #[test]
    fn new_states_lie_over_old_ones() {
        type Case<'a> = (&'a [(i64, i64, i8, i16)], &'a [(i64, i64, i8, i16)], i64, &'a [(i64, i64, i8, i16)]);
        let table: &[Case] = &[
            (&[], &[], -1, &[]),
            (&[(0, 9, 0, 1)], &[], 5, &[(5, 9, 0, 1)]),
            (&[(0, 4, 0, 1)], &[(5, 9, 0, 1)], -1, &[(0, 9, 0, 1)]),
            (&[(0, 4, 0, 1)], &[(5, 9, 2, 1)], -1, &[(0, 4, 0, 1), (5, 9, 2, 1)]),
            (&[(0, 9, 0, 1)], &[(3, 5, 2, 2)], -1, &[(0, 2, 0, 1), (3, 5, 2, 2), (6, 9, 0, 1)]),
            (&[(0, 9, 0, 2)], &[(3, 5, 2, 1)], -1, &[(0, 9, 0, 2)]),
            (&[(0, 9, 0, 1)], &[(0, 9, 4, 1)], -1, &[(0, 9, 4, 1)]),
            (&[(0, 9, 0, 1), (20, 29, 2, 1)], &[(5, 24, 0, 2)], 0, &[(0, 4, 0, 1), (5, 24, 0, 2), (25, 29, 2, 1)]),
            (&[(0, 9, 2, 1)], &[(10, 19, 2, 1)], 20, &[]),
        ];
        for (so_far, new, start, expected) in table {
            assert_eq!(combine(&batches(so_far), &batches(new), *start), batches(expected), "{so_far:?} {new:?}");
        }
    }
}
