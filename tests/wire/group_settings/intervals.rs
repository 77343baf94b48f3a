//! What groups of all kinds have: the interval of heartbeats, the session, the time between two assignments.

use super::member::{KINDS, Kind, Member, Topic};
use super::{Of, SETTINGS, alter, alter_group, topic, unique, until};
use crate::support::Broker;

/// Runs a test for each kind of groups at once.
fn for_each_kind(test: fn(&Broker, Kind)) {
    let broker = Broker::start_with(SETTINGS);
    std::thread::scope(|kinds| {
        for kind in KINDS {
            let broker = &broker;
            kinds.spawn(move || test(broker, kind));
        }
    });
}

/// A topic of two partitions, and the name of a group whose first member need not wait for others.
fn group(broker: &Broker, kind: Kind, name: &str) -> (String, Topic) {
    let group = unique(&kind.key(name));
    alter_group(broker, &group, "streams.initial.rebalance.delay.ms", Some("0"));
    let topic = topic(&mut broker.connect(), &format!("of-{}", kind.key(name)), 2);
    (group, topic)
}

#[test]
fn members_are_told_the_heartbeat_interval_of_their_group() {
    for_each_kind(|broker, kind| {
        let (name, topic) = group(broker, kind, "heartbeats");
        let mut member = Member::join(broker, kind, &name, "a", &topic);
        let mut other = Member::join(broker, kind, &format!("{name}-other"), "a", &topic);
        let key = kind.key("heartbeat.interval.ms");
        assert_eq!(member.beat().interval_ms, 5_000, "{kind:?}: the broker's");
        alter_group(broker, &name, &key, Some("7000"));
        assert_eq!(member.beat().interval_ms, 7_000, "{kind:?}: the group's");
        assert_eq!(other.beat().interval_ms, 5_000, "{kind:?}: of no other group");
        alter_group(broker, &name, &key, Some("8000"));
        assert_eq!(member.beat().interval_ms, 8_000, "{kind:?}: the group's next");
        alter_group(broker, &name, &key, None);
        assert_eq!(member.beat().interval_ms, 5_000, "{kind:?}: the broker's again");
    });
}

/// The broker's session is longer than any wait here. Time passes by sessions of members that send nothing.
#[test]
fn a_member_is_out_when_the_session_of_its_group_has_passed() {
    for_each_kind(|broker, kind| {
        let (name, topic) = group(broker, kind, "sessions");
        let (session, heartbeat) = (kind.key("session.timeout.ms"), kind.key("heartbeat.interval.ms"));
        let short = |group: &str, ms| {
            alter(broker, Of::Group(group), &[(&heartbeat, Some("50")), (&session, Some(ms))]);
        };
        let mut first = Member::join(broker, kind, &name, "a", &topic);
        short(&name, "400");
        let second = Member::join(broker, kind, &name, "b", &topic);
        let left = until("the end of a short session", || {
            Some(first.look().members).filter(|members| !members.contains(&second.id))
        });
        assert_eq!(left, [first.id.clone()], "{kind:?}: who came before the change has its session until it is heard");
        assert_eq!(first.beat().error, 0);
        until("the end of a session made shorter", || Some(()).filter(|()| first.look().members.is_empty()));
        assert_eq!(first.beat().error, 25, "{kind:?}");

        alter(broker, Of::Group(&name), &[(&heartbeat, None), (&session, None)]);
        first.enter();
        let (clock, _) = group(broker, kind, "sessions-clock");
        short(&clock, "1200");
        let mut clock = Member::join(broker, kind, &clock, "a", &topic);
        until("the end of the other group's session", || Some(()).filter(|()| clock.look().members.is_empty()));
        assert_eq!(first.look().members, [first.id.clone()], "{kind:?}: the broker's session again");
    });
}

/// A group's own before this node's before all brokers' before that of the start, and back again.
#[test]
fn the_time_between_assignments_is_the_groups_then_the_nodes_then_all_brokers() {
    const NEVER: Option<&str> = Some("600000");
    const AT_ONCE: Option<&str> = Some("0");
    for_each_kind(|broker, kind| {
        let (name, topic) = group(broker, kind, "assignments");
        let of_group = |value| alter_group(broker, &name, &kind.key("assignment.interval.ms"), value);
        let of_broker = |of, value| alter(broker, of, &[(&kind.broker_key("assignment.interval.ms"), value)]);
        let mut first = Member::join(broker, kind, &name, "a", &topic);
        until("the first assignment", || {
            assert_eq!(first.beat().error, 0);
            Some(()).filter(|()| first.look().is_assigned() && first.owned.len() == 2)
        });
        // Whoever comes makes the group's epoch rise, and its target wants to be made anew.
        let comes_and_waits = |name: &str, why: &str| {
            let mut member = Member::join(broker, kind, &first.group, name, &topic);
            assert_eq!(member.beat().error, 0);
            let look = member.look();
            assert!(look.epoch > look.assignment_epoch, "{kind:?}, {why}: {look:?}");
            member
        };
        let is_let_in = |mut member: Member, why: &str| {
            until(&format!("{kind:?}, {why}"), || {
                assert_eq!(member.beat().error, 0);
                Some(()).filter(|()| member.look().is_assigned())
            });
        };
        of_broker(Of::AllBrokers, NEVER);
        of_group(None);
        let member = comes_and_waits("b", "that of all brokers, the group's being removed");
        of_broker(Of::Node, AT_ONCE);
        is_let_in(member, "this node's comes before that of all brokers");
        of_broker(Of::Node, None);
        let member = comes_and_waits("c", "that of all brokers, this node's being removed");
        of_group(AT_ONCE);
        is_let_in(member, "the group's comes before that of all brokers");
        of_broker(Of::Node, AT_ONCE);
        of_group(NEVER);
        let member = comes_and_waits("d", "the group's comes before this node's");
        of_broker(Of::Node, None);
        of_group(None);
        of_broker(Of::AllBrokers, None);
        is_let_in(member, "that of the start, all being removed");
    });
}
