//! Which closed segments become one (`Cleaner.groupSegmentsBySize`). Pure.

use crate::base::Offset;
use crate::log::LogConfig;
use crate::log::replace::ClosedSegment;

/// Neighbours whose data and indexes together fit one segment. `end` is where the round ends.
pub fn group(segments: &[ClosedSegment], config: &LogConfig, end: Offset) -> Vec<Vec<ClosedSegment>> {
    let mut groups: Vec<Vec<ClosedSegment>> = Vec::new();
    let mut sum = (0u64, 0u64, 0u64);
    for (i, segment) in segments.iter().enumerate() {
        let grown =
            (sum.0 + u64::from(segment.size), sum.1 + segment.offset_index_bytes, sum.2 + segment.time_index_bytes);
        let index_max = u64::from(config.segment_index_bytes);
        let fits = grown.0 <= u64::from(config.segment_bytes) && grown.1 <= index_max && grown.2 <= index_max;
        // The next segment bounds this one's offsets without a look into it.
        let last = segments.get(i + 1).map_or(end, |next| next.base).plus(-1);
        match groups.last_mut() {
            Some(group)
                if fits
                    && (segment.size == 0
                        || group.first().is_some_and(|first| last.since(first.base) <= i64::from(i32::MAX))) =>
            {
                group.push(segment.clone());
                sum = grown;
            }
            _ => {
                groups.push(vec![segment.clone()]);
                sum = (u64::from(segment.size), segment.offset_index_bytes, segment.time_index_bytes);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(base: i64, size: u32, index: u64) -> ClosedSegment {
        ClosedSegment { base: Offset(base), size, offset_index_bytes: index, time_index_bytes: index / 2 }
    }

    fn bases(groups: &[Vec<ClosedSegment>]) -> Vec<Vec<i64>> {
        groups.iter().map(|g| g.iter().map(|s| s.base.0).collect()).collect()
    }

    #[test]
    fn neighbours_are_grouped_up_to_a_segments_size() {
        let config = LogConfig { segment_bytes: 100, segment_index_bytes: 50, ..LogConfig::default() };
        let sizes = |sizes: &[u32]| sizes.iter().enumerate().map(|(i, s)| segment(i as i64, *s, 8)).collect::<Vec<_>>();
        let of = |s: &[u32]| bases(&group(&sizes(s), &config, Offset(100)));
        assert_eq!(of(&[50, 50, 1]), [vec![0, 1], vec![2]]);
        assert_eq!(of(&[300, 1, 1]), [vec![0], vec![1, 2]], "one that is too large stands alone");
        assert_eq!(of(&[0, 0, 100]), [vec![0, 1, 2]]);
        assert_eq!(of(&[]), Vec::<Vec<i64>>::new());
        let full = [segment(0, 1, 30), segment(1, 1, 20), segment(2, 1, 1)];
        assert_eq!(bases(&group(&full, &config, Offset(9))), [vec![0, 1], vec![2]], "the index is full");
    }

    #[test]
    fn offsets_of_a_group_fit_the_index() {
        let config = LogConfig::default();
        let max = i64::from(i32::MAX);
        let at = |bases: &[i64]| bases.iter().map(|b| segment(*b, 1, 8)).collect::<Vec<_>>();
        assert_eq!(bases(&group(&at(&[0, 10, max]), &config, Offset(max + 1))), [vec![0, 10, max]]);
        assert_eq!(bases(&group(&at(&[0, 10, max]), &config, Offset(max + 2))), [vec![0, 10], vec![max]]);
        let mut empty_last = at(&[0, max + 500]);
        empty_last[1].size = 0;
        assert_eq!(bases(&group(&empty_last, &config, Offset(max + 600))), [vec![0, max + 500]]);
    }
}
