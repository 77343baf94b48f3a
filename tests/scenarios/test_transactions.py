"""Transactions by Apache Kafka's Java clients, by librdkafka, and by the tool for administrators; through `kill -9` at
every step, and from Apache Kafka to corelog and back while they run."""

import os
import re
import time

import pytest

from harness.broker import java
from harness.clients import create_topic, rdk
from harness.node import Node
from harness.paths import ROOT, SCRATCH
from harness.process import Running, run
from harness.tools import KafkaTools
from harness.wire import Connection

#: `TXN=all`: everything, in minutes; else what fits into half a minute
ALL = os.environ.get("TXN") == "all"
QUICK = {"offsets_topic_num_partitions": 3, "transaction_state_log_num_partitions": 3, "group_initial_rebalance_delay_ms": 100}


def in_full(test):
    """Only with `TXN=all`; elsewhere there is no such test."""
    return test if ALL else None


def transactions(address, *scenes):
    argv = java(str(ROOT / "tests" / "harness" / "Transactions.java"), address, *scenes)
    at = argv.index("-Dlevel=ERROR")
    return [*argv[:at], "-Dlevel=OFF", *argv[at + 1 :]]


def scenes_of(address):
    out = run(transactions(address, "all"), timeout=180, check=False)
    failed = [line for line in out.out.splitlines() if not line.startswith("ok ")]
    assert out.code == 0 and not failed, out.out + out.err
    return len(out.out.splitlines())


def test_java_clients_commit_abort_are_fenced_and_find_their_offsets(make_broker):
    """One program, nine scenes: each says what it saw."""
    assert scenes_of(make_broker(**QUICK).start().address) == 9


def test_a_transaction_is_whole_after_kill_9(make_broker, seed):
    """A producer goes on through the restarts. What it was told is so, and each transaction is in all three partitions
    or in none."""
    broker = make_broker(**QUICK).start()
    load = Running(transactions(broker.address, "load"), "transactions")
    load.wait_for_line("committed", 60)
    for _ in range(40 if ALL else 4):
        seen = len(load.lines)
        load.wait_until(lambda: len(load.lines) > seen + seed.randrange(1, 12), "transactions end", 60)
        time.sleep(seed.random() * 0.02)  # anywhere in a transaction: that is what is tried
        broker.kill()
        broker.start()
    seen = len(load.lines)
    load.wait_until(lambda: any(line.startswith("committed") for line in load.lines[seen:]), "it commits again", 90)
    load.process.stdin.close()
    load.wait_until(lambda: not load.alive(), "the program ends", 120)
    assert load.lines[-1].startswith("ok load"), f"SEED={seed}\n{load}"


def committed_of(broker, topic, isolation_level="read_committed"):
    """The values a consumer reads up to the ends; markers and aborted records have offsets too."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False, isolation_level=isolation_level)
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends, values, deadline = consumer.end_offsets(partitions), [], time.monotonic() + 30
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            assert time.monotonic() < deadline, (ends, values)
            values += [record.value.decode() for records in consumer.poll(200).values() for record in records]
        return values
    finally:
        consumer.close()


def test_librdkafka_commits_and_aborts(make_broker):
    broker = make_broker(**QUICK).start()
    create_topic(broker, "t", 2)
    out = run(rdk(broker, "transact", "--topic", "t", "--group", "g", transactional_id="rdk"), timeout=60).out
    assert out.splitlines() == ["committed 10", "aborted 10", "offset 7", "fenced"], out
    assert sorted(committed_of(broker, "t")) == sorted(f"good-{n}" for n in range(10))
    assert len(committed_of(broker, "t", isolation_level="read_uncommitted")) >= 20, "what was aborted is there too"


def test_the_tool_lists_describes_and_aborts(make_broker):
    broker = make_broker(**QUICK).start()
    create_topic(broker, "t", 1)
    hangs = Running(rdk(broker, "transact", "--topic", "t", "--hang", transactional_id="hangs"), "transact")
    hangs.wait_for_line("open")
    tools = KafkaTools()

    def ask(*argv):
        said = tools.run("transactions", "--bootstrap-server", broker.address, *argv)
        assert said.code == 0, said
        return said.out

    assert re.search(r"^hangs\s+\d+\s+\d+\s+Ongoing\s*$", ask("list"), re.M)
    assert "Ongoing" in ask("describe", "--transactional-id", "hangs")
    told = ask("describe-producers", "--topic", "t", "--partition", "0").splitlines()[1].split()
    assert told[-1] == "0", told
    assert ask("find-hanging", "--broker-id", "1").count("\n") == 1, "an open one is not hanging"
    ask("abort", "--topic", "t", "--partition", "0", "--start-offset", "0")
    told = ask("describe-producers", "--topic", "t", "--partition", "0").splitlines()[1].split()
    assert told[-1] == "None", told
    tools.close()
    hangs.finish(30)


def ids_of(connection, **filters):
    """Transactional ids and their states, as ListTransactions has them."""
    told = connection.ask(66, 2, **filters)
    assert told["ErrorCode"] == 0, told
    return {one["TransactionalId"]: one["TransactionState"] for one in told["TransactionStates"]}


def begin(connection, transactional_id):
    """InitProducerId: the producer's id and epoch, once the coordinator has loaded."""
    end = time.monotonic() + 60
    while (told := connection.ask(22, 2, TransactionalId=transactional_id, TransactionTimeoutMs=60_000))["ErrorCode"]:
        assert told["ErrorCode"] in (14, 15, 16, 51) and time.monotonic() < end, told
        connection.ask(10, 4, CoordinatorKeys=[transactional_id], KeyType=1)  # makes the topic where there is none
        time.sleep(0.01)
    return told["ProducerId"], told["ProducerEpoch"]


