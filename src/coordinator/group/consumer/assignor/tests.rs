//! Every partition has one owner who asks for its topic, loads are even, little moves.

use super::*;
use std::collections::{BTreeMap, HashMap};

const A: Uuid = Uuid([1; 16]);
const B: Uuid = Uuid([2; 16]);
const C: Uuid = Uuid([3; 16]);

fn sizes(topic: &Uuid) -> i32 {
    match *topic {
        A => 3,
        B => 5,
        C => 4,
        _ => 0,
    }
}

fn member(id: &str, topics: &[Uuid]) -> MemberSpec {
    MemberSpec {
        id: id.into(),
        instance_id: None,
        topics: Rc::new(topics.iter().copied().collect()),
        before: Rc::default(),
    }
}

fn parts(topics: &[(Uuid, &[i32])]) -> Partitions {
    topics.iter().map(|(topic, all)| (*topic, all.iter().copied().collect())).collect()
}

fn assign(assignor: Assignor, kind: SubscriptionType, members: &[MemberSpec]) -> Vec<Partitions> {
    let assigned = assignor.assign(&Spec { members, kind, partitions: &sizes });
    let assigned: Vec<Partitions> = assigned.into_iter().map(|p| Partitions::clone(&p)).collect();
    check(members, &assigned, &sizes);
    assigned
}

fn check(members: &[MemberSpec], assigned: &[Partitions], sizes: &dyn Fn(&Uuid) -> i32) {
    let mut owners: HashMap<(Uuid, i32), usize> = HashMap::new();
    for (index, partitions) in assigned.iter().enumerate() {
        for (topic, all) in partitions {
            assert!(members[index].topics.contains(topic), "{} does not ask for {topic}", members[index].id);
            for partition in all {
                assert_eq!(owners.insert((*topic, *partition), index), None, "{topic}-{partition} has two owners");
            }
        }
    }
    let topics: BTreeSet<Uuid> = members.iter().flat_map(|m| m.topics.iter().copied()).collect();
    let all: i32 = topics.iter().map(sizes).sum();
    assert_eq!(owners.len(), all as usize, "all partitions are assigned");
}

fn loads(assigned: &[Partitions]) -> Vec<usize> {
    assigned.iter().map(|partitions| partitions.values().map(BTreeSet::len).sum()).collect()
}

#[test]
fn range_gives_runs_that_meet_in_one_member() {
    let members = [member("a", &[A, B]), member("b", &[A, B])];
    let assigned = assign(Assignor::Range, SubscriptionType::Homogeneous, &members);
    assert_eq!(assigned[0], parts(&[(A, &[0, 1]), (B, &[0, 1, 2])]));
    assert_eq!(assigned[1], parts(&[(A, &[2]), (B, &[3, 4])]));
}

#[test]
fn range_orders_static_members_by_instance_and_before_the_others() {
    let mut members = [member("a", &[B]), member("b", &[B]), member("c", &[B])];
    members[1].instance_id = Some("z".into());
    members[2].instance_id = Some("y".into());
    let assigned = assign(Assignor::Range, SubscriptionType::Homogeneous, &members);
    assert_eq!(assigned, [parts(&[(B, &[4])]), parts(&[(B, &[2, 3])]), parts(&[(B, &[0, 1])])]);
}

#[test]
fn range_serves_each_topic_to_those_who_ask() {
    let members = [member("a", &[A]), member("b", &[A, B]), member("c", &[B]), member("d", &[])];
    let assigned = assign(Assignor::Range, SubscriptionType::Heterogeneous, &members);
    assert_eq!(assigned[1], parts(&[(A, &[2]), (B, &[0, 1, 2])]));
    assert!(assigned[3].is_empty());
}

#[test]
fn more_members_than_partitions_leave_some_without() {
    let members: Vec<_> = (0..5).map(|i| member(&i.to_string(), &[A])).collect();
    for assignor in [Assignor::Range, Assignor::Uniform] {
        let assigned = assign(assignor, SubscriptionType::Homogeneous, &members);
        let mut sorted = loads(&assigned);
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 0, 1, 1, 1], "{assignor:?}");
    }
}

