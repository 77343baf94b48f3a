"""Share groups (KIP-932) with Apache Kafka's own share consumer; more of them in tests/compat."""

import re

import pytest

from harness import clients
from harness.clients import tool
from harness.share import share


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
