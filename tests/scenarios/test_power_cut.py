"""Power cuts on ext4 and XFS under load (`POWER_CUTS` rounds each). Only corelog: Apache Kafka has no sync class."""

import os
import threading
import time

import pytest
from harness.loopfs import KINDS, LoopFs
from harness.paths import SCRATCH
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

pytestmark = [pytest.mark.corelog, pytest.mark.loop_mount]

ROUNDS = int(os.environ.get("POWER_CUTS", 2))
#: topic: what it is created with
TOPICS = {"sync": {"flush.messages": "1"}, "some": {"flush.messages": "100"}, "parity": {}}


@pytest.fixture(params=KINDS)
def disk(request):
    made = LoopFs(SCRATCH / f"power-{os.getpid()}-{request.param}", request.param, 600)
    yield made
    made.remove()


@pytest.fixture
def broker(disk, make_broker):
    """On the disk, with the topics."""
    started = make_broker(log_dirs=disk.path / "data").start()
    small = {"segment.bytes": str(1 << 20)}
    administer(started, create_topics=[[NewTopic(n, 2, 1, topic_configs={**small, **c}) for n, c in TOPICS.items()]])
    return started


def administer(broker, **calls):
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    for call, arguments in calls.items():
        getattr(admin, call)(*arguments)
    admin.close()


def load_until(broker, cut, moment):
    """Writes, and once writes are acknowledged does what `moment` does."""
    load = Load(broker, f"round {cut}")
    load.wait_for_first()
    moment()
    return load.finish()


def start_again(disk, broker):
    disk.unmount()
    disk.mount()
    broker.start()


class Load:
    """One producer for each topic; remembers what was acknowledged: (topic, partition, offset) -> value."""

    def __init__(self, broker, name):
        self.acknowledged = {}
        self.acknowledging = threading.Event()
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(broker, topic, name)) for topic in TOPICS]
        for thread in self.threads:
            thread.start()

    def _run(self, broker, topic, name):
        producer = KafkaProducer(
            bootstrap_servers=broker.address, acks="all", retries=0, linger_ms=1, request_timeout_ms=2000,
            delivery_timeout_ms=3000, max_block_ms=3000, reconnect_backoff_ms=20,
        )
        number = 0
        while not self.ended.is_set():
            value = f"{name} {number} ".encode().ljust(500, b".")
            try:
                future = producer.send(topic, value=value, partition=number % 2)
            except KafkaError:
                break
            future.add_callback(lambda told, value=value: self._told(told, value))
            number += 1
            if number % 50 == 0:
                time.sleep(0.002)
        producer.close(timeout=30)  # where the broker has ended, what is left expires after the delivery timeout

    def _told(self, told, value):
        self.acknowledged[told.topic, told.partition, told.offset] = value
        if len(self.acknowledged) > 200:
            self.acknowledging.set()

    def wait_for_first(self):
        assert self.acknowledging.wait(30), f"{len(self.acknowledged)} acknowledged"

    def finish(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(60)
        return self.acknowledged


def read_all(broker):
    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False, check_crcs=True)
    partitions = [TopicPartition(topic, p) for topic in TOPICS for p in (0, 1)]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    found = {}
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        for tp, batch in consumer.poll(timeout_ms=1000).items():
            found.update({(tp.topic, tp.partition, record.offset): record.value for record in batch})
    consumer.close()
    return found, {(tp.topic, tp.partition): end for tp, end in ends.items()}


