use super::support::*;
use crate::base::{LeaderEpoch, Offset, ProducerId};
use crate::log::{AppendOrigin, LogConfig};

fn filled(dir: &std::path::Path) -> (crate::log::Log, LogConfig) {
    let config = LogConfig { segment_bytes: 1000, index_interval_bytes: 200, ..LogConfig::default() };
    let mut log = open(dir, &config, CLEAN);
    for i in 0..30 {
        let batch = idempotent(7, 0, i * 3, 3);
        log.append_as_leader(batch, AppendOrigin::Client, LeaderEpoch(i / 10), now()).unwrap();
        write(&mut log);
    }
    flush(&mut log);
    (log, config)
}

#[test]
fn truncation_takes_whole_batches_epochs_and_producer_state_back() {
    for target in [89, 88, 87, 60, 31, 30, 4, 3, 2, 0] {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, config) = filled(dir.path());
        assert!(log.truncate_to(Offset(target)).unwrap());
        let end = target / 3 * 3;
        assert_eq!((log.end_offset(), log.flushed_offset()), (Offset(end), Offset(end)), "to {target}");
        assert_eq!(all(&mut log).len() as i64, end / 3);
        assert!(log.epochs().entries().iter().all(|e| e.start.0 < end));
        let last = log.producers().get(ProducerId(7)).map_or(-1, |p| p.last_sequence());
        assert_eq!(i64::from(last) + 1, end);
        let next = log.append_as_leader(idempotent(7, 0, end as i32, 3), AppendOrigin::Client, LeaderEpoch(9), now());
        assert_eq!(next.unwrap().first_offset, Offset(end));
        write(&mut log);
        let seen = all(&mut log);
        log.close().unwrap();
        assert_eq!(all(&mut open(dir.path(), &config, CLEAN)), seen);
        assert_eq!(all(&mut open(dir.path(), &config, UNCLEAN)), seen);
    }
}

#[test]
fn truncation_beyond_the_end_drops_only_what_was_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = filled(dir.path());
    accept(&mut log, batch(1, 5, 0)).unwrap();
    assert!(!log.truncate_to(Offset(200)).unwrap());
    assert_eq!(log.end_offset(), Offset(90));
}

#[test]
fn a_log_begins_anew_where_it_is_told_also_for_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, config) = filled(dir.path());
    log.truncate_fully_and_start_at(Offset(1000)).unwrap();
    assert_eq!(
        (log.start_offset(), log.end_offset(), log.flushed_offset()),
        (Offset(1000), Offset(1000), Offset(1000))
    );
    assert!(log.producers().is_empty() && log.epochs().entries().is_empty());
    drop(log);
    let mut log = open(dir.path(), &config, UNCLEAN);
    assert_eq!(log.start_offset(), Offset(1000));
    assert_eq!(append(&mut log, batch(1, 5, 0)).first_offset, Offset(1000));
}

#[test]
fn nothing_is_truncated_while_a_job_is_out() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = filled(dir.path());
    accept(&mut log, batch(1, 5, 0)).unwrap();
    let job = log.take_write().unwrap();
    assert!(log.truncate_to(Offset(3)).is_err());
    drop(job);
}
