"""Old data goes: by size, by time, by DeleteRecords, with its topic. Segments have their smallest size, 1 MiB."""

import json
import time

import pytest
from harness import clients
from harness.clients import tool
from harness.process import Late
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

HOUR_MS = 3_600_000


@pytest.fixture
def broker(make_broker):
    """Retention is looked after every half second, from the start on."""
    return make_broker(
        log_initial_task_delay_ms=500, log_retention_check_interval_ms=500, log_flush_start_offset_checkpoint_interval_ms=500,
        log_segment_delete_delay_ms=1000, group_initial_rebalance_delay_ms=0,
    ).start()


def create(broker, topic, **configs):
    named = [word for key, value in configs.items() for word in ("--config", f"{key.replace('_', '.')}={value}")]
    tool("kafka-topics", "--create", "--topic", topic, *named, broker=broker)


def alter(broker, topic, **configs):
    changes = ",".join(f"{key.replace('_', '.')}={value}" for key, value in configs.items())
    tool("kafka-configs", "--alter", "--topic", topic, "--add-config", changes, broker=broker)


def produce(broker, topic, count, size=100, timestamp_ms=None):
    producer = KafkaProducer(bootstrap_servers=broker.address, max_request_size=2 << 20)
    sent = [producer.send(topic, value=b"%06d" % n + bytes(size), timestamp_ms=timestamp_ms) for n in range(count)]
    producer.flush(60)
    offsets = [future.get(60).offset for future in sent]
    producer.close()
    return offsets


def offsets(broker, topic):
    """First and next offset of partition 0."""
    consumer = KafkaConsumer(bootstrap_servers=broker.address)
    partition = TopicPartition(topic, 0)
    found = consumer.beginning_offsets([partition])[partition], consumer.end_offsets([partition])[partition]
    consumer.close()
    return found


def read_all(broker, topic):
    """Offsets of partition 0, from the first there is."""
    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    found = []
    while consumer.position(partition) < end:
        found += [record.offset for batch in consumer.poll(1000).values() for record in batch]
    consumer.close()
    return found


def read_at(broker, topic, offset):
    """The first record there, or the error."""
    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False, auto_offset_reset="none")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek(partition, offset)
    try:
        return next(record.offset for batch in consumer.poll(20_000).values() for record in batch)
    finally:
        consumer.close()


