"""librdkafka's own test suite, unchanged (quick mode): each number in a process of its own, so that one that ends the
process does not take others along. Tests that need no broker, mock clusters and manual tests are left out."""

import json
import os
import re
import shlex

import pytest

from harness import clients
from harness.broker import java
from harness.paths import TOOLS
from harness.process import Late, run

SOURCES = TOOLS / "librdkafka-tests" / "tests"
#: seconds for one number; the suite has its own, shorter deadlines
DEADLINE = 240
LEFT_OUT = r"TEST_F_(LOCAL|MANUAL|KNOWN_ISSUE\b)|_mock\b"
ONLY = os.environ.get("LIBRDKAFKA_TESTS", "").split()


def listed():
    """`(name, scenario)` of the tests that ask a broker."""
    text = (SOURCES / "test.c").read_text()
    table = text[text.index("_TEST(0000_unittests,") :]
    for entry in re.findall(r"_TEST\((.*?)\),\n(?=\s*(?:_TEST|#|/\*|\{NULL))", table, re.S):
        name = entry.split(",")[0]
        if re.search(LEFT_OUT, entry) or ONLY and name[:4] not in ONLY:
            continue
        scenario = re.search(r'scenario = "(\w+)', entry)
        yield name, scenario.group(1) if scenario else "default"


@pytest.fixture(scope="module")
def brokers(_module_brokers):
    """What the suite starts its brokers with: topics of four partitions; in the other scenario none by themselves."""
    common = {"num_partitions": 4, "group_initial_rebalance_delay_ms": 0}
    return {
        "default": _module_brokers(**common, auto_create_topics_enable="true").start(),
        "noautocreate": _module_brokers(**common, auto_create_topics_enable="false").start(),
    }


@pytest.fixture(scope="module")
def reports(brokers, tmp_path_factory):
    """Runs a number when first asked for one of its tests: {test: its report}."""
    directory, known = tmp_path_factory.mktemp("librdkafka"), {}

    def report(name, scenario):
        key = name[:4], scenario
        if key not in known:
            known[key] = run_number(brokers[scenario], directory, *key)
        return known[key]

    return report


def kafka_path(directory):
    """Where the suite looks for Apache Kafka's scripts."""
    scripts = directory / "kafka" / "bin"
    scripts.mkdir(parents=True, exist_ok=True)
    for name, program in {**clients.KAFKA_TOOLS, "kafka-acls": "kafka.admin.AclCommand"}.items():
        script = scripts / f"{name}.sh"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(java(program))} "$@"\n')
        script.chmod(0o755)
    return str(scripts.parent)


def run_number(broker, directory, number, scenario):
    config, report = directory / f"{scenario}.conf", directory / f"{number}-{scenario}.json"
    config.write_text(f"bootstrap.servers={broker.address}\ntest.topic.random=true\nbroker.address.family=v4\n")
    environment = {
        **os.environ, "KAFKA_PATH": kafka_path(directory), "BROKERS": broker.address, "RDKAFKA_TEST_CONF": str(config), "TEST_KAFKA_VERSION": "4.3.1", "TESTS": number,
        "TEST_SCENARIO": scenario, "TEST_REPORT": str(report), "TEST_LEVEL": "1", "LD_LIBRARY_PATH": f"{SOURCES.parent}/src:{SOURCES.parent}/src-cpp",
    }
    environment.pop("CI", None)
    try:
        done = run([SOURCES / "test-runner", "-Q", "-L", "-p1"], cwd=SOURCES, env=environment, timeout=DEADLINE, check=False)
    except Late as late:
        return {"late": str(late)}
    said = re.findall(r"### Test .*\n.*", done.out + done.err)
    try:
        return {**json.loads(report.read_text())["tests"], "said": said}
    except (OSError, ValueError, KeyError):
        return {"late": f"exit code {done.code}\n" + (done.out + done.err)[-3000:]}


@pytest.mark.parametrize("name,scenario", [pytest.param(n, s, id=n) for n, s in listed()])
def test_librdkafka(reports, name, scenario):
    report = reports(name, scenario)
    assert "late" not in report, report["late"]
    told = report.get(name)
    assert told, f"{name} is not in the report: {list(report)[:5]}"
    if told["state"] == "SKIPPED":
        pytest.skip(str(told))
    assert told["state"] == "PASSED", "\n".join(report["said"])
