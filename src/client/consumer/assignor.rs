//! The assignment a leader makes for its group (`RangeAssignor`): of each topic, a range for each member.

use crate::base::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub id: String,
    /// The id it keeps over restarts, which counts first for its place.
    pub instance_id: Option<String>,
    /// The topics it wants.
    pub topics: BTreeSet<String>,
}

/// Gives each member its partitions; `counts` says how many a topic has.
pub fn range(members: &[Subscriber], counts: &BTreeMap<String, i32>) -> BTreeMap<String, BTreeSet<TopicPartition>> {
    let mut assigned: BTreeMap<String, BTreeSet<TopicPartition>> =
        members.iter().map(|member| (member.id.clone(), BTreeSet::new())).collect();
    for (topic, count) in counts {
        let mut takers: Vec<&Subscriber> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        takers.sort_by_key(|member| (member.instance_id.is_none(), member.instance_id.as_deref(), member.id.as_str()));
        let number = takers.len() as i32;
        let mut from = 0;
        for (taker, place) in takers.into_iter().zip(0..) {
            let share = count / number + i32::from(place < count % number);
            if let Some(own) = assigned.get_mut(&taker.id) {
                own.extend((from..from + share).map(|index| TopicPartition::new(topic.as_str(), index)));
            }
            from += share;
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, instance: Option<&str>, topics: &[&str]) -> Subscriber {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Subscriber { id: id.into(), instance_id: instance.map(str::to_owned), topics }
    }

    fn shown(all: &BTreeMap<String, BTreeSet<TopicPartition>>, id: &str) -> Vec<String> {
        all[id].iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_members_take_one_more() {
        let members = [member("b", None, &["t", "u"]), member("a", None, &["t"])];
        let counts = [("t".to_owned(), 3), ("u".to_owned(), 1)].into_iter().collect();
        let all = range(&members, &counts);
        assert_eq!(shown(&all, "a"), ["t-0", "t-1"]);
        assert_eq!(shown(&all, "b"), ["t-2", "u-0"]);
    }

    #[test]
    fn static_members_come_first_and_there_may_be_more_members_than_partitions() {
        let members = [member("a", None, &["t"]), member("z", Some("i"), &["t"])];
        let all = range(&members, &[("t".to_owned(), 1)].into_iter().collect());
        assert_eq!(shown(&all, "z"), ["t-0"]);
        assert!(all["a"].is_empty());
    }
}
