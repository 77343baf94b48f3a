"""What a stop, clean or not, must leave as it was."""

import ctypes
import mmap
import os
import re

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from harness import clients
from harness.broker import IS_CORELOG
from harness.clients import tool

#: so many times the broker is killed under load (Apache Kafka takes seconds to start)
KILLS = int(os.environ.get("KILLS", 100 if IS_CORELOG else 4))


@pytest.mark.timeout(600)
def test_kill_9_under_load_loses_nothing_acknowledged_and_doubles_nothing(make_broker, seed):
    """acks=all and idempotence; small segments, so that they roll under way; some kills come right after the start."""
    broker = make_broker().start()
    clients.create_topic(broker, "crash", partitions=3, segment_bytes=1 << 20)
    load = clients.rdk_load(
        broker, "crash", "--in-flight-max", "2000", acks="all", enable_idempotence="true", linger_ms=1,
        reconnect_backoff_ms=10, reconnect_backoff_max_ms=100, retry_backoff_ms=20, message_timeout_ms=0,
        compression_codec=seed.choice(clients.CODECS),
    )
    try:
        for kill in range(KILLS):
            wanted = len(load.lines) + int(10 ** seed.uniform(0, 3.8)) if seed.random() > 0.1 else 0
            load.wait_until(lambda: len(load.lines) >= wanted, f"acknowledgements before kill {kill}")
            broker.kill()
            broker.start()
        acknowledged = [clients.record(line) for line in load.finish(120)]
    finally:
        load.kill()
    written = clients.franz_consume(broker, "crash")

    assert len(acknowledged) > 100 * KILLS
    assert len({(r.partition, r.offset) for r in acknowledged}) == len(acknowledged), "an offset acknowledged twice"
    assert len({r.value for r in written}) == len(written), "a record is there twice"
    lost = set(acknowledged) - set(written)
    assert not lost, f"{len(lost)} acknowledged records lost or moved, for example {min(lost)[:3]}"
    assert len(written) == len(acknowledged), "more is there than was sent"
    for partition in range(3):
        offsets = [r.offset for r in written if r.partition == partition]
        assert offsets == list(range(len(offsets))), f"partition {partition} has holes"


@pytest.mark.timeout(300)
def test_kill_9_loses_no_committed_offset_and_no_created_topic(make_broker, seed):
    from kafka import KafkaConsumer, TopicPartition
    from kafka.structs import OffsetAndMetadata

    broker = make_broker().start()
    for n in range(5 if IS_CORELOG else 2):
        topic = f"made-before-kill-{n}"
        clients.create_topic(broker, topic, partitions=2)
        clients.rdk_produce(broker, topic, [(None, str(m)) for m in range(100)])
        consumer = KafkaConsumer(bootstrap_servers=broker.address, group_id=f"g{n}", enable_auto_commit=False)
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        # Beyond the log's end it would be the end after a crash.
        offset = seed.randint(0, consumer.end_offsets([partition])[partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "note", -1)})
        broker.kill()
        broker.start()
        assert consumer.committed(partition) == offset
        assert consumer.partitions_for_topic(topic) == {0, 1}
        consumer.close()


