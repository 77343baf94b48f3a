"""The tools without Java print what Apache Kafka's print, line by line, asked of the same broker: corelog or, with
BROKER=apache-kafka, Apache Kafka."""

import json
import signal
import subprocess
import time

import pytest

from differential.batches import batch
from harness.paths import CORELOG
from harness.process import Running
from harness.tools import KafkaTools, ours
from harness.wire import Connection

#: Five times what is asked for (30 ms): this machine may be busy. A JVM takes a second.
MS_MAX = 150


@pytest.fixture(scope="module")
def kafka():
    tools = KafkaTools()
    yield tools
    tools.close()


@pytest.fixture(scope="module")
def server(broker):
    """The flag for the broker, where something lies: topics with configurations, records with keys, a group."""
    flag = ("--bootstrap-server", broker.address)
    for topic, more in [("plain", ()), ("set.own", ("--config", "retention.ms=86400000", "--config", "cleanup.policy=compact"))]:
        made = ours("topics", *flag, "--create", "--topic", topic, "--partitions", "3", *more)
        assert made.code == 0 and f"Created topic {topic}." in made.out, made
    text = "".join(f"key-{n}:value {n}\n" for n in range(20))
    keyed = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    for topic in ("plain", "set.own"):
        sent = ours("console-producer", *flag, "--topic", topic, *keyed, input=text)
        assert (sent.code, sent.err) == (0, ""), sent
    read = ours(
        "console-consumer", *flag, "--topic", "plain", "--group", "readers", "--from-beginning", "--max-messages", "20",
        "--timeout-ms", "20000",
    )
    assert sorted(read.out.splitlines()) == sorted(f"value {n}" for n in range(20)), read
    return flag


def compare(kafka, server, name, argv, unordered=False, errors=False):
    """That both print the same; returns how long they took."""
    theirs = kafka.run(name, *server, *argv)
    mine = ours(name, *server, *argv)
    shape = (lambda text: sorted(text.splitlines())) if unordered else (lambda text: text)
    line = f"{name} {' '.join(argv)}"
    assert mine.code == theirs.code, (line, mine, theirs)
    assert shape(mine.out) == shape(theirs.out), (line, mine.err)
    if errors:
        assert mine.err.strip() == theirs.err.strip(), line
    return line, theirs.ms, mine.ms


