"""Compaction: the last value of each key stays at its offset, through restarts and `kill -9`; the same as Apache Kafka's."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from harness import clients
from harness.broker import IS_CORELOG, free_port, java
from harness.clients import tool
from harness.paths import CORELOG, KAFKA_JARS, LOG4J, ROOT, SCRATCH
from harness.process import Late, die_with_us, run

#: so many times the broker is killed while it compacts (Apache Kafka takes seconds to start)
KILLS = int(os.environ.get("KILLS", 20 if IS_CORELOG else 2))
TOMBSTONE = ""


def create_compacted(broker, topic, **configs):
    named = {
        "cleanup.policy": "compact", "segment.bytes": 1 << 20, "min.cleanable.dirty.ratio": 0.01,
        "file.delete.delay.ms": 1000, **{key.replace("_", "."): value for key, value in configs.items()},
    }
    words = [word for key, value in named.items() for word in ("--config", f"{key}={value}")]
    tool("kafka-topics", "--create", "--topic", topic, "--partitions", "1", *words, broker=broker)


def produce(broker, topic, sent, codec):
    """By one kcat, in order; an empty value is a tombstone."""
    text = "".join(f"{key}\t{value}\n" for key, value in sent)
    compression = [] if codec == "none" else ["-z", codec]
    run(clients.kcat(broker, "-P", "-t", topic, "-K", "\t", "-Z", *compression), input=text)


def cleaned_to(data, topic):
    """What the cleaner's checkpoint says: the same file in both brokers."""
    try:
        lines = (data / "cleaner-offset-checkpoint").read_text().splitlines()[2:]
    except FileNotFoundError:
        return 0
    return next((int(line.split()[2]) for line in lines if line.split()[:2] == [topic, "0"]), 0)


def wait_until(condition, what, timeout=60):
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise Late(f"not within {timeout} s: {what}")
        time.sleep(0.02)  # the cleaner tells nobody but its checkpoint


def consume(broker):
    """All of the topic. kcat gives up where a broker that has just bound its port does not serve yet."""
    listed = clients.kcat(broker, "-L", "-t", "c", "-m", "10")
    wait_until(lambda: run(listed, check=False).code == 0, "the topic is served")
    return clients.kcat_consume(broker, "c")


class Sent:
    """Everything that was sent, at the offsets it must have: one producer at a time writes in order."""

    def __init__(self, seed, keys=500):
        self.seed, self.keys, self.all = seed, keys, []

    def more(self, count, tombstones=0.1):
        new = []
        for n in range(len(self.all), len(self.all) + count):
            value = TOMBSTONE if self.seed.random() < tombstones else f"{n}-{self.seed.randbytes(self.seed.randrange(120)).hex()}"
            new.append((f"key-{self.seed.randrange(self.keys)}", value))
        self.all += new
        return new

    def check(self, found, clean):
        assert [r.offset for r in found] == sorted({r.offset for r in found})
        for record in found:
            assert (record.key, record.value) == self.all[record.offset], f"not what was sent at {record.offset}"
        below = [r.key for r in found if r.offset < clean]
        assert len(set(below)) == len(below), f"a key is there twice before {clean}"
        last = {key: offset for offset, (key, _) in enumerate(self.all)}
        there = {r.offset for r in found}
        lost = [o for o in last.values() if o not in there and self.all[o][1] != TOMBSTONE]
        assert not lost, f"the last value of {len(lost)} keys is gone, for example of {self.all[lost[0]][0]} at {lost[0]}"
        return there


