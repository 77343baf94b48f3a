//! Every event in every state, as a table; then the cursors.

use super::support::*;
use crate::base::{Instant, Offset};
use crate::share::{AcknowledgeError, AcquireMode, Limits, RecordState, SharePartition};

use AcknowledgeError::{InvalidRecordState, InvalidRequest};

fn refused(partition: &mut SharePartition, member: &str, first: i64, last: i64, types: &[i8]) -> AcknowledgeError {
    partition.acknowledge(member, &[ack(first, last, types)], Instant(1)).expect_err("must be refused")
}

#[test]
fn what_each_acknowledgement_makes_of_a_held_record() {
    // type, state written, may be fetched again, start offset afterwards
    let table = [(0, 4, false, 1), (1, 2, false, 1), (2, 0, true, 0), (3, 4, false, 1)];
    for (kind, state, again, start) in table {
        let mut p = empty(0);
        assert_eq!(fetch(&mut p, "a", &log(&[(0, 0), (1, 1)])), [(0, 1, 1)]);
        assert_eq!(acked(&mut p, "a", &[ack(0, 0, &[kind])]), [(0, 0, state, 1)], "type {kind}");
        assert_eq!(p.start_offset(), Offset(start), "type {kind}");
        let more = fetch(&mut p, "b", &log(&[(0, 0), (1, 1), (2, 2)]));
        assert_eq!(more, if again { vec![(0, 0, 2), (2, 2, 1)] } else { vec![(2, 2, 1)] }, "type {kind}");
    }
}

#[test]
fn only_who_holds_a_record_may_acknowledge_it() {
    let mut p = empty(0);
    assert!(matches!(refused(&mut p, "a", 0, 0, &[1]), InvalidRecordState(_)), "nothing was fetched");
    fetch(&mut p, "a", &tens(0, 2));
    assert!(matches!(refused(&mut p, "b", 0, 9, &[1]), InvalidRecordState(_)), "another's");
    assert!(matches!(refused(&mut p, "a", 10, 25, &[1]), InvalidRequest(_)), "past the end");
    assert!(matches!(refused(&mut p, "a", 30, 35, &[1]), InvalidRequest(_)), "past the end");
    assert!(matches!(refused(&mut p, "a", 0, 9, &[7]), InvalidRequest(_)), "no such type");
    acked(&mut p, "a", &[ack(5, 9, &[1])]);
    assert!(matches!(refused(&mut p, "a", 0, 9, &[1]), InvalidRecordState(_)), "part of it twice");
    acked(&mut p, "a", &[ack(0, 4, &[2])]);
    assert!(matches!(refused(&mut p, "a", 0, 4, &[1]), InvalidRecordState(_)), "released");
}

#[test]
fn a_refused_request_changes_nothing() {
    let mut p = empty(0);
    fetch(&mut p, "a", &tens(0, 1));
    let twice = [ack(0, 4, &[1]), ack(4, 9, &[1])];
    assert!(p.acknowledge("a", &twice, Instant(1)).is_err());
    assert_eq!(acked(&mut p, "a", &[ack(0, 9, &[1])]), [(0, 9, 2, 1)]);
    assert_eq!(cursors(&mut p), (10, 10, 10));
}

#[test]
fn types_may_differ_within_a_batch() {
    let mut p = empty(0);
    fetch(&mut p, "a", &tens(0, 1));
    let types = [1, 1, 2, 2, 3, 3, 0, 1, 4, 4];
    let written = acked(&mut p, "a", &[ack(0, 9, &types)]);
    assert_eq!(written, [(0, 1, 2, 1), (2, 3, 0, 1), (4, 6, 4, 1), (7, 7, 2, 1)]);
    assert_eq!(cursors(&mut p), (2, 9, 2));
    assert_eq!(fetch(&mut p, "b", &tens(0, 1)), [(2, 3, 2)]);
    assert_eq!(p.delivery_complete_count(), 4);
}

#[test]
fn a_write_that_fails_gives_the_records_back_to_their_holder() {
    for (kind, at, held) in [(1, 5, true), (2, 5, true), (1, LOCK_NS + 5, false)] {
        let mut p = empty(0);
        fetch(&mut p, "a", &tens(0, 1));
        let write = p.acknowledge("a", &[ack(0, 9, &[kind])], Instant(2)).unwrap().expect("a state to write");
        assert!(matches!(refused(&mut p, "a", 0, 9, &[1]), InvalidRecordState(_)), "it is being written");
        assert_eq!(fetch(&mut p, "b", &tens(0, 1)), [], "it is not free before it is written");
        p.complete(write.id, false, Instant(at));
        let again = fetch(&mut p, "b", &tens(0, 1));
        assert_eq!(again, if held { vec![] } else { vec![(0, 9, 2)] }, "type {kind} at {at}");
        if held {
            assert_eq!(acked(&mut p, "a", &[ack(0, 9, &[1])]), [(0, 9, 2, 1)]);
        }
    }
}

