"""A broker under test: corelog, or an Apache Kafka in its place."""

import os
import random
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .paths import BROKER, CORELOG, KAFKA_JARS, LOG4J
from .process import Late, die_with_us, run, until_listens, until_nobody_listens

IS_CORELOG = BROKER == "corelog"
#: Apache Kafka takes its time
START_DEADLINE = 20 if IS_CORELOG else 150


def _bindable(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    """A port that is free, with a free one after it (Apache Kafka's controller), below the ephemeral range."""
    for port in random.SystemRandom().sample(range(20000, 32000), 500):
        if _bindable(port) and _bindable(port + 1):
            return port
    raise AssertionError("no free port")


def java(*argv, options=("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"), heap="-Xmx512m", level="ERROR"):
    """The command line that runs a class of Apache Kafka."""
    return ["java", heap, *options, f"-Dlevel={level}", f"-Dlog4j2.configurationFile={LOG4J}", "-cp", f"{KAFKA_JARS}/*", *argv]


class Broker:
    """One broker on a free port of the loopback; its data stays across `start` and `stop` or `kill`."""

    def __init__(self, directory, **properties):
        """Properties with `_` for `.`; `environment` of the process is inherited."""
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = directory / "data"
        self.port = free_port()
        self.properties = {key.replace("_", "."): str(value) for key, value in properties.items()}
        self.log = directory / "broker.log"
        self.process = None
        #: the limit of open files; `None` leaves it
        self.nofile = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def command(self):
        self.data = Path(self.properties.get("log.dirs", str(self.data)).split(",")[0])
        properties = {
            "listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": str(self.data),
            # Several brokers run at once: none of them gets the default port.
            "corelog.admin.listener": "",
            **self.properties,
        }
        if not IS_CORELOG:
            return self._kafka_command(properties)
        argv = [str(CORELOG)]
        for key, value in properties.items():
            argv += ["--override", f"{key}={value}"]
        return argv

    def _kafka_command(self, properties):
        controller = f"127.0.0.1:{self.port + 1}"
        properties = {
            "node.id": "1",
            **properties,
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"{properties.get('node.id', '1')}@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{properties['listeners']},CONTROLLER://{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
        }
        file = self.directory / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in properties.items() if not key.startswith("corelog.")))
        if not (self.data / "meta.properties").exists():
            run(java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(file)))
        return java("kafka.Kafka", str(file), options=("-XX:+UseG1GC", "-XX:TieredStopAtLevel=1"), heap="-Xmx1g", level="WARN")

    def _limited(self, argv):
        return argv if self.nofile is None else ["prlimit", f"--nofile={self.nofile}:{self.nofile}", *argv]

    def start(self, **properties):
        """Starts it and returns when it accepts connections; further properties stay for later starts."""
        self.properties.update({key.replace("_", "."): str(value) for key, value in properties.items()})
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                die_with_us(self._limited(self.command())), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory
            )
        until_listens(self.port, self.process, self.tail, within=START_DEADLINE, pause=0.005 if IS_CORELOG else 0.1)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=60):
        """SIGTERM; returns when it has ended as a clean shutdown should."""
        assert self.running(), f"the broker has ended with {self.process.returncode}:\n{self.tail()}"
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Late(f"the broker did not stop within {timeout} s of SIGTERM:\n{self.tail()}") from None
        assert code == (0 if IS_CORELOG else 143), f"exit code {code} after SIGTERM:\n{self.tail()}"

    def kill(self):
        """`kill -9`."""
        self.process.kill()
        self.process.wait(30)
        until_nobody_listens(self.port)

    def restart(self, **properties):
        self.stop()
        return self.start(**properties)

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def remove(self):
        if self.running():
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
