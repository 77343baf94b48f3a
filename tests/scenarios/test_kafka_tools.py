"""Apache Kafka's own command-line tools, unmodified, as their manual shows them."""

import json
import re

import pytest

from harness import clients
from harness.clients import tool, tool_command
from harness.process import Running


def test_topics_create_list_describe_alter_delete(broker):
    created = tool(
        "kafka-topics", "--create", "--topic", "news", "--partitions", 3, "--replication-factor", 1,
        "--config", "retention.ms=86400000", broker=broker,
    )
    assert "Created topic news." in created.out
    assert "news" in tool("kafka-topics", "--list", broker=broker).out.splitlines()

    described = tool("kafka-topics", "--describe", "--topic", "news", broker=broker).out
    assert re.search(r"PartitionCount: 3\tReplicationFactor: 1\tConfigs: .*retention.ms=86400000", described), described
    for partition in range(3):
        assert re.search(rf"Topic: news\tPartition: {partition}\tLeader: 1\tReplicas: 1\tIsr: 1", described), described

    tool("kafka-topics", "--alter", "--topic", "news", "--partitions", 5, broker=broker)
    assert "PartitionCount: 5" in tool("kafka-topics", "--describe", "--topic", "news", broker=broker).out

    tool("kafka-topics", "--delete", "--topic", "news", broker=broker)
    assert "news" not in tool("kafka-topics", "--list", broker=broker).out.splitlines()


def test_topics_refuses_what_it_cannot_create(broker):
    tool("kafka-topics", "--create", "--topic", "once", broker=broker)
    again = tool("kafka-topics", "--create", "--topic", "once", broker=broker, check=False)
    assert again.code == 1 and "Topic 'once' already exists." in again.out + again.err
    two = tool("kafka-topics", "--create", "--topic", "twice", "--replication-factor", 2, broker=broker, check=False)
    assert two.code == 1 and "InvalidReplicationFactorException" in two.out + two.err
    name = tool("kafka-topics", "--create", "--topic", "no/topic", broker=broker, check=False)
    assert name.code == 1 and "InvalidTopicException" in name.out + name.err
    # The tool itself refuses a wrong value; librdkafka leaves that to the broker.
    with pytest.raises(AssertionError, match="InvalidConfig"):
        clients.create_topic(broker, "wrong", retention_ms="soon")


def test_configs_describe_shows_what_was_set(broker):
    clients.create_topic(broker, "configured", cleanup_policy="compact", segment_bytes=1048576)
    shown = tool("kafka-configs", "--describe", "--topic", "configured", broker=broker).out
    assert "cleanup.policy=compact sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact" in shown, shown
    assert "segment.bytes=1048576" in shown, shown


def test_console_producer_to_console_consumer_without_a_group(broker):
    clients.create_topic(broker, "console")
    lines = [f"line {n}" for n in range(1000)]
    tool("kafka-console-producer", "--topic", "console", broker=broker, input="\n".join(lines) + "\n")
    got = tool(
        "kafka-console-consumer", "--topic", "console", "--from-beginning", "--max-messages", 1000,
        "--timeout-ms", 30000, broker=broker,
    )
    assert got.out.splitlines() == lines


def test_console_consumer_with_a_group_continues_where_it_was(broker):
    clients.create_topic(broker, "continued")

    def consume(count):
        return tool(
            "kafka-console-consumer", "--topic", "continued", "--group", "readers", "--from-beginning",
            "--max-messages", count, "--timeout-ms", 30000, broker=broker,
        ).out.splitlines()

    clients.rdk_produce(broker, "continued", [(None, f"a{n}") for n in range(10)])
    assert consume(10) == [f"a{n}" for n in range(10)]
    clients.rdk_produce(broker, "continued", [(None, f"b{n}") for n in range(10)])
    assert consume(10) == [f"b{n}" for n in range(10)]