@pytest.mark.timeout(300)
def test_the_last_value_of_each_key_stays(make_broker, seed):
    """In every codec, over several rounds; tombstones go after delete.retention.ms; the same after each kind of restart."""
    broker = make_broker(log_cleaner_backoff_ms=100, log_cleaner_dedupe_buffer_size=2 << 20).start()
    create_compacted(broker, "c", delete_retention_ms=100)
    sent = Sent(seed)
    clean = 0
    for codec in clients.CODECS:
        for _ in range(2):
            produce(broker, "c", sent.more(15000), codec)
        wait_until(lambda: cleaned_to(broker.data, "c") > clean, f"another round after {codec}")
        clean = cleaned_to(broker.data, "c")
        found = consume(broker)
        sent.check(found, clean)
        assert len(found) < len(sent.all)
    first_clean = clean
    # Everything below is superseded or deleted now, and the time of the first tombstones is over.
    produce(broker, "c", [(f"key-{n}", "") for n in range(500)], "none")
    sent.all += [(f"key-{n}", "") for n in range(500)]
    for _ in range(3):
        produce(broker, "c", sent.more(12000, tombstones=0), "none")
        wait_until(lambda: cleaned_to(broker.data, "c") > clean, "the rounds that drop tombstones")
        clean = cleaned_to(broker.data, "c")
    there = sent.check(consume(broker), clean)
    assert not [o for o in there if o < first_clean and sent.all[o][1] == TOMBSTONE], "tombstones outlive their time"
    for end in (broker.stop, broker.kill):
        end()
        broker.start()
        assert sent.check(consume(broker), clean) <= there
        names = os.listdir(broker.data / "c-0")
        assert not [n for n in names if n.endswith((".cleaned", ".swap"))], names


@pytest.mark.timeout(600)
def test_kill_9_while_compacting_loses_no_last_value(make_broker, seed):
    broker = make_broker(log_cleaner_backoff_ms=1).start()
    create_compacted(broker, "c", delete_retention_ms=0)
    sent = Sent(seed, keys=2000)
    for _ in range(KILLS):
        produce(broker, "c", sent.more(12000, tombstones=0.02), seed.choice(clients.CODECS))
        time.sleep(seed.random() ** 2 * 0.5)  # a random moment is what this is about
        broker.kill()
        broker.start()
        clean = cleaned_to(broker.data, "c")
        sent.check(consume(broker), clean)
    assert cleaned_to(broker.data, "c") > 0


class Side:
    """A node on a copy of a directory, with its own ports, run by Apache Kafka or corelog."""

    def __init__(self, directory, **properties):
        self.directory, self.data, self.port = directory, directory / "data", free_port()
        self.properties = properties
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, which):
        controller = f"127.0.0.1:{self.port + 1}"
        given = {
            "process.roles": "broker,controller", "node.id": "1", "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER", "log.dirs": self.data,
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "offsets.topic.replication.factor": 1, "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1, "transaction.state.log.num.partitions": 2,
            "log.cleaner.backoff.ms": 100, **self.properties,
        }
        file = self.directory / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in given.items()))
        if not (self.data / "meta.properties").exists():
            run(java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(file)))
        kafka = java("kafka.Kafka", str(file), options=("-XX:TieredStopAtLevel=1",), heap="-Xmx768m", level="WARN")
        command = [str(CORELOG), str(file)] if which == "corelog" else kafka
        with open(self.directory / "node.log", "ab") as log:
            self.process = subprocess.Popen(die_with_us(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._listens, f"{which} listens", 90)
        return self

    def _listens(self):
        assert self.process.poll() is None, (self.directory / "node.log").read_text()[-3000:]
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) in (0, 143), (self.directory / "node.log").read_text()[-3000:]

    def alter(self, **configs):
        words = ",".join(f"{key.replace('_', '.')}={value}" for key, value in configs.items())
        tool("kafka-configs", "--alter", "--topic", "c", "--add-config", words, broker=self)

    def dump(self):
        """Every batch and record, behind its topic, as Apache Kafka's own tool prints them, but for what recompression
        and the time of a round change: sizes, checksums, positions and the delete horizon's value."""
        files = ",".join(str(file) for name in ("c-0", "old-0") for file in sorted((self.data / name).glob("*.log")))
        out = tool("kafka-dump-log", "--print-data-log", "--deep-iteration", "--files", files).out
        topic, lines = None, []
        for line in out.splitlines():
            if line.startswith("Dumping "):
                topic = line.split("/")[-2]
            elif line.startswith(("baseOffset", "offset", "|")):
                line = re.sub(r"position: \d+ | size: \d+|crc: \d+ ", "", line)
                lines.append(f"{topic} " + re.sub(r"deleteHorizonMs: OptionalLong\[\d+\]", "horizon", line))
        return lines

    def active(self, name):
        """Where the active segment begins."""
        return max(int(file.name[:20]) for file in (self.data / name).glob("*.log"))


