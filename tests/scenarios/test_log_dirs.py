"""Several log dirs: partitions spread over them, move while they serve, and outlive one of them that fails."""

import fcntl
import json
import os
import struct
import subprocess
import threading
import time

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from harness.broker import java
from harness.clients import tool
from harness.process import run

#: `XFS_IOC_GOINGDOWN` and `EXT4_IOC_SHUTDOWN`
SHUTDOWN_IOCTL = 0x8004587D


def two_dirs(make_broker, **properties):
    broker = make_broker(**properties)
    second = broker.directory / "second"
    broker.dirs = [str(broker.data), str(second)]
    broker.properties["log.dirs"] = ",".join(broker.dirs)
    return broker


def create(broker, topic, partitions):
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(topic, partitions, 1)])
    admin.close()


def describe(broker):
    """`{dir: {(topic, partition): info}}` and `{dir: error}` as kafka-log-dirs prints them."""
    out = run(java("org.apache.kafka.tools.LogDirsCommand", "--bootstrap-server", broker.address, "--describe")).out
    printed = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    (node,) = printed["brokers"]
    dirs, errors = {}, {}
    for one in node["logDirs"]:
        errors[one["logDir"]] = one["error"]
        dirs[one["logDir"]] = {tuple(p["partition"].rsplit("-", 1)): p for p in one["partitions"]}
    return dirs, errors


def places(broker, topic):
    dirs, _ = describe(broker)
    found = {}
    for path, logs in dirs.items():
        for (name, partition), info in logs.items():
            if name == topic and not info["isFuture"]:
                assert partition not in found, f"{topic}-{partition} is in two dirs"
                found[int(partition)] = path
    return found


def move(broker, topic, targets, node=1):
    """kafka-reassign-partitions with `log_dirs`: begins the moves."""
    plan = [{"topic": topic, "partition": p, "replicas": [node], "log_dirs": [path]} for p, path in targets.items()]
    file = broker.directory / "plan.json"
    file.write_text(json.dumps({"version": 1, "partitions": plan}))
    tool = java("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--bootstrap-server", broker.address)
    return run([*tool, "--reassignment-json-file", str(file), "--execute"]).out


def until(condition, what, timeout=60):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.2)


def produce(broker, topic, partition, values):
    producer = KafkaProducer(bootstrap_servers=broker.address, acks="all", retries=0, enable_idempotence=False, request_timeout_ms=10_000)
    try:
        sent = [producer.send(topic, value, partition=partition) for value in values]
        return [future.get(20).offset for future in sent]
    finally:
        producer.close(5)


def consume(broker, topic, partition):
    consumer = KafkaConsumer(bootstrap_servers=broker.address, consumer_timeout_ms=20_000, enable_auto_commit=False)
    place = TopicPartition(topic, partition)
    consumer.assign([place])
    consumer.seek_to_beginning()
    end, found = consumer.end_offsets([place])[place], []
    while consumer.position(place) < end:
        found.append(next(consumer))
    consumer.close()
    return found


def test_new_partitions_go_where_the_fewest_are(make_broker):
    broker = two_dirs(make_broker).start()
    create(broker, "spread", 10)
    found = places(broker, "spread")
    assert sorted(found) == list(range(10))
    assert {list(found.values()).count(path) for path in broker.dirs} == {5}
    _, errors = describe(broker)
    assert errors == {path: None for path in broker.dirs}


def configure(broker, *words):
    """Sets or deletes what is this broker's own while it runs."""
    tool("kafka-configs", "--alter", "--broker", "1", *words, broker=broker)


def refused(broker, topic, targets):
    with pytest.raises(Exception) as caught:
        move(broker, topic, targets)
    return str(caught.value)


