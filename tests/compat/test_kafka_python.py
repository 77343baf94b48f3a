"""kafka-python's own integration tests, unchanged, from its source distribution."""

import os
import re
import sys
import xml.etree.ElementTree as tree

import pytest

from harness.paths import TOOLS
from harness.process import run

SOURCES = TOOLS / "kafka-python"
FILES = ("admin", "consumer", "producer")
#: what the suite's own broker is configured with
BROKER = {"node_id": 0, "num_partitions": 4, "group_initial_rebalance_delay_ms": 0, "group_min_session_timeout_ms": 100}


def names():
    for file in FILES:
        text = (SOURCES / "test" / "integration" / f"test_{file}_integration.py").read_text()
        yield from (f"{file}::{name}" for name in re.findall(r"^def test_(\w+)", text, re.M))


def file_of(name):
    return f"test/integration/test_{name}_integration.py"


def run_suite(broker, directory, files, only=()):
    """{test: [(tag, message)] of what went wrong in its variants}, all of the files (or `only` these of their tests) run
    against one broker."""
    report = directory / "report.xml"
    paths = ["::test_".join((file_of(name.split("::")[0]), name.split("::")[1])) for name in only] or map(file_of, files)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb", "short", "--timeout", "120"]
    environment = {
        **os.environ, "KAFKA_VERSION": "4.3.1", "KAFKA_ROOT": str(SOURCES), "KAFKA_URI": f"kafka://{broker.address}",
        "PYTHONPATH": str(SOURCES),
    }
    argv += ["--timeout-method", "signal", "--junitxml", report, *paths]
    done = run(argv, cwd=SOURCES, env=environment, timeout=2400, check=False)
    assert report.exists(), done.out + done.err
    found = {}
    for case in tree.parse(report).getroot().iter("testcase"):
        file = case.get("classname").split(".")[-1].removeprefix("test_").removesuffix("_integration")
        name = case.get("name").split("[")[0].removeprefix("test_")
        found.setdefault(f"{file}::{name}", []).extend((child.tag, child.text or child.get("message")) for child in case)
    return found


def start(make_broker):
    broker = make_broker(**BROKER)
    return broker.start(advertised_listeners=f"PLAINTEXT://{broker.address}")


@pytest.fixture(scope="module")
def outcomes(_module_brokers, tmp_path_factory):
    return run_suite(start(_module_brokers), tmp_path_factory.mktemp("kafka-python"), FILES)


@pytest.mark.parametrize("name", names())
def test_kafka_python(outcomes, name):
    wrong = outcomes[name]
    bad = [text for tag, text in wrong if tag in ("failure", "error")]
    assert not bad, bad[0]
    skipped = [text for tag, text in wrong if tag == "skipped"]
    if skipped:
        pytest.skip(skipped[0])