def test_consumer_groups_list_describe_reset_offsets_delete(broker):
    clients.create_topic(broker, "grouped", partitions=2)
    clients.rdk_produce(broker, "grouped", [(f"k{n}", str(n)) for n in range(100)])
    clients.franz_consume(broker, "grouped", group="tools")
    ends = {p: len([r for r in clients.rdk_consume(broker, "grouped") if r.partition == p]) for p in (0, 1)}

    listed = tool("kafka-consumer-groups", "--list", broker=broker).out.splitlines()
    assert "tools" in listed

    def rows(*argv):
        text = tool("kafka-consumer-groups", "--describe", "--group", "tools", *argv, broker=broker).out
        return [line.split() for line in text.splitlines() if line.startswith("tools")]

    # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...; some versions show the leader epoch in between.
    for row in (described := rows()):
        assert str(ends[int(row[2])]) in row[3:6] and "0" in row[4:8], described
    assert len(described) == 2
    assert "Empty" in " ".join(rows("--state")[0])

    reset = tool(
        "kafka-consumer-groups", "--group", "tools", "--topic", "grouped", "--reset-offsets", "--to-earliest",
        "--execute", broker=broker,
    ).out
    assert len(re.findall(r"^tools\s+grouped\s+[01]\s+0\s*$", reset, re.M)) == 2, reset
    assert sum(int(n) for row in rows() for n in [row[-4]]) == 100, "all 100 lag after the reset"
    assert len(clients.franz_consume(broker, "grouped", group="tools")) == 100, "the group reads all again"

    tool("kafka-consumer-groups", "--delete", "--group", "tools", broker=broker)
    assert "tools" not in tool("kafka-consumer-groups", "--list", broker=broker).out.splitlines()


def test_get_offsets_of_latest_earliest_and_of_a_time(broker):
    clients.create_topic(broker, "offsets")
    clients.rdk_produce(broker, "offsets", [(None, str(n)) for n in range(42)])
    for time, offset in (("-1", 42), ("-2", 0), ("-3", 41), ("1000", 0)):
        got = tool("kafka-get-offsets", "--topic", "offsets", "--time", time, broker=broker).out
        if time == "-3":  # of equal timestamps any may be the largest
            assert re.match(r"offsets:0:\d+$", got.strip()), got
        else:
            assert got.strip() == f"offsets:0:{offset}"


def test_producer_perf_then_consumer_perf(broker):
    clients.create_topic(broker, "perf", partitions=6)
    produced = tool(
        "kafka-producer-perf-test", "--topic", "perf", "--num-records", 100_000, "--record-size", 512,
        "--throughput", -1, "--producer-props", f"bootstrap.servers={broker.address}", "compression.type=lz4",
    ).out
    assert "100000 records sent" in produced, produced
    consumed = tool(
        "kafka-consumer-perf-test", "--topic", "perf", "--messages", 100_000, "--timeout", 30000, broker=broker
    ).out
    last = consumed.splitlines()[-1].split(", ")
    assert int(last[4]) >= 100_000, consumed


def test_verifiable_producer_and_verifiable_consumer_agree(broker):
    clients.create_topic(broker, "verifiable", partitions=3)
    events = [
        json.loads(line)
        for line in tool(
            "kafka-verifiable-producer", "--topic", "verifiable", "--max-messages", 20_000, "--acks", -1, broker=broker
        ).out.splitlines()
    ]
    sent = sorted((e["partition"], e["offset"]) for e in events if e["name"] == "producer_send_success")
    assert len(sent) == 20_000
    assert events[-1]["name"] in ("shutdown_complete", "tool_data")

    consumer = Running(
        tool_command(
            "kafka-verifiable-consumer", "--topic", "verifiable", "--group-id", "verifiers", "--max-messages", 20_000,
            "--reset-policy", "earliest", "--verbose", broker=broker,
        ),
        "kafka-verifiable-consumer",
    )
    try:
        consumer.wait_for_line('{"timestamp"')
        consumer.finish(60)
    finally:
        consumer.kill()
    got = [json.loads(line) for line in consumer.lines]
    records = sorted((e["partition"], e["offset"]) for e in got if e["name"] == "record_data")
    assert records == sent
    committed = [e for e in got if e["name"] == "offsets_committed"]
    assert committed and all(e["success"] for e in committed)


def test_broker_api_versions_names_every_api_it_serves(broker):
    shown = tool("kafka-broker-api-versions", broker=broker).out
    for api in ("Produce(0)", "Fetch(1)", "Metadata(3)", "JoinGroup(11)", "CreateTopics(19)", "DescribeCluster(60)"):
        assert api in shown, shown