def test_clean_restart_keeps_records_offsets_topics_and_identity(make_broker):
    broker = make_broker(group_initial_rebalance_delay_ms=0).start()
    clients.create_topic(broker, "kept", partitions=3, retention_ms=86400000)
    clients.create_topic(broker, "dropped")
    clients.rdk_produce(broker, "kept", [(f"k{n}", f"before {n}") for n in range(1000)], enable_idempotence="true")
    clients.franz_consume(broker, "kept", group="kept-group")
    clients.delete_topic(broker, "dropped")
    before = clients.rdk_consume(broker, "kept")
    described = tool("kafka-topics", "--describe", broker=broker).out
    meta = (broker.data / "meta.properties").read_text()

    broker.stop()
    assert (broker.data / ".kafka_cleanshutdown").exists()
    broker.start()

    assert not (broker.data / ".kafka_cleanshutdown").exists(), "while it runs, a crash must be seen as one"
    assert (broker.data / "meta.properties").read_text() == meta
    assert clients.rdk_consume(broker, "kept") == before
    again = tool("kafka-topics", "--describe", broker=broker).out
    assert sorted(again.splitlines()) == sorted(described.splitlines()), "topics, ids or configurations differ"
    after = clients.rdk_produce(broker, "kept", [(f"k{n}", f"after {n}") for n in range(1000)], enable_idempotence="true")
    assert clients.rdk_consume(broker, "kept") == sorted([*before, *after])
    groups = tool("kafka-consumer-groups", "--describe", "--group", "kept-group", broker=broker).out
    header = next(line.split() for line in groups.splitlines() if line.startswith("GROUP"))
    rows = [line.split() for line in groups.splitlines() if line.startswith("kept-group")]
    for row in rows:
        partition, committed = int(row[header.index("PARTITION")]), int(row[header.index("CURRENT-OFFSET")])
        assert committed == len([r for r in before if r.partition == partition]), groups
    assert len(rows) == 3, groups

    broker.stop()
    ids = set()
    for partition in range(3):
        log = broker.data / f"kept-{partition}" / "00000000000000000000.log"
        ids |= set(re.findall(r"producerId: (\d+)", tool("kafka-dump-log", "--files", log).out))
    assert len(ids) == 2, f"two producers, before and after, must have different ids: {ids}"


def test_twenty_clean_restarts_under_load(make_broker, seed):
    """SIGTERM while an idempotent producer writes: it goes on afterwards, and nothing is lost or doubled."""
    broker = make_broker().start()
    clients.create_topic(broker, "bounced", partitions=3)
    load = clients.rdk_load(
        broker, "bounced", acks="all", enable_idempotence="true", linger_ms=1, reconnect_backoff_ms=10,
        reconnect_backoff_max_ms=100, retry_backoff_ms=20, message_timeout_ms=0,
    )
    try:
        for bounce in range(20 if IS_CORELOG else 2):
            wanted = len(load.lines) + seed.randrange(1, 3000)
            load.wait_until(lambda: len(load.lines) >= wanted, f"acknowledgements before restart {bounce}")
            broker.restart()
        acknowledged = sorted(clients.record(line) for line in load.finish(120))
    finally:
        load.kill()
    assert clients.franz_consume(broker, "bounced") == acknowledged


def cached_pages(path):
    """How many of a file's pages are in the page cache (mincore)."""
    size = path.stat().st_size
    if size == 0:
        return 0
    pages = -(-size // mmap.PAGESIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    fd = os.open(path, os.O_RDONLY)
    place = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    os.close(fd)
    there = ctypes.create_string_buffer(pages)
    assert libc.mincore(place, size, there) == 0, os.strerror(ctypes.get_errno())
    libc.munmap(place, size)
    return sum(page & 1 for page in there.raw)


def bytes_from_disks(broker):
    with open(f"/proc/{broker.pid}/io") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("read_bytes"))


@pytest.mark.corelog
def test_a_start_evicts_nothing_and_the_first_fetch_after_it_reads_no_disk(make_broker):
    """What is in the page cache when the broker ends, cleanly or killed, is still there when it serves again."""
    broker = make_broker(log_segment_bytes=1 << 20, num_partitions=2).start()
    producer = KafkaProducer(bootstrap_servers=broker.address, acks="all", batch_size=500_000)
    told = [producer.send("warm", value=os.urandom(10_000), partition=n % 2) for n in range(1000)]
    assert max(future.get(30).offset for future in told) == 499
    producer.close()
    logs = sorted(broker.data.glob("warm-*/*.log"))
    for log in logs:  # what is dirty could not be evicted
        fd = os.open(log, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    for end in (broker.stop, broker.kill):
        before = {log: cached_pages(log) for log in logs}
        assert sum(before.values()) > 2000, before
        end()
        broker.start()
        assert all(cached_pages(log) >= before[log] for log in logs), before
        read = bytes_from_disks(broker)
        consumer = KafkaConsumer(bootstrap_servers=broker.address)
        partitions = [TopicPartition("warm", p) for p in (0, 1)]
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 450)
        found = 0
        while found < 100:
            found += sum(len(batch) for batch in consumer.poll(1000).values())
        consumer.close()
        assert bytes_from_disks(broker) == read
