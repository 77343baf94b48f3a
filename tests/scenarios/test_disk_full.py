"""A full disk: writes are refused, reads go on, writes resume by themselves (`DISK_FULLS` times on each file system).
Only corelog: Apache Kafka takes the log dir offline and halts."""

import os
import time

import pytest
from harness.loopfs import KINDS, LoopFs
from harness.paths import SCRATCH
from harness.process import Late
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, KafkaStorageError

pytestmark = [pytest.mark.corelog, pytest.mark.loop_mount]

CYCLES = int(os.environ.get("DISK_FULLS", 3))
#: XFS is not made smaller
MIB = {"ext4": 48, "xfs": 320}


@pytest.fixture(params=KINDS)
def disk(request):
    made = LoopFs(SCRATCH / f"full-{os.getpid()}-{request.param}", request.param, MIB[request.param])
    yield made
    made.remove()


def create_topic(broker, name, **configs):
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    named = {key.replace("_", "."): str(value) for key, value in configs.items()}
    admin.create_topics([NewTopic(name, 1, 1, topic_configs=named)])
    admin.close()


class Writer:
    """Numbered records of some size; knows what is acknowledged."""

    def __init__(self, broker, topic):
        self.producer = KafkaProducer(bootstrap_servers=broker.address, acks="all", retries=0, linger_ms=0)
        self.topic, self.acknowledged, self.number = topic, {}, 0

    def write(self, size=60_000):
        """The offset, or raises what the broker answered."""
        value = (b"%08d " % self.number).ljust(size, b".")
        self.number += 1
        told = self.producer.send(self.topic, value=value, partition=0).get(30)
        self.acknowledged[told.offset] = value
        return told.offset

    def until_refused(self, timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                self.write()
            except KafkaStorageError:
                return
        raise Late(f"never refused; {len(self.acknowledged)} acknowledged")

    def until_taken(self, timeout=30):
        end = time.monotonic() + timeout
        while True:
            try:
                return self.write()
            except KafkaStorageError:
                if time.monotonic() > end:
                    raise Late("writes do not resume") from None
                time.sleep(0.1)


def read_all(broker, topic):
    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end, found = consumer.end_offsets([partition])[partition], {}
    while consumer.position(partition) < end:
        for batch in consumer.poll(timeout_ms=1000).values():
            found.update({record.offset: record.value for record in batch})
    consumer.close()
    return found


class Filler:
    """Takes what is free."""

    def __init__(self, disk):
        self.path = disk.path / "filler"
        with open(self.path, "wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def remove(self):
        self.path.unlink()


@pytest.mark.timeout(120 + 30 * CYCLES)
def test_writes_are_refused_while_the_disk_is_full_and_go_on_by_themselves(disk, make_broker):
    broker = make_broker(log_dirs=disk.path / "data").start()
    create_topic(broker, "t", segment_bytes=1 << 20, index_interval_bytes=0, retention_ms=-1)
    writer = Writer(broker, "t")
    for cycle in range(CYCLES):
        for _ in range(5 if disk.kind == "ext4" else 20):
            writer.write(20_000)
        filler = Filler(disk)
        writer.until_refused()
        assert read_all(broker, "t") == writer.acknowledged, f"cycle {cycle}: reads go on"
        with pytest.raises(KafkaError):
            writer.write()
        filler.remove()
        assert writer.until_taken() == len(writer.acknowledged) - 1, "offsets go on without a hole"
    assert read_all(broker, "t") == writer.acknowledged
    told = broker.log.read_text()
    assert CYCLES <= told.count("is full") == told.count("has space again") <= 3 * CYCLES, "told once each time"
    broker.restart()
    assert read_all(broker, "t") == writer.acknowledged
    broker.kill()
    broker.start()
    assert read_all(broker, "t") == writer.acknowledged


def test_retention_frees_a_full_disk(disk, make_broker):
    """Its next check is an hour away; nobody else frees anything."""
    broker = make_broker(log_dirs=disk.path / "data", log_initial_task_delay_ms=3_600_000).start()
    create_topic(broker, "kept", retention_ms=-1)
    create_topic(broker, "old", segment_bytes=1 << 20, retention_bytes=1 << 20)
    kept, old = Writer(broker, "kept"), Writer(broker, "old")
    kept.write()
    for _ in range(200):
        old.write()
    filler = Filler(disk)
    kept.until_refused()
    kept.until_taken()
    assert read_all(broker, "kept") == kept.acknowledged
    left = read_all(broker, "old")
    assert left and min(left) > 150 and left == {offset: old.acknowledged[offset] for offset in left}
    filler.remove()


def test_partitions_whose_directories_found_no_space_come_back(disk, make_broker):
    broker = make_broker()
    broker.dirs = [str(broker.data), str(disk.path / "data")]
    broker.properties["log.dirs"] = ",".join(broker.dirs)
    broker.start()
    filler = Filler(disk)
    names = [f"t{n}" for n in range(4)]
    for name in names:
        create_topic(broker, name)
    writers = {name: Writer(broker, name) for name in names}

    def is_refused(name):
        try:
            writers[name].write()
        except KafkaStorageError:
            return True
        return False

    refused = [name for name in names if is_refused(name)]
    assert 0 < len(refused) < len(names), "the dirs take turns"
    filler.remove()
    for name in refused:
        writers[name].until_taken()
    broker.restart()
    for name in names:
        assert read_all(broker, name) == writers[name].acknowledged
    assert all((disk.path / "data" / f"{name}-0").is_dir() for name in refused)


def test_a_broker_stops_and_starts_on_a_full_disk(disk, make_broker):
    broker = make_broker(log_dirs=disk.path / "data").start()
    create_topic(broker, "t", retention_ms=-1)
    writer = Writer(broker, "t")
    for _ in range(20):
        writer.write()
    filler = Filler(disk)
    writer.until_refused()
    for end in (broker.kill, broker.stop):
        end()
        broker.start()
        assert read_all(broker, "t") == writer.acknowledged
    filler.remove()
    again = Writer(broker, "t")
    again.acknowledged = writer.acknowledged
    again.until_taken()
    assert read_all(broker, "t") == again.acknowledged
