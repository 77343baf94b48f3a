"""Consumer groups while their members come, go and die."""

import re
import struct
import time

import pytest

from harness import clients
from harness.clients import tool
from harness.process import Late, Running

PROPERTIES = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 300, "partition_assignment_strategy": "range"}


class Member:
    """A consumer of a group in a process of its own, and what it has told so far."""

    def __init__(self, broker, topic, group, number, **properties):
        self.number = number
        argv = clients.rdk(
            broker, "member", "--topic", topic, "--group", group, **{**PROPERTIES, "client_id": f"m{number}", **properties}
        )
        self.program = Running(argv, f"member {number}")

    def owned(self):
        """What it owns by its last word; None before its first."""
        for line in reversed(self.program.lines):
            word, _, rest = line.partition(" ")
            if word in ("assigned", "revoked"):
                return {int(p) for p in rest.split(",") if p}
        return None

    def consumed(self):
        return [tuple(map(int, line.split()[1:])) for line in self.program.lines if line.startswith("consumed ")]

    def leave(self):
        self.program.finish(30)


def wait_for(condition, what, timeout=60, members=()):
    """For conditions over several programs; each has its own events, so this looks every few milliseconds."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        for member in members:
            assert member.program.alive(), f"{what}: ended by itself: {member.program}"
        if time.monotonic() > end:
            raise Late(f"{what}: not within {timeout} s; " + "; ".join(f"{m.number}: {m.owned()}" for m in members))
        time.sleep(0.02)
    return result


def balanced(members, partitions, idle=0):
    """Each partition has one owner, and all but `idle` members own some."""
    owned = [m.owned() for m in members]
    if None in owned:
        return False
    together = sorted(p for o in owned for p in o)
    return together == list(range(partitions)) and sum(1 for o in owned if not o) == idle


def commits_in_the_log(broker, group, topic):
    """Every commit of the group as `__consumer_offsets` holds them, in order: {partition: [offset]}."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False, exclude_internal_topics=False)
    found = {}
    try:
        partitions = [TopicPartition("__consumer_offsets", p) for p in consumer.partitions_for_topic("__consumer_offsets")]
        ends = consumer.end_offsets(partitions)
        partitions = [tp for tp in partitions if ends[tp] > 0]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            for batch in consumer.poll(timeout_ms=1000).values():
                for r in batch:
                    commit = _commit(r.key, r.value)
                    if commit and commit[:2] == (group, topic):
                        found.setdefault(commit[2], []).append(commit[3])
    finally:
        consumer.close()
    return found


def _commit(key, value):
    """(group, topic, partition, offset) of an OffsetCommit record, else None."""
    (version,) = struct.unpack_from(">h", key)
    if version > 1 or value is None:
        return None
    at, names = 2, []
    for _ in range(2):
        (length,) = struct.unpack_from(">h", key, at)
        names.append(key[at + 2 : at + 2 + length].decode())
        at += 2 + length
    (partition,) = struct.unpack_from(">i", key, at)
    _, offset = struct.unpack_from(">hq", value)
    return names[0], names[1], partition, offset


def lags(broker, group):
    """{partition: lag} as kafka-consumer-groups shows it."""
    out = tool("kafka-consumer-groups", "--describe", "--group", group, broker=broker).out.splitlines()
    header = next(line.split() for line in out if line.startswith("GROUP"))
    rows = [line.split() for line in out if line.startswith(group)]
    return {int(row[header.index("PARTITION")]): row[header.index("LAG")] for row in rows}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_four_consumers_over_twelve_partitions_while_members_join_leave_and_are_killed(broker, seed, strategy):
    topic, group, partitions = f"churn-{strategy}", f"churners-{strategy}", 12
    clients.create_topic(broker, topic, partitions=partitions)
    load = clients.rdk_load(broker, topic, "--per-second", "2000")
    started = []

    def join():
        started.append(Member(broker, topic, group, len(started), partition_assignment_strategy=strategy))
        return started[-1]

    living = [join() for _ in range(4)]
    try:
        wait_for(lambda: balanced(living, partitions), "four members share all partitions", members=living)
        for what in seed.sample(["join", "leave", "kill"] * 2, 6):
            if what == "join" or len(living) < 3:
                living.append(join())
            else:
                member = living.pop(seed.randrange(len(living)))
                member.leave() if what == "leave" else member.program.kill()
            wait_for(lambda: balanced(living, partitions), f"shared again after a {what}", members=living)
        acknowledged = {(r.partition, r.offset) for r in map(clients.record, load.finish())}
        assert len(acknowledged) > 2000

        def everything_consumed():
            return acknowledged <= {place for member in started for place in member.consumed()}

        wait_for(everything_consumed, "every acknowledged record is consumed", members=living)
        for member in living:
            member.leave()
        assert lags(broker, group) == {p: "0" for p in range(partitions)}, "lag at the end"
        commits = commits_in_the_log(broker, group, topic)
        assert set(commits) == set(range(partitions))
        for partition, offsets in commits.items():
            assert offsets == sorted(offsets), f"commits of partition {partition} go backwards: {offsets}"
    finally:
        load.kill()
        for member in started:
            member.program.kill()