def test_kafka_dump_log_reads_the_files_on_disk(make_broker):
    """The segment, its indexes and the metadata log are Kafka's own formats: Kafka's own inspector takes them."""
    broker = make_broker(log_index_interval_bytes=512).start()
    clients.create_topic(broker, "files")
    properties = {"batch_num_messages": 50, "enable_idempotence": "true"}
    for codec in clients.CODECS:
        clients.rdk_produce(broker, "files", [(f"k{n}", f"{codec} {n}") for n in range(500)], codec, **properties)
    broker.stop()
    directory = broker.data / "files-0"
    names = sorted(path.name for path in directory.iterdir())
    base = "00000000000000000000"
    assert {f"{base}.log", f"{base}.index", f"{base}.timeindex", "leader-epoch-checkpoint", "partition.metadata"} <= set(names)
    log = directory / f"{base}.log"
    dumped = tool("kafka-dump-log", "--deep-iteration", "--print-data-log", "--files", log).out
    assert len(re.findall(r"^\| offset: ", dumped, re.M)) == 2500, dumped[-2000:]
    assert "isvalid: false" not in dumped
    indexes = [directory / f"{base}.index", directory / f"{base}.timeindex"]
    checked = tool("kafka-dump-log", "--index-sanity-check", "--files", ",".join(map(str, indexes)))
    assert len(re.findall("passed sanity check", checked.out)) == 2, checked.out + checked.err
    dumped = tool("kafka-dump-log", "--verify-index-only", "--files", ",".join(map(str, indexes)))
    assert "mismatch" not in dumped.out.lower(), dumped.out
    metadata = broker.data / "__cluster_metadata-0" / f"{base}.log"
    dumped = tool("kafka-dump-log", "--cluster-metadata-decoder", "--files", metadata).out
    assert re.search(r'"type":"TOPIC_RECORD".*"name":"files"', dumped), dumped[-2000:]
    assert "isvalid: false" not in dumped
    snapshots = [directory / name for name in names if name.endswith(".snapshot")]
    assert snapshots, names
    assert "producerId" in tool("kafka-dump-log", "--files", snapshots[0]).out


@pytest.mark.parametrize("kept", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_a_topic_with_a_codec_of_its_own_keeps_every_batch_in_it(make_broker, kept):
    """Whatever producers compress with, `compression.type` decides what is on disk, and Java reads it."""
    broker = make_broker(offsets_topic_compression_codec=4, offsets_topic_num_partitions=1).start()
    tool("kafka-topics", "--create", "--topic", "own-codec", "--config", f"compression.type={kept}", broker=broker)
    sent = []
    for codec in clients.CODECS:
        records = [(f"key-{n % 5}", f"{codec} {n} " + "again and again " * (n % 90)) for n in range(200)]
        clients.kcat_produce(broker, "own-codec", records, codec)
        sent += records
    expected = [(n, key, value) for n, (key, value) in enumerate(sent)]
    by_java = clients.java_consume(broker, "own-codec", len(sent), group="readers")
    assert [(r.offset, r.key, r.value) for r in by_java] == expected
    assert [(r.offset, r.key, r.value) for r in clients.kcat_consume(broker, "own-codec")] == expected
    broker.stop()
    for directory, codec in [("own-codec-0", "none" if kept == "uncompressed" else kept), ("__consumer_offsets-0", "zstd")]:
        log = broker.data / directory / "00000000000000000000.log"
        dumped = tool("kafka-dump-log", "--deep-iteration", "--files", log).out
        batches = re.findall(r"^baseOffset: .* compresscodec: (\w+) .* isvalid: (\w+)", dumped, re.M)
        assert batches and set(batches) == {(codec, "true")}, dumped[-2000:]
    broker.start()
    assert clients.java_consume(broker, "own-codec", len(sent)) == by_java
    committed = tool("kafka-consumer-groups", "--describe", "--group", "readers", broker=broker).out
    assert re.search(rf"readers\s+own-codec\s+0\s+{len(sent)}\s+{len(sent)}\s+0", committed), committed
