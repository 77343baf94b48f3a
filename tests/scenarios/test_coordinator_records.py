"""Coordinators over logs that hold what they cannot read: records of types that a later version wrote, and records that
are damaged although their batch's CRC is right. A batch is put behind the log of a broker that was killed."""

import os
import struct
import time

import pytest

from harness.broker import IS_CORELOG
from harness.clients import create_topic, rdk_produce
from harness.wire import Connection

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, HEARTBEAT, INIT_PRODUCER_ID = 8, 9, 10, 12, 22
NOT_COORDINATOR = 16
PARTITIONS = 2


def partition_of(name):
    """Where a group or a transactional id belongs: abs(Java's hashCode) % partitions."""
    code = 0
    for char in name:
        code = (31 * code + ord(char)) & 0xFFFFFFFF
    return abs(code - (1 << 32) if code >> 31 else code) % PARTITIONS


def name_in(partition, prefix):
    return next(name for name in (f"{prefix}-{n}" for n in range(99)) if partition_of(name) == partition)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def commit_record(group, value):
    return struct.pack(">h", 1) + text(group) + text("t") + struct.pack(">i", 0), value


def segment(broker, topic, partition):
    return broker.data / f"{topic}-{partition}" / ("0" * 20 + ".log")


def append(broker, topic, partition, *records):
    """Puts one batch behind the partition's log; returns its first offset."""
    from kafka.record.default_records import DefaultRecordBatchBuilder

    file = segment(broker, topic, partition)
    data = file.read_bytes()
    at = end = 0
    while at + 61 <= len(data):
        base, size = struct.unpack_from(">qi", data, at)
        if size <= 0:
            break
        end = base + struct.unpack_from(">i", data, at + 23)[0] + 1
        at += 12 + size
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 20
    )
    for n, (key, value) in enumerate(records):
        builder.append(n, timestamp=1, key=key, value=value, headers=[])
    batch = bytearray(builder.build())
    struct.pack_into(">q", batch, 0, end)  # base offset and leader epoch are outside the CRC
    struct.pack_into(">i", batch, 12, 0)
    with open(file, "r+b") as log:
        log.seek(at)
        log.write(batch)
    return end


def commit(connection, group, offset):
    partition = {"PartitionIndex": 0, "CommittedOffset": offset, "CommittedMetadata": ""}
    body = {"GroupId": group, "Topics": [{"Name": "t", "Partitions": [partition]}]}
    return connection.ask(OFFSET_COMMIT, 7, **body)["Topics"][0]["Partitions"][0]["ErrorCode"]


def fetch(connection, group):
    """The error, or the offset."""
    asked = {"GroupId": group, "Topics": [{"Name": "t", "PartitionIndexes": [0]}]}
    told = connection.ask(OFFSET_FETCH, 8, Groups=[asked])["Groups"][0]
    return f"error {told['ErrorCode']}" if told["ErrorCode"] else told["Topics"][0]["Partitions"][0]["CommittedOffset"]


def begin(connection, transactional_id):
    told = connection.ask(INIT_PRODUCER_ID, 2, TransactionalId=transactional_id, TransactionTimeoutMs=60000)
    return told["ErrorCode"]


def find(connection, name, kind):
    return connection.ask(FIND_COORDINATOR, 4, CoordinatorKeys=[name], KeyType=kind)["Coordinators"][0]["ErrorCode"]


def until(wanted, ask):
    """Asks until the coordinator has loaded and says what is wanted."""
    end = time.monotonic() + 30
    while (told := ask()) != wanted:
        assert time.monotonic() < end, f"{told} instead of {wanted}"
        time.sleep(0.01)


@pytest.fixture
def two_of_each(make_broker):
    """A broker with a group and a transactional id in each of two partitions, and one connection to it."""
    broker = make_broker(offsets_topic_num_partitions=PARTITIONS, transaction_state_log_num_partitions=PARTITIONS).start()
    connection = Connection(broker.address)
    create_topic(broker, "t")
    rdk_produce(broker, "t", [("key", str(n)) for n in range(10)])
    groups, ids = ([name_in(p, prefix) for p in range(PARTITIONS)] for prefix in ("group", "id"))
    for kind, names in ((0, groups), (1, ids)):
        for name in names:
            until(0, lambda: find(connection, name, kind))
    for group in groups:
        until(0, lambda: commit(connection, group, 5))
    for name in ids:
        until(0, lambda: begin(connection, name))
    return broker, groups, ids


def test_unreadable_records_stop_their_partition_only_and_nothing_is_overwritten(two_of_each):
    broker, groups, ids = two_of_each
    broker.kill()
    damaged_group = append(broker, "__consumer_offsets", 0, commit_record(groups[0], b"\x00\x03\x00\x00"))
    damaged_id = append(broker, "__transaction_state", 0, (struct.pack(">h", 0) + text(ids[0]), b"\x00\x00\x00"))
    files = [segment(broker, topic, 0) for topic in ("__consumer_offsets", "__transaction_state")]
    before = [file.read_bytes() for file in files]
    broker.start()
    connection = Connection(broker.address)
    until(5, lambda: fetch(connection, groups[1]))
    until(0, lambda: begin(connection, ids[1]))
    assert commit(connection, groups[1], 6) == 0
    until(f"error {NOT_COORDINATOR}", lambda: fetch(connection, groups[0]))
    assert commit(connection, groups[0], 7) == NOT_COORDINATOR
    assert connection.ask(HEARTBEAT, 3, GroupId=groups[0], MemberId="m")["ErrorCode"] == NOT_COORDINATOR
    # Apache Kafka serves whatever it had read of the transactional ids before the damage.
    until(NOT_COORDINATOR if IS_CORELOG else 0, lambda: begin(connection, ids[0]))
    assert find(connection, groups[0], 0) == 0, "it is still this node's"
    if IS_CORELOG:
        told = [line for line in broker.log.read_text().splitlines() if "cannot be loaded" in line]
        loaded = broker.log.read_text().count("groups loaded partition=\"__consumer_offsets-1\"")
        assert loaded == 1, "the others load once"
        assert len(told) == 2, told
        for offset, file in zip((damaged_group, damaged_id), files, strict=True):
            # Which partition is loaded first depends on their cores.
            assert any(f"offset={offset} " in line and str(file) in line for line in told), told
    broker.stop()
    after = [file.read_bytes()[: len(old)] for file, old in zip(files, before)]
    sizes = [os.path.getsize(file) for file in files]
    if IS_CORELOG:
        assert after == before and sizes == [len(old) for old in before], sizes


def test_records_of_a_later_type_are_passed_over(two_of_each):
    broker, groups, _ = two_of_each
    broker.kill()
    append(
        broker, "__consumer_offsets", 0,
        (struct.pack(">h", 99) + text("later"), b"\x00\x00of a later version"),
        (struct.pack(">h", 99) + text("gone"), None),
        commit_record(groups[0], struct.pack(">hqiBqB", 4, 8, -1, 1, 1, 0)),
    )
    # Of a known type, but a version nobody knows: what it says cannot be told.
    append(broker, "__consumer_offsets", 1, commit_record(groups[1], struct.pack(">hqiBqB", 99, 8, -1, 1, 1, 0)))
    broker.start()
    connection = Connection(broker.address)
    until(8, lambda: fetch(connection, groups[0]))
    until(f"error {NOT_COORDINATOR}", lambda: fetch(connection, groups[1]))
    assert commit(connection, groups[0], 9) == 0
    broker.kill()
    broker.start()
    connection = Connection(broker.address)
    until(9, lambda: fetch(connection, groups[0]))
