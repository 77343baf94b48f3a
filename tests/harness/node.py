"""One node with one properties file, run now by a release of Apache Kafka, now by corelog."""

import re
import signal
import subprocess

from .broker import free_port, java
from .clients import tool
from .paths import CORELOG, KAFKA_JARS, ROOT, TOOLS
from .process import die_with_us, run, until_listens, until_nobody_listens

#: Apache Kafka waits up to 9 s for the session of a broker that was killed
START_DEADLINE = 150
NEWEST = "4.3.1"


def jars(release):
    return KAFKA_JARS if release == NEWEST else TOOLS / f"kafka-{release}"


def kafka(release, *argv, **how):
    """The command line that runs a class of a release of Apache Kafka."""
    command = java(*argv, **how)
    at = command.index("-cp") + 1
    command[at] = f"{jars(release)}/*"
    return command


class Node:
    def __init__(self, directory, quorum="voters", release=NEWEST, **properties):
        directory.mkdir(parents=True)
        self.directory, self.data, self.port, self.release = directory, directory / "data", free_port(), release
        controller = f"127.0.0.1:{self.port + 1}"
        self.properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            f"controller.quorum.{quorum}": f"1@{controller}" if quorum == "voters" else controller,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.data),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "3",
            "group.initial.rebalance.delay.ms": "200",
            **{key.replace("_", "."): str(value) for key, value in properties.items()},
        }
        self.file, self.log = directory / "server.properties", directory / "node.log"
        self.process = None
        self.write()
        self.format = ["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self.file)]
        self.format += [] if quorum == "voters" else ["--standalone"]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def write(self):
        self.file.write_text("".join(f"{key}={value}\n" for key, value in self.properties.items() if value is not None))

    def format_by(self, which):
        command = [str(CORELOG), "storage"] if which == "corelog" else kafka(self.release, "kafka.tools.StorageTool")
        run([*command, *self.format], timeout=120)

    def command(self, which, *overrides):
        if which == "corelog":
            return [str(CORELOG), str(self.file), *[word for pair in overrides for word in ("--override", pair)]]
        options = {"options": ("-XX:TieredStopAtLevel=1",), "heap": "-Xmx768m", "level": "WARN"}
        return kafka(self.release, "kafka.Kafka", str(self.file), **options)

    def start(self, which, *overrides):
        with open(self.log, "ab") as log:
            command = die_with_us(self.command(which, *overrides))
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until_listens(self.port, self.process, self.tail, within=START_DEADLINE, pause=0.05)
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) in (0, 143), self.tail()

    def kill(self):
        self.process.kill()
        self.process.wait(30)
        until_nobody_listens(self.port)

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def tell(self, *words, release=NEWEST, timeout=240):
        """Runs `TakeOver.java`: the lines it prints."""
        program = str(ROOT / "tests" / "harness" / "TakeOver.java")
        done = run(kafka(release, program, words[0], self.address, *words[1:]), timeout=timeout)
        lines = [line for line in done.out.splitlines() if not line.startswith("log4j:")]
        assert lines and not any("STUCK" in line for line in lines), done.out + done.err
        return lines

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
