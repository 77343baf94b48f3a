"""A block device that fails under one of two log dirs (`FAILING_DEVICES` rounds, in all, of each fault): the dir is fenced,
nothing in it is acknowledged afterwards, also when the device works again, and the other dir serves. What cannot be read
is answered as such, and fences nothing. Only corelog: Apache Kafka asks the device only when a segment rolls."""

import os
import time

import pytest
from harness.loopfs import KINDS, FailingFs, FaultyFs
from harness.paths import SCRATCH
from harness.wire import Connection
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

pytestmark = [pytest.mark.corelog, pytest.mark.loop_mount]

ROUNDS = int(os.environ.get("FAILING_DEVICES", 1))
#: The sync class meets the failure of its fsync, the parity class that of the roll's, or of the file system's own.
TOPICS = {"sync": {"flush.messages": "1"}, "parity": {"segment.bytes": str(1 << 20)}}
PARTITIONS = 4
#: A device without space; and EIO for writes, one single write (the fsync after it succeeds, the bytes are gone), syncs.
FAULTS = ("space", "write", "write once", "sync")
#: A run by itself tries some; a campaign each on both file systems.
CASES = [(kind, fault) for kind in KINDS for fault in FAULTS]
if ROUNDS == 1:
    CASES = [("ext4", "space"), ("ext4", "write once"), ("xfs", "sync")]
VALUE = os.urandom(10_000)


class Writer:
    """Remembers per partition what was acknowledged, in order, and whether a write was ever refused."""

    def __init__(self, broker):
        self.producer = KafkaProducer(bootstrap_servers=broker.address, acks="all", retries=0, linger_ms=0,
                                      request_timeout_ms=10_000, delivery_timeout_ms=15_000)
        self.acknowledged = {(topic, p): [] for topic in TOPICS for p in range(PARTITIONS)}

    def write(self, topic, partition):
        """True when it was acknowledged."""
        value = b"%s %d %d " % (topic.encode(), partition, len(self.acknowledged[topic, partition])) + VALUE
        try:
            told = self.producer.send(topic, value=value, partition=partition).get(30)
        except KafkaError:
            return False
        assert told.offset == len(self.acknowledged[topic, partition])
        self.acknowledged[topic, partition].append(value)
        return True


def named(case):
    return "-".join(case).replace(" ", "-")


@pytest.fixture(params=CASES, ids=named)
def disk(request):
    kind, fault = request.param
    directory = SCRATCH / f"failing-{os.getpid()}-{named(request.param)}"
    made = FailingFs(directory, kind, 320) if fault == "space" else FaultyFs(directory, kind, 320, fault)
    yield made
    made.remove()


def read(broker, topic, partition):
    consumer = KafkaConsumer(bootstrap_servers=broker.address, check_crcs=True)
    tp = TopicPartition(topic, partition)
    consumer.assign([tp])
    consumer.seek_to_beginning(tp)
    end, values = consumer.end_offsets([tp])[tp], []
    deadline = time.monotonic() + 30
    while consumer.position(tp) < end:
        assert time.monotonic() < deadline, f"{topic}-{partition}: {len(values)} of {end}\n{broker.tail()}"
        values += [record.value for batch in consumer.poll(1000).values() for record in batch]
    consumer.close()
    return values


def until_fenced(broker, writer, partitions):
    """Writes to partitions in turn until the dir goes offline. What is refused before that found no space: a device may
    say so, and that is no failure yet."""
    deadline = time.monotonic() + 60
    while "goes offline" not in broker.log.read_text():
        assert time.monotonic() < deadline, "the device fails and the dir goes on"
        for at in partitions:
            writer.write(*at)


def one_round(broker, disk, first_topic):
    writer = Writer(broker)
    everything = list(writer.acknowledged)
    on_disk = {path.name for path in (disk.path / "data").iterdir()}
    failing = [(topic, p) for topic, p in everything if f"{topic}-{p}" in on_disk]
    sound = [at for at in everything if at not in failing]
    assert failing and sound
    assert all(writer.write(*at) for at in everything for _ in range(3))
    disk.fail()
    until_fenced(broker, writer, [at for at in failing if at[0] == first_topic])
    refused = [writer.write(*at) for at in failing for _ in range(3)]
    disk.heal()
    refused += [writer.write(*at) for at in failing for _ in range(3)]
    assert not any(refused), "acknowledged by a dir that had failed"
    assert all(writer.write(*at) for at in sound for _ in range(3))
    writer.producer.close()
    broker.stop()
    assert "the next start recovers" in broker.tail(), broker.tail()
    disk.unmount()
    disk.mount()
    broker.start()
    for topic, partition in everything:
        values = read(broker, topic, partition)
        told = writer.acknowledged[topic, partition]
        if topic == "sync" or (topic, partition) in sound:
            assert values[:len(told)] == told, f"{topic}-{partition}: {len(values)} of {len(told)}"
        else:
            kept = min(len(values), len(told))
            assert values[:kept] == told[:kept], f"{topic}-{partition} has other records"


