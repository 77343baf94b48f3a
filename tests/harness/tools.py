"""The tools without Java, and beside them Apache Kafka's own: all of these in one JVM, which starts once."""

import base64
import os
import subprocess
import time
from dataclasses import dataclass

from .broker import java
from .clients import KAFKA_TOOLS
from .paths import CORELOG, ROOT
from .process import die_with_us

#: the tools by the names of their scripts, without `kafka-`
CLASSES = {name.removeprefix("kafka-"): cls for name, cls in KAFKA_TOOLS.items()}


@dataclass
class Said:
    code: int
    out: str
    err: str
    ms: float


class KafkaTools:
    """`KafkaTools.java`: takes command lines, one after another."""

    def __init__(self):
        program = str(ROOT / "tests" / "harness" / "KafkaTools.java")
        self.process = subprocess.Popen(
            die_with_us(java(program, level="OFF")), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, name, *argv, input=""):
        words = [input, CLASSES[name], *map(str, argv)]
        line = " ".join("=" + base64.b64encode(word.encode()).decode() for word in words)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the JVM of Apache Kafka's tools has ended"
        code, ms, out, err = answer.split()
        text = lambda word: base64.b64decode(word[1:]).decode()
        return Said(int(code), text(out), text(err), float(ms))

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def ours(name, *argv, input="", timeout=60, script=True):
    """Runs a tool by its script, or the binary itself."""
    command = [str(ROOT / "scripts" / f"kafka-{name}.sh")] if script else [str(CORELOG), name]
    began = time.monotonic()
    done = subprocess.run(
        die_with_us([*command, *argv]), input=input.encode(), capture_output=True, timeout=timeout,
        env={**os.environ, "CORELOG_BIN": str(CORELOG)},
    )
    ms = (time.monotonic() - began) * 1000
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode(), ms)
