//! What ends logs, or parts of them, while partitions go to another core: a clean stop, a log directory that fails,
//! retention and compaction.

use crate::admin::sum_of;
use crate::relocating::{
    AT_ONCE, FOREIGN, KEYS, PARTITIONS, Producer, TOPIC, alone, bytes_of, configure, fetch, moved, offsets,
    partitions_of, produce, until_moved,
};
use crate::support::{Broker, DEADLINE, TWO_CORES, Wire};
use corelog::protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use corelog::protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, FetchRequest, FetchResponse, ProduceResponse,
};
use corelog::record::{BatchBuilder, batches};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

const STORAGE_ERROR: i16 = 56;

/// Base offsets of all batches from a partition's beginning to its end.
fn batch_offsets(wire: &mut Wire, partition: usize) -> Vec<i64> {
    let mut at = offsets(wire, partition + 1, -2)[partition];
    let mut found = Vec::new();
    loop {
        let answer: FetchResponse = wire.call(&fetch(TOPIC, partition..partition + 1, at), 11);
        let data = &partitions_of(&answer)[0];
        assert_eq!(data.error_code, 0);
        let bytes = bytes_of(data);
        let before = found.len();
        for batch in batches(&bytes).map_while(Result::ok) {
            found.push(batch.header().base_offset().0);
            at = batch.header().next_offset().0;
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Up to where each partition is on its device, as the broker left word when it ended.
fn recovery_points(dir: &Path) -> HashMap<usize, i64> {
    let text = fs::read_to_string(dir.join("recovery-point-offset-checkpoint")).expect("the checkpoint");
    let of_line = |line: &str| {
        let mut words = line.strip_prefix(TOPIC)?.split_whitespace().map(str::parse::<i64>);
        Some((words.next()?.ok()? as usize, words.next()?.ok()?))
    };
    text.lines().filter_map(of_line).collect()
}

/// Asks to stop while partitions move; the number of writes that were acknowledged in each, and whether any was still to
/// move.
fn stop_while_moving(broker: &mut Broker, producer: &mut Producer, foreign: u64) -> (Vec<i64>, bool) {
    until_moved(broker, 1, |_| producer.burst(AT_ONCE, 10));
    let mut acknowledged: Vec<i64> = producer.sequences.iter().copied().map(i64::from).collect();
    // Each of these may be what makes its partition move.
    for _ in 0..AT_ONCE {
        (0..producer.sequences.len()).for_each(|partition| producer.post(partition, 10));
    }
    let moving = moved(broker) < foreign;
    broker.tell_to_stop();
    while let Some((partition, error, offset)) = producer.answer() {
        if error == 0 {
            assert_eq!(offset, acknowledged[partition], "partition {partition}");
            acknowledged[partition] += 1;
        }
    }
    broker.wait_for_end();
    assert!(!broker.log().contains("recovers the logs"), "{}", broker.log());
    (acknowledged, moving)
}

#[test]
fn a_clean_stop_while_partitions_move_keeps_all_that_was_acknowledged() {
    let _alone = alone();
    const MANY: usize = 16;
    const STOPS: usize = 3;
    let directory = tempfile::tempdir().expect("a directory");
    let log_dirs = format!("log.dirs={}", directory.path().display());
    let Some(mut broker) = Broker::of_two_cores_with(&[&log_dirs], TOPIC, MANY as i32) else { return };
    let mut producer = Producer::over(broker.connect(), TOPIC, MANY);
    let mut stopped = 0;
    for _ in 0..4 * STOPS {
        let (acknowledged, moving) = stop_while_moving(&mut broker, &mut producer, MANY as u64 / 2);
        stopped += usize::from(moving);
        let recovery_points = recovery_points(directory.path());
        broker.start_again_with(&[TWO_CORES, &[&log_dirs]].concat());
        assert!(!broker.log().contains("recovering"), "a clean stop:\n{}", broker.log());
        producer.wire = broker.connect();
        for (partition, end) in offsets(&mut producer.wire, MANY, -1).into_iter().enumerate() {
            assert!(end >= acknowledged[partition], "partition {partition}: {end} of {}", acknowledged[partition]);
            assert_eq!(recovery_points.get(&partition), Some(&end), "partition {partition} was flushed and closed");
            assert!(batch_offsets(&mut producer.wire, partition).into_iter().eq(0..end), "partition {partition}");
            producer.sequences[partition] = i32::try_from(end).expect("few");
        }
        // Who wrote last is remembered.
        producer.repeat_last();
        if stopped == STOPS {
            return;
        }
    }
    panic!("all partitions had moved before the stop, but {stopped} times of {STOPS}");
}

/// Moves the beginning of partitions; what it is then.
fn delete_records(wire: &mut Wire, wanted: &[(usize, i64)]) {
    let partition =
        |(index, offset): &(usize, i64)| DeleteRecordsPartition { partition_index: *index as i32, offset: *offset };
    let topics = vec![DeleteRecordsTopic { name: TOPIC.into(), partitions: wanted.iter().map(partition).collect() }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 30_000 };
    let answer: DeleteRecordsResponse = wire.call(&request, 1);
    for it in &answer.topics[0].partitions {
        let (_, offset) = wanted.iter().find(|(index, _)| *index as i32 == it.partition_index).expect("asked for");
        assert_eq!((it.error_code, it.low_watermark), (0, *offset), "partition {}", it.partition_index);
    }
}

/// The partitions of the topic in a log directory.
fn partitions_in(dir: &Path) -> Vec<usize> {
    let entries = fs::read_dir(dir).expect("a log dir").map(|entry| entry.expect("an entry").file_name());
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix(TOPIC)?.strip_prefix('-')?.parse().ok();
    entries.filter_map(number).collect()
}

/// Writes once to each partition, and says what each answered; those that fail are not counted as written.
fn errors(producer: &mut Producer) -> Vec<i16> {
    let count = producer.sequences.len();
    (0..count).for_each(|partition| producer.post(partition, 10));
    let mut errors = vec![0; count];
    for _ in 0..count {
        let (partition, error, _) = producer.answer().expect("an answer, not a closed connection");
        errors[partition] = error;
        producer.sequences[partition] -= i32::from(error != 0);
    }
    errors
}

#[test]
fn a_log_dir_that_fails_while_partitions_move_takes_along_its_own_only() {
    let _alone = alone();
    const MANY: usize = 18;
    let directories = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
    let dirs = directories.each_ref().map(|dir| dir.path().join("logs"));
    let log_dirs = format!("log.dirs={},{},{}", dirs[0].display(), dirs[1].display(), dirs[2].display());
    let settings = [log_dirs.as_str(), "log.flush.start.offset.checkpoint.interval.ms=1"];
    let Some(mut broker) = Broker::of_two_cores_with(&settings, TOPIC, MANY as i32) else { return };
    let mut producer = Producer::over(broker.connect(), TOPIC, MANY);
    let failing = partitions_in(&dirs[2]);
    let healthy: Vec<usize> = (0..MANY).filter(|partition| !failing.contains(partition)).collect();
    let foreign = [0, 1].map(|parity| healthy.iter().filter(|partition| **partition % 2 == parity).count() as u64);
    assert!(!failing.is_empty() && foreign.iter().all(|count| *count > 1), "{failing:?} fail");

    producer.burst(2, 10);
    // They wait for more than will come.
    let waiting = |partition: usize| FetchRequest {
        max_wait_ms: 120_000,
        min_bytes: 32 << 20,
        ..fetch(TOPIC, partition..partition + 1, 1)
    };
    let mut readers: Vec<(Wire, FetchRequest)> =
        failing.iter().map(|partition| (broker.connect(), waiting(*partition))).collect();
    readers.iter_mut().for_each(|(reader, request)| reader.post(request, 11));
    until_moved(&broker, 1, |_| producer.burst(AT_ONCE, 10));
    let before = producer.sequences.clone();
    // Files that are open are written as before; what is to be made there anew is not found.
    let away = dirs[2].with_extension("away");
    fs::rename(&dirs[2], &away).expect("the directory goes");
    delete_records(&mut producer.wire, &[(failing[0], 1)]);
    let began = Instant::now();
    loop {
        let errors = errors(&mut producer);
        assert!(healthy.iter().all(|partition| errors[*partition] == 0), "{errors:?}");
        assert!(errors.iter().all(|error| [0, STORAGE_ERROR].contains(error)), "{errors:?}");
        if failing.iter().all(|partition| errors[*partition] == STORAGE_ERROR) {
            break;
        }
        assert!(began.elapsed() < DEADLINE, "{errors:?}");
    }
    for (reader, request) in &mut readers {
        let answer: FetchResponse = reader.answer(request, 11).expect("an answer");
        assert_eq!(partitions_of(&answer)[0].error_code, STORAGE_ERROR);
    }
    // The others go on, and go where they are asked.
    until_moved(&broker, foreign[0].min(foreign[1]), |_| drop(producer.write_to(&healthy, AT_ONCE, 10)));
    let mut batch = BatchBuilder::new(corelog::base::Offset(0));
    batch.append(crate::support::now(), Some(b"key"), Some(b"value"), &[]);
    let batch = batch.build();
    for _ in 0..8 {
        let mut wire = broker.connect();
        for partition in 0..MANY {
            let expected = if failing.contains(&partition) { STORAGE_ERROR } else { 0 };
            let answer: ProduceResponse = wire.call(&produce(TOPIC, vec![(partition, batch.clone())]), 9);
            assert_eq!(answer.responses[0].partition_responses[0].error_code, expected, "partition {partition}");
        }
        let answer: FetchResponse = wire.call(&fetch(TOPIC, 0..MANY, 1), 11);
        for (partition, data) in partitions_of(&answer).iter().enumerate() {
            let expected = if failing.contains(&partition) { STORAGE_ERROR } else { 0 };
            assert_eq!(data.error_code, expected, "partition {partition}");
        }
    }

    // It stops, and finds everything where the directory is back.
    let settings = [TWO_CORES, &settings[..]].concat();
    broker.tell_to_stop();
    broker.wait_for_end();
    fs::rename(&away, &dirs[2]).expect("the directory comes back");
    broker.start_again_with(&settings);
    for (partition, end) in offsets(&mut broker.connect(), MANY, -1).into_iter().enumerate() {
        let least = if failing.contains(&partition) { before[partition] } else { producer.sequences[partition] };
        assert!(end >= i64::from(least), "partition {partition}: {end} of {least}");
    }
}

/// Where the oldest segment of each partition begins.
fn oldest_segments(dir: &Path) -> Vec<i64> {
    let oldest = |partition: usize| {
        let entries = fs::read_dir(dir.join(format!("{TOPIC}-{partition}"))).expect("a partition's directory");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| name.strip_suffix(".log")?.parse().ok()).min().expect("a segment")
    };
    (0..PARTITIONS).map(oldest).collect()
}

#[test]
fn logs_are_shortened_and_compacted_while_they_move_and_where_they_come_to() {
    let _alone = alone();
    /// A segment of the least size holds eight of them, with the small ones between.
    const LARGE: usize = 120_000;
    let directory = tempfile::tempdir().expect("a directory");
    let log_dirs = format!("log.dirs={}", directory.path().display());
    let settings = [
        log_dirs.as_str(),
        "log.segment.bytes=1048576",
        "log.initial.task.delay.ms=1",
        "log.retention.check.interval.ms=20",
        "log.cleaner.backoff.ms=20",
        "log.cleaner.min.cleanable.ratio=0.01",
    ];
    let Some(broker) = Broker::of_two_cores_with(&settings, TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    configure(&mut producer.wire, TOPIC, "cleanup.policy", Some("compact,delete"));
    let write = |producer: &mut Producer| {
        producer.burst(1, LARGE);
        producer.burst(AT_ONCE, 10);
    };
    let halves = |producer: &Producer| -> Vec<(usize, i64)> {
        producer.sequences.iter().map(|sequence| i64::from(*sequence) / 2).enumerate().collect()
    };
    until_moved(&broker, FOREIGN, |_| {
        write(&mut producer);
        let halves = halves(&producer);
        delete_records(&mut producer.wire, &halves);
    });
    let begins: Vec<i64> = halves(&producer).into_iter().map(|(_, offset)| offset).collect();
    assert!(sum_of(&broker, "corelog_cleaner_rounds_total") > 0, "they were compacted meanwhile");

    // Where they are now they are compacted, each of them: half of what is there goes.
    let began = Instant::now();
    for partition in 0..PARTITIONS {
        loop {
            let found = batch_offsets(&mut producer.wire, partition);
            let end = i64::from(producer.sequences[partition]);
            let last: Vec<i64> = (end - i64::from(KEYS)..end).collect();
            assert!(found.ends_with(&last), "the last record of each key");
            assert!(found.iter().all(|offset| *offset >= begins[partition]), "what was deleted stays away");
            if (found.len() as i64) * 2 < end - begins[partition] {
                break;
            }
            assert!(began.elapsed() < DEADLINE * 2, "partition {partition}: {} records", found.len());
            write(&mut producer);
        }
    }
    // And so does what DeleteRecords leave to retention.
    let ends: Vec<(usize, i64)> = producer.sequences.iter().map(|end| i64::from(*end)).enumerate().collect();
    delete_records(&mut producer.wire, &ends);
    for _ in 0..8 {
        let mut wire = broker.connect();
        let told: Vec<(usize, i64)> = offsets(&mut wire, PARTITIONS, -2).into_iter().enumerate().collect();
        assert_eq!(told, ends);
    }
    let began = Instant::now();
    while oldest_segments(directory.path()).iter().zip(&begins).any(|(oldest, begin)| oldest <= begin) {
        assert!(began.elapsed() < DEADLINE, "{:?} are the oldest segments", oldest_segments(directory.path()));
    }
    write(&mut producer);
}