READING = [
    ("topics", ["--list"]),
    ("topics", ["--list", "--exclude-internal"]),
    ("topics", ["--describe", "--topic", "plain"]),
    ("topics", ["--describe", "--topic", "set.own"]),
    ("topics", ["--describe", "--topic", "set.own", "--topics-with-overrides"]),
    ("topics", ["--describe", "--under-replicated-partitions"]),
    ("topics", ["--describe", "--topic", "plain", "--at-min-isr-partitions"]),
    ("topics", ["--describe", "--unavailable-partitions"]),
    ("topics", ["--describe", "--topic", "none"]),
    ("topics", ["--describe", "--topic", "none", "--if-exists"]),
    ("topics", ["--create", "--topic", "plain"]),
    ("topics", ["--create", "--topic", "plain", "--if-not-exists"]),
    ("topics", ["--create", "--topic", "bad name"]),
    ("topics", ["--create", "--topic", "new", "--replication-factor", "0"]),
    ("topics", ["--create", "--topic", "new", "--config", "nonsense"]),
    ("topics", ["--alter", "--topic", "plain", "--partitions", "2"]),
    ("topics", ["--delete", "--topic", "none"]),
    ("get-offsets", []),
    ("get-offsets", ["--topic", "plain", "--time", "-2"]),
    ("get-offsets", ["--topic-partitions", "plain:0-2,set.own:2", "--time", "latest"]),
    ("get-offsets", ["--topic", "none"]),
    ("get-offsets", ["--time", "soon"]),
    ("configs", ["--describe", "--topic", "set.own"]),
    ("configs", ["--describe", "--topic", "set.own", "--all"]),
    ("configs", ["--describe", "--topic", "none"]),
    ("configs", ["--describe", "--entity-type", "brokers", "--entity-name", "1"]),
    ("configs", ["--describe", "--entity-type", "brokers", "--entity-default"]),
    ("configs", ["--describe", "--broker", "7"]),
    ("configs", ["--describe", "--entity-type", "bogus"]),
    ("configs", ["--describe"]),
    ("configs", ["--alter", "--topic", "plain"]),
    ("configs", ["--alter", "--topic", "none", "--add-config", "retention.ms=5"]),
    ("configs", ["--alter", "--topic", "plain", "--add-config", "nonsense=5"]),
    ("consumer-groups", ["--list"]),
    ("consumer-groups", ["--list", "--state"]),
    ("consumer-groups", ["--list", "--state", "stable"]),
    ("consumer-groups", ["--list", "--type"]),
    ("consumer-groups", ["--describe", "--group", "readers"]),
    ("consumer-groups", ["--describe", "--group", "readers", "--verbose"]),
    ("consumer-groups", ["--describe", "--group", "readers", "--members"]),
    ("consumer-groups", ["--describe", "--group", "readers", "--members", "--verbose"]),
    ("consumer-groups", ["--describe", "--group", "readers", "--state"]),
    ("consumer-groups", ["--describe", "--group", "readers", "--state", "--verbose"]),
    ("consumer-groups", ["--describe", "--all-groups"]),
    ("consumer-groups", ["--describe", "--group", "none"]),
    ("consumer-groups", ["--describe"]),
    ("consumer-groups", ["--reset-offsets", "--group", "readers", "--topic", "none", "--to-earliest", "--dry-run"]),
    ("consumer-groups", ["--delete-offsets", "--group", "none", "--topic", "plain"]),
    ("consumer-groups", ["--delete", "--group", "none"]),
    ("groups", ["--list"]),
    ("groups", ["--list", "--consumer"]),
    ("groups", ["--list", "--share"]),
    ("groups", ["--list", "--group-type", "classic"]),
    ("groups", ["--list", "--group-type", "bogus"]),
    ("log-dirs", ["--describe", "--broker-list", "9"]),
    ("log-dirs", ["--describe", "--topic-list", "none"]),
    ("leader-election", ["--election-type", "preferred", "--topic", "plain", "--partition", "0"]),
    ("leader-election", ["--election-type", "preferred", "--all-topic-partitions"]),
    ("broker-api-versions", []),
    ("features", ["describe"]),
    ("features", ["describe", "--node-id", "1"]),
    ("features", ["version-mapping"]),
    ("features", ["version-mapping", "--release-version", "3.9-IV0"]),
    ("features", ["version-mapping", "--release-version", "4.1"]),
    ("features", ["version-mapping", "--release-version", "2.9"]),
    ("features", ["feature-dependencies", "--feature", "metadata.version=25", "--feature", "group.version=1",
                  "--feature", "eligible.leader.replicas.version=1"]),
    ("features", ["feature-dependencies", "--feature", "group.version=9"]),
    ("features", ["feature-dependencies", "--feature", "bogus=1"]),
    ("features", ["upgrade"]),
    ("features", ["upgrade", "--feature", "group.version"]),
    ("features", ["upgrade", "--feature", "group.version=one"]),
    ("features", ["upgrade", "--feature", "group.version=1", "--dry-run"]),
    ("features", ["upgrade", "--feature", "transaction.version=99", "--dry-run"]),
    ("features", ["upgrade", "--feature", "bogus=1", "--dry-run"]),
    ("features", ["upgrade", "--metadata", "4.3-IV0", "--dry-run"]),
    ("features", ["downgrade", "--feature", "transaction.version=1", "--dry-run"]),
    ("features", ["downgrade", "--feature", "metadata.version=7", "--dry-run"]),
    ("features", ["disable", "--feature", "share.version", "--dry-run"]),
    ("features", ["disable"]),
    ("reassign-partitions", ["--list"]),
    ("reassign-partitions", ["--list", "--verify"]),
    ("reassign-partitions", ["--execute"]),
    ("transactions", ["list"]),
    ("transactions", ["describe", "--transactional-id", "none"]),
    ("transactions", ["find-hanging"]),
    ("transactions", ["find-hanging", "--partition", "0", "--broker-id", "1"]),
    ("transactions", ["find-hanging", "--broker-id", "1"]),
    ("transactions", ["abort", "--topic", "plain", "--partition", "0"]),
    ("transactions", ["abort", "--topic", "plain", "--partition", "0", "--producer-id", "1"]),
    ("transactions", ["abort", "--topic", "plain", "--partition", "0", "--start-offset", "0"]),
    ("console-consumer", ["--topic", "plain", "--partition", "1", "--offset", "0", "--max-messages", "2",
                          "--formatter-property", "print.key=true", "--formatter-property", "print.offset=true",
                          "--formatter-property", "print.partition=true", "--formatter-property", "print.timestamp=true",
                          "--formatter-property", "print.headers=true", "--formatter-property", "key.separator=|"]),
]
#: those whose lines Kafka's tool prints in the order of a hash table
UNORDERED = [
    ("topics", ["--describe"]),
    ("configs", ["--describe", "--entity-type", "topics"]),
    ("consumer-groups", ["--reset-offsets", "--group", "readers", "--all-topics", "--to-earliest", "--dry-run"]),
    ("consumer-groups", ["--reset-offsets", "--group", "readers", "--topic", "plain", "--shift-by", "-2", "--dry-run"]),
    ("consumer-groups", ["--reset-offsets", "--group", "readers", "--topic", "plain:0,2", "--to-offset", "1", "--dry-run", "--export"]),
    ("consumer-groups", ["--reset-offsets", "--group", "readers", "--topic", "plain", "--to-datetime",
                         "2024-01-01T00:00:00.000", "--dry-run"]),
    ("consumer-groups", ["--reset-offsets", "--group", "readers", "--topic", "plain", "--by-duration", "PT0S", "--dry-run"]),
]


