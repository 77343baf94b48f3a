"""A block device that fails under one of two log dirs (`FAILING_DEVICES` rounds on each file system): the dir is fenced,
nothing in it is acknowledged afterwards, also when the device works again, and the other dir serves. Only corelog:
Apache Kafka asks the device only when a segment rolls."""

import os
import time

import pytest
from harness.loopfs import KINDS, FailingFs
from harness.paths import SCRATCH
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

pytestmark = [pytest.mark.corelog, pytest.mark.loop_mount]

ROUNDS = int(os.environ.get("FAILING_DEVICES", 1))
#: The sync class meets the failure of its fsync, the parity class that of the roll's, or of the file system's own.
TOPICS = {"sync": {"flush.messages": "1"}, "parity": {"segment.bytes": str(1 << 20)}}
PARTITIONS = 4
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


@pytest.fixture(params=KINDS)
def disk(request):
    made = FailingFs(SCRATCH / f"failing-{os.getpid()}-{request.param}", request.param, 320)
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


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_a_dir_whose_device_fails_is_fenced_and_never_acknowledges_again(disk, make_broker):
    for n in range(ROUNDS):
        # Either class meets the failure first, on each file system.
        first_topic = list(TOPICS)[(n + KINDS.index(disk.kind)) % 2]
        broker = make_broker()
        broker.dirs = [str(broker.data), str(disk.path / "data")]
        broker.properties["log.dirs"] = ",".join(broker.dirs)
        broker.start()
        admin = KafkaAdminClient(bootstrap_servers=broker.address)
        admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=own) for name, own in TOPICS.items()])
        admin.close()
        one_round(broker, disk, first_topic)
        broker.stop()
        disk.renew()
        print(f"round {n}: fenced")
