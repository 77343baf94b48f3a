"""Configurations of topics and brokers: set at creation, altered while the broker runs, described, kept.

Field by field and word by word what Apache Kafka 4.3.1 answers; the same file runs on it."""

import os
import socket
import time
from pathlib import Path

import pytest

from harness import clients
from harness.admin import (
    APPEND, BROKER, BROKER_LOGGER, DELETE, SET, SUBTRACT, TOPIC, alter, describe, incremental_alter,
)
from harness.broker import IS_CORELOG
from harness.clients import tool

GOLDEN = Path(__file__).parents[1] / "harness" / "describe_configs.tsv"
#: what the harness itself gives the one broker or the other
GIVEN = {
    "advertised.listeners", "broker.id", "controller.listener.names", "controller.quorum.voters", "listeners", "log.dirs",
    "listener.security.protocol.map", "node.id", "process.roles", "offsets.topic.replication.factor",
    "share.coordinator.state.topic.min.isr", "share.coordinator.state.topic.replication.factor",
    "transaction.state.log.min.isr", "transaction.state.log.replication.factor",
}
#: what Apache Kafka sets for all brokers because its clusters have eligible leader replicas
ELSE = {"min.insync.replicas"}

#: every topic configuration with a value that is not its default
EVERY = {
    "cleanup.policy": "compact,delete",
    "compression.gzip.level": "5",
    "compression.lz4.level": "3",
    "compression.type": "zstd",
    "compression.zstd.level": "7",
    "delete.retention.ms": "1000",
    "file.delete.delay.ms": "1001",
    "flush.messages": "1002",
    "flush.ms": "1003",
    "follower.replication.throttled.replicas": "0:1",
    "index.interval.bytes": "1004",
    "leader.replication.throttled.replicas": "*",
    "local.retention.bytes": "1005",
    "local.retention.ms": "1006",
    "max.compaction.lag.ms": "100000",
    "max.message.bytes": "1007",
    "message.timestamp.after.max.ms": "1008",
    "message.timestamp.before.max.ms": "1009",
    "message.timestamp.type": "LogAppendTime",
    "min.cleanable.dirty.ratio": "0.25",
    "min.compaction.lag.ms": "1010",
    "min.insync.replicas": "2",
    "preallocate": "true",
    "remote.log.copy.disable": "true",
    "remote.log.delete.on.disable": "true",
    "retention.bytes": "1011",
    "retention.ms": "1012",
    "segment.bytes": "1048577",
    "segment.index.bytes": "1013",
    "segment.jitter.ms": "1014",
    "segment.ms": "1015",
    "unclean.leader.election.enable": "true",
}


def line(entry):
    synonyms = " ".join(f"{source}:{name}={value}" for name, value, source in entry.synonyms)
    fields = (entry.name, entry.value, entry.source, entry.type, entry.read_only, entry.sensitive, synonyms)
    return "\t".join(map(str, fields))


def of_topic(broker, topic, *keys):
    ((error, message, entries),) = describe(broker.address, (TOPIC, topic, list(keys) or None))
    assert error == 0, message
    return entries


def own(broker, topic):
    """What the topic itself sets."""
    return {e.name: e.value for e in of_topic(broker, topic).values() if e.source == 1}


def change(broker, kind, name, *changes, validate_only=False):
    return incremental_alter(broker.address, (kind, name, list(changes)), validate_only=validate_only)[0]


def test_rows_of_a_broker_and_of_a_topic_are_apache_kafkas_field_by_field(make_broker):
    broker = make_broker(log_retention_minutes=6000, log_roll_hours=5).start()
    clients_create(broker, "plain")
    rows = []
    for kind, name in ((BROKER, "1"), (TOPIC, "plain")):
        ((error, _, entries),) = describe(broker.address, (kind, name))
        assert error == 0
        # corelog documents topics and what it acts on.
        assert all(entry.documentation for entry in entries.values()) or (IS_CORELOG and kind == BROKER)
        asked = (entry for entry in sorted(entries.values()) if not entry.name.startswith("corelog."))
        rows += [line(entry) for entry in asked if entry.name not in GIVEN | ELSE]
    text = "".join(f"{row}\n" for row in rows)
    if os.environ.get("GOLDEN") == "write" and not IS_CORELOG:
        GOLDEN.write_text(text)
    assert text.splitlines() == GOLDEN.read_text().splitlines()