def test_they_print_what_kafkas_tools_print(kafka, server):
    took = [compare(kafka, server, name, argv) for name, argv in READING]
    took += [compare(kafka, server, name, argv, unordered=True) for name, argv in UNORDERED]
    for line, theirs, mine in took:
        print(f"{theirs:7.0f} ms in a running JVM  {mine:6.1f} ms  {line}")


def test_each_answers_in_milliseconds(server):
    for name, argv in [
        ("topics", ["--list"]),
        ("topics", ["--describe"]),
        ("configs", ["--describe", "--topic", "set.own"]),
        ("consumer-groups", ["--describe", "--group", "readers"]),
        ("get-offsets", []),
    ]:
        best = min(ours(name, *server, *argv, script=False).ms for _ in range(15))
        print(f"{best:6.1f} ms  {name} {' '.join(argv)}")
        assert best <= MS_MAX, (name, argv)


def test_reassignments_as_kafkas_tool_does_them(kafka, server, tmp_path):
    def file(name, content):
        path = tmp_path / name
        path.write_text(json.dumps({"version": 1, **content}))
        return str(path)

    def both(*argv):
        compare(kafka, server, "reassign-partitions", argv, unordered=True)
        return ours("reassign-partitions", *server, *argv).out

    topics = file("topics.json", {"topics": [{"topic": "plain"}]})
    now = json.loads(both("--generate", "--topics-to-move-json-file", topics, "--broker-list", "1").splitlines()[1])
    assert [part["replicas"] for part in now["partitions"]] == [[1]] * 3
    plan = ("--reassignment-json-file", file("plan.json", now))
    assert "Successfully started moving log directory" in both("--execute", *plan)
    both("--execute", *plan, "--throttle", "5000000", "--replica-alter-log-dirs-throttle", "6000000", "--additional")
    throttled = ours("configs", *server, "--describe", "--topic", "plain").out
    assert "leader.replication.throttled.replicas=0:1,1:1,2:1" in throttled, throttled
    assert "6000000" in ours("configs", *server, "--describe", "--broker", "1").out
    assert "completed successfully" in both("--verify", *plan, "--preserve-throttles")
    both("--verify", *plan)
    assert "throttled" not in ours("configs", *server, "--describe", "--topic", "plain").out
    both("--cancel", *plan)
    elsewhere = [{"topic": "plain", "partition": 0, "replicas": [1], "log_dirs": ["/nowhere"]},
                 {"topic": "none", "partition": 3, "replicas": [1, 2]}]
    both("--verify", "--reassignment-json-file", file("elsewhere.json", {"partitions": elsewhere}), "--preserve-throttles")
    # What follows the sentence is a stack trace in Java.
    for wrong in ([], [{"topic": "plain", "partition": 0, "replicas": [9]}], [{"topic": "plain", "partition": 0, "replicas": [1, 1]}],
                  [{"topic": "none", "partition": 0, "replicas": [1]}], [{"topic": "plain", "partition": 9, "replicas": [1]}]):
        argv = ("--execute", "--reassignment-json-file", file("wrong.json", {"partitions": wrong}))
        theirs, mine = kafka.run("reassign-partitions", *server, *argv), ours("reassign-partitions", *server, *argv)
        first = lambda said: said.out.splitlines()[0].removeprefix("Error: org.apache.kafka.common.errors.").split("Exception: ")[-1]
        assert (mine.code, first(mine).removeprefix("Error: ")) == (theirs.code, first(theirs).removeprefix("Error: ")), (wrong, mine, theirs)


