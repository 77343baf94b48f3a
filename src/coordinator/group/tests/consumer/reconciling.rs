//! Every state of a member against what it owns and what the target gives it.

use super::support::*;
use crate::coordinator::group::consumer::{ConsumerGroup, ConsumerMember, MemberState, Owned, Partitions, Reconcile};
use crate::metadata::loader::Loader;
use std::rc::Rc;

use MemberState::{Stable, UnreleasedPartitions as Unreleased, UnrevokedPartitions as Unrevoked};

fn partitions(all: &[i32]) -> Partitions {
    if all.is_empty() { Partitions::new() } else { Partitions::from([(T, all.iter().copied().collect())]) }
}

fn owned(all: &[i32], epoch: i32) -> Owned {
    if all.is_empty() { Owned::new() } else { Owned::from([(T, all.iter().map(|p| (*p, epoch)).collect())]) }
}

/// State, assigned, revoking; target; what the member says it owns; what others hold; then state, epoch, assigned,
/// revoking.
type Case = (
    MemberState,
    &'static [i32],
    &'static [i32],
    &'static [i32],
    Option<&'static [i32]>,
    &'static [i32],
    (MemberState, i32, &'static [i32], &'static [i32]),
);

/// The member is in epoch 1, the target is that of epoch 2.
const CASES: &[Case] = &[
    // Nothing to give up, nothing that others hold.
    (Stable, &[0], &[], &[0], None, &[], (Stable, 2, &[0], &[])),
    (Stable, &[0], &[], &[0, 1], None, &[], (Stable, 2, &[0, 1], &[])),
    (Stable, &[], &[], &[], None, &[], (Stable, 2, &[], &[])),
    // Others hold some or all of what it gets.
    (Stable, &[0], &[], &[0, 1], None, &[1], (Unreleased, 2, &[0], &[])),
    (Stable, &[], &[], &[0, 1], None, &[1], (Unreleased, 2, &[0], &[])),
    // It has to give up first, and stays in its epoch.
    (Stable, &[0, 1], &[], &[0], None, &[], (Unrevoked, 1, &[0], &[1])),
    (Stable, &[0, 1], &[], &[0, 2], None, &[], (Unrevoked, 1, &[0], &[1])),
    (Stable, &[0, 1], &[], &[0], Some(&[0, 1]), &[], (Unrevoked, 1, &[0], &[1])),
    // It says that it has not got it: nothing to wait for.
    (Stable, &[0, 1], &[], &[0, 2], Some(&[0]), &[], (Stable, 2, &[0, 2], &[])),
    // It is giving up.
    (Unrevoked, &[0], &[1], &[0, 2], None, &[], (Unrevoked, 1, &[0], &[1])),
    (Unrevoked, &[0], &[1], &[0, 2], Some(&[0, 1]), &[], (Unrevoked, 1, &[0], &[1])),
    (Unrevoked, &[0], &[1], &[0, 2], Some(&[0]), &[], (Stable, 2, &[0, 2], &[])),
    (Unrevoked, &[0], &[1], &[0, 2], Some(&[]), &[2], (Unreleased, 2, &[0], &[])),
    // The target has changed meanwhile: it may have back what it gave up, or must give up more.
    (Unrevoked, &[0], &[1], &[0, 1], Some(&[0]), &[], (Stable, 2, &[0, 1], &[])),
    (Unrevoked, &[0, 2], &[1], &[0], Some(&[0, 2]), &[], (Unrevoked, 1, &[0], &[2])),
    // It waits for others.
    (Unreleased, &[0], &[], &[0, 1], None, &[1], (Unreleased, 2, &[0], &[])),
    (Unreleased, &[0], &[], &[0, 1], None, &[], (Stable, 2, &[0, 1], &[])),
    (Unreleased, &[0, 1], &[], &[0], None, &[], (Unrevoked, 1, &[0], &[1])),
];

