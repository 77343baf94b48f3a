"""Consumer groups of the new protocol (KIP-848): Apache Kafka's own clients and tools, kills, and moves to and from it."""

import re

import pytest

from harness.broker import java
from harness.clients import create_topic, rdk, rdk_produce, tool
from harness.paths import ROOT
from harness.process import Running, run

PROGRAM = str(ROOT / "tests" / "harness" / "ConsumerGroups.java")


@pytest.fixture(scope="module")
def broker(_module_brokers):
    # A rebalance takes some heartbeats: not every five seconds here.
    return _module_brokers(
        group_initial_rebalance_delay_ms=0,
        offsets_topic_num_partitions=3,
        group_consumer_heartbeat_interval_ms=300,
        group_consumer_min_heartbeat_interval_ms=300,
        group_consumer_assignment_interval_ms=100,
    ).start()


@pytest.mark.timeout(400)
def test_members_share_move_and_change_their_protocol(broker):
    """Uniform and range assignors, static members, patterns, settings of groups, a rolling migration there and back."""
    done = run(java(PROGRAM, "steps", broker.address), timeout=360)
    told = [line for line in done.out.splitlines() if line.startswith("ok ")]
    assert told == [f"ok {step}" for step in ("share", "ranges", "statics", "patterns", "settings", "migrate", "wrong")]


def test_librdkafka_and_the_console_consumer_speak_the_new_protocol(broker):
    topic, group = "rdk", "rdk-group"
    create_topic(broker, topic, partitions=4)
    rdk_produce(broker, topic, [(f"k{n}", str(n)) for n in range(50)])
    argv = rdk(broker, "member", "--topic", topic, "--group", group, group_protocol="consumer")
    first, second = Running(argv, "first"), None
    try:
        first.wait_for_line("assigned 0,1,2,3")
        second = Running(argv, "second")
        # The first has given up what the second gets.
        second.wait_for_line("assigned ")
        first.wait_until(lambda: [line for line in first.lines if line.startswith("revoked ")], "a part is given up")
        owned = [
            {int(p) for p in [line for line in member.lines if line.startswith("assigned ")][-1].split()[1].split(",")}
            for member in (first, second)
        ]
        assert owned[0] | owned[1] == {0, 1, 2, 3} and len(owned[1]) == 2, owned
        first.finish(30)
        second.finish(30)
    finally:
        for member in filter(None, (first, second)):
            member.kill()
    out = tool(
        "kafka-console-consumer", "--topic", topic, "--group", "console", "--from-beginning", "--max-messages", "50",
        "--command-property", "group.protocol=consumer", broker=broker,
    ).out
    assert sorted(map(int, out.split())) == list(range(50))
    listed = tool("kafka-groups", "--list", "--consumer", broker=broker).out
    rows = {tuple(line.split()) for line in listed.splitlines()}
    assert {(group, "Consumer", "consumer"), ("console", "Consumer", "consumer")} <= rows, listed


@pytest.mark.timeout(400)
def test_a_kill_9_keeps_members_and_their_partitions_and_the_tools_tell_them(broker):
    topic, group = "stays", "staying"
    create_topic(broker, topic, partitions=4)
    member = Running(java(PROGRAM, "stay", broker.address, topic, group), "a member")
    try:
        assert member.wait_for_line("owned ") == "owned 4"
        rdk_produce(broker, topic, [(f"k{n}", str(n)) for n in range(100)])
        member.process.stdin.write("100\n")
        member.process.stdin.flush()
        before = member.wait_for_line("read 100")
        broker.kill()
        broker.start()
        rdk_produce(broker, topic, [(f"k{n}", str(n)) for n in range(100, 200)])
        member.process.stdin.write("200\n")
        member.process.stdin.flush()
        after = member.wait_for_line("read 200")
        # The same member, and it never lost a partition.
        assert before.split()[-1] == after.split()[-1] and " lost 0 " in after, (before, after)
        shown = {flag: tool("kafka-consumer-groups", "--describe", "--group", group, *flag, broker=broker).out for flag in
                 ((), ("--members", "--verbose"), ("--state",))}
        assert len(re.findall(rf"^{group}\s+{topic}\s+\d\s+\d+\s+\d+\s+0\s", shown[()], re.M)) == 4, shown[()]
        assert re.search(rf"{topic}:0,1,2,3", shown[("--members", "--verbose")]), shown
        assert re.search(r"Stable\s+1\b", shown[("--state",)]) and "uniform" in shown[("--state",)], shown
        listed = tool("kafka-consumer-groups", "--list", "--type", "consumer", broker=broker).out
        assert group in listed.split(), listed
        member.finish(60)
    finally:
        member.kill()
    shown = tool("kafka-consumer-groups", "--describe", "--group", group, "--state", broker=broker).out
    assert re.search(r"Empty\s+0\b", shown), shown
    tool("kafka-consumer-groups", "--delete", "--group", group, broker=broker)
    assert group not in tool("kafka-consumer-groups", "--list", broker=broker).out.split()
