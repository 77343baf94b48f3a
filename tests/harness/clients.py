"""Real clients. Each writes records `(key or None, value)` and reads them back with their places."""

from dataclasses import dataclass
from typing import NamedTuple, Optional

from .broker import java
from .paths import FRANZ_GO, RDK
from .process import Running, run

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Record(NamedTuple):
    partition: int
    offset: int
    key: Optional[str]
    value: str


@dataclass
class Digest:
    """What a whole partition holds: sha256 over `key TAB value NEWLINE` in order of offsets."""

    count: int
    sha256: str


def as_lines(records):
    """The form in which our programs take records: `key TAB value`, an absent key is `-`."""
    return "".join(f"{'-' if key is None else key}\t{value}\n" for key, value in records)


def record(line):
    """`partition offset key TAB value`, as our programs print them."""
    partition, offset, rest = line.split(" ", 2)
    key, value = rest.split("\t", 1)
    return Record(int(partition), int(offset), None if key == "-" else key, value)


def records(out):
    """All records of an output, by partition and offset. (Only a newline ends a line: not splitlines.)"""
    return sorted(record(line) for line in out.split("\n") if line)


def digests(out):
    return {int(p): Digest(int(count), sha) for p, count, sha in (line.split() for line in out.splitlines())}


def options(properties):
    return [word for key, value in properties.items() for word in ("-X", f"{key}={value}")]


# ---------------------------------------------------------------- librdkafka through the rdkafka crate


def rdk(broker, verb, *argv, **properties):
    """The command line of our program; properties are librdkafka's with `_` for `.`."""
    named = {key.replace("_", "."): value for key, value in properties.items()}
    return [RDK, verb, "--brokers", broker.address, *argv, *options(named)]


def rdk_produce(broker, topic, sent, codec=None, partition=None, **properties):
    if codec:
        properties["compression_codec"] = codec
    where = [] if partition is None else ["--partition", partition]
    return records(run(rdk(broker, "produce", "--topic", topic, *where, **properties), input=as_lines(sent)).out)


def rdk_consume(broker, topic, **properties):
    return records(run(rdk(broker, "consume", "--topic", topic, **properties)).out)


def rdk_digests(broker, topic, timeout=120):
    return digests(run(rdk(broker, "consume", "--topic", topic, "--digest"), timeout=timeout).out)


def create_topic(broker, topic, partitions=1, **configs):
    named = [word for key, value in configs.items() for word in ("--config", f"{key.replace('_', '.')}={value}")]
    run(rdk(broker, "topic", "--create", topic, "--partitions", partitions, *named))


def delete_topic(broker, topic):
    run(rdk(broker, "topic", "--delete", topic))


def rdk_load(broker, topic, *argv, **properties):
    return Running(rdk(broker, "load", "--topic", topic, *argv, **properties), "load")


# ---------------------------------------------------------------- kcat (librdkafka of the distribution)


def kcat(broker, *argv):
    return ["kcat", "-b", broker.address, "-q", "-X", "broker.address.family=v4", *map(str, argv)]


def kcat_produce(broker, topic, sent, codec=None):
    compression = ["-z", codec] if codec and codec != "none" else []
    for keyed in (True, False):
        chosen = [(key, value) for key, value in sent if (key is not None) == keyed]
        if not chosen:
            continue
        if keyed:
            argv = kcat(broker, "-P", "-t", topic, "-K", "\t", *compression)
            text = as_lines(chosen)
        else:
            argv = kcat(broker, "-P", "-t", topic, *compression)
            text = "".join(f"{value}\n" for _, value in chosen)
        run(argv, input=text)


def kcat_consume(broker, topic):
    # %K is the key's length: -1 for none.
    out = run(kcat(broker, "-C", "-t", topic, "-o", "beginning", "-e", "-f", "%p %o %K %k\t%s\n")).out
    found = []
    for line in filter(None, out.split("\n")):
        partition, offset, key_len, rest = line.split(" ", 3)
        key, value = rest.split("\t", 1)
        found.append(Record(int(partition), int(offset), None if key_len == "-1" else key, value))
    return sorted(found)


# ---------------------------------------------------------------- franz-go


def franz(broker, verb, topic, *argv):
    return [FRANZ_GO, verb, "-brokers", broker.address, "-topic", topic, *argv]


def franz_produce(broker, topic, sent, codec=None):
    argv = ["-codec", codec] if codec else []
    return records(run(franz(broker, "produce", topic, *argv), input=as_lines(sent)).out)


def franz_consume(broker, topic, group=None):
    argv = ["-group", group] if group else []
    return records(run(franz(broker, "consume", topic, *argv)).out)


def franz_digests(broker, topic, timeout=120):
    return digests(run(franz(broker, "consume", topic, "-digest"), timeout=timeout).out)


# ---------------------------------------------------------------- kafka-python, in this process


def python_produce(broker, topic, sent, codec=None):
    from kafka import KafkaProducer

    compression = {} if codec in (None, "none") else {"compression_type": codec}
    producer = KafkaProducer(bootstrap_servers=broker.address, **compression)
    try:
        waiting = [
            (key, value, producer.send(topic, key=key and key.encode(), value=value.encode())) for key, value in sent
        ]
        producer.flush(60)
        found = []
        for key, value, future in waiting:
            told = future.get(60)
            found.append(Record(told.partition, told.offset, key, value))
        return sorted(found)
    finally:
        producer.close()


def delete_topic_by_python(broker, topic):
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.delete_topics([topic])
    admin.close()


def python_consume(broker, topic):
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        found = []
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for tp, batch in consumer.poll(timeout_ms=1000).items():
                for r in batch:
                    found.append(Record(r.partition, r.offset, r.key and r.key.decode(), r.value.decode()))
        return sorted(found)
    finally:
        consumer.close()


# ---------------------------------------------------------------- Apache Kafka's own tools

KAFKA_TOOLS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "kafka-streams-groups": "org.apache.kafka.tools.streams.StreamsGroupCommand",
    "kafka-console-share-consumer": "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
}


def tool_command(tool, *argv, broker=None):
    server = [] if broker is None else ["--bootstrap-server", broker.address]
    return java(KAFKA_TOOLS[tool], *server, *map(str, argv))


def tool(name, *argv, broker=None, input=None, timeout=90, check=True):
    """Runs one of Apache Kafka's tools to its end."""
    return run(tool_command(name, *argv, broker=broker), input=input, timeout=timeout, check=check)


def java_produce(broker, topic, sent, codec=None):
    """kafka-console-producer; a record without key has Kafka's own marker for it."""
    compression = ["--compression-codec", codec] if codec else []
    text = "".join(f"{'NULL' if key is None else key}\t{value}\n" for key, value in sent)
    properties = ["parse.key=true", "key.separator=\t", "null.marker=NULL"]
    argv = [word for p in properties for word in ("--reader-property", p)]
    tool("kafka-console-producer", "--topic", topic, *compression, *argv, broker=broker, input=text)


def java_consume(broker, topic, count, group=None):
    """kafka-console-consumer, which prints no offsets of a record unless told."""
    properties = ["print.partition=true", "print.offset=true", "print.key=true", "key.separator=\t"]
    argv = [word for p in properties for word in ("--formatter-property", p)]
    if group:
        argv += ["--group", group]
    out = tool(
        "kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", count,
        "--timeout-ms", "30000", *argv, broker=broker,
    ).out
    found = []
    for line in filter(None, out.split("\n")):
        partition, offset, key, value = line.split("\t", 3)
        found.append(
            Record(int(partition.split(":")[1]), int(offset.split(":")[1]), None if key == "null" else key, value)
        )
    return sorted(found)
