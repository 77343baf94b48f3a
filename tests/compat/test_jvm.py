"""Apache Kafka's own JVM clients, of this release and of 3.9: nearly every method of Admin, producers, consumers of both
protocols, transactions (`JvmMatrix.java`), and the share consumer, which 3.9 does not have yet."""

import re

import pytest

from harness import clients
from harness.node import kafka
from harness.paths import ROOT
from harness.process import run
from harness.share import share

PROGRAM = ROOT / "tests" / "compat" / "JvmMatrix.java"
RELEASES = ("4.3.1", "3.9.1")
#: as the program names them
ONCE = re.findall(r'tell\("([\w-]+)",', PROGRAM.read_text())
CASES = [
    *ONCE, *(f"producer-{codec}" for codec in ("none", "gzip", "snappy", "lz4", "zstd")),
    *(protocol + rest for protocol in ("classic", "consumer") for rest in re.findall(r'tell\(protocol \+ "([\w-]+)"', PROGRAM.read_text())),
]  # fmt: skip


@pytest.fixture(scope="module")
def told(broker):
    """Runs the program of a release when first asked for one of its cases: {case: what came of it}."""
    known = {}

    def of(release):
        if release not in known:
            out = run(kafka(release, str(PROGRAM), broker.address, f"jvm{release[0]}"), timeout=600).out
            known[release] = dict(line.split(" ", 1) for line in out.splitlines() if line.split(" ")[0] in CASES)
        return known[release]

    return of


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("case", CASES)
def test_jvm(told, case, release):
    assert told(release).get(case) == "ok"


@pytest.mark.timeout(300)
def test_jvm_share_consumer(broker):
    """Two members divide a topic among themselves; each record is delivered once."""
    clients.create_topic(broker, "jvm-shared", partitions=2)
    share("earliest", broker, "jvm-shared", "jvm-sharers")
    got = share("divide", broker, "jvm-shared", "jvm-sharers", 100)
    assert len({(partition, offset) for _, partition, offset, *_ in got}) == len(got) >= 100
