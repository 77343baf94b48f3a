"""The metadata log does not grow for ever, and Apache Kafka goes on with what is left of it."""

import time

import pytest
from test_take_over import make_node  # noqa: F401, a fixture

from harness.admin import BROKER, SET, TOPIC, describe, incremental_alter
from harness.clients import tool
from harness.process import Late

pytestmark = pytest.mark.corelog

FIRST = "00000000000000000000.log"
LIMIT = 12_000_000
SEGMENT = 8_388_608


def wait_for(condition, what, timeout=60):
    """What the broker does in the background is seen in the directory only."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > end:
            raise Late(f"{what}: not within {timeout} s")
        time.sleep(0.05)
    return found


def alter(node, *changes):
    told = incremental_alter(node.address, *changes)
    assert [error for error, _ in told] == [0] * len(changes), told


def bulk(round_):
    """3 MB of metadata: keys of plugins that Apache Kafka keeps too."""
    return BROKER, "1", [(f"my.plugin.{n}", SET, chr(ord("a") + round_ % 26) * 30_000) for n in range(100)]


def marked(node):
    ((error, _, entries),) = describe(node.address, (TOPIC, "kept", ["retention.ms", "leader.replication.throttled.replicas"]))
    assert error == 0
    return {name: entry.value for name, entry in entries.items()}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("quorum", ["voters", "bootstrap.servers"])
def test_segments_and_snapshots_go_and_apache_kafka_starts_on_the_rest(make_node, quorum):  # noqa: F811
    directory = {"metadata_log_dir": "{directory}/metadata"}
    node = make_node(
        quorum, metadata_log_segment_bytes=SEGMENT, metadata_log_max_record_bytes_between_snapshots=3_000_000,
        metadata_max_retention_bytes=LIMIT, **directory,
    )
    node.file.write_text(node.file.read_text().replace("{directory}", str(node.directory)))
    log = node.directory / "metadata" / "__cluster_metadata-0"
    node.format_by("kafka")
    node.start("kafka")
    tool("kafka-topics", "--create", "--topic", "kept", "--config", "retention.ms=77", broker=node)
    known = node.topics()
    node.stop()
    assert not (node.data / "__cluster_metadata-0").exists()

    replicas = ",".join(f"{n}:1" for n in range(3000))
    node.start("corelog")
    alter(node, (TOPIC, "kept", [("leader.replication.throttled.replicas", SET, replicas)]))
    for round_ in range(12):
        alter(node, bulk(round_))
    snapshots = lambda: sorted(log.glob("*.checkpoint"))  # noqa: E731
    wait_for(lambda: not (log / FIRST).exists() and len(snapshots()) > 0, "the first segment goes")
    size = lambda: sum(f.stat().st_size for f in [*log.glob("*.log"), *snapshots()])  # noqa: E731
    wait_for(lambda: size() <= LIMIT + SEGMENT, "the metadata is cut short")
    node.kill()
    on_their_way = set(log.glob("*.deleted"))

    node.start("corelog")
    assert not on_their_way & set(log.glob("*.deleted")), "what was on its way out is gone at the next start"
    assert marked(node) == {"retention.ms": "77", "leader.replication.throttled.replicas": replicas}
    node.stop()
    for file in [*log.glob("*.log"), *snapshots()]:
        dumped = tool("kafka-dump-log", "--cluster-metadata-decoder", "--files", file).out
        assert "isvalid: false" not in dumped and "Could not" not in dumped

    node.start("kafka")
    assert {name for name, *_ in node.topics()} == {name for name, *_ in known}
    assert marked(node) == {"retention.ms": "77", "leader.replication.throttled.replicas": replicas}
    alter(node, (TOPIC, "kept", [("retention.ms", SET, "78")]))
    node.stop()
    node.start("corelog")
    assert marked(node)["retention.ms"] == "78"
    node.stop()


def test_a_snapshot_comes_by_time_when_something_changed(make_node):  # noqa: F811
    node = make_node("voters", metadata_log_max_snapshot_interval_ms=1500)
    node.format_by("corelog")
    node.start("corelog")
    log = node.data / "__cluster_metadata-0"
    ends = lambda: sorted(int(f.name[:20]) for f in log.glob("*.checkpoint"))  # noqa: E731
    (first,) = wait_for(ends, "the changes of the start are in a snapshot")
    tool("kafka-topics", "--create", "--topic", "t", broker=node)
    # A topic, its partition, and nothing after them: the snapshot that follows has all there is.
    *_, newest = wait_for(lambda: [end for end in ends() if end >= first + 2], "the topic is in a snapshot")
    assert newest == first + 2 and ends() == [first, newest]
    node.stop()