def clients_create(broker, topic, **configs):
    named = [word for key, value in configs.items() for word in ("--config", f"{key}={value}")]
    tool("kafka-topics", "--create", "--topic", topic, *named, broker=broker)


def test_every_topic_configuration_is_set_at_creation_kept_and_altered(make_broker):
    broker = make_broker().start()
    clients_create(broker, "every", **EVERY)
    assert own(broker, "every") == EVERY
    broker.restart()
    assert own(broker, "every") == EVERY

    shown = tool("kafka-configs", "--describe", "--topic", "every", broker=broker).out
    for key, value in EVERY.items():
        assert f"{key}={value} sensitive=false synonyms={{DYNAMIC_TOPIC_CONFIG:{key}={value}" in shown, shown
    deleted = ",".join(EVERY)
    tool("kafka-configs", "--alter", "--topic", "every", "--delete-config", deleted, broker=broker)
    assert own(broker, "every") == {}
    listed = ",".join(f"{key}=[{value}]" if "," in value else f"{key}={value}" for key, value in EVERY.items())
    tool("kafka-configs", "--alter", "--topic", "every", "--add-config", listed, broker=broker)
    assert own(broker, "every") == EVERY
    refused = tool(
        "kafka-topics", "--create", "--topic", "tiered", "--config", "remote.storage.enable=true", broker=broker, check=False
    )
    assert refused.code == 1 and "Tiered Storage functionality is disabled" in refused.out + refused.err


def test_kafka_configs_alters_one_broker_and_all(make_broker):
    broker = make_broker().start()

    def configs(*argv, check=True):
        done = tool("kafka-configs", "--entity-type", "brokers", *argv, broker=broker, check=check)
        return done.out + done.err

    configs("--entity-default", "--alter", "--add-config", "log.retention.ms=6000,log.segment.bytes=2097152")
    configs("--entity-name", 1, "--alter", "--add-config", "log.retention.ms=5000")
    clients_create(broker, "defaults")
    entry = of_topic(broker, "defaults", "retention.ms")["retention.ms"]
    levels = (("log.retention.ms", "5000", 2), ("log.retention.ms", "6000", 3), ("log.retention.hours", "168", 5))
    assert (entry.value, entry.source, entry.synonyms) == ("5000", 2, levels)
    assert of_topic(broker, "defaults", "segment.bytes")["segment.bytes"].value == "2097152"
    broker.restart()
    assert of_topic(broker, "defaults", "retention.ms")["retention.ms"].synonyms == levels
    shown = configs("--entity-default", "--describe")
    assert "log.retention.ms=6000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=6000}" in shown
    configs("--entity-name", 1, "--alter", "--delete-config", "log.retention.ms")
    assert of_topic(broker, "defaults", "retention.ms")["retention.ms"].value == "6000"
    refused = configs("--entity-name", 1, "--alter", "--add-config", "log.dirs=/x", check=False)
    assert "Cannot update these configs dynamically" in refused, refused


def test_an_admin_client_of_another_language_alters_and_describes(broker):
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

    clients_create(broker, "python")
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "python", {"retention.ms": "12345"})])
        assert own(broker, "python") == {"retention.ms": "12345"}
        told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "python")])
        assert "12345" in str(told)
    finally:
        admin.close()


