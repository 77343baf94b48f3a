"""Share groups (KIP-932): committed reads, and Apache Kafka's own tools."""

import re

import pytest

from harness import clients
from harness.clients import tool
from harness.share import share


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
