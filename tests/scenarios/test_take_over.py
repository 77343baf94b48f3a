"""Apache Kafka stops, corelog starts on the same server.properties and log.dirs, and the other way round."""

import re
import time

import pytest

from harness import clients
from harness.node import Node
from harness.paths import SCRATCH

pytestmark = pytest.mark.corelog


@pytest.fixture
def make_node(request):
    made = []

    def make(quorum, **properties):
        name = re.sub(r"\W+", "-", request.node.name).strip("-")
        made.append(Node(SCRATCH / f"{name}-{time.time_ns()}", quorum, **properties))
        return made[-1]

    yield make
    for node in made:
        if node.process.poll() is None:
            node.kill()


def produce(node, topic, first, count):
    clients.rdk_produce(node, topic, [(f"k{n}", f"v{n}") for n in range(first, first + count)])


def values(node, topic):
    return sorted(int(record.value[1:]) for record in clients.rdk_consume(node, topic))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("quorum, formatted_by", [("voters", "kafka"), ("bootstrap.servers", "corelog")])
def test_a_directory_goes_back_and_forth(make_node, quorum, formatted_by):
    """Topics with their ids and configurations, records and leaders survive each change of hands, kill -9 included."""
    node = make_node(quorum, metadata_log_max_record_bytes_between_snapshots=1500)
    node.format_by(formatted_by)
    turns = [("kafka", node.stop), ("corelog", node.stop), ("kafka", node.kill), ("corelog", node.kill), ("kafka", node.stop)]
    sent = 0
    known = set()
    for turn, (which, end) in enumerate(turns):
        node.start(which)
        assert node.topics() == known, f"{which} found other topics"
        if turn == 0:
            clients.create_topic(node, "kept", partitions=2, retention_ms=-1)
        assert values(node, "kept") == list(range(sent)), f"{which} found other records"
        produce(node, "kept", sent, 100)
        sent += 100
        clients.create_topic(node, f"of-turn-{turn}", partitions=3, cleanup_policy="compact")
        clients.create_topic(node, "gone")
        clients.delete_topic(node, "gone")
        assert values(node, "kept") == list(range(sent))
        known = node.topics()
        assert len(known) == turn + 2
        end()
        dumped = node.metadata()
        assert "isvalid: false" not in dumped and "Could not" not in dumped and "Found recursive" not in dumped
    node.start("corelog")
    assert node.topics() == known and values(node, "kept") == list(range(sent))
    node.stop()
