"""Apache Kafka 3.9 and 4.3 hand over a directory with everything in it, and take it back with what was added."""

import os
import re
import subprocess
import time

import pytest

from harness.node import Node, kafka
from harness.paths import CORELOG, SCRATCH
from harness.process import die_with_us, run

pytestmark = pytest.mark.corelog


@pytest.fixture
def make_node(request):
    made = []

    def make(**how):
        name = re.sub(r"\W+", "-", request.node.name).strip("-")
        made.append(Node(SCRATCH / f"{name}-{time.time_ns()}", **how))
        return made[-1]

    yield make
    for node in made:
        if node.process and node.process.poll() is None:
            node.kill()


def corelog(*words):
    return run([str(CORELOG), *map(str, words)], check=False)


def check(node, clear=True):
    """`corelog takeover --check`: what it says, with the exit code that belongs to it."""
    done = corelog("takeover", "--check", "--config", node.file)
    assert done.code == (0 if clear else 1), done.out + done.err
    return done.out


def verify(*dirs):
    done = corelog("verify", *dirs)
    assert done.code == 0, done.out + done.err


#: A minute each: half of them, or with `TAKE_OVER=all` every one
WAYS = [("3.9.1", "stop", "kill"), ("4.3.1", "kill", "stop")]
if os.environ.get("TAKE_OVER") == "all":
    WAYS += [("3.9.1", "kill", "stop"), ("4.3.1", "stop", "kill")]


def end(node, how):
    node.stop() if how == "stop" else node.kill()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("release, kafka_ends, corelog_ends", WAYS)
def test_everything_goes_there_and_back(make_node, release, kafka_ends, corelog_ends):
    """Records of five codecs and several segments, transactions committed, aborted and open, groups of both protocols,
    credentials and features: the same for clients on either broker, also what is added under corelog."""
    modern = ["modern"] if release == "4.3.1" else []
    node = make_node(release=release)
    node.format_by("kafka")
    node.start("kafka")
    # The clients of a release know what it serves.
    node.tell("seed", *modern, release=release)
    before, kept = node.tell("look", *modern), node.tell("kept", *modern)
    assert any(line.startswith("read_committed txn-0 0..48 25 ") for line in before), before
    end(node, kafka_ends)

    told = check(node)
    assert ("was stopped cleanly" in told) == (kafka_ends == "stop") and "nothing stands against" in told
    if kafka_ends == "stop":
        verify(node.data)
    node.start("corelog")
    assert node.tell("look", *modern) == before
    node.tell("more", *modern, release=release)
    after = node.tell("look", *modern)
    assert after != before
    end(node, corelog_ends)
    if corelog_ends == "stop":
        verify(node.data)
    dumped = node.metadata()
    assert "isvalid: false" not in dumped and "Error at" not in dumped and "Found " not in dumped

    node.start("kafka")
    assert node.tell("look", *modern) == after
    assert node.tell("kept", *modern) == kept
    assert node.tell("settle", release=release) == ["settled"]
    node.stop()


def refused(node):
    done = corelog(node.file)
    assert done.code == 1, done.out
    return done.err


@pytest.mark.timeout(600)
def test_a_guarded_node_is_not_served_unguarded(make_node):
    """ACLs, quotas and an authorizer stop the start and survive it; a look from this machine can be had."""
    node = make_node(
        authorizer_class_name="org.apache.kafka.metadata.authorizer.StandardAuthorizer", super_users="User:ANONYMOUS"
    )
    node.format_by("kafka")
    node.start("kafka")

    def quotas():
        describe = ["--describe", "--entity-type", "clients"]
        return run(kafka(node.release, "kafka.admin.ConfigCommand", "--bootstrap-server", node.address, *describe)).out

    def acls():
        return run(kafka(node.release, "org.apache.kafka.tools.AclCommand", "--bootstrap-server", node.address, "--list")).out

    allow = ["--add", "--allow-principal", "User:bob", "--operation", "Read", "--topic", "t"]
    run(kafka(node.release, "org.apache.kafka.tools.AclCommand", "--bootstrap-server", node.address, *allow))
    alter = ["--alter", "--entity-type", "clients", "--entity-name", "c", "--add-config", "producer_byte_rate=1024"]
    run(kafka(node.release, "kafka.admin.ConfigCommand", "--bootstrap-server", node.address, *alter))
    before = acls(), quotas()
    assert "User:bob" in before[0] and "producer_byte_rate=1024" in before[1]
    node.stop()

    assert "authorizer.class.name" in refused(node) and "AGAINST: authorizer.class.name" in check(node, clear=False)
    guards = {key: node.properties.pop(key) for key in ("authorizer.class.name", "super.users")}
    node.write()
    told = refused(node)
    assert "1 ACLs" in told and "1 client quotas" in told
    assert (node.data / ".kafka_cleanshutdown").exists(), "the refused start left the clean stop as it was"
    node.properties.update(guards)
    node.write()
    node.start("corelog", "corelog.takeover.unguarded.loopback=true", f"listeners=PLAINTEXT://{node.address}")
    node.topics()
    node.stop()
    node.start("kafka")
    assert (acls(), quotas()) == before
    node.stop()