def until(condition, what, timeout=30):
    """A broker's background work tells nobody that it is done: look again and again."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            raise Late(what() if callable(what) else what)
        time.sleep(0.1)
    return result


def files(broker, topic, ending):
    return sorted(path.name for path in (broker.data / f"{topic}-0").glob(f"*{ending}"))


def delete_records(broker, tmp_path, check=True, **wanted):
    plan = tmp_path / "delete.json"
    partitions = [{"topic": topic, "partition": 0, "offset": offset} for topic, offset in wanted.items()]
    plan.write_text(json.dumps({"version": 1, "partitions": partitions}))
    done = tool("kafka-delete-records", "--offset-json-file", plan, broker=broker, check=check)
    return done.out + done.err


def test_by_size_the_oldest_segments_go_and_readers_of_them_are_told(broker):
    create(broker, "sized", segment_bytes=1 << 20, retention_bytes=2 << 20, file_delete_delay_ms=1000)
    last = produce(broker, "sized", 120, size=100_000)[-1]
    until(lambda: offsets(broker, "sized")[0] > 60, lambda: f"nothing went: {files(broker, 'sized', '.log')}")
    until(lambda: not files(broker, "sized", ".deleted"), "the deleted files remain")
    first, end = offsets(broker, "sized")
    logs = files(broker, "sized", ".log")
    assert end == last + 1
    assert 3 <= len(logs) <= 4, logs
    assert int(logs[0].split(".")[0]) == first, "the log begins with its first segment"
    assert files(broker, "sized", ".index")[0].startswith(logs[0][:20])
    assert read_all(broker, "sized") == list(range(first, end))
    with pytest.raises(OffsetOutOfRangeError):
        read_at(broker, "sized", first - 1)


def test_by_time_even_the_active_segment_goes_and_offsets_go_on(broker):
    create(broker, "timed", retention_ms=HOUR_MS)
    produce(broker, "timed", 10, timestamp_ms=int(time.time() * 1000) - HOUR_MS // 2)
    produce(broker, "timed", 5)
    time.sleep(1.5)  # three checks
    assert offsets(broker, "timed") == (0, 15), "a young record keeps its segment"
    alter(broker, "timed", retention_ms=500)
    until(lambda: offsets(broker, "timed") == (15, 15), lambda: f"not all went: {offsets(broker, 'timed')}")
    alter(broker, "timed", retention_ms=HOUR_MS)
    assert produce(broker, "timed", 3) == [15, 16, 17]
    broker.stop()
    broker.start()
    assert read_all(broker, "timed") == [15, 16, 17]


def test_delete_records_moves_the_beginning_at_once_and_for_good(broker, tmp_path):
    create(broker, "cut", segment_bytes=1 << 20, file_delete_delay_ms=500)
    produce(broker, "cut", 40, size=100_000)
    assert "low_watermark: 25" in delete_records(broker, tmp_path, cut=25)
    assert offsets(broker, "cut") == (25, 40)
    assert read_all(broker, "cut") == list(range(25, 40))
    with pytest.raises(OffsetOutOfRangeError):
        read_at(broker, "cut", 24)
    until(lambda: len(files(broker, "cut", ".log")) == 2, lambda: f"the segments remain: {files(broker, 'cut', '.log')}")
    assert "low_watermark: 25" in delete_records(broker, tmp_path, cut=7), "it never moves back"
    for wrong in (41, -2):
        assert "OffsetOutOfRange" in delete_records(broker, tmp_path, check=False, cut=wrong), wrong
    checkpoint = broker.data / "log-start-offset-checkpoint"
    until(lambda: "cut 0 25" in checkpoint.read_text(), lambda: checkpoint.read_text())
    broker.kill()
    broker.start()
    assert read_all(broker, "cut") == list(range(25, 40))
    assert "low_watermark: 40" in delete_records(broker, tmp_path, cut=-1)
    assert offsets(broker, "cut") == (40, 40)
    assert produce(broker, "cut", 1) == [40]


def test_delete_records_is_refused_where_kafka_refuses_it(broker, tmp_path):
    create(broker, "compacted", cleanup_policy="compact")
    create(broker, "both", cleanup_policy="compact,delete")
    consumer = KafkaConsumer("both", bootstrap_servers=broker.address, group_id="g")
    consumer.poll(5000)
    consumer.close()
    assert "PolicyViolation" in delete_records(broker, tmp_path, check=False, compacted=0)
    assert "low_watermark: 0" in delete_records(broker, tmp_path, both=0)
    assert "InvalidTopic" in delete_records(broker, tmp_path, check=False, __consumer_offsets=0)


def test_a_deleted_topics_directory_is_renamed_at_once_and_goes_after_the_delay(broker):
    create(broker, "gone")
    produce(broker, "gone", 10)
    clients.delete_topic_by_python(broker, "gone")
    until(lambda: list(broker.data.glob("gone-0.*-delete")), lambda: f"not renamed: {list(broker.data.iterdir())}")
    assert not (broker.data / "gone-0").exists()
    until(lambda: not list(broker.data.glob("gone-0*")), "the directory remains")


def test_files_on_their_way_out_at_a_kill_are_gone_after_the_next_start(broker, tmp_path):
    create(broker, "left", segment_bytes=1 << 20, file_delete_delay_ms=HOUR_MS)
    produce(broker, "left", 40, size=100_000)
    delete_records(broker, tmp_path, left=30)
    until(lambda: files(broker, "left", ".log.deleted"), "nothing was deleted")
    broker.kill()
    broker.start()
    until(lambda: offsets(broker, "left")[1] == 40, "the log is there")
    assert not files(broker, "left", ".deleted")
    assert read_all(broker, "left")[-1] == 39