def test_an_alteration_of_a_topic_holds_at_once(broker):
    from kafka import KafkaProducer
    from kafka.errors import KafkaError, MessageSizeTooLargeError

    clients_create(broker, "live")
    producer = KafkaProducer(bootstrap_servers=broker.address, retries=0, max_request_size=8 << 20)

    def send(size, key=b"k"):
        return producer.send("live", key=key, value=b"x" * size).get(30)

    try:
        send(10_000)
        assert change(broker, TOPIC, "live", ("max.message.bytes", SET, "5000")) == (0, None)
        with pytest.raises(MessageSizeTooLargeError):
            send(10_000)
        assert change(broker, TOPIC, "live", ("max.message.bytes", DELETE, None)) == (0, None)
        send(10_000)
        with pytest.raises(MessageSizeTooLargeError):
            send(2_000_000)
        # The default of all topics that set nothing themselves.
        assert change(broker, BROKER, "", ("message.max.bytes", SET, "4000000")) == (0, None)
        send(2_000_000)
        assert change(broker, TOPIC, "live", ("segment.bytes", SET, "1048576")) == (0, None)
        with pytest.raises(KafkaError, match="RecordListTooLarge|larger than the segment|RECORD_LIST_TOO_LARGE|18"):
            send(2_000_000)
        assert change(broker, TOPIC, "live", ("cleanup.policy", APPEND, "compact")) == (0, None)
        with pytest.raises(KafkaError):
            send(10, key=None)
        assert change(broker, TOPIC, "live", ("cleanup.policy", SUBTRACT, "compact")) == (0, None)
        send(10, key=None)
        assert change(broker, TOPIC, "live", ("message.timestamp.type", SET, "LogAppendTime")) == (0, None)
        assert producer.send("live", value=b"y", timestamp_ms=1).get(30).timestamp > 1_000_000
        # One replica is as many in-sync replicas as there can be.
        assert change(broker, TOPIC, "live", ("min.insync.replicas", SET, "2")) == (0, None)
        acked = KafkaProducer(bootstrap_servers=broker.address, acks="all", retries=0)
        acked.send("live", value=b"z").get(30)
        acked.close()
    finally:
        producer.close()
        change(broker, BROKER, "", ("message.max.bytes", DELETE, None))


def test_limits_of_connections_hold_for_those_to_come(make_broker):
    broker = make_broker().start()

    def connect():
        return socket.create_connection(("127.0.0.1", broker.port), timeout=10)

    def is_closed(connection):
        connection.settimeout(0.3)
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False

    def closes_the_next():
        with connect() as connection:
            return is_closed(connection)

    with connect() as first, connect() as second:
        assert not is_closed(second)
        assert change(broker, BROKER, "", ("max.connections.per.ip", SET, "2")) == (0, None)
        end = time.monotonic() + 30
        while not closes_the_next():  # Apache Kafka answers before the limit acts
            assert time.monotonic() < end, "a third connection stays"
        assert not is_closed(first)
        first.close()
        while change_or_none(broker, "max.connections.per.ip") is None:
            assert time.monotonic() < end, "the place of the first is not given back"
        while closes_the_next():
            assert time.monotonic() < end, "the limit is not lifted"


def change_or_none(broker, key):
    """Deletes a key where the broker lets us in."""
    try:
        return change(broker, BROKER, "", (key, DELETE, None))
    except (AssertionError, OSError):
        return None


