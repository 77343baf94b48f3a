"""Kafka Streams, killed and started again: every result once with exactly_once_v2, at least once without; as a classic
group and as a streams group (KIP-1071), whose tasks also move between two instances that are killed in turn."""

import time
from collections import Counter

import pytest

from harness import clients
from harness.connect import compat_java, wait_for
from harness.node import Node
from harness.paths import ROOT
from harness.process import Running, run
from harness.streams import QUICK, Instance, Words
from harness.tools import KafkaTools

ORDERS, PER_PART = 2000, 500
BASE_MS = int(time.time()) // 60 * 60_000 - 600_000
CUSTOMERS, CURRENCIES = [f"customer{n}" for n in range(10)], ["eur", "usd", "yen"]
OUTPUTS = ("totals-out", "windows-out", "joined-out", "converted-out", "paid-out", "processed-out")


def order(n):
    return f"{CUSTOMERS[n % 10]}|{CURRENCIES[n % 3]}|{n}"


def write(broker, records):
    """`(topic, key, value, n)` in order, with timestamps of their own."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=broker.address, linger_ms=5)
    for topic, key, value, n in records:
        producer.send(topic, key=key.encode(), value=value.encode(), timestamp_ms=BASE_MS + 100 * n)
    producer.flush(60)
    producer.close()


def committed(broker, topic):
    """`(key, value)` of what a transactional reader sees, in each partition's order."""
    argv = clients.kcat(broker, "-C", "-t", topic, "-o", "beginning", "-e", "-X", "isolation.level=read_committed", "-f", "%k\t%s\\n")
    return [tuple(line.split("\t", 1)) for line in run(argv).out.splitlines()]


class Application(Running):
    def __init__(self, broker, state, guarantee, protocol):
        source = str(ROOT / "tests" / "compat" / "Orders.java")
        super().__init__(compat_java(source, broker.address, str(state), guarantee, protocol), "streams")

    def total(self, customer):
        self.process.stdin.write(f"total {customer}\n")
        self.process.stdin.flush()
        return self.wait_for_line(f"total {customer} ", 60).split()[2]


