"""Apache Kafka stops, corelog starts on the same server.properties and log.dirs, and the other way round."""

import re
import signal
import socket
import subprocess
import time

import pytest

from harness import clients
from harness.broker import free_port, java
from harness.clients import tool
from harness.paths import CORELOG, SCRATCH
from harness.process import Late, die_with_us, run

pytestmark = pytest.mark.corelog
#: Apache Kafka waits up to 9 s for the session of a broker that was killed
START_DEADLINE = 90


class Node:
    """One node with one properties file, run now by Apache Kafka, now by corelog."""

    def __init__(self, directory, quorum, **properties):
        directory.mkdir(parents=True)
        self.directory, self.data, self.port = directory, directory / "data", free_port()
        controller = f"127.0.0.1:{self.port + 1}"
        given = {
            "process.roles": "broker,controller",
            "node.id": "1",
            f"controller.quorum.{quorum}": f"1@{controller}" if quorum == "voters" else controller,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.data),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "3",
            "group.initial.rebalance.delay.ms": "200",
            **{key.replace("_", "."): str(value) for key, value in properties.items()},
        }
        self.file, self.log = directory / "server.properties", directory / "node.log"
        self.file.write_text("".join(f"{key}={value}\n" for key, value in given.items()))
        self.format = ["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self.file)]
        self.format += [] if quorum == "voters" else ["--standalone"]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def format_by(self, which):
        run([str(CORELOG), "storage", *self.format] if which == "corelog" else java("kafka.tools.StorageTool", *self.format))

    def start(self, which):
        kafka = java("kafka.Kafka", str(self.file), options=("-XX:TieredStopAtLevel=1",), heap="-Xmx768m", level="WARN")
        command = [str(CORELOG), str(self.file)] if which == "corelog" else kafka
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(die_with_us(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                assert self.process.poll() is None, f"{which} ended:\n{self.tail()}"
                if time.monotonic() > end:
                    raise Late(f"{which} does not listen:\n{self.tail()}") from None
                time.sleep(0.05)  # until it listens there is no event to wait for

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) in (0, 143), self.tail()

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def topics(self):
        """Name, id, number of partitions and configuration of each topic, and that each partition has a leader."""
        described = tool("kafka-topics", "--describe", "--exclude-internal", broker=self).out
        leaders = re.findall(r"Partition: \d+\s+Leader: (\S+)", described)
        assert set(leaders) <= {"1"}, described
        # Kafka fixes min.insync.replicas for the cluster where eligible leader replicas are on.
        line = r"Topic: (\S+)\s+TopicId: (\S+)\s+PartitionCount: (\d+)\s+.*Configs: (.*)"
        return {
            (name, topic_id, int(count), config.replace("min.insync.replicas=1", "").strip(","))
            for name, topic_id, count, config in re.findall(line, described)
        }

    def metadata(self):
        """The metadata log and its snapshots, as Apache Kafka's own tool reads them."""
        directory = self.data / "__cluster_metadata-0"
        files = sorted([*directory.glob("*.log"), *directory.glob("*.checkpoint")])
        return "".join(
            tool("kafka-dump-log", "--cluster-metadata-decoder", "--files", file).out for file in files
        )


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