fn world_of(others: &[i32]) -> (ConsumerGroup, Loader) {
    use crate::coordinator::group::consumer::Entry;
    let mut loader = Loader::default();
    loader.apply(&topic("t", T, 0..3), Default::default()).unwrap();
    let mut group = ConsumerGroup::new("g".into());
    let other = ConsumerMember { epoch: 1, assigned: owned(others, 1).into(), ..ConsumerMember::new("o".into()) };
    let other = Rc::new(other);
    group.apply(&Entry::Subscription(other.id.clone(), Some(other.clone())));
    group.apply(&Entry::Current(other.id.clone(), Some(other)));
    (group, loader)
}

fn member(state: MemberState, assigned: &[i32], revoking: &[i32]) -> ConsumerMember {
    ConsumerMember {
        epoch: 1,
        previous_epoch: 0,
        state,
        topics: Rc::new(["t".into()].into()),
        assigned: owned(assigned, 1).into(),
        revoking: owned(revoking, 1).into(),
        ..ConsumerMember::new("m".into())
    }
}

#[test]
fn every_state_takes_its_step() {
    for (row, (state, assigned, revoking, target, says, others, expected)) in CASES.iter().enumerate() {
        let (mut group, loader) = world_of(others);
        let member = member(*state, assigned, revoking);
        use crate::coordinator::group::consumer::Entry;
        let shared = Rc::new(member.clone());
        group.apply(&Entry::Subscription(member.id.clone(), Some(shared.clone())));
        group.apply(&Entry::Current(member.id.clone(), Some(shared)));
        let says = says.map(partitions);
        let step = Reconcile {
            group: &group,
            image: loader.image(),
            target_epoch: 2,
            target: &partitions(target),
            subscription_changed: false,
            owned: says.as_ref(),
        };
        let next = step.step(&member).unwrap();
        let got = (next.state, next.epoch, &next.assigned, &next.revoking);
        let (state, epoch, assigned, revoking) = expected;
        let strip = |owned: &Owned| crate::coordinator::group::consumer::without_epochs(owned);
        assert_eq!((got.0, got.1), (*state, *epoch), "row {row}");
        assert_eq!(strip(got.2), partitions(assigned), "row {row}: assigned");
        assert_eq!(strip(got.3), partitions(revoking), "row {row}: revoking");
    }
}

#[test]
fn a_later_versions_state_is_left_only_with_empty_hands() {
    let (group, loader) = world_of(&[]);
    let target = partitions(&[0]);
    let step = |says: Option<&Partitions>| {
        let step = Reconcile {
            group: &group,
            image: loader.image(),
            target_epoch: 2,
            target: &target,
            subscription_changed: false,
            owned: says,
        };
        step.step(&member(MemberState::Unknown, &[], &[]))
    };
    assert!(step(None).is_err());
    assert!(step(Some(&partitions(&[0]))).is_err());
    let next = step(Some(&Partitions::new())).unwrap();
    assert_eq!((next.state, next.epoch), (Stable, 2));
}

#[test]
fn a_topic_not_asked_for_any_more_is_taken_at_once() {
    let (group, loader) = world_of(&[]);
    let mut member = member(Stable, &[0, 1], &[]);
    member.topics = Rc::new(["u".into()].into());
    let step = |says: Option<&Partitions>| {
        let step = Reconcile {
            group: &group,
            image: loader.image(),
            target_epoch: 1,
            target: &partitions(&[0, 1]),
            subscription_changed: true,
            owned: says,
        };
        step.step(&member).unwrap()
    };
    let next = step(None);
    assert_eq!((next.state, next.epoch, next.assigned.len(), next.revoking.len()), (Unrevoked, 1, 0, 1));
    let next = step(Some(&Partitions::new()));
    assert_eq!((next.state, next.epoch, next.assigned.len(), next.revoking.len()), (Stable, 1, 0, 0));
}
