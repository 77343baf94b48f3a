"""Clients of releases before Apache Kafka 4, as programs of one behaviour (`old_clients/README.md`)."""

import os
from pathlib import Path
from typing import NamedTuple

from .broker import java
from .paths import ROOT, TOOLS
from .process import Running

PROGRAMS = ROOT / "tests" / "old_clients"
LIBRARIES = TOOLS / "old-clients"
PYTHON = TOOLS / "venv" / "bin" / "python"
BEFORE_ZSTD = ("none", "gzip", "snappy", "lz4")
ALL = (*BEFORE_ZSTD, "zstd")


class OldClient(NamedTuple):
    argv: list
    #: what the library can write and read
    codecs: tuple
    environment: dict = {}
    #: Apache Kafka 4 no longer has the versions it asks for
    beyond_kafka_4: bool = False

    def start(self, broker, topic):
        argv = [*self.argv, broker.address, topic, ",".join(self.codecs)]
        return Running(argv, topic, env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment})


def _python(version, codecs, **how):
    return OldClient([PYTHON, PROGRAMS / "kafka_python.py"], codecs, {"PYTHONPATH": str(LIBRARIES / f"kafka-python-{version}")}, **how)


def _librdkafka(version, **how):
    directory = LIBRARIES / f"librdkafka-{version}"
    argv = [PYTHON, PROGRAMS / "librdkafka.py", directory / "librdkafka.so.1"]
    return OldClient(argv, ALL, {"LD_LIBRARY_PATH": str(directory)}, **how)


def _java(jars):
    command = java("OldJava")
    command[command.index("-cp") + 1] = f"{LIBRARIES / f'classes-{Path(jars).name}'}:{jars}/*"
    return OldClient(command, ALL)


CLIENTS = {
    "librdkafka-1.0.1": _librdkafka("1.0.1", beyond_kafka_4=True),  # commits with OffsetCommit v1
    "librdkafka-1.9.2": _librdkafka("1.9.2"),
    "kafka-python-1.4.7": _python("1.4.7", BEFORE_ZSTD),
    "kafka-python-2.0.2": _python("2.0.2", ALL),
    "kafka-python-2.2.15": _python("2.2.15", ALL),
    "aiokafka-0.8.0": OldClient([PYTHON, PROGRAMS / "aiokafka_client.py"], ALL, {"PYTHONPATH": str(LIBRARIES / "aiokafka-0.8.0")}),
    "kafka-go-0.4.47": OldClient([LIBRARIES / "kafka-go-0.4.47"], ALL, beyond_kafka_4=True),  # JoinGroup v1
    "kafka-go-0.4.51": OldClient([LIBRARIES / "kafka-go-0.4.51"], ALL),
    "sarama-1.29.1": OldClient([LIBRARIES / "sarama-1.29.1"], ALL, beyond_kafka_4=True),  # OffsetCommit v1
    "kafkajs-2.2.4": OldClient(
        ["node", PROGRAMS / "kafkajs.js"], ALL, {"NODE_PATH": str(LIBRARIES / "kafkajs-2.2.4" / "node_modules")}
    ),
    "java-2.1.1": _java(LIBRARIES / "java-2.1.1"),
    "java-3.9.1": _java(TOOLS / "kafka-3.9.1"),
}
