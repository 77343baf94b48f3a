"""Thousands of partitions: they are created, written, read, stopped and started within bounds."""

import os
import time

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from harness.broker import IS_CORELOG


def create(broker, topics, partitions):
    admin = KafkaAdminClient(bootstrap_servers=broker.address, request_timeout_ms=60_000)
    for n in range(topics):  # Kafka too takes at most 10,000 records for one request
        admin.create_topics([NewTopic(f"many{n}", partitions, 1)], timeout_ms=60_000)
    admin.close()
    return [TopicPartition(f"many{n}", p) for n in range(topics) for p in range(partitions)]


def write_to_each(broker, partitions, value):
    producer = KafkaProducer(
        bootstrap_servers=broker.address, acks="all", linger_ms=50, enable_idempotence=False, retries=0, request_timeout_ms=60_000
    )
    sent = [producer.send(p.topic, value, partition=p.partition) for p in partitions]
    producer.flush(120)
    failed = [future.exception for future in sent if future.failed()]
    assert not failed, f"{len(failed)} of {len(sent)} failed, for example {failed[0]}"
    producer.close()


def read_each(broker, partitions):
    consumer = KafkaConsumer(bootstrap_servers=broker.address, consumer_timeout_ms=20_000, enable_auto_commit=False)
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    left, values = sum(ends.values()), {}
    while left > 0:
        record = next(consumer)
        values.setdefault((record.topic, record.partition), []).append(record.value)
        left -= 1
    consumer.close()
    return values


def open_files(broker):
    return len(os.listdir(f"/proc/{broker.pid}/fd"))


@pytest.mark.corelog
@pytest.mark.timeout(300)
def test_more_partitions_than_descriptors_are_written_and_read(make_broker):
    """Idle logs let go of their files; nobody meets "too many open files"."""
    broker = make_broker()
    broker.nofile = 1024
    broker.start()
    partitions = create(broker, 3, 1000)
    for round in range(3):
        write_to_each(broker, partitions, b"round %d" % round)
        assert open_files(broker) < 1024
    values = read_each(broker, partitions)
    assert len(values) == 3000 and all(v == [b"round 0", b"round 1", b"round 2"] for v in values.values())
    assert "open files" not in broker.log.read_text()
    broker.restart()
    assert len(read_each(broker, partitions)) == 3000


@pytest.mark.timeout(600)
def test_ten_thousand_partitions_start_and_stop_in_seconds(make_broker):
    broker = make_broker().start()
    partitions = create(broker, 10, 1000) if IS_CORELOG else create(broker, 1, 1000)
    write_to_each(broker, partitions, b"x" * 100)
    if IS_CORELOG:
        assert broker.resident_mib() < 300
    began = time.monotonic()
    broker.stop()
    stopped = time.monotonic() - began
    began = time.monotonic()
    broker.start()
    started = time.monotonic() - began
    print(f"stop {stopped:.2f} s, start {started:.2f} s")
    if IS_CORELOG:
        assert started < 10 and stopped < 25, "five times what is asked for: this machine may be busy"
    consumer = KafkaConsumer(bootstrap_servers=broker.address)
    assert sum(consumer.end_offsets(partitions).values()) == len(partitions)
    consumer.close()
