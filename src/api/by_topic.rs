//! Partitions of a request as Kafka's maps hold them: each topic once, each of its partitions once.

use crate::protocol::Str;
use std::collections::HashMap;

/// Each topic in the order of its first partition, without those that name none. Of a partition that is named twice
/// the last request counts.
pub fn by_topic<'a, P>(
    topics: impl Iterator<Item = (&'a Str, &'a [P])>,
    index: impl Fn(&P) -> i32,
) -> Vec<(Str, Vec<&'a P>)> {
    let mut merged: Vec<(Str, Vec<&'a P>)> = Vec::new();
    let mut topic_places: HashMap<&'a str, usize> = HashMap::new();
    let mut places: HashMap<(usize, i32), usize> = HashMap::new();
    for (name, partitions) in topics.filter(|(_, partitions)| !partitions.is_empty()) {
        let at = *topic_places.entry(&**name).or_insert_with(|| {
            merged.push((name.clone(), Vec::with_capacity(partitions.len())));
            merged.len() - 1
        });
        let Some((_, kept)) = merged.get_mut(at) else { continue };
        for partition in partitions {
            let place = *places.entry((at, index(partition))).or_insert(kept.len());
            match kept.get_mut(place) {
                Some(earlier) => *earlier = partition,
                None => kept.push(partition),
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_partitions_stand_once_and_the_last_counts() {
        let (a, b): (Str, Str) = ("a".into(), "b".into());
        let topics: [(&Str, &[(i32, char)]); 4] =
            [(&b, &[(0, 'x'), (1, 'y'), (0, 'z')]), (&a, &[]), (&a, &[(5, 'p')]), (&b, &[(1, 'q'), (2, 'r')])];
        let merged = by_topic(topics.into_iter(), |partition| partition.0);
        let shown: Vec<(&str, Vec<char>)> =
            merged.iter().map(|(name, kept)| (&**name, kept.iter().map(|partition| partition.1).collect())).collect();
        assert_eq!(shown, [("b", vec!['z', 'q', 'r']), ("a", vec!['p'])]);
    }
}