def _open_transactions(address):
    """In `txn`: one that its coordinator knows (partition 0), and two that no coordinator will ever end (1 and 2)."""
    with Connection(address) as wire:
        transactional = {"TransactionalId": "known", "TransactionTimeoutMs": 60000}

        def patiently(key, version, code, **body):
            for _ in range(100):
                answer = wire.ask(key, version, **body)
                if code(answer) not in (14, 15, 16, 51):  # loading, no coordinator yet, another's; still at the last one
                    assert code(answer) == 0, answer
                    return answer
                time.sleep(0.1)
            raise AssertionError(answer)

        patiently(10, 3, lambda found: found["ErrorCode"], Key="known", KeyType=1)
        begun = patiently(22, 4, lambda found: found["ErrorCode"], **transactional)
        known = (begun["ProducerId"], begun["ProducerEpoch"])
        topics = [{"Name": "txn", "Partitions": [0]}]
        patiently(
            24, 3, lambda added: added["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"][0]["PartitionErrorCode"],
            V3AndBelowTransactionalId="known", V3AndBelowProducerId=known[0], V3AndBelowProducerEpoch=known[1],
            V3AndBelowTopics=topics,
        )
        for partition, (producer_id, epoch) in enumerate([known, (70001, 3), (70002, 3)]):
            records = batch([(b"k", b"v")], attributes=0x10, producer_id=producer_id, producer_epoch=epoch, sequence=0)
            data = [{"Name": "txn", "PartitionData": [{"Index": partition, "Records": records}]}]
            name = "known" if partition == 0 else "unknown"
            answer = wire.ask(0, 9, TransactionalId=name, Acks=-1, TimeoutMs=30000, TopicData=data)
            assert answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 0, answer


def test_hanging_transactions_are_found_and_aborted(kafka, make_broker):
    """Partitions that do not ask the coordinator take transactions it does not know (as those before KIP-890 did)."""
    broker = make_broker(transaction_partition_verification_enable="false", transaction_state_log_num_partitions=1).start()
    server = ("--bootstrap-server", broker.address)
    assert ours("topics", *server, "--create", "--topic", "txn", "--partitions", "3").code == 0
    _open_transactions(broker.address)
    for argv in (
        ["list"],
        ["list", "--duration-filter", "600000"],
        ["list", "--transactional-id-pattern", "kn.*"],
        ["list", "--transactional-id-pattern", "un.*"],
        ["describe-producers", "--topic", "txn", "--partition", "0"],
        ["describe-producers", "--topic", "txn", "--partition", "1", "--broker-id", "1"],
        ["find-hanging", "--topic", "txn", "--partition", "0", "--max-transaction-timeout", "0"],
        ["find-hanging", "--topic", "txn", "--partition", "1", "--max-transaction-timeout", "0"],
        ["find-hanging", "--topic", "txn"],
    ):
        compare(kafka, server, "transactions", argv)
    # How long it has been open is another number a moment later.
    columns = {}
    for by, run in (("java", kafka.run), ("rust", ours)):
        head, row = run("transactions", *server, "describe", "--transactional-id", "known").out.splitlines()
        columns[by] = dict(zip(head.split(), row.split()))
        assert int(columns[by].pop("TransactionDurationMs")) >= 0
    assert columns["java"] == columns["rust"] and columns["rust"]["TopicPartitions"] == "txn-0"

    everywhere = ["find-hanging", "--broker-id", "1", "--max-transaction-timeout", "0"]
    compare(kafka, server, "transactions", everywhere, unordered=True)
    hanging = lambda: [
        (row["partition"], row["startOffset"]) for row in json.loads(ours("transactions", *server, "--json", *everywhere).out)
    ]
    assert hanging() == [(1, 0), (2, 0)]
    # One is aborted by each tool: what stands between the records is the same then.
    aborted = {}
    for by, run, partition in (("java", kafka.run, "1"), ("rust", ours, "2")):
        where = ("--topic", "txn", "--partition", partition)
        said = run("transactions", *server, "abort", *where, "--start-offset", "0")
        assert (said.code, said.out) == (0, ""), said
        assert run("transactions", *server, "abort", *where, "--start-offset", "0").code == 1
        table = ours("transactions", *server, "--json", "describe-producers", *where).out
        aborted[by] = [{k: v for k, v in row.items() if k not in ("producerId", "lastTimestamp")} for row in json.loads(table)]
    assert aborted["java"] == aborted["rust"] and aborted["rust"][0]["currentTransactionStartOffset"] is None
    assert hanging() == []
    ends = ours("get-offsets", *server, "--topic", "txn").out
    assert ends.splitlines() == ["txn:0:1", "txn:1:2", "txn:2:2"], ends