#[test]
fn a_lock_expires_is_renewed_and_ends_in_the_archive() {
    let mut p = empty(0);
    let limits = Limits { delivery_count_max: 2, ..LIMITS };
    p.set_limits(limits);
    fetch(&mut p, "a", &tens(0, 1));
    assert_eq!(p.next_deadline(), Some(Instant(1 + LOCK_NS)));
    assert_eq!(p.expire(Instant(LOCK_NS)), None);
    assert_eq!(p.acknowledge("a", &[ack(0, 9, &[4])], Instant(LOCK_NS)), Ok(None), "nothing to persist");
    assert_eq!(p.expire(Instant(1 + LOCK_NS)), None, "renewed");
    let write = p.expire(Instant(2 * LOCK_NS));
    assert_eq!(fetch(&mut p, "b", &tens(0, 1)), [(0, 9, 2)], "free at once");
    assert_eq!(written(&mut p, write), [(0, 9, 0, 1)]);
    let write = p.expire(Instant(9 * LOCK_NS));
    assert_eq!(written(&mut p, write), [(0, 9, 4, 2)], "delivered as often as allowed");
    assert_eq!(cursors(&mut p), (10, 10, 10));
}

#[test]
fn a_lock_is_not_renewed_where_the_group_does_not_let_it_be() {
    let mut p = empty(0);
    fetch(&mut p, "a", &tens(0, 1));
    p.set_limits(Limits { renews: false, ..LIMITS });
    let refused = p.acknowledge("a", &[ack(0, 4, &[1]), ack(5, 9, &[4])], Instant(LOCK_NS));
    assert!(matches!(refused, Err(AcknowledgeError::InvalidRecordState(_))), "{refused:?}");
    assert_eq!(acked(&mut p, "a", &[ack(0, 9, &[1])]), [(0, 9, 2, 1)], "nothing of it counted");
}

#[test]
fn the_last_delivery_released_goes_to_the_archive() {
    let mut p = empty(0);
    p.set_limits(Limits { delivery_count_max: 2, ..LIMITS });
    for count in 1..=2 {
        assert_eq!(fetch(&mut p, "a", &tens(0, 1)), [(0, 9, count)]);
        let state = if count == 2 { 4 } else { 0 };
        assert_eq!(acked(&mut p, "a", &[ack(0, 9, &[2])]), [(0, 9, state, count)]);
    }
    assert_eq!(p.start_offset(), Offset(10));
}

#[test]
fn the_end_of_a_session_does_not_count_as_a_delivery() {
    let mut p = empty(0);
    fetch(&mut p, "a", &tens(0, 2));
    fetch(&mut p, "b", &tens(20, 1));
    acked(&mut p, "a", &[ack(0, 9, &[1])]);
    let write = p.release("a");
    assert_eq!(written(&mut p, write), [(10, 19, 0, 0)]);
    assert_eq!(fetch(&mut p, "c", &tens(0, 3)), [(10, 19, 1)], "what b holds stays b's");
    assert_eq!(p.release("nobody"), None);
}

#[test]
fn locks_are_bounded() {
    let mut p = empty(0);
    p.set_limits(Limits { record_locks_max: 20, ..LIMITS });
    assert_eq!(fetch(&mut p, "a", &tens(0, 5)), [(0, 19, 1)], "whole batches up to the limit");
    assert!(!p.can_acquire());
    assert_eq!(fetch(&mut p, "b", &tens(0, 5)), []);
    acked(&mut p, "a", &[ack(10, 12, &[2])]);
    assert!(p.can_acquire(), "something may be delivered again");
    assert_eq!(fetch(&mut p, "b", &tens(0, 5)), [(10, 12, 2)], "and nothing behind the end");
    acked(&mut p, "a", &[ack(0, 9, &[1])]);
    assert_eq!((p.in_flight(), p.can_acquire()), (10, true));
}

#[test]
fn batches_stay_whole_unless_the_limit_is_exact() {
    let batches = tens(0, 4);
    let mut p = empty(0);
    let few = Fetch { max: 12, ..Fetch::default() };
    assert_eq!(few.run(&mut p, "a", &batches), [(0, 19, 1)]);
    let mut p = empty(0);
    let sized = Fetch { batch_size: 15, ..Fetch::default() };
    assert_eq!(sized.run(&mut p, "a", &batches), [(0, 19, 1), (20, 39, 1)]);
    let mut p = empty(0);
    let exact = Fetch { max: 12, mode: AcquireMode::RecordLimit, ..Fetch::default() };
    assert_eq!(exact.run(&mut p, "a", &batches), [(0, 11, 1)]);
    assert_eq!(cursors(&mut p), (0, 19, 12), "the rest of the batch is known, and free");
    assert_eq!(exact.run(&mut p, "b", &batches), [(12, 19, 1), (20, 23, 1)]);
}

