//! Appends that fail, and a log that cannot be read.

use super::*;
use crate::protocol::messages::consumer_group_describe_response::DescribedGroup;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

/// A member joins a consumer group: what it is told counts for the next one at once.
fn join(coordinator: &Coordinator<Groups>, group: &str, member: &str) -> Receiver<Answer> {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: member.into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let caller = Caller { api_version: 1, ..Caller::default() };
    coordinator.ask(Request::ConsumerHeartbeat(caller, request), clock::now())
}

async fn joined(answer: Receiver<Answer>) -> i16 {
    ConsumerGroupHeartbeatResponse::try_from(answer.await.unwrap()).unwrap().error_code
}

async fn members(coordinator: &Coordinator<Groups>, group: &str) -> Vec<String> {
    let answer = coordinator.ask(Request::ConsumerDescribe(vec![group.into()]), clock::now()).await.unwrap();
    let groups: Vec<DescribedGroup> = answer.try_into().unwrap();
    groups[0].members.iter().map(|member| member.member_id.to_string()).collect()
}

/// Lets the coordinator do what it can.
async fn turn() {
    for _ in 0..5 {
        runtime::yield_now().await;
    }
}

#[test]
fn a_batch_whose_checksum_is_another_is_not_believed() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        assert_eq!(error_of(commit(&coordinator, "g", 1)).await, 0);
        coordinator.resign(clock::now());
        // A bit of the topic's id, which stands last: the record can be read all the same.
        let at = log.bytes.borrow().len() - 5;
        log.bytes.borrow_mut()[at] ^= 1;
        let end = log.end.get();
        let coordinator = active(&log).await;
        assert_eq!(coordinator.phase(), Phase::Resigned);
        assert_eq!(error_of(commit(&coordinator, "g", 2)).await, ErrorCode::NotCoordinator as i16);
        assert_eq!(log.end.get(), end, "nothing is written");
    });
}

#[test]
fn a_log_that_cannot_be_read_for_a_moment_is_read_again() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        assert_eq!(error_of(commit(&coordinator, "g", 7)).await, 0);
        coordinator.resign(clock::now());
        log.unreadable.set(2);
        let began = clock::mono();
        let coordinator = start(&log);
        turn().await;
        assert_eq!((log.unreadable.get(), coordinator.phase()), (1, Phase::Loading));
        assert_eq!(error_of(commit(&coordinator, "g", 1)).await, ErrorCode::CoordinatorLoadInProgress as i16);
        while coordinator.phase() == Phase::Loading {
            runtime::sleep_until(clock::mono().plus(Duration::from_millis(10))).await;
        }
        assert!(clock::mono().since(began) >= Duration::from_millis(750), "with longer and longer pauses");
        assert_eq!((coordinator.phase(), fetch(&coordinator, "g").await), (Phase::Active, 7));
    });
}

#[test]
fn resigning_ends_the_wait_for_a_log_that_cannot_be_read() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        log.unreadable.set(usize::MAX);
        let coordinator = start(&log);
        turn().await;
        assert_eq!(Rc::strong_count(&coordinator), 2, "it runs");
        coordinator.resign(clock::now());
        turn().await;
        assert_eq!((Rc::strong_count(&coordinator), coordinator.phase()), (1, Phase::Resigned));
    });
}

#[test]
fn a_failed_append_refuses_and_changes_nothing() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        assert_eq!(error_of(commit(&coordinator, "g", 5)).await, 0);
        log.held.set(true);
        let answer = commit(&coordinator, "g", 6);
        runtime::yield_now().await;
        log.release(Err(ErrorCode::KafkaStorageError));
        assert_eq!(error_of(answer).await, ErrorCode::NotCoordinator as i16);
        assert_eq!(fetch(&coordinator, "g").await, 5);
    });
}

#[test]
fn what_was_decided_on_an_append_waits_for_it_and_what_was_not_does_not() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        log.held.set(true);
        let a = join(&coordinator, "g", "a");
        turn().await;
        let (b, c, offsets) =
            (join(&coordinator, "h", "b"), join(&coordinator, "i", "c"), commit(&coordinator, "j", 5));
        turn().await;
        assert_eq!(log.batches.get(), 2, "other groups do not wait");
        let d = join(&coordinator, "g", "d");
        turn().await;
        assert_eq!(log.batches.get(), 2);
        log.end_one(Ok(()));
        assert_eq!(joined(a).await, 0);
        turn().await;
        assert_eq!(log.batches.get(), 3);
        log.release(Ok(()));
        assert_eq!((joined(b).await, joined(c).await, error_of(offsets).await, joined(d).await), (0, 0, 0, 0));
        assert_eq!(members(&coordinator, "g").await, ["a", "d"]);
    });
}

