//! What is read back from the log.

use super::harness::*;
use crate::base::{Offset, ProducerId};
use crate::coordinator::group::{Groups, Request};
use crate::protocol::messages::JoinGroupRequest;
use crate::protocol::messages::describe_groups_response::DescribedGroup;
use bytes::Bytes;

#[test]
fn members_and_assignments_are_back_after_a_restart() {
    let mut w = world();
    let ids = w.three_stable();
    w.restart();
    assert_eq!(w.state(), "Stable");
    for id in &ids {
        assert_eq!(w.heartbeat(id, 1), 0);
    }
    let token = w.sync(&ids[1], 1, &[]);
    assert_eq!(w.synced(token), Some((0, "1".into())));
    w.pass(i64::from(SESSION_MS));
    assert_eq!(w.state(), "Empty", "sessions run from the restart on");
}

#[test]
fn a_generation_that_was_not_written_is_not_known_after_a_restart() {
    let mut w = world();
    let ids = w.three_stable();
    for id in &ids {
        w.join(join_request(id));
    }
    w.restart();
    assert_eq!(w.heartbeat(&ids[0], 2), 22);
    // They join again, and generation 2 comes a second time.
    let tokens: Vec<_> = ids.iter().map(|id| w.join(join_request(id))).collect();
    for token in tokens {
        let answer = w.joins(token);
        assert!(answer.is_none_or(|a| a.generation_id == 2 || a.generation_id == 1));
    }
}

#[test]
fn commits_never_go_backwards_over_restarts() {
    let mut w = world();
    let mut last = -1;
    for round in 0..50 {
        w.commits_at_once = round % 3 != 0;
        for offset in round * 10..round * 10 + 5 {
            let token = w.commit("", -1, offset);
            if w.committed(token) == Some(0) {
                last = offset;
            }
        }
        // The crash loses what was not committed, and only that.
        w.commits_at_once = true;
        w.restart();
        assert!(w.offset() >= last, "round {round}: {} < {last}", w.offset());
    }
}

#[test]
fn an_empty_group_stays_empty_and_keeps_its_generation() {
    let mut w = world();
    let ids = w.three_stable();
    for id in &ids {
        w.leave(&[(id, None)]);
    }
    w.pass(60_000);
    w.restart();
    assert_eq!(w.state(), "Empty");
    let token = w.join_v(3, JoinGroupRequest::clone(&join_request("")));
    w.pass(3_000);
    assert_eq!(w.joins(token).expect("a generation").generation_id, 3);
}

#[test]
fn committed_transactions_count_aborted_ones_do_not() {
    let mut w = world();
    w.commit("", -1, 1);
    let record = |w: &mut World, offset: i64| {
        w.commits_at_once = false;
        w.commit("", -1, offset);
        w.writing.last().expect("an append").records[0].clone()
    };
    let (second, third) = (record(&mut w, 2), record(&mut w, 3));
    let now = w.now;
    let mut groups = Groups::new(w.config.clone());
    let first = &w.log[w.log.len() - 1];
    let log = [(10, ProducerId(7), &second), (11, ProducerId(8), &third), (12, ProducerId::NONE, first)];
    for (offset, producer, record) in log {
        groups.replay(Offset(offset), producer, &record.key, record.value.as_ref(), now).expect("a whole record");
    }
    groups.replay_marker(ProducerId(8), false);
    groups.replay_marker(ProducerId(7), true);
    w.groups = groups;
    assert_eq!(w.offset(), 1, "a transaction's offset older in the log than what stands does not count");
}

#[test]
fn groups_of_other_kinds_and_unknown_records_are_passed_over() {
    let mut w = world();
    w.commit("", -1, 1);
    let now = w.now;
    // ShareGroupMetadataKey (11) of group "k848", unknown types.
    let share_group = Bytes::from_static(b"\x00\x0b\x00\x04k848");
    let value = Bytes::from_static(b"\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00");
    w.groups.replay(Offset(90), ProducerId::NONE, &share_group, Some(&value), now).expect("a share group");
    for key in [&b"\x00\x63\x00\x01s\x00\x01m"[..], b"\x7f\xff", b"\xff\xff"] {
        let key = Bytes::copy_from_slice(key);
        w.groups.replay(Offset(91), ProducerId::NONE, &key, Some(&value), now).expect("passed over");
        w.groups.replay(Offset(92), ProducerId::NONE, &key, None, now).expect("passed over");
    }
    assert_eq!(w.offset(), 1);
    let token = w.join(JoinGroupRequest { group_id: "k848".into(), ..join_request("") });
    assert_eq!(w.joins(token).expect("refused").error_code, 23);
    let caller = crate::coordinator::group::Caller { api_version: 6, ..Default::default() };
    let described: Vec<DescribedGroup> = w.now(Request::Describe(caller, vec!["k848".into(), "nobody".into()]));
    let messages: Vec<_> = described.iter().map(|g| (g.error_code, g.error_message.as_deref().unwrap())).collect();
    assert_eq!(messages, [(69, "Group k848 is not a classic group."), (69, "Group nobody not found.")]);
    w.groups.replay(Offset(99), ProducerId::NONE, &share_group, None, now).expect("its end");
    let token = w.join(JoinGroupRequest { group_id: "k848".into(), ..join_request("") });
    assert_eq!(w.joins(token).expect("an id").error_code, 79);
}

/// An OffsetCommit record of group g, topic t, partition 0 with this value.
fn offset_commit(value: &[u8]) -> (Bytes, Bytes) {
    (Bytes::from_static(b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x00"), Bytes::copy_from_slice(value))
}

#[test]
fn a_record_of_a_known_type_that_cannot_be_read_is_named_by_its_offset() {
    let mut w = world();
    let now = w.now;
    let good = offset_commit(b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00");
    w.groups.replay(Offset(4), ProducerId::NONE, &good.0, Some(&good.1), now).expect("a whole record");
    assert_eq!(w.offset(), 7);
    let bad = [
        (Bytes::new(), Some(good.1.clone()), "no type"),
        (Bytes::from_static(b"\x00"), Some(good.1.clone()), "half a type"),
        (Bytes::from_static(b"\x00\x01\x00\x09cut"), Some(good.1.clone()), "a key cut off"),
        (Bytes::from_static(b"\x00\x01\x00\x09cut"), None, "a tombstone of a key cut off"),
        (good.0.clone(), Some(Bytes::new()), "no version"),
        (good.0.clone(), Some(good.1.slice(..9)), "a value cut off"),
        (good.0.clone(), Some([b"\x00\x63", &good.1[2..]].concat().into()), "a version that came later"),
        (Bytes::from_static(b"\x00\x02\x00\x01g"), Some(Bytes::from_static(b"\x00\x03\x00\xff")), "a group cut off"),
        (
            Bytes::from_static(b"\x00\x03\x00\x01g"),
            Some(Bytes::from_static(b"\x00\x00\x00")),
            "a consumer group cut off",
        ),
        (Bytes::from_static(b"\x00\x0b\x00\x01g"), Some(Bytes::from_static(b"\x00\x00\x00")), "a share group cut off"),
    ];
    for (key, value, what) in bad {
        let error = w.groups.replay(Offset(5), ProducerId::NONE, &key, value.as_ref(), now).expect_err(what);
        assert_eq!(error.offset, Offset(5), "{what}");
        assert!(!error.why.is_empty(), "{what}");
    }
}
