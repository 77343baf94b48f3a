"""Members of share groups: `ShareGroups.java`, on Apache Kafka's own share consumer."""

from .broker import java
from .paths import ROOT
from .process import run

PROGRAM = str(ROOT / "tests" / "harness" / "ShareGroups.java")


def share(verb, broker, topic, group, *argv):
    """Runs a verb of the program: member, partition, offset, delivery count and value of each record."""
    out = run(java(PROGRAM, verb, broker.address, topic, group, *map(str, argv)), timeout=150).out
    assert "ERROR" not in out, out
    lines = [line.split(" ", 4) for line in out.splitlines() if line and line != "configured"]
    return [(member, int(partition), int(offset), int(count), value) for member, partition, offset, count, value in lines]