@pytest.mark.parametrize("protocol", ["classic", "streams"])
@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once_v2"])
def test_killed_and_started_again(make_broker, tmp_path, guarantee, protocol):
    broker = make_broker(group_initial_rebalance_delay_ms=200, auto_create_topics_enable="false", **QUICK).start()
    for topic, partitions in {"orders": 4, "payments": 4, "customers": 4, "rates": 1, **dict.fromkeys(OUTPUTS, 2)}.items():
        clients.create_topic(broker, topic, partitions)
    tables = [("customers", name, f"name of {name}", 0) for name in CUSTOMERS]
    write(broker, tables + [("rates", currency, f"rate of {currency}", 0) for currency in CURRENCIES])

    application = Application(broker, tmp_path / "state", guarantee, protocol)
    application.wait_for_line("RUNNING", 240)
    for part in range(ORDERS // PER_PART):
        numbers = range(part * PER_PART, (part + 1) * PER_PART)
        # Half of a part is done when the application is killed in the midst of the rest.
        first, rest = numbers[: PER_PART // 2], numbers[PER_PART // 2 :]
        write(broker, [record for n in first for record in (("orders", f"o{n}", order(n), n), ("payments", f"o{n}", f"p{n}", n))])
        wait_for(lambda: len({k for k, _ in committed(broker, "processed-out")}) >= first.stop, f"part {part}")
        write(broker, [record for n in rest for record in (("orders", f"o{n}", order(n), n), ("payments", f"o{n}", f"p{n}", n))])
        if part in (0, 2):
            application.kill()
            application = Application(broker, tmp_path / "state", guarantee, protocol)
    everything = {f"o{n}" for n in range(ORDERS)}
    for topic in ("processed-out", "converted-out", "paid-out"):
        wait_for(lambda: {k for k, _ in committed(broker, topic)} == everything, topic)
    joined = {(CUSTOMERS[n % 10], f"o{n} of name of {CUSTOMERS[n % 10]}") for n in range(ORDERS)}
    wait_for(lambda: set(committed(broker, "joined-out")) == joined, "joined-out")

    if guarantee == "exactly_once_v2":
        sums = {c: str(sum(n for n in range(ORDERS) if CUSTOMERS[n % 10] == c)) for c in CUSTOMERS}
        wait_for(lambda: dict(committed(broker, "totals-out")) == sums, "totals")
        windows = Counter(f"{CURRENCIES[n % 3]}@{(BASE_MS + 100 * n) // 60_000 * 60_000}" for n in range(ORDERS))
        wait_for(lambda: dict(committed(broker, "windows-out")) == {at: str(count) for at, count in windows.items()}, "windows")
        assert {c: application.total(c) for c in CUSTOMERS} == sums
        for topic in ("processed-out", "converted-out", "paid-out"):
            found = committed(broker, topic)
            assert sorted(k for k, _ in found) == sorted(everything), f"{topic}: a result came twice"
        assert {v for _, v in committed(broker, "processed-out")} == {"time 1"}
        assert sorted(committed(broker, "joined-out")) == sorted(joined)
    else:
        assert application.total(CUSTOMERS[0]) not in ("null", "0")
    assert "closed" in application.finish(90)


def test_instances_and_the_broker_are_killed_in_turn(make_broker, tmp_path):
    """Three instances with two replicas of each state; one after the other is killed and comes back, the broker between:
    every word is counted exactly once."""
    broker = make_broker(**QUICK, group_streams_num_standby_replicas=2).start()
    clients.create_topic(broker, "words", 6)
    clients.create_topic(broker, "counts", 2)
    words = Words(broker)
    start = lambda n: Instance(broker, "rounds", tmp_path / str(n), n)
    instances = {n: start(n) for n in (1, 2, 3)}
    try:
        for instance in instances.values():
            instance.wait_for_line("RUNNING", 240)
        for killed in (1, 2, 3, 1):
            words.write(500)
            instances[killed].kill()
            words.write(500)
            wait_for(words.are_counted, f"after instance {killed}")
            instances[killed] = start(killed)
            words.write(200)
            broker.kill()
            broker.start()
            words.write(200)
            instances[killed].wait_for_line("RUNNING", 240)
            wait_for(words.are_counted, "after the broker")
        for instance in instances.values():
            assert "closed" in instance.finish(90)
    finally:
        for instance in instances.values():
            instance.kill()


@pytest.mark.corelog
def test_a_streams_group_changes_hands(tmp_path):
    """Apache Kafka, corelog, Apache Kafka on one directory, one application that goes on: the group keeps its epochs, its
    members and what is counted."""
    node = Node(tmp_path / "node", **QUICK)
    tools, instance, epoch = KafkaTools(), None, 0
    try:
        node.format_by("kafka")
        words = Words(node)
        for turn, which in enumerate(("kafka", "corelog", "kafka")):
            node.start(which)
            if turn == 0:
                clients.create_topic(node, "words", 3)
                clients.create_topic(node, "counts", 2)
                instance = Instance(node, "moving", tmp_path / "state", 1)
                instance.wait_for_line("RUNNING", 240)
            words.write(300)
            wait_for(words.are_counted, f"turn {turn}, {which}")
            argv = ["--bootstrap-server", node.address, "--describe", "--group", "moving", "--state", "--verbose"]
            told = tools.run("streams-groups", *argv).out.splitlines()
            row = dict(zip(told[-2].split(), told[-1].split()))
            assert row["STATE"] == "Stable" and int(row["GROUP-EPOCH"]) >= max(epoch, 2), told
            epoch = int(row["GROUP-EPOCH"])
            node.stop()
        node.start("corelog")
        assert "closed" in instance.finish(90)
    finally:
        tools.close()
        if instance:
            instance.kill()
        if node.process and node.process.poll() is None:
            node.kill()