#[test]
fn what_was_decided_on_a_failed_append_is_refused_and_not_written() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        assert_eq!(joined(join(&coordinator, "g", "a")).await, 0);
        log.held.set(true);
        let b = join(&coordinator, "g", "b");
        turn().await;
        let other = join(&coordinator, "h", "x");
        turn().await;
        let (c, offsets) = (join(&coordinator, "g", "c"), commit(&coordinator, "j", 5));
        turn().await;
        log.end_one(Err(ErrorCode::KafkaStorageError));
        turn().await;
        assert!(b.try_take().is_none(), "first it has to be known what the log holds");
        // Decided on what is not there: it must not count either.
        let d = join(&coordinator, "g", "d");
        let (batches, end) = (log.batches.get(), log.end.get());
        log.end_one(Ok(()));
        assert_eq!(joined(other).await, 0);
        let again = ErrorCode::CoordinatorNotAvailable as i16;
        assert_eq!(joined(b).await, ErrorCode::NotCoordinator as i16);
        assert_eq!((joined(c).await, error_of(offsets).await, joined(d).await), (again, again, again));
        turn().await;
        assert_eq!(log.batches.get(), batches, "nothing of it went to the log");
        assert!(log.end.get() > end, "the other group did");
        assert_eq!(
            (members(&coordinator, "g").await, members(&coordinator, "h").await),
            (vec!["a".into()], vec!["x".into()])
        );
        log.release(Ok(()));
        assert_eq!((joined(join(&coordinator, "g", "b")).await, error_of(commit(&coordinator, "j", 5)).await), (0, 0));
        coordinator.resign(clock::now());
        let coordinator = active(&log).await;
        assert_eq!(
            (members(&coordinator, "g").await, fetch(&coordinator, "j").await),
            (vec!["a".into(), "b".into()], 5)
        );
    });
}

#[test]
fn a_log_that_fails_for_good_refuses_everyone_and_is_asked_only_when_somebody_asks() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        for round in 1..=20 {
            log.held.set(true);
            let asked: Vec<_> = (0..3).map(|member| join(&coordinator, "g", &format!("m{member}"))).collect();
            turn().await;
            let late = join(&coordinator, "g", "late");
            turn().await;
            log.release(Err(ErrorCode::KafkaStorageError));
            for answer in asked {
                assert_eq!(joined(answer).await, ErrorCode::NotCoordinator as i16);
            }
            assert_eq!(joined(late).await, ErrorCode::CoordinatorNotAvailable as i16);
            turn().await;
            assert_eq!(log.batches.get(), round, "one batch for each round");
            assert_eq!(coordinator.phase(), Phase::Active);
        }
        assert_eq!(joined(join(&coordinator, "g", "a")).await, 0);
        assert_eq!(members(&coordinator, "g").await, ["a"]);
    });
}

#[test]
fn resigning_while_a_failure_is_kept_back_answers_everyone_who_waits() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        log.held.set(true);
        let a = join(&coordinator, "g", "a");
        turn().await;
        let other = join(&coordinator, "h", "x");
        turn().await;
        let (b, offsets) = (join(&coordinator, "g", "b"), commit(&coordinator, "j", 5));
        turn().await;
        log.end_one(Err(ErrorCode::KafkaStorageError));
        turn().await;
        coordinator.resign(clock::now());
        for answer in [a, other, b] {
            assert_eq!(joined(answer).await, ErrorCode::NotCoordinator as i16);
        }
        assert_eq!(error_of(offsets).await, ErrorCode::NotCoordinator as i16);
        let (batches, end) = (log.batches.get(), log.end.get());
        log.release(Ok(()));
        turn().await;
        assert_eq!(log.batches.get(), batches);
        // What was under way may be in the log: whoever loads it finds out.
        assert!(log.end.get() > end);
        assert_eq!(members(&*active(&log).await, "h").await, ["x"]);
    });
}