def test_ids_that_nobody_uses_are_forgotten_and_those_in_a_transaction_are_not(make_broker):
    forget = {"transactional_id_expiration_ms": 500, "transaction_remove_expired_transaction_cleanup_interval_ms": 200}
    broker = make_broker(**QUICK, **forget).start()
    create_topic(broker, "t", 1)
    with Connection(broker.address) as connection:
        (unused, _), (producer, epoch) = begin(connection, "unused"), begin(connection, "used")
        topics = [{"Name": "t", "Partitions": [0]}]
        added = connection.ask(
            24, 3, V3AndBelowTransactionalId="used", V3AndBelowProducerId=producer, V3AndBelowProducerEpoch=epoch,
            V3AndBelowTopics=topics,
        )
        assert added["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"][0]["PartitionErrorCode"] == 0, added
        end = time.monotonic() + 30
        while "unused" in ids_of(connection):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert ids_of(connection) == {"used": "Ongoing"}
        assert ids_of(connection, StateFilters=["Empty"]) == ids_of(connection, ProducerIdFilters=[unused]) == {}
        assert ids_of(connection, TransactionalIdPattern="us.*") == ids_of(connection, DurationFilter=100)
        assert begin(connection, "unused")[0] != unused, "forgotten for good"
        broker.kill()
        broker.start()
    with Connection(broker.address) as connection:
        begin(connection, "another")
        end = time.monotonic() + 30
        while set(ids_of(connection)) != {"used"}:
            assert time.monotonic() < end, ids_of(connection)
            time.sleep(0.05)


@in_full
def test_epochs_that_are_used_up_bring_a_new_producer_id(make_broker):
    broker = make_broker(**QUICK).start()
    with Connection(broker.address) as connection:
        first, last = begin(connection, "worn"), -1
        while (now := begin(connection, "worn"))[0] == first[0]:
            assert now[1] == last + 1 or last == -1, (now, last)
            last = now[1]
        assert (last, now[1]) == (32766, 0), "32767 is never handed out"


@in_full
@pytest.mark.corelog
@pytest.mark.timeout(600)
@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_transactions_go_on_from_apache_kafka_to_corelog_and_back(ends):
    """The same producer writes while one broker takes the directory from the other, in the middle of transactions."""
    node = Node(SCRATCH / f"transactions-{ends}-{time.time_ns()}", transaction_state_log_segment_bytes=1048576)
    node.format_by("apache-kafka")
    node.start("apache-kafka")
    load = Running(transactions(node.address, "load"), "transactions")
    for which in ("corelog", "apache-kafka", "corelog"):
        seen = len(load.lines)
        done = lambda: sum(line.startswith("committed") for line in load.lines[seen:]) > 20
        load.wait_until(done, "transactions commit", 120)
        getattr(node, ends)()
        node.start(which)
    seen = len(load.lines)
    load.wait_until(done, "transactions commit", 120)
    load.process.stdin.close()
    load.wait_until(lambda: not load.alive(), "the program ends", 120)
    assert load.lines[-1].startswith("ok load"), load
    node.stop()


@in_full
def test_java_clients_of_3_9_do_the_same(make_broker):
    from harness.node import kafka

    broker = make_broker(**QUICK).start()
    argv = kafka("3.9.1", str(ROOT / "tests" / "harness" / "Transactions.java"), broker.address, "all")
    out = run(argv, timeout=180, check=False)
    assert out.code == 0 and out.out.count("ok ") == 9, out.out + out.err