def start_on_both(broker, disk):
    broker.dirs = [str(broker.data), str(disk.path / "data")]
    broker.properties["log.dirs"] = ",".join(broker.dirs)
    broker.start()


def create(broker, topics, partitions):
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(name, partitions, 1, topic_configs=own) for name, own in topics.items()])
    admin.close()


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_a_dir_whose_device_fails_is_fenced_and_never_acknowledges_again(disk, make_broker):
    for n in range(ROUNDS):
        # Either class meets the failure first, on each file system.
        first_topic = list(TOPICS)[(n + KINDS.index(disk.kind)) % 2]
        if disk.fault == "write once":
            first_topic = "sync"  # before a segment rolls the one fault may hit what nobody waits for
        broker = make_broker()
        start_on_both(broker, disk)
        create(broker, TOPICS, PARTITIONS)
        one_round(broker, disk, first_topic)
        broker.stop()
        disk.renew()
        print(f"round {n}: fenced")


def forget_cached(disk):
    """Whoever reads the file system's files next asks the device, but for the first pages of each."""
    for path in disk.path.rglob("*.log"):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        os.pread(fd, 16 * 4096, 0)
        os.close(fd)


def fetch(broker, topic, partitions, offset):
    """Error, and whether what was asked for is there, by partition; None where the broker closed the connection."""
    asked = [{"Partition": p, "FetchOffset": offset, "PartitionMaxBytes": 500_000} for p in partitions]
    with Connection(broker.address) as connection:
        answer = connection.ask(1, 11, MaxWaitMs=100, MaxBytes=8 << 20, Topics=[{"Topic": topic, "Partitions": asked}])
    if answer is None:
        return None
    found = [p for topic in answer["Responses"] for p in topic["Partitions"]]
    return {p["PartitionIndex"]: (p["ErrorCode"], len(p["Records"] or b"") > 400_000) for p in found}


@pytest.fixture(params=KINDS if ROUNDS > 1 else ["ext4"])
def unreadable(request):
    made = FaultyFs(SCRATCH / f"unreadable-{os.getpid()}-{request.param}", request.param, 320, "read")
    yield made
    made.remove()


def test_what_cannot_be_read_is_answered_as_such_and_fences_nothing(unreadable, make_broker):
    """Where a batch begins can be read, the batch cannot: the answer has begun when that is found. Then the connection is
    closed, once for each log; from then on the answer is an error for what cannot be read, and the records for the rest."""
    disk, topic, count = unreadable, "cold", 150
    broker = make_broker()
    start_on_both(broker, disk)
    create(broker, {topic: {"segment.bytes": str(1 << 20)}}, PARTITIONS)
    partitions = range(PARTITIONS)
    failing = [p for p in partitions if (disk.path / "data" / f"{topic}-{p}").is_dir()]
    assert 0 < len(failing) < PARTITIONS
    good, bad = (0, True), (56, False)
    producer = KafkaProducer(bootstrap_servers=broker.address, acks="all", retries=0, batch_size=100_000)
    told = [producer.send(topic, value=b"%d " % n + VALUE, partition=p) for n in range(count) for p in partitions]
    assert max(future.get(30).offset for future in told) == count - 1
    forget_cached(disk)
    disk.fail()
    answers = [fetch(broker, topic, partitions, 0) for _ in range(len(failing) + 3)]
    assert answers[-3:] == [{p: bad if p in failing else good for p in partitions}] * 3, answers
    # Elsewhere in the same logs not even the beginning of a batch can be read.
    assert fetch(broker, topic, failing, 50) == {p: bad for p in failing}
    said = broker.log.read_text()
    assert "could not be read: Input/output error" in said and "reading the log failed" in said, broker.tail()
    disk.heal()
    assert fetch(broker, topic, partitions, 0) == {p: good for p in partitions}
    for p in partitions:
        assert read(broker, topic, p) == [b"%d " % n + VALUE for n in range(count)]
        assert producer.send(topic, value=VALUE, partition=p).get(30).offset == count
    producer.close()
    assert "goes offline" not in broker.log.read_text()