@pytest.mark.timeout(300)
def test_nothing_new_comes_into_a_cordoned_dir_and_moves_keep_to_their_rate(make_broker):
    broker = two_dirs(make_broker).start()
    first, second = broker.dirs
    configure(broker, "--add-config", f"cordoned.log.dirs={second}")
    names = (f"cordoned-{n}" for n in range(100))

    def kept_out():
        """The metadata learn of it a moment after the answer, here as in Apache Kafka."""
        name = next(names)
        create(broker, name, 4)
        return set(places(broker, name).values()) == {first}

    until(kept_out, "new partitions stay out of the cordoned dir", 30)
    create(broker, "held", 1)
    produce(broker, "held", 0, [b"%06d" % n + os.urandom(10_000) for n in range(600)])
    assert "InvalidReplicaAssignmentException" in refused(broker, "held", {0: second})
    assert places(broker, "held") == {0: first}
    rate = "replica.alter.log.dirs.io.max.bytes.per.second=1000000"
    configure(broker, "--delete-config", "cordoned.log.dirs", "--add-config", rate)
    begun = time.monotonic()
    move(broker, "held", {0: second})
    until(lambda: places(broker, "held") == {0: second}, "6 MB have moved")
    took = time.monotonic() - begun
    assert took > 4, f"6 MB at 1 MB/s in {took:.1f} s"
    assert len(consume(broker, "held", 0)) == 600


@pytest.mark.timeout(300)
def test_a_partition_moves_to_another_dir_while_it_is_written_and_read(make_broker):
    broker = two_dirs(make_broker, log_segment_bytes=1 << 20).start()
    create(broker, "moved", 1)
    produce(broker, "moved", 0, [b"%06d" % n + b"x" * 2000 for n in range(5000)])
    (home,) = places(broker, "moved").values()
    (target,) = [path for path in broker.dirs if path != home]

    stop, acknowledged = threading.Event(), []

    def load():
        producer = KafkaProducer(bootstrap_servers=broker.address, acks="all", linger_ms=1)
        n = 5000
        while not stop.is_set():
            future = producer.send("moved", b"%06d" % n + b"y" * 200, partition=0)
            if n % 20 == 0:
                future.get(20)
            acknowledged.append(future)
            n += 1
        producer.flush(20)
        producer.close(5)

    writer = threading.Thread(target=load)
    writer.start()
    try:
        move(broker, "moved", {0: target})
        until(lambda: places(broker, "moved") == {0: target}, "the partition is in its new dir")
        until(lambda: not any(i["isFuture"] for d in describe(broker)[0].values() for i in d.values()), "no copy is left")
    finally:
        stop.set()
        writer.join()
    offsets = [future.get(20).offset for future in acknowledged]
    assert offsets == list(range(5000, 5000 + len(offsets)))
    for _ in range(2):
        found = consume(broker, "moved", 0)
        assert [r.offset for r in found] == list(range(5000 + len(offsets)))
        assert all(r.value.startswith(b"%06d" % r.offset) for r in found)
        broker.restart()
    assert places(broker, "moved") == {0: target}


@pytest.mark.corelog
@pytest.mark.timeout(300)
def test_a_move_cut_off_by_kill_9_goes_on_after_the_start(make_broker, seed):
    broker = two_dirs(make_broker).start()
    create(broker, "cut", 1)
    produce(broker, "cut", 0, [b"%06d" % n + b"x" * 5000 for n in range(8000)])
    for _ in range(4):
        (home,) = places(broker, "cut").values()
        (target,) = [path for path in broker.dirs if path != home]
        move(broker, "cut", {0: target})
        time.sleep(seed.uniform(0, 0.3))  # wherever that hits it
        broker.kill()
        broker.start()
        until(lambda: not any(".deleted" not in n and n.endswith("-future") for d in broker.dirs for n in os.listdir(d)), "no copy is left")
        assert [r.value[:6] for r in consume(broker, "cut", 0)] == [b"%06d" % n for n in range(8000)]
        assert len([d for d in broker.dirs if os.path.isdir(f"{d}/cut-0")]) == 1