def check(found, ends, acknowledged, kept):
    """Sync: all that was acknowledged. Else: all that was there before, and of the new a beginning without holes."""
    for (topic, partition, offset), value in acknowledged.items():
        there = found.get((topic, partition, offset))
        if topic == "sync":
            assert there == value, f"acknowledged and lost: {topic}-{partition} at {offset}: {there} for {value[:30]}"
        elif offset < ends[topic, partition]:
            assert there == value, f"another record at {topic}-{partition} {offset}"
    for topic in TOPICS:
        lost = sum(1 for of, p, offset in acknowledged if of == topic and offset >= ends[topic, p])
        print(f"{topic}: {sum(1 for of, _, _ in acknowledged if of == topic)} acknowledged, {lost} lost")
        assert topic != "some" or lost < 2 * 100, "flush.messages=100 leaves fewer unflushed in each partition"
        for partition in (0, 1):
            offsets = sorted(o for of, p, o in found if (of, p) == (topic, partition))
            assert offsets == list(range(ends[topic, partition])), f"{topic}-{partition} has holes"
    assert kept.items() <= found.items(), "what had survived one cut is gone after the next"


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_a_power_cut_under_load_loses_nothing_that_the_sync_class_acknowledged(disk, broker, seed):
    def cut_at_any_moment():
        time.sleep(seed.uniform(0, 2))  # the moment is what is random
        disk.cut_power()
        code = broker.process.wait(30)
        assert code == 1 and "failed" in broker.tail(), f"a failed log dir ends the process: {code}\n{broker.tail()}"

    kept = {}
    for cut in range(ROUNDS):
        acknowledged = load_until(broker, cut, cut_at_any_moment)
        start_again(disk, broker)
        found, ends = read_all(broker)
        check(found, ends, acknowledged, kept)
        kept = found


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_a_power_cut_after_a_clean_stop_loses_nothing_and_needs_no_recovery(disk, broker):
    kept = {}
    for cut in range(ROUNDS):
        kept.update(load_until(broker, cut, lambda: None))
        broker.stop()
        disk.cut_power()
        said = len(broker.log.read_text())
        start_again(disk, broker)
        found, ends = read_all(broker)
        assert found == kept, f"{len(kept)} acknowledged, {len(found)} there"
        assert "recover" not in broker.log.read_text()[said:], broker.tail()


def test_an_offset_committed_beyond_what_a_power_cut_left_is_answered_as_the_logs_end(disk, broker):
    partition = TopicPartition("parity", 0)
    consumer = KafkaConsumer(bootstrap_servers=broker.address, group_id="ahead", enable_auto_commit=False,
                             auto_offset_reset="none")
    consumer.assign([partition])
    consumer.commit({partition: OffsetAndMetadata(1, "", -1)})
    # From now on commits survive what their topics' records do not.
    durable = ConfigResource(ConfigResourceType.TOPIC, "__consumer_offsets", {"flush.messages": "1"})
    administer(broker, alter_configs=[[durable]])

    def commit_all_and_cut():
        # Beyond whatever may be kept.
        ahead = consumer.end_offsets([partition])[partition] + 100_000
        consumer.commit({partition: OffsetAndMetadata(ahead, "where I was", -1)})
        disk.cut_power()
        broker.process.wait(30)

    load_until(broker, 0, commit_all_and_cut)
    consumer.close(autocommit=False)
    said = len(broker.log.read_text())
    start_again(disk, broker)
    _, ends = read_all(broker)
    end = ends["parity", 0]
    assert broker.log.read_text()[said:].count("beyond their logs' ends after a crash: ahead in parity-0:") == 1
    for _ in range(2):  # as soon as it is there, and from the record that was written then
        consumer = KafkaConsumer(bootstrap_servers=broker.address, group_id="ahead", auto_offset_reset="none")
        consumer.assign([partition])
        assert consumer.committed(partition) == end
        assert consumer.position(partition) == end
        consumer.close(autocommit=False)
        broker.kill()
        broker.start()
    producer = KafkaProducer(bootstrap_servers=broker.address)
    assert producer.send("parity", value=b"after", partition=0).get(30).offset == end
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=broker.address, group_id="ahead", auto_offset_reset="none")
    consumer.assign([partition])
    assert next(consumer).value == b"after"
    consumer.close(autocommit=False)


def test_flush_ms_brings_what_is_acknowledged_to_the_device_in_time(disk, make_broker):
    broker = make_broker(log_dirs=disk.path / "data").start()
    administer(broker, create_topics=[[NewTopic("timed", 1, 1, topic_configs={"flush.ms": "200"})]])
    for last in (49, 99):
        producer = KafkaProducer(bootstrap_servers=broker.address, acks="all")
        told = [producer.send("timed", value=b"%d" % n, partition=0) for n in range(50)]
        assert [future.get(30).offset for future in told][-1] == last
        producer.close()
        time.sleep(2)  # ten times the limit
        disk.cut_power()
        broker.kill()
        start_again(disk, broker)
        consumer = KafkaConsumer(bootstrap_servers=broker.address)
        partition = TopicPartition("timed", 0)
        assert consumer.end_offsets([partition])[partition] == last + 1
        consumer.close()
