"""Each client writes with each compression, and every other client reads the same records at the same places."""

import zlib

import pytest

from harness import clients
from harness.clients import CODECS

PRODUCERS = {
    "librdkafka": clients.rdk_produce,
    "kcat": clients.kcat_produce,
    "kafka-python": clients.python_produce,
    "franz-go": clients.franz_produce,
    "java-console-producer": clients.java_produce,
}
CONSUMERS = {
    "librdkafka": clients.rdk_consume,
    "kcat": clients.kcat_consume,
    "kafka-python": clients.python_consume,
    "franz-go": clients.franz_consume,
}


def samples(codec):
    """Records with and without key, with text beyond ASCII, long and empty values."""
    for n in range(300):
        yield (f"key-{n % 7}" if n % 3 else None, f"{codec} {n} ünï¢øðé " + "again and again " * (n % 50))
    yield ("long", codec + "x" * 200_000)
    yield ("empty value", "")


@pytest.mark.parametrize("producer", PRODUCERS)
def test_every_client_reads_what_one_wrote_in_each_compression(broker, producer):
    topic = f"round-trip-{producer}"
    clients.create_topic(broker, topic, partitions=3)
    sent, acknowledged = [], []
    for codec in CODECS:
        records = list(samples(codec))
        if producer == "kcat":
            records = [(key, value) for key, value in records if value]  # kcat takes no empty line without key
        sent += records
        acknowledged += PRODUCERS[producer](broker, topic, records, codec) or []

    first = clients.rdk_consume(broker, topic)
    assert sorted((r.key or "", r.value) for r in first) == sorted((key or "", value) for key, value in sent)
    if acknowledged:
        assert sorted(acknowledged) == first, "acknowledged at other places than read"
    for consumer, consume in CONSUMERS.items():
        assert consume(broker, topic) == first, f"{consumer} reads otherwise than librdkafka"


def test_java_console_consumer_reads_what_all_clients_wrote(broker):
    topic = "read-by-java"
    clients.create_topic(broker, topic, partitions=2)
    count = 0
    for name, produce in PRODUCERS.items():
        for codec in CODECS if name != "java-console-producer" else ("zstd",):
            sent = [(f"{name}-{n % 3}", f"{name} {codec} {n}") for n in range(20)]
            produce(broker, topic, sent, codec)
            count += len(sent)
    assert clients.java_consume(broker, topic, count) == clients.rdk_consume(broker, topic)


@pytest.mark.parametrize("producer", ["librdkafka", "franz-go", "kafka-python"])
def test_topic_created_by_the_first_producer(broker, producer):
    topic = f"auto-created-by-{producer}"
    if producer == "franz-go":
        # franz-go asks for auto-creation only when told; a subscriber of librdkafka's metadata creates it first.
        clients.rdk_produce(broker, topic, [(None, "first")])
    PRODUCERS[producer](broker, topic, [(None, "hello")])
    assert [r.value for r in clients.rdk_consume(broker, topic)][-1] == "hello"


def test_librdkafka_consistent_partitioner_lands_where_crc32_says(broker):
    topic, partitions = "consistent", 7
    clients.create_topic(broker, topic, partitions=partitions)
    sent = [(f"user-{n}", str(n)) for n in range(1000)]
    clients.rdk_produce(broker, topic, sent, partitioner="consistent")
    for r in clients.rdk_consume(broker, topic):
        assert r.partition == zlib.crc32(r.key.encode()) % partitions, r


def test_a_produce_request_per_record_of_each_acks(broker):
    topic = "acks"
    clients.create_topic(broker, topic)
    for acks in ("0", "1", "all"):
        clients.rdk_produce(
            broker, topic, [(None, f"{acks} {n}") for n in range(50)],
            acks=acks, batch_num_messages=1, max_in_flight=1, linger_ms=0,
        )
    assert [r.value for r in clients.rdk_consume(broker, topic)] == [
        f"{acks} {n}" for acks in ("0", "1", "all") for n in range(50)
    ]


def test_a_record_larger_than_the_broker_takes_is_refused_and_the_next_is_taken(broker):
    topic = "too-large"
    clients.create_topic(broker, topic)
    with pytest.raises(AssertionError, match="MessageSizeTooLarge"):
        clients.rdk_produce(broker, topic, [(None, "x" * (2 << 20))], message_max_bytes=8 << 20)
    assert [r.offset for r in clients.rdk_produce(broker, topic, [(None, "small")])] == [0]


def test_a_waiting_consumer_gets_a_record_as_soon_as_it_is_written(broker):
    """The long poll: with an hour to wait at most, only the arrival of the record can end the wait."""
    from kafka import KafkaConsumer, TopicPartition

    topic = "long-poll"
    clients.create_topic(broker, topic)
    consumer = KafkaConsumer(
        bootstrap_servers=broker.address, fetch_max_wait_ms=25_000, request_timeout_ms=30_000, enable_auto_commit=False
    )
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        assert consumer.poll(timeout_ms=500) == {}, "nothing is there yet, and the fetch waits at the broker"
        clients.rdk_produce(broker, topic, [(None, "now")])
        came = consumer.poll(timeout_ms=10_000)
        assert [r.value for batch in came.values() for r in batch] == [b"now"]
    finally:
        consumer.close()