def test_an_alteration_that_cannot_be_is_refused_in_kafkas_words(broker):
    clients_create(broker, "refused")
    table = [
        (TOPIC, "nope", [("retention.ms", SET, "1")], 3, "The topic 'nope' does not exist."),
        (TOPIC, "", [("retention.ms", SET, "1")], 42, "Default topic resources are not allowed."),
        (TOPIC, "a/b", [("retention.ms", SET, "1")], 17, "Topic name is invalid"),
        (TOPIC, "refused", [("foo.bar", SET, "1")], 40, "Unknown topic config name: foo.bar"),
        (TOPIC, "refused", [("foo.bar", DELETE, None)], 0, None),
        (TOPIC, "refused", [("retention.ms", SET, "x")], 40,
         "Invalid value x for configuration retention.ms: Not a number of type LONG"),
        (TOPIC, "refused", [("segment.bytes", SET, "1000")], 40, "Value must be at least 1048576"),
        (TOPIC, "refused", [("compression.gzip.level", SET, "0")], 40, "Value must be between 1 and 9 or equal to -1"),
        (TOPIC, "refused", [("retention.ms", SET, None)], 42, "Null value not supported for : retention.ms"),
        (TOPIC, "refused", [("a", SET, "1"), ("a", SET, "2")], 42, "Error due to duplicate config keys"),
        (TOPIC, "refused", [("retention.ms", APPEND, "1")], 40,
         "Can't APPEND to key retention.ms because its type is not LIST."),
        (TOPIC, "refused", [("min.compaction.lag.ms", SET, "10"), ("max.compaction.lag.ms", SET, "5")], 40,
         "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"),
        (TOPIC, "refused", [("remote.storage.enable", SET, "true")], 40, "Tiered Storage functionality is disabled"),
        (BROKER, "1", [("log.dirs", SET, "/x")], 42, "Cannot update these configs dynamically: [log.dirs]"),
        (BROKER, "", [("log.retention.hours", SET, "5")], 42,
         "Cannot update these configs dynamically: [log.retention.hours]"),
        (BROKER, "1", [("log.retention.ms", SET, "x")], 42,
         "Invalid value x for configuration log.retention.ms: Not a number of type LONG"),
        (BROKER, "2", [("log.retention.ms", SET, "5")], 42, "Unexpected broker id, expected 1, but received 2"),
        (BROKER, "x", [("log.retention.ms", SET, "5")], 42, "Node id must be an integer, but it is: x"),
        (BROKER, "", [("listeners", SET, "PLAINTEXT://:9")], 42,
         "Cannot update these configs at default cluster level, broker id must be specified: [listeners]"),
        (BROKER, "1", [("ssl.keystore.location", SET, "/x")], 42,
         "These security configs can be dynamically updated only per-listener using the listener prefix"),
        (BROKER, "1", [("num.io.threads", SET, "100")], 42, "value should not be greater than double the current value 8"),
        (BROKER, "1", [("foo", APPEND, "1")], 40, "Unknown config name: foo"),
        (BROKER_LOGGER, "1", [("nobody", SET, "DEBUG")], 40, "Logger nobody does not exist!"),
        (BROKER_LOGGER, "2", [("nobody", SET, "DEBUG")], 42, "Unexpected node id. Expected 1, but received 2"),
        (77, "x", [("a", SET, "1")], 42, "Unknown resource type 77"),
    ]
    for kind, name, changes, error, words in table:
        told = change(broker, kind, name, *changes)
        assert told[0] == error and (told[1] is None if words is None else words in told[1]), (name, changes, told)
    assert own(broker, "refused") == {}


def test_resources_succeed_and_fail_each_by_itself_and_validate_only_changes_nothing(broker):
    for topic in ("one", "two"):
        clients_create(broker, topic)
    good, bad = (TOPIC, "one", [("retention.ms", SET, "5")]), (TOPIC, "two", [("retention.ms", SET, "x")])
    for validate_only, kept in ((True, {}), (False, {"retention.ms": "5"})):
        told = incremental_alter(broker.address, bad, good, validate_only=validate_only)
        assert [error for error, _ in told] == [40, 0]
        assert (own(broker, "one"), own(broker, "two")) == (kept, {})
    twice = incremental_alter(broker.address, good, (TOPIC, "one", [("retention.bytes", SET, "5")]))
    assert twice == [(42, "Each resource must appear at most once.")] * 2


def test_the_old_request_replaces_the_whole_configuration(broker):
    clients_create(broker, "whole", **{"retention.ms": "1", "segment.ms": "1"})
    assert alter(broker.address, (TOPIC, "whole", [("segment.ms", "7")]), validate_only=True) == [(0, None)]
    assert own(broker, "whole") == {"retention.ms": "1", "segment.ms": "1"}
    assert alter(broker.address, (TOPIC, "whole", [("segment.ms", "7")])) == [(0, None)]
    assert own(broker, "whole") == {"segment.ms": "7"}
    assert alter(broker.address, (TOPIC, "whole", [("foo", "1")])) == [(40, "Unknown topic config name: foo")]
    assert alter(broker.address, (TOPIC, "whole", [])) == [(0, None)]
    assert own(broker, "whole") == {}
    assert alter(broker.address, (BROKER_LOGGER, "1", [("a", "INFO")])) == [(42, "Unknown resource type 8")]


def test_lists_grow_and_shrink(broker):
    clients_create(broker, "lists")
    steps = ((APPEND, "compact", "delete,compact"), (SUBTRACT, "delete", "compact"), (SUBTRACT, "compact", ""),
             (SET, " delete , compact,delete ", "delete,compact"))
    for operation, value, want in steps:
        assert change(broker, TOPIC, "lists", ("cleanup.policy", operation, value)) == (0, None)
        assert own(broker, "lists") == {"cleanup.policy": want}