def test_five_members_over_three_partitions_leave_two_idle(broker):
    topic, group = "few-partitions", "many-members"
    clients.create_topic(broker, topic, partitions=3)
    members = [Member(broker, topic, group, n) for n in range(5)]
    try:
        wait_for(lambda: balanced(members, 3, idle=2), "three own one each, two are idle", members=members)
        shown = tool("kafka-consumer-groups", "--describe", "--group", group, "--members", broker=broker).out
        rows = [line for line in shown.splitlines() if line.startswith(group)]
        assert sorted(int(re.findall(r"\s(\d+)\s*$", row)[0]) for row in rows) == [0, 0, 1, 1, 1], shown
        sent = clients.rdk_produce(broker, topic, [(f"k{n}", str(n)) for n in range(300)])
        places = sorted((r.partition, r.offset) for r in sent)
        wait_for(
            lambda: sorted(place for m in members for place in m.consumed()) == places, "each record once", members=members
        )
    finally:
        for member in members:
            member.program.kill()


def test_two_groups_both_read_everything(broker):
    topic = "two-groups"
    clients.create_topic(broker, topic, partitions=4)
    sent = clients.rdk_produce(broker, topic, [(f"k{n}", str(n)) for n in range(2000)])
    places = sorted((r.partition, r.offset) for r in sent)
    groups = [[Member(broker, topic, f"group-{g}", 2 * g + n) for n in range(2)] for g in range(2)]
    try:
        for members in groups:
            wait_for(
                lambda: set(place for m in members for place in m.consumed()) == set(places), "all read", members=members
            )
        assert len(clients.franz_consume(broker, topic, group="group-of-franz-go")) == 2000
    finally:
        for members in groups:
            for member in members:
                member.program.kill()


def test_members_of_different_libraries_share_a_group(broker):
    """librdkafka and kafka-python agree on `range` and share the partitions of one group."""
    from kafka import KafkaConsumer
    from kafka.coordinator.assignors.range import RangePartitionAssignor

    topic, group, partitions = "mixed", "mixed-group", 6
    clients.create_topic(broker, topic, partitions=partitions)
    member = Member(broker, topic, group, 0)
    python = KafkaConsumer(
        topic, group_id=group, bootstrap_servers=broker.address, auto_offset_reset="earliest",
        partition_assignment_strategy=[RangePartitionAssignor], session_timeout_ms=6000, heartbeat_interval_ms=300,
    )
    try:
        read = []

        def poll():
            for batch in python.poll(timeout_ms=50).values():
                read.extend((r.partition, r.offset) for r in batch)

        def shared():
            poll()
            theirs, ours = member.owned() or set(), {tp.partition for tp in python.assignment()}
            return theirs and ours and sorted([*theirs, *ours]) == list(range(partitions))

        wait_for(shared, "both own partitions", members=[member])
        sent = clients.rdk_produce(broker, topic, [(f"k{n}", str(n)) for n in range(600)])

        def all_read():
            poll()
            return set(read) | set(member.consumed()) == {(r.partition, r.offset) for r in sent}

        wait_for(all_read, "together they read all", members=[member])
    finally:
        python.close()
        member.program.kill()


def test_static_member_that_returns_causes_no_rebalance(broker):
    topic, group = "static", "static-group"
    clients.create_topic(broker, topic, partitions=4)
    stays = Member(broker, topic, group, 0, group_instance_id="stays")
    goes = Member(broker, topic, group, 1, group_instance_id="goes")
    try:
        wait_for(lambda: balanced([stays, goes], 4), "two static members share", members=[stays, goes])
        mine, told = goes.owned(), len(stays.program.lines)
        goes.program.kill()
        goes = Member(broker, topic, group, 1, group_instance_id="goes")
        wait_for(lambda: goes.owned() == mine, "it has its old partitions again", members=[goes])
        assert not [line for line in stays.program.lines[told:] if line.startswith(("revoked", "assigned"))]
    finally:
        stays.program.kill()
        goes.program.kill()