#[test]
fn uniform_keeps_what_it_can_and_moves_the_rest() {
    let mut members = vec![member("a", &[A, B]), member("b", &[A, B])];
    for (member, partitions) in members.iter_mut().zip(assign(
        Assignor::Uniform,
        SubscriptionType::Homogeneous,
        &[member("a", &[A, B]), member("b", &[A, B])],
    )) {
        member.before = Rc::new(partitions);
    }
    members.push(member("c", &[A, B]));
    let assigned = assign(Assignor::Uniform, SubscriptionType::Homogeneous, &members);
    let mut sorted = loads(&assigned);
    sorted.sort_unstable();
    assert_eq!(sorted, [2, 3, 3]);
    for (member, now) in members.iter().zip(&assigned).take(2) {
        for (topic, all) in now {
            assert!(all.is_subset(&member.before[topic]), "{} got something new", member.id);
        }
    }
}

#[test]
fn an_assignment_that_is_right_stays_and_is_not_copied() {
    let mut members = vec![member("a", &[A, C]), member("b", &[A, C])];
    members[0].before = Rc::new(parts(&[(A, &[0, 2]), (C, &[1, 3])]));
    members[1].before = Rc::new(parts(&[(A, &[1]), (C, &[0, 2])]));
    for kind in [SubscriptionType::Homogeneous, SubscriptionType::Heterogeneous] {
        let assigned = Assignor::Uniform.assign(&Spec { members: &members, kind, partitions: &sizes });
        for (member, now) in members.iter().zip(&assigned) {
            assert!(Rc::ptr_eq(&member.before, now), "{kind:?}");
        }
    }
}

#[test]
fn topics_no_longer_asked_for_and_double_owners_are_put_right() {
    let mut members = vec![member("a", &[A]), member("b", &[A])];
    members[0].before = Rc::new(parts(&[(A, &[0, 1, 7]), (B, &[0])]));
    members[1].before = Rc::new(parts(&[(A, &[1])]));
    for kind in [SubscriptionType::Homogeneous, SubscriptionType::Heterogeneous] {
        assign(Assignor::Uniform, kind, &members);
    }
}

#[test]
fn uniform_balances_different_subscriptions() {
    let members = [member("a", &[A, B, C]), member("b", &[B]), member("c", &[A])];
    let assigned = assign(Assignor::Uniform, SubscriptionType::Heterogeneous, &members);
    let mut sorted = loads(&assigned);
    sorted.sort_unstable();
    assert_eq!(sorted, [3, 4, 5]);
}

/// Random groups change step by step; each assignment grows out of the one before.
#[test]
fn random_groups_are_covered_evenly() {
    use rand::{Rng, SeedableRng};
    for seed in 0..200u64 {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let topics: BTreeMap<Uuid, i32> =
            (1..=rng.random_range(1..6u8)).map(|i| (Uuid([i; 16]), rng.random_range(1..12))).collect();
        let size = |topic: &Uuid| topics.get(topic).copied().unwrap_or(0);
        let same = rng.random_bool(0.5);
        let all: Vec<Uuid> = topics.keys().copied().collect();
        let mut members: Vec<MemberSpec> = Vec::new();
        for step in 0..20 {
            if members.len() > 1 && rng.random_bool(0.4) {
                members.remove(rng.random_range(0..members.len()));
            } else {
                let wanted: Vec<Uuid> = all.iter().copied().filter(|_| same || rng.random_bool(0.6)).collect();
                members.push(member(&format!("{step:02}"), &wanted));
            }
            let kind = if same { SubscriptionType::Homogeneous } else { SubscriptionType::Heterogeneous };
            for assignor in [Assignor::Range, Assignor::Uniform] {
                let assigned = assignor.assign(&Spec { members: &members, kind, partitions: &size });
                let plain: Vec<Partitions> = assigned.iter().map(|p| Partitions::clone(p)).collect();
                check(&members, &plain, &size);
                if assignor == Assignor::Uniform {
                    if same {
                        let loads = loads(&plain);
                        let spread = loads.iter().max().unwrap() - loads.iter().min().unwrap();
                        assert!(spread <= 1, "seed {seed} step {step}: {loads:?}");
                    }
                    members.iter_mut().zip(assigned).for_each(|(member, now)| member.before = now);
                }
            }
        }
    }
}
