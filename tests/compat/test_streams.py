"""Kafka Streams, killed and started again: every result once with exactly_once_v2, at least once without."""

import time
from collections import Counter

import pytest

from harness import clients
from harness.connect import compat_java, wait_for
from harness.paths import ROOT
from harness.process import Running, run

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
    def __init__(self, broker, state, guarantee):
        source = str(ROOT / "tests" / "compat" / "Orders.java")
        super().__init__(compat_java(source, broker.address, str(state), guarantee), "streams")

    def total(self, customer):
        self.process.stdin.write(f"total {customer}\n")
        self.process.stdin.flush()
        return self.wait_for_line(f"total {customer} ", 60).split()[2]


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once_v2"])
def test_killed_and_started_again(make_broker, tmp_path, guarantee):
    broker = make_broker(group_initial_rebalance_delay_ms=200, auto_create_topics_enable="false").start()
    for topic, partitions in {"orders": 4, "payments": 4, "customers": 4, "rates": 1, **dict.fromkeys(OUTPUTS, 2)}.items():
        clients.create_topic(broker, topic, partitions)
    tables = [("customers", name, f"name of {name}", 0) for name in CUSTOMERS]
    write(broker, tables + [("rates", currency, f"rate of {currency}", 0) for currency in CURRENCIES])

    application = Application(broker, tmp_path / "state", guarantee)
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
            application = Application(broker, tmp_path / "state", guarantee)
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
