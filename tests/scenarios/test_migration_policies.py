"""`group.consumer.migration.policy`, each value: a member of the new protocol comes to a classic group, and leaves a mixed
one. By hand, as clients hide what they are told."""

import struct
import time

import pytest

from harness.clients import create_topic
from harness.wire import Connection

JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP, LIST_GROUPS, FIND_COORDINATOR, CONSUMER_GROUP_HEARTBEAT = 11, 13, 14, 16, 10, 68
GROUP_ID_NOT_FOUND = 69
MEMBER_ID_REQUIRED = 79


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


SUBSCRIPTION = struct.pack(">hi", 0, 1) + text("t") + struct.pack(">i", -1)
BOTH_PARTITIONS = struct.pack(">hi", 0, 1) + text("t") + struct.pack(">iiii", 2, 0, 1, -1)


def until(ask, unready=(14, 15, 16)):
    """The first answer of a coordinator that has loaded."""
    end = time.monotonic() + 60
    while (told := ask())["ErrorCode"] in unready:
        assert time.monotonic() < end, told
        time.sleep(0.02)
    return told


def classic_group(connection, group):
    """A Stable group of one classic member."""
    ask = {
        "GroupId": group, "SessionTimeoutMs": 45_000, "RebalanceTimeoutMs": 60_000, "ProtocolType": "consumer",
        "Protocols": [{"Name": "range", "Metadata": SUBSCRIPTION}],
    }
    told = until(lambda: connection.ask(JOIN_GROUP, 9, **ask))
    assert told["ErrorCode"] == MEMBER_ID_REQUIRED
    member = told["MemberId"]
    told = connection.ask(JOIN_GROUP, 9, **ask, MemberId=member)
    assert told["ErrorCode"] == 0 and told["Leader"] == member
    assigned = [{"MemberId": member, "Assignment": BOTH_PARTITIONS}]
    names = {"ProtocolType": "consumer", "ProtocolName": "range"}
    told = connection.ask(
        SYNC_GROUP, 5, GroupId=group, GenerationId=told["GenerationId"], MemberId=member, Assignments=assigned, **names
    )
    assert (told["ErrorCode"], told["Assignment"]) == (0, BOTH_PARTITIONS)
    return member


def heartbeat(connection, group, epoch):
    ask = {"GroupId": group, "MemberId": f"new-in-{group}", "MemberEpoch": epoch}
    if epoch == 0:
        ask |= {"RebalanceTimeoutMs": 60_000, "SubscribedTopicNames": ["t"], "TopicPartitions": []}
    return until(lambda: connection.ask(CONSUMER_GROUP_HEARTBEAT, 1, **ask))["ErrorCode"]


def kind(connection, group):
    groups = until(lambda: connection.ask(LIST_GROUPS, 5))["Groups"]
    return next(one["GroupType"].lower() for one in groups if one["GroupId"] == group)


@pytest.fixture(scope="module")
def mixed(_module_brokers):
    """A broker on which a group of each name has a member of either protocol, or a classic one alone."""
    broker = _module_brokers(
        group_initial_rebalance_delay_ms=0, offsets_topic_num_partitions=1, group_consumer_migration_policy="bidirectional"
    ).start()
    create_topic(broker, "t", partitions=2)
    with Connection(broker.address) as connection:
        end = time.monotonic() + 60
        while connection.ask(FIND_COORDINATOR, 4, CoordinatorKeys=["g"])["Coordinators"][0]["ErrorCode"]:
            assert time.monotonic() < end
            time.sleep(0.02)
        for policy in POLICIES:
            classic_group(connection, f"classic-{policy}")
            classic_group(connection, f"mixed-{policy}")
            assert heartbeat(connection, f"mixed-{policy}", 0) == 0
            assert kind(connection, f"mixed-{policy}") == "consumer"
    return broker


#: policy: (a classic group takes members of the new protocol, a mixed one becomes classic when the last of them goes)
POLICIES = {
    "disabled": (False, False), "upgrade": (True, False), "downgrade": (False, True), "bidirectional": (True, True)
}


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_lets_groups_change_its_way(mixed, policy):
    upgrades, downgrades = POLICIES[policy]
    mixed.restart(group_consumer_migration_policy=policy)
    with Connection(mixed.address) as connection:
        expected = 0 if upgrades else GROUP_ID_NOT_FOUND
        assert heartbeat(connection, f"classic-{policy}", 0) == expected
        assert kind(connection, f"classic-{policy}") == ("consumer" if upgrades else "classic")
        assert heartbeat(connection, f"mixed-{policy}", -1) == 0
        assert kind(connection, f"mixed-{policy}") == ("classic" if downgrades else "consumer")
