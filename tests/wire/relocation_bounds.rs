//! Partitions that something binds to their core, that are asked from their old core again, or whose flush is due.

use crate::admin::{admin_of, get, sum_of};
use crate::relocating::{
    AT_ONCE, ENOUGH, FOREIGN, PARTITIONS, Producer, TOPIC, alone, configure, configure_broker, fetch, move_all, moved,
    none_moves, offsets, until_moved,
};
use crate::support::{Broker, Wire};
use crate::transactions::asked;
use corelog::protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use corelog::protocol::messages::{
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, FetchResponse, FindCoordinatorRequest,
    FindCoordinatorResponse,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// Never moves: its acknowledgements wait for the device. Asked beside the others it keeps a connection on its core.
const SYNCED: &str = "synced";

#[test]
fn what_waits_for_its_device_stays_until_it_waits_no_more() {
    let _alone = alone();
    let Some(broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    configure(&mut producer.wire, TOPIC, "flush.messages", Some("1"));
    none_moves(&broker, || producer.burst(AT_ONCE, 10));
    configure(&mut producer.wire, TOPIC, "flush.messages", None);
    move_all(&broker, &mut producer);
    // Bound again where it is, it serves as before.
    configure(&mut producer.wire, TOPIC, "flush.messages", Some("1"));
    producer.burst(AT_ONCE, 10);
}

#[test]
fn partitions_of_coordinators_stay_with_them() {
    let _alone = alone();
    const OFFSETS: &str = "__consumer_offsets";
    let settings = [format!("offsets.topic.num.partitions={PARTITIONS}")];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let Some(broker) = Broker::of_two_cores_with(&settings, TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    let find = FindCoordinatorRequest { key: "group".into(), ..Default::default() };
    assert_eq!(asked(|| producer.wire.call::<_, FindCoordinatorResponse>(&find, 3).error_code), 0);
    producer.wire.wait_for_leaders(OFFSETS, PARTITIONS as i32);
    let request = fetch(OFFSETS, 0..PARTITIONS, 0);
    none_moves(&broker, || {
        (0..AT_ONCE).for_each(|_| producer.wire.post(&request, 11));
        for _ in 0..AT_ONCE {
            let answer: FetchResponse = producer.wire.next_answer(&request, 11).expect("an answer");
            assert!(answer.responses[0].partitions.iter().all(|partition| partition.error_code == 0));
        }
    });
    move_all(&broker, &mut producer);
}

/// The log directory that each partition is in.
fn places(dirs: &[&Path]) -> Vec<usize> {
    let place = |partition: usize| {
        let is_in = |dir: &&Path| dir.join(format!("{TOPIC}-{partition}")).exists();
        dirs.iter().position(is_in).expect("a directory")
    };
    (0..PARTITIONS).map(place).collect()
}

fn move_logs(wire: &mut Wire, dirs: &[&Path], targets: &[usize]) {
    let to = |(number, dir): (usize, &&Path)| {
        let partitions = (0..PARTITIONS).filter(|n| targets[*n] == number).map(|n| n as i32).collect();
        let topics = vec![AlterReplicaLogDirTopic { name: TOPIC.into(), partitions }];
        AlterReplicaLogDir { path: dir.to_str().expect("a path").into(), topics }
    };
    let request = AlterReplicaLogDirsRequest { dirs: dirs.iter().enumerate().map(to).collect() };
    let answer: AlterReplicaLogDirsResponse = wire.call(&request, 2);
    let results = answer.results.iter().flat_map(|topic| &topic.partitions);
    results.for_each(|result| assert_eq!(result.error_code, 0, "partition {}", result.partition_index));
}

#[test]
fn what_is_on_its_way_to_another_log_dir_stays_until_that_is_over() {
    let _alone = alone();
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let dirs = directories.each_ref().map(tempfile::TempDir::path);
    let log_dirs = format!("log.dirs={},{}", dirs[0].display(), dirs[1].display());
    let Some(broker) = Broker::of_two_cores_with(&[&log_dirs], TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    configure_broker(&mut producer.wire, "replica.alter.log.dirs.io.max.bytes.per.second", Some("1"));
    producer.burst(AT_ONCE, 1000);
    let here = places(&dirs);
    let there: Vec<usize> = here.iter().map(|dir| 1 - dir).collect();
    move_logs(&mut producer.wire, &dirs, &there);
    none_moves(&broker, || producer.burst(AT_ONCE, 10));
    // Wanted where it is: that gives the way up.
    move_logs(&mut producer.wire, &dirs, &here);
    move_all(&broker, &mut producer);
    producer.repeat_last();
}

/// Connections that each core has taken.
fn taken(broker: &Broker) -> [u64; 2] {
    let (_, _, metrics) = get(admin_of(broker), "/metrics");
    [0, 1].map(|core| {
        let sample = format!("kafka_server_socket_server_metrics_connection_creation_total{{core=\"{core}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&sample)).expect("a count");
        line.parse().expect("a number")
    })
}

/// A connection that `core` took.
fn connect_to(broker: &Broker, core: usize) -> Wire {
    for _ in 0..100 {
        let before = taken(broker);
        let mut wire = broker.connect();
        offsets(&mut wire, 1, -1);
        if taken(broker)[core] > before[core] {
            return wire;
        }
    }
    panic!("core {core} takes no connection");
}

#[test]
fn partitions_go_back_to_the_core_that_asks_them_again() {
    let _alone = alone();
    /// Fewer requests than a connection makes for one other core before it goes there itself.
    const IN_A_ROW: usize = 8;
    let Some(broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    broker.connect().create_topic_of(SYNCED, 2);
    configure(&mut broker.connect(), SYNCED, "flush.messages", Some("1"));
    let all: Vec<usize> = (0..PARTITIONS).collect();
    let (mut expected, mut written) = (0, 0);
    for (core, coming) in [(0, FOREIGN), (1, PARTITIONS as u64), (0, PARTITIONS as u64)] {
        let mut producer = Producer::over(connect_to(&broker, core), TOPIC, PARTITIONS);
        let mut anchor = Producer::over(broker.connect(), SYNCED, 2);
        expected += coming;
        until_moved(&broker, expected, |_| {
            for _ in 0..AT_ONCE / IN_A_ROW {
                // Over the same connection, which asks both cores and so stays on its own.
                std::mem::swap(&mut anchor.wire, &mut producer.wire);
                anchor.write_to(&[0, 1], 1, 10);
                std::mem::swap(&mut anchor.wire, &mut producer.wire);
                let offsets = producer.write_to(&all, IN_A_ROW, 10);
                let end = written + i64::from(producer.sequences[0]);
                let new = end - IN_A_ROW as i64..end;
                assert!(offsets.iter().all(|offsets| offsets.iter().copied().eq(new.clone())), "{offsets:?}");
            }
        });
        written += i64::from(producer.sequences[0]);
    }
    assert_eq!(moved(&broker), expected);
}

/// A fresh topic's first records are flushed `flush.ms` after they were written, though their partitions move meanwhile.
/// `None` where the moves took so long that this does not show.
fn flushed_in_time(flush_ms: u64) -> Option<()> {
    let broker = Broker::of_two_cores(TOPIC, PARTITIONS as i32)?;
    let flushes = |broker: &Broker| sum_of(broker, "corelog_core_flushes_total");
    let mut producer = Producer::new(&broker);
    configure(&mut producer.wire, TOPIC, "flush.ms", Some(&flush_ms.to_string()));
    let mut none_moved_at = Instant::now();
    until_moved(&broker, FOREIGN, |round| {
        producer.burst(AT_ONCE, 10);
        if round < ENOUGH / 2 {
            none_moved_at = Instant::now();
        }
    });
    if flushes(&broker) > 0 {
        return None;
    }
    // Begun anew with the move, the time would end so long after it at the earliest.
    let too_late = none_moved_at + Duration::from_millis(flush_ms);
    while flushes(&broker) < PARTITIONS as u64 {
        assert!(Instant::now() < too_late, "{} of {PARTITIONS} partitions are flushed", flushes(&broker));
        // The broker shares its CPUs with this test.
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(())
}

#[test]
fn the_time_of_flush_ms_goes_on_while_partitions_move() {
    let _alone = alone();
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return;
    }
    let shown = [5_000, 20_000, 80_000].into_iter().find_map(flushed_in_time);
    assert!(shown.is_some(), "the partitions do not move in 80 s");
}