def test_moves_that_cannot_be_are_refused(make_broker):
    from kafka.protocol.admin import AlterReplicaLogDirsRequest

    broker = two_dirs(make_broker).start()
    create(broker, "stays", 1)
    admin = KafkaAdminClient(bootstrap_servers=broker.address)

    def code(path, topic, partition):
        dirs = [AlterReplicaLogDirsRequest.AlterReplicaLogDir(
            path=path, topics=[AlterReplicaLogDirsRequest.AlterReplicaLogDir.AlterReplicaLogDirTopic(name=topic, partitions=[partition])]
        )]
        response = admin._manager.run(admin._manager.send, AlterReplicaLogDirsRequest(dirs=dirs), 1)
        return response.results[0].partitions[0].error_code

    (home,) = places(broker, "stays").values()
    assert code(home, "stays", 0) == 0
    assert code("/nowhere", "stays", 0) == 57
    assert code(home, "stays", 7) == 3
    assert code(home, "unknown", 0) == 3
    admin.close()


@pytest.fixture(params=["ext4", "xfs"])
def mounted(request, tmp_path):
    """A file system of its own, which can be shut down under the broker."""
    image, path = tmp_path / "image", tmp_path / "mounted"
    path.mkdir()
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    subprocess.run([f"mkfs.{request.param}", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def shut_down(path):
    fd = os.open(path, os.O_RDONLY)
    fcntl.ioctl(fd, SHUTDOWN_IOCTL, struct.pack("I", 2))
    os.close(fd)


@pytest.mark.corelog
@pytest.mark.timeout(120)
def test_one_dir_fails_and_the_others_serve(make_broker, mounted):
    broker = make_broker()
    broker.dirs = [str(broker.data), str(mounted / "data")]
    broker.properties["log.dirs"] = ",".join(broker.dirs)
    broker.start()
    create(broker, "both", 4)
    for partition in range(4):
        produce(broker, "both", partition, [b"before"] * 100)
    found = places(broker, "both")
    lost = [p for p, path in found.items() if path == broker.dirs[1]]
    kept = [p for p, path in found.items() if path == broker.dirs[0]]
    assert len(lost) == len(kept) == 2

    shut_down(mounted)
    with pytest.raises(KafkaError):
        produce(broker, "both", lost[0], [b"x"])
    for partition in kept:
        assert produce(broker, "both", partition, [b"after"]) == [100]
        assert len(consume(broker, "both", partition)) == 101
    _, errors = describe(broker)
    assert errors[broker.dirs[0]] is None and "KafkaStorageException" in errors[broker.dirs[1]]
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    (topic,) = admin.describe_topics(["both"])
    assert len(topic["partitions"]) == 4, "the metadata keep what is lost"
    admin.close()
    create(broker, "later", 6)
    assert set(places(broker, "later").values()) == {broker.dirs[0]}

    # Without the dir: it is offline, what is in it is not made anew elsewhere.
    broker.stop()
    broker.start()
    with pytest.raises(KafkaError):
        produce(broker, "both", lost[1], [b"x"])
    assert produce(broker, "both", kept[0], [b"again"]) == [101]


@pytest.mark.corelog
def test_all_dirs_failed_ends_the_process_with_a_word(make_broker, mounted):
    broker = make_broker(metadata_log_dir=str(mounted.parent / "metadata"))
    broker.properties["log.dirs"] = str(mounted / "data")
    broker.start()
    create(broker, "gone", 1)
    shut_down(mounted)
    with pytest.raises(KafkaError):
        produce(broker, "gone", 0, [b"x"])
    assert broker.process.wait(20) == 1
    assert "all log dirs have failed" in broker.tail()


@pytest.mark.corelog
def test_two_brokers_do_not_share_a_dir(make_broker):
    first, second = make_broker().start(), make_broker()
    second.properties["log.dirs"] = str(first.data)
    with pytest.raises(AssertionError, match="in use by another process"):
        second.start()
    create(first, "still", 1)
    assert produce(first, "still", 0, [b"x"]) == [0]


@pytest.mark.corelog
def test_a_dir_of_another_cluster_or_node_is_refused(make_broker):
    first, other = make_broker().start(), make_broker().start()
    first.stop()
    other.stop()
    first.properties["log.dirs"] = f"{first.data},{other.data}"
    with pytest.raises(AssertionError, match="cluster"):
        first.start()
    first.properties.update({"log.dirs": str(first.data), "node.id": "7"})
    with pytest.raises(AssertionError, match="node"):
        first.start()