@pytest.mark.timeout(600)
def test_dump_log_prints_what_kafkas_tool_prints(make_node):
    """Every file of a directory that Apache Kafka wrote, with each decoder, on standard output and error."""
    node = make_node()
    node.format_by("kafka")
    node.start("kafka")
    node.tell("seed", "modern")
    node.stop()
    for names, *flags in (
        ("*-*/*.log", "--print-data-log"),
        ("*-*/*index",),
        ("*-*/*index", "--index-sanity-check"),
        ("*-*/*index", "--verify-index-only"),
        ("*-*/*.snapshot",),
        ("__consumer_offsets-*/*.log", "--offsets-decoder"),
        ("__transaction_state-*/*.log", "--transaction-log-decoder", "--skip-record-metadata"),
        ("__cluster_metadata-0/*.log", "--cluster-metadata-decoder"),
        ("*/*.checkpoint", "--cluster-metadata-decoder", "--max-bytes", "2000"),
    ):
        files = ",".join(str(path) for path in sorted(node.data.glob(names)))
        if not files:
            assert "checkpoint" in names
            continue
        ours = corelog("dump-log", "--files", files, *flags)
        theirs = run(kafka(node.release, "org.apache.kafka.tools.DumpLogSegments", "--files", files, *flags))
        assert ours.code == 0, ours.err
        for mine, kafkas in zip(ours.out.splitlines(), theirs.out.splitlines()):
            assert mine == kafkas, (names, flags)
        assert len(ours.out) == len(theirs.out), (names, flags)
        # Kafka names the files in no order.
        assert sorted(ours.err.splitlines()) == sorted(theirs.err.splitlines()), (names, flags)


class ZooKeeperNode(Node):
    """A broker of the time of ZooKeeper, with the ZooKeeper it needs."""

    def __init__(self, directory):
        super().__init__(directory, release="3.9.1")
        self.modern = dict(self.properties)
        for key in ("process.roles", "node.id", "controller.quorum.voters", "controller.listener.names"):
            del self.properties[key]
        self.properties["listeners"] = f"PLAINTEXT://{self.address}"
        self.properties["broker.id"] = "1"
        self.properties["zookeeper.connect"] = f"127.0.0.1:{self.port + 1}"
        self.properties["log.dirs"] = f"{self.data},{self.data}2"
        self.write()

    def start_zookeeper(self):
        file = self.directory / "zoo.cfg"
        file.write_text(
            f"dataDir={self.directory}/zookeeper\nclientPort={self.port + 1}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\n"
        )
        command = kafka(self.release, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(file))
        with open(self.log, "ab") as log:
            self.zookeeper = subprocess.Popen(die_with_us(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("ids", ["with ids", "without ids"])
def test_a_zookeeper_era_node_becomes_a_kraft_node(request, ids):
    """Two log dirs of Kafka 3.9 with ZooKeeper: refused, explained, taken over, served, and handed to Kafka as KRaft."""
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    node = ZooKeeperNode(SCRATCH / f"{name}-{time.time_ns()}")
    node.start_zookeeper()
    try:
        node.start("kafka")
        node.tell("seed", release="3.9.1")
        before = node.tell("look", release="3.9.1")
        describe = ["--bootstrap-server", node.address, "--describe"]
        topics = node.directory / "topics.txt"
        topics.write_text(run(kafka("3.9.1", "org.apache.kafka.tools.TopicCommand", *describe)).out)
        configured = node.topics()
        node.stop()
        node.zookeeper.kill()
        if ids == "without ids":
            for path in node.directory.glob("data*/*/partition.metadata"):
                path.unlink()
            without = re.compile(r"^(\S+) [A-Za-z0-9_-]{22} ")
            before = [without.sub(r"\1 ", line) for line in before]

        assert "corelog takeover" in refused(node)
        assert "KRaft only" in check(node)
        done = corelog("takeover", "--config", node.file)
        assert done.code == 2 and "--topic-configs" in done.err
        done = corelog("takeover", "--config", node.file, "--topic-configs", topics)
        assert done.code == 0 and "assumed: this was the only broker" in done.out, done.out + done.err
        node.start("corelog")
        found = node.tell("look", release="3.9.1")
        if ids == "without ids":
            found = [without.sub(r"\1 ", line) for line in found]
        assert found == before
        names = {(topic, count, config) for topic, _, count, config in node.topics()}
        assert names == {(topic, count, config) for topic, _, count, config in configured}
        node.tell("more", release="3.9.1")
        after = node.tell("look")
        node.stop()
        verify(node.data, f"{node.data}2")

        node.properties = {**node.modern, "log.dirs": node.properties["log.dirs"]}
        node.write()
        node.start("kafka")
        assert node.tell("look") == after
        node.stop()
    finally:
        node.zookeeper.kill()
        if node.process and node.process.poll() is None:
            node.kill()
