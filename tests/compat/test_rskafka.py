"""rskafka's own integration tests, unchanged, with its compiler's name taken away (`install.sh`). Those that want a SOCKS
proxy, TLS or SASL leave themselves out; where another client writes or reads it is librdkafka and Apache Kafka's."""

import os
import re
import subprocess

import pytest

from harness.paths import TOOLS

SOURCES = TOOLS / "rskafka"
SUITES = ("client", "consumer", "produce_consume", "producer")
#: they ask for a proxy, for TLS or for SASL; of the last only the settings
ELSEWHERE = r"test_(socks5|tls|sasl)"


def listed():
    for suite in SUITES:
        text = (SOURCES / "tests" / f"{suite}.rs").read_text() if SOURCES.exists() else ""
        for name in re.findall(r"#\[tokio::test\]\s+(?:#\[.*\]\s+)*async fn (\w+)\(", text):
            if not re.match(ELSEWHERE, name):
                yield suite, name


@pytest.fixture(scope="module")
def outcomes(_module_brokers):
    """{(suite, test): what became of it}, each suite run once. Topics do not come by themselves, as in its own settings."""
    broker = _module_brokers(auto_create_topics_enable="false").start()
    environment = {
        **os.environ, "TEST_INTEGRATION": "1", "TEST_BROKER_IMPL": "kafka", "KAFKA_CONNECT": broker.address,
        "CARGO_TARGET_DIR": str(SOURCES / "target"), "CARGO_PROFILE_DEV_DEBUG": "0",
    }  # fmt: skip
    found = {}
    for suite in SUITES:
        command = ["cargo", "test", "-q", "--no-fail-fast", "--test", suite, "--", "--test-threads", "2", "--format", "pretty"]
        done = subprocess.run(command, cwd=SOURCES, env=environment, capture_output=True, text=True, timeout=900, check=False)
        for name, outcome in re.findall(r"^test (\S+) \.\.\. (\w+)", done.stdout, re.M):
            told = re.search(rf"---- {re.escape(name)} stdout ----\n(.*?)\n\n", done.stdout, re.S)
            found[suite, name.split("::")[-1]] = outcome if outcome == "ok" else f"{outcome}: {told.group(1)[:2000] if told else ''}"
        assert any(key[0] == suite for key in found), done.stdout[-2000:] + done.stderr[-2000:]
    return found


@pytest.mark.parametrize("suite,name", [pytest.param(s, n, id=f"{s}::{n}") for s, n in listed()])
def test_rskafka(outcomes, suite, name):
    assert outcomes.get((suite, name)) == "ok"
