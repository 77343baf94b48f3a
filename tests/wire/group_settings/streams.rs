//! What streams groups alone have: standby tasks, the wait for more members.

use super::member::{Kind, Member};
use super::{SETTINGS, alter_group, topic, unique, until};
use crate::support::Broker;

/// `ASSIGNMENT_DELAYED`.
const DELAYED: i8 = 5;

/// The broker's delay is longer than any wait here.
#[test]
fn a_streams_group_waits_for_members_as_long_as_it_says() {
    const KEY: &str = "streams.initial.rebalance.delay.ms";
    let broker = Broker::start_with(SETTINGS);
    let topic = topic(&mut broker.connect(), "of-delays", 2);
    // A group that has once begun to wait does so to the end, and so every other wait is a group's of its own.
    let mut other = Member::join(&broker, Kind::Streams, &unique("delays-of-the-broker"), "a", &topic);
    assert_eq!((other.beat().status.as_slice(), other.owned.len()), (&[DELAYED][..], 0));

    let name = unique("delays");
    alter_group(&broker, &name, KEY, Some("0"));
    let mut member = Member::join(&broker, Kind::Streams, &name, "a", &topic);
    assert_eq!(member.owned.len(), 2, "no wait");
    member.leave();

    alter_group(&broker, &name, KEY, Some("300"));
    assert_eq!(member.enter().status, [DELAYED]);
    until("the end of a short wait", || {
        member.beat();
        Some(()).filter(|()| member.owned.len() == 2)
    });
    member.leave();

    alter_group(&broker, &name, KEY, None);
    assert_eq!(member.enter().status, [DELAYED]);
    assert_eq!((member.beat().status.as_slice(), member.owned.len()), (&[DELAYED][..], 0));
}

#[test]
fn a_streams_group_has_as_many_standby_tasks_as_it_says() {
    const KEY: &str = "streams.num.standby.replicas";
    let broker = Broker::start_with(SETTINGS);
    let topic = topic(&mut broker.connect(), "of-standbys", 2);
    let name = unique("standbys");
    alter_group(&broker, &name, "streams.initial.rebalance.delay.ms", Some("0"));
    let mut members = ["a", "b", "c"].map(|id| Member::join_stateful(&broker, &name, id, &topic));
    // Each task that keeps state is active once, and on standby so many times.
    let mut have = |standbys: usize| {
        until(&format!("{standbys} standby tasks of each"), || {
            members.iter_mut().for_each(|member| assert_eq!(member.beat().error, 0));
            let count = |of: fn(&Member) -> usize| members.iter().map(of).sum::<usize>();
            let all = (count(|member| member.owned.len()), count(|member| member.standby.len()));
            (all == (2, 2 * standbys)).then_some(())
        });
    };
    have(0);
    alter_group(&broker, &name, KEY, Some("2"));
    have(2);
    alter_group(&broker, &name, KEY, Some("1"));
    have(1);
    alter_group(&broker, &name, KEY, None);
    have(0);
}