def test_what_they_change_kafkas_tools_see(kafka, server):
    def both(name, *argv):
        """The same change by each, on topics and groups of names as long as each other."""
        theirs = kafka.run(name, *server, *[word.replace("NAME", "java") for word in argv])
        mine = ours(name, *server, *[word.replace("NAME", "rust") for word in argv])
        assert (mine.code, mine.out.replace("rust", "java")) == (theirs.code, theirs.out), (name, argv, mine.err)

    def same_state(name, *argv):
        of = {by: kafka.run(name, *server, *[word.replace("NAME", by) for word in argv]).out for by in ("java", "rust")}
        without_ids = {by: [word for word in text.replace(by, "NAME").split("\t") if "TopicId" not in word] for by, text in of.items()}
        assert without_ids["java"] == without_ids["rust"]

    both("topics", "--create", "--topic", "t-NAME", "--partitions", "2", "--config", "segment.ms=7")
    both("topics", "--alter", "--topic", "t-NAME", "--partitions", "4")
    both("configs", "--alter", "--topic", "t-NAME", "--add-config", "retention.ms=5,cleanup.policy=[compact,delete]")
    both("configs", "--alter", "--topic", "t-NAME", "--delete-config", "segment.ms")
    same_state("topics", "--describe", "--topic", "t-NAME")
    same_state("configs", "--describe", "--topic", "t-NAME")
    both("consumer-groups", "--reset-offsets", "--group", "g-NAME", "--topic", "plain:1", "--to-latest", "--execute")
    same_state("consumer-groups", "--describe", "--group", "g-NAME")
    both("consumer-groups", "--delete-offsets", "--group", "g-NAME", "--topic", "plain:1")
    both("consumer-groups", "--delete", "--group", "g-NAME")
    both("topics", "--delete", "--topic", "t-NAME")
    assert not {"t-java", "t-rust"} & set(ours("topics", *server, "--list").out.splitlines())


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_each_reads_what_the_other_wrote(kafka, server, codec):
    text = "".join(f"h{n}:x\tkey-{n % 7}\tvalue {n}\n" for n in range(50)) + "NULL\tNULL\tnothing\nh:NULL\tk\tNULL\n"
    writing = ("--compression-codec", codec, "--reader-property", "parse.key=true", "--reader-property",
               "parse.headers=true", "--reader-property", "null.marker=NULL")
    reading = ("--from-beginning", "--max-messages", "52", "--timeout-ms", "20000", *[
        word for what in ("key", "headers", "partition", "offset") for word in ("--formatter-property", f"print.{what}=true")])
    read = {}
    for by, write in (("java", kafka.run), ("rust", ours)):
        topic = f"{codec}-{by}"
        assert ours("topics", *server, "--create", "--topic", topic, "--partitions", "3").code == 0
        sent = write("console-producer", *server, "--topic", topic, *writing, input=text)
        assert sent.code == 0, sent
        read[by] = sorted(ours("console-consumer", *server, "--topic", topic, *reading).out.splitlines())
        again = kafka.run("console-consumer", *server, "--topic", topic, *reading)
        assert sorted(again.out.splitlines()) == read[by]
    # Keys decide the partition; the record without one goes to any.
    keyed = {by: [line for line in lines if "nothing" not in line and "Offset" in line] for by, lines in read.items()}
    place = lambda lines: sorted((line.split("\t")[0], line.split("\t")[2:]) for line in lines)
    assert place(keyed["java"]) == place(keyed["rust"])
    assert len(keyed["rust"]) == 51


PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])


@PROTOCOLS
def test_an_interrupted_consumer_commits_and_leaves_its_group(server, protocol):
    group = f"stopped-{protocol}"
    command = [str(CORELOG), "console-consumer", *server, "--topic", "plain", "--group", group, "--from-beginning",
               "--command-property", f"group.protocol={protocol}"]
    consumer = Running(command, "console-consumer")
    try:
        consumer.wait_until(lambda: len(consumer.lines) == 20, "20 records")
        state = json.loads(ours("consumer-groups", *server, "--describe", "--group", group, "--json").out)[0]
        assert (state["state"], len(state["members"])) == ("Stable", 1), state
        consumer.process.send_signal(signal.SIGINT)
        assert consumer.process.wait(10) == 0
    finally:
        consumer.kill()
    state = json.loads(ours("consumer-groups", *server, "--describe", "--group", group, "--json").out)[0]
    assert (state["state"], state["members"]) == ("Empty", []), state
    assert [row["lag"] for row in state["offsets"]] == [0, 0, 0], state


@PROTOCOLS
def test_two_members_share_a_group(server, protocol):
    name = f"shared-{protocol}"
    command = [str(CORELOG), "console-consumer", *server, "--topic", "plain", "--group", name, "--command-property",
               f"group.protocol={protocol}"]
    members = [Running(command, f"member {n}") for n in range(2)]
    try:
        def shares():
            group = json.loads(ours("consumer-groups", *server, "--describe", "--group", name, "--json").out or "[]")
            return sorted(len(member["assignment"]) for member in group[0]["members"]) if group else []

        end = 40
        while shares() != [1, 2] and end:
            members[0].process.poll()
            subprocess.run(["sleep", "0.5"], check=True)  # a rebalance tells nobody outside of the group
            end -= 1
        assert shares() == [1, 2]
    finally:
        for member in members:
            member.kill()


def test_wrong_lines_and_silent_brokers_end_with_1(server, tmp_path):
    for name, argv, words in [
        ("topics", [], "--bootstrap-server"),
        ("topics", [*server, "--frob"], "--frob"),
        ("topics", [*server, "--list", "--create"], "exactly one action"),
        ("topics", ["--zookeeper", "zk:2181", "--list"], "--bootstrap-server"),
        ("topics", [*server, "--create"], "topic"),
        ("consumer-groups", [*server, "--list", "--group", "g"], "group"),
        ("get-offsets", [*server, "--topic-partitions", "a", "--topic", "b"], "--topic-partitions"),
        ("console-producer", [*server], "topic"),
        ("console-producer", [*server, "--topic", "t", "--line-reader", "org.example.Mine"], "JVM"),
        ("console-consumer", [*server], "topic"),
        ("console-consumer", [*server, "--topic", "t", "--offset", "3"], "partition is required"),
        ("console-consumer", [*server, "--topic", "t", "--formatter", "org.example.Mine"], "JVM"),
    ]:
        said = ours(name, *argv)
        assert said.code == 1 and words in said.err, (name, argv, said)
    hurry = tmp_path / "hurry.properties"
    hurry.write_text("default.api.timeout.ms=300\n")
    silent = ours("topics", "--bootstrap-server", "127.0.0.1:9", "--list", "--command-config", str(hurry))
    assert silent.code == 1 and silent.out.startswith("Error while executing topic command : Timed out"), silent
    assert "trying on" in silent.err


def test_json_and_old_flags(server):
    listed = json.loads(ours("topics", "--broker-list", server[1], "--list", "--json").out)
    assert {"plain", "set.own"} <= {topic["name"] for topic in listed}
    records = ours("console-consumer", *server, "--topic", "plain", "--partition", "0", "--offset", "earliest", "--json",
                   "--max-messages", "1", "--timeout-ms", "5000")
    assert json.loads(records.out)["topic"] == "plain"
    warned = ours("console-consumer", *server, "--topic", "plain", "--partition", "0", "--offset", "0", "--max-messages",
                  "1", "--property", "print.key=true")
    assert warned.out.startswith("Option --property is deprecated"), warned