def dirty(side, seed, count):
    """Random keys, tombstones, headers, all codecs, idempotent and transactional producers, some of which abort; and in
    the directory `old` segments in the formats 0 and 1."""
    source = ROOT / "tests" / "harness" / "Dirty.java"
    argv = ["java", "-Dlevel=ERROR", f"-Dlog4j2.configurationFile={LOG4J}", "-cp", f"{KAFKA_JARS}/*", str(source)]
    old = side.directory / "old"
    old.mkdir()
    run([*argv, side.address, "c", str(seed.randrange(1 << 30)), str(count), str(old)], timeout=180)


def take_over_old_segments(side):
    """Puts the segments in old formats where a broker of long ago left them: the first half cleaned, hours ago."""
    partition = side.data / "old-0"
    for file in [*partition.glob("0*"), partition / "leader-epoch-checkpoint"]:
        file.unlink(missing_ok=True)
    segments = sorted((side.directory / "old").glob("*.log"))
    for n, file in enumerate(segments):
        shutil.move(file, partition)
        written = time.time() - 3600 * (len(segments) - n)
        os.utime(partition / file.name, (written, written))
    clean = int(segments[len(segments) // 2].name[:20])
    (side.data / "cleaner-offset-checkpoint").write_text(f"0\n1\nold 0 {clean}\n")


def one_round(side, which, phase):
    """Exactly one round, up to the active segment: the ratio lets it begin, and nothing is written meanwhile."""
    side.start(which)
    if phase > 0:
        # The same records on both sides, of keys of their own: they close segments.
        produce(side, "c", [(f"filler-{n % 50}", f"{n} " + "f" * 900) for n in range(1500)], "none")
    active, old = side.active("c-0"), side.active("old-0")
    side.alter(min_cleanable_dirty_ratio=0.001)
    cleaned = lambda: cleaned_to(side.data, "c") == active and cleaned_to(side.data, "old") == old
    wait_until(cleaned, f"{which} cleans what is closed", 120)
    side.alter(min_cleanable_dirty_ratio=1)
    side.stop()


def before(lines, end):
    """The batches and records that were there before any filler."""
    return [line for line in lines if int(re.search(r"ffset: (\d+)", line)[1]) < end]


@pytest.mark.corelog
@pytest.mark.timeout(600)
def test_what_stays_is_what_apache_kafka_keeps(seed):
    """One directory that Apache Kafka wrote, compacted three times by both: the same batches and records, field by
    field, in each round, until tombstones and markers are gone, and of segments in the formats 0 and 1 the same
    batches of today's; and Apache Kafka serves what corelog compacted."""
    base = SCRATCH / f"compaction-{time.time_ns()}"
    source = Side(base / "source").start("apache-kafka")
    names = ("apache-kafka", "corelog")
    sides = []
    try:
        create_compacted(source, "c", min_cleanable_dirty_ratio=1, delete_retention_ms=1)
        create_compacted(source, "old", min_cleanable_dirty_ratio=0.001, delete_retention_ms=90 * 60 * 1000)
        dirty(source, seed, 90000)
        end = int(tool("kafka-get-offsets", "--topic", "c", broker=source).out.split(":")[2])
        source.stop()
        take_over_old_segments(source)
        assert len(list((source.data / "c-0").glob("*.log"))) > 2
        for which in names:
            shutil.copytree(source.data, base / which / "data")
            sides.append(Side(base / which))
        told = []
        for phase in range(3):
            dumps = []
            for which, side in zip(names, sides):
                one_round(side, which, phase)
                dumps.append(before(side.dump(), end))
            assert dumps[0] == dumps[1], f"round {phase} differs"
            told.append("\n".join(dumps[0]))
        old = [line for line in told[0].splitlines() if line.startswith("old-0 ")]
        assert any("magic: 1" in line for line in old), "the active segment is as it was"
        assert any("magic: 2" in line and "horizon" in line for line in old)
        assert "horizon" in told[0] and "endTxnMarker: ABORT" in told[0]
        markers = [lines.count("endTxnMarker") for lines in told]
        assert markers[0] > markers[2], f"markers go: {markers}"
        # And back: what corelog compacted is served by Apache Kafka.
        ours = sides[1].start("corelog") and consume(sides[1])
        sides[1].stop()
        sides[1].start("apache-kafka")
        assert consume(sides[1]) == ours
        sides[1].stop()
        shutil.rmtree(base)
    finally:
        for side in [source, *sides]:
            if hasattr(side, "process") and side.process.poll() is None:
                side.process.kill()