#[test]
fn what_was_delivered_often_is_delivered_with_ever_fewer_others() {
    let mut p = empty(0);
    let batches = log(&[(0, 7), (8, 15)]);
    for count in 1..=3 {
        assert_eq!(fetch(&mut p, "a", &batches[..1]), [(0, 7, count)]);
        acked(&mut p, "a", &[ack(0, 7, &[2])]);
    }
    // Limit 5: throttled from 3 on; half of the batch, then alone.
    assert_eq!(fetch(&mut p, "a", &batches), [(0, 3, 4)]);
    assert_eq!(fetch(&mut p, "b", &batches), [(4, 7, 4)]);
    acked(&mut p, "a", &[ack(0, 3, &[2])]);
    for offset in 0..4 {
        assert_eq!(fetch(&mut p, "a", &batches), [(offset, offset, 5)]);
    }
    assert_eq!(acked(&mut p, "a", &[ack(0, 3, &[2])]), [(0, 3, 4, 5)]);
    assert_eq!(fetch(&mut p, "a", &batches), [(8, 15, 1)]);
}

#[test]
fn the_log_start_archives_what_nobody_holds() {
    let mut p = empty(0);
    fetch(&mut p, "a", &tens(0, 3));
    acked(&mut p, "a", &[ack(0, 4, &[2]), ack(10, 14, &[2])]);
    p.log_start_moved(Offset(12));
    assert_eq!(cursors(&mut p), (12, 29, 12));
    assert_eq!(fetch(&mut p, "b", &tens(0, 3)), [(12, 14, 2)]);
    assert_eq!(p.acknowledge("a", &[ack(5, 9, &[1])], Instant(1)), Ok(None), "gone from the log: no error");
    let write = p.expire(Instant(2 * LOCK_NS));
    let written = written(&mut p, write);
    assert!(written.contains(&(5, 9, 4, 1)), "held below the log start: archived, {written:?}");
    assert_eq!(cursors(&mut p), (12, 29, 12));
    let mut p = empty(0);
    p.log_start_moved(Offset(7));
    assert_eq!(cursors(&mut p), (7, 7, 7));
}

#[test]
fn what_compaction_took_is_archived_when_it_is_missed() {
    let mut p = empty(0);
    fetch(&mut p, "a", &tens(0, 3));
    acked(&mut p, "a", &[ack(0, 29, &[2])]);
    assert_eq!(fetch(&mut p, "a", &tens(20, 1)), [(20, 29, 2)]);
    acked(&mut p, "a", &[ack(20, 29, &[1])]);
    assert_eq!(cursors(&mut p), (30, 30, 30));
}

#[test]
fn aborted_transactions_are_delivered_to_nobody() {
    let mut p = empty(0);
    let committed = Fetch { aborted: log(&[(10, 19)]), ..Fetch::default() };
    assert_eq!(committed.run(&mut p, "a", &tens(0, 3)), [(0, 9, 1), (20, 29, 1)]);
    acked(&mut p, "a", &[ack(0, 9, &[1])]);
    assert_eq!(cursors(&mut p), (20, 29, 30));
    let mut p = empty(0);
    let all = Fetch { aborted: log(&[(0, 9)]), ..Fetch::default() };
    assert_eq!(all.run(&mut p, "a", &tens(0, 1)), []);
    assert_eq!(cursors(&mut p), (10, 10, 10));
}

#[test]
fn persisted_states_are_taken_up_again() {
    use RecordState::{Acknowledged, Archived, Available};
    let batches = [state(5, 9, Acknowledged, 1), state(10, 14, Available, 2), state(20, 24, Archived, 5)];
    let mut p = SharePartition::new(LIMITS, Offset(5), &batches).expect("ascending");
    assert_eq!(cursors(&mut p), (10, 24, 10));
    // 15 to 19 were held when the leader went: nothing was persisted of them.
    assert_eq!(
        fetch(&mut p, "a", &log(&[(5, 9), (10, 14), (15, 19), (20, 24), (25, 29)])).as_slice(),
        [(10, 14, 3), (15, 19, 1), (25, 29, 1)]
    );
    assert_eq!(p.delivery_complete_count(), 5);
    for wrong in [
        vec![state(4, 9, Available, 1)],
        vec![state(5, 9, Available, 1), state(9, 10, Available, 1)],
        vec![state(9, 5, Available, 1)],
        vec![state(5, 9, RecordState::Acquired, 1)],
    ] {
        assert!(SharePartition::new(LIMITS, Offset(5), &wrong).is_none(), "{wrong:?}");
    }
}

#[test]
fn a_gap_before_what_was_persisted_is_fetched_first() {
    let batches = [state(10, 19, RecordState::Acknowledged, 1)];
    let mut p = SharePartition::new(LIMITS, Offset(0), &batches).expect("ascending");
    assert_eq!(cursors(&mut p), (0, 19, 0));
    assert_eq!(fetch(&mut p, "a", &tens(0, 3)), [(0, 9, 1), (20, 29, 1)]);
    acked(&mut p, "a", &[ack(0, 9, &[1])]);
    assert_eq!(cursors(&mut p), (20, 29, 30));
}
