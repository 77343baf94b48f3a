"""Share groups (KIP-932) with Apache Kafka's own share consumer and tools."""

import re

import pytest

from harness import clients
from harness.broker import java
from harness.clients import tool
from harness.paths import ROOT
from harness.process import run

PROGRAM = str(ROOT / "tests" / "harness" / "ShareGroups.java")


def share(verb, broker, topic, group, *argv):
    """Runs a verb of `ShareGroups.java`: member, partition, offset, delivery count and value of each record."""
    out = run(java(PROGRAM, verb, broker.address, topic, group, *map(str, argv)), timeout=150).out
    assert "ERROR" not in out, out
    lines = [line.split(" ", 4) for line in out.splitlines() if line and line != "configured"]
    return [(member, int(partition), int(offset), int(count), value) for member, partition, offset, count, value in lines]


@pytest.mark.timeout(400)
def test_two_members_divide_a_topic_and_a_killed_broker_knows_how_far_they_came(make_broker):
    broker = make_broker().start()
    clients.create_topic(broker, "work", partitions=2)
    share("earliest", broker, "work", "workers")
    got = share("divide", broker, "work", "workers", 200)
    assert sorted(value for *_, value in got) == sorted(f"v{n}" for n in range(200)), "each exactly once"
    assert {count for *_, count, _ in got} == {1}

    described = tool("kafka-share-groups", "--describe", "--group", "workers", broker=broker).out
    for partition in range(2):
        # The start offset is written with the next acknowledgement; the lag counts what is done behind it.
        assert re.search(rf"workers\s+work\s+{partition}\s+\d+\s+0\s", described), described

    broker.kill()
    broker.start()
    clients.rdk_produce(broker, "work", [(None, f"new{n}") for n in range(10)])
    got = share("rest", broker, "work", "workers", 10)
    assert sorted(value for *_, value in got) == sorted(f"new{n}" for n in range(10)), "what was accepted stays so"


@pytest.mark.timeout(300)
def test_records_are_accepted_released_rejected_and_renewed(broker):
    clients.create_topic(broker, "verdicts", partitions=1)
    share("earliest", broker, "verdicts", "judges")
    got = share("verdicts", broker, "verdicts", "judges")
    deliveries = {}
    for _, _, offset, count, _ in got:
        deliveries.setdefault(offset, []).append(count)
    assert sorted(deliveries) == list(range(12))
    for offset, counts in deliveries.items():
        # A released record comes again until it was delivered as often as group.share.delivery.count.limit allows; one
        # that is renewed is the same delivery.
        assert counts == {0: [1], 1: [1, 2, 3, 4, 5], 2: [1], 3: [1, 1]}[offset % 4], (offset, counts)


@pytest.mark.timeout(300)
def test_a_group_that_reads_committed_gets_no_aborted_records(broker):
    clients.create_topic(broker, "banked", partitions=1)
    share("earliest", broker, "banked", "tellers")
    got = share("transactions", broker, "banked", "tellers")
    assert [value for *_, value in got] == [f"committed{n}" for n in range(5)] * 2


@pytest.mark.timeout(300)
def test_the_tools_list_describe_reset_and_delete(broker):
    clients.create_topic(broker, "tooled", partitions=1)
    clients.rdk_produce(broker, "tooled", [(None, f"t{n}") for n in range(5)])
    share("earliest", broker, "tooled", "handy")
    got = tool(
        "kafka-console-share-consumer", "--topic", "tooled", "--group", "handy", "--max-messages", 5,
        "--timeout-ms", 30000, broker=broker,
    ).out
    assert sorted(got.split()) == [f"t{n}" for n in range(5)]
    assert "handy" in tool("kafka-share-groups", "--list", broker=broker).out.splitlines()
    assert re.search(r"handy\s+.*Empty", tool("kafka-share-groups", "--describe", "--group", "handy", "--state", broker=broker).out)
    reset = tool(
        "kafka-share-groups", "--reset-offsets", "--group", "handy", "--topic", "tooled", "--to-earliest", "--execute",
        broker=broker,
    ).out
    assert re.search(r"handy\s+tooled\s+0\s+0", reset), reset
    assert len(share("rest", broker, "tooled", "handy", 5)) == 5, "from the beginning once more"
    tool("kafka-share-groups", "--delete-offsets", "--group", "handy", "--topic", "tooled", broker=broker)
    tool("kafka-share-groups", "--delete", "--group", "handy", broker=broker)
    assert "handy" not in tool("kafka-share-groups", "--list", broker=broker).out.splitlines()
