"""Clients too old for Apache Kafka 4 and those it still has: each creates a topic, writes in each compression it has,
reads as a group of one and of two what it and today's librdkafka wrote, commits, and deletes the topic."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import clients
from harness.broker import IS_CORELOG
from harness.old_clients import CLIENTS
from harness.process import run


def old_clients():
    for name, client in CLIENTS.items():
        yield pytest.param(name, marks=[pytest.mark.corelog] if client.beyond_kafka_4 else [])


@pytest.fixture(scope="module")
def broker(_module_brokers):
    """kafka-python 2.2 asks for its topic once more after it has deleted it: that must not create it again."""
    return _module_brokers(group_initial_rebalance_delay_ms=200, auto_create_topics_enable="false").start()


class Work:
    """One old client from its start to the end of its input; what went wrong is for its own scenario to tell."""

    def __init__(self, broker, name):
        self.broker, self.topic, self.codecs = broker, f"of-{name}", CLIENTS[name].codecs
        self.program = CLIENTS[name].start(broker, self.topic)
        self.everything = []

    def after_its_writes(self):
        """What today's client reads of it; then today's client adds to the topic, and the old one is told how much
        there is."""
        self.program.wait_for_line("ready", 90)
        self.written = clients.franz_consume(self.broker, self.topic)
        for codec in self.codecs:
            for partition in range(2):
                sent = [(f"new{n}", f"{codec} of today " + "again " * n) for n in range(10)]
                clients.rdk_produce(self.broker, self.topic, sent, codec, partition)
        self.everything = clients.rdk_consume(self.broker, self.topic)
        self.program.process.stdin.write(f"{len(self.everything)}\n")
        self.program.process.stdin.close()


@pytest.fixture(scope="module")
def at_work(broker):
    """All of them at once, on the same broker: their work, and how far it has got."""
    asked = [name for name, client in CLIENTS.items() if IS_CORELOG or not client.beyond_kafka_4]
    work = {name: Work(broker, name) for name in asked}
    with ThreadPoolExecutor(3) as pool:
        yield {name: (one, pool.submit(one.after_its_writes)) for name, one in work.items()}
        for one in work.values():
            one.program.kill()


def told(program, word):
    return sorted(clients.record(line.removeprefix(word)) for line in program.lines if line.startswith(word))


def listed_topics(broker):
    return [topic["topic"] for topic in json.loads(run(clients.kcat(broker, "-L", "-J")).out)["topics"]]


@pytest.mark.parametrize("name", old_clients())
def test_an_old_client_creates_writes_reads_joins_commits_and_deletes(broker, at_work, name):
    work, step = at_work[name]
    step.result()
    wrote = told(work.program, "wrote ")
    expected = [f"{codec} {n} " + "again and again " * n for codec in work.codecs for n in range(40)]
    assert sorted(r.value for r in wrote) == sorted(expected)
    assert work.written == wrote, "today's client reads otherwise than the old one wrote"

    lines = work.program.finish(90)
    assert told(work.program, "read ") == work.everything, "the old client reads otherwise than today's"
    assert "balanced" in lines
    ends = {p: max(r.offset for r in work.everything if r.partition == p) + 1 for p in range(2)}
    assert {int(p): int(at) for p, at in re.findall(r"^committed (\d+) (\d+)$", "\n".join(lines), re.M)} == ends
    assert "deleted" in lines
    gone_by = time.monotonic() + 10  # Apache Kafka answers before it has forgotten the topic
    while work.topic in listed_topics(broker):
        assert time.monotonic() < gone_by, "deleted, and still listed"
