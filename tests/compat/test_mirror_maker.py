"""MirrorMaker 2 between an Apache Kafka and the broker under test, in both directions, with groups' offsets translated."""

from harness import clients
from harness.connect import compat_java, properties_file, wait_for
from harness.node import Node
from harness.process import Running, run


def copied(broker, topic, sent):
    found = run(clients.kcat(broker, "-C", "-t", topic, "-o", "beginning", "-e", "-f", "%p %k %s\\n"), check=False).out
    return sorted(line.split(" ", 1)[1] for line in found.splitlines()) == sorted(f"{key} {value}" for key, value in sent)


def group_offset(broker, group, topic):
    """The group's offset of partition 0, as kafka-python reads it."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=broker.address, group_id=group, enable_auto_commit=False)
    try:
        return consumer.committed(TopicPartition(topic, 0))
    finally:
        consumer.close()


def commit(broker, group, topic, offset):
    from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=broker.address, group_id=group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(offset, "", -1)})
    consumer.close()


def test_both_directions_with_translated_offsets(make_broker, tmp_path):
    here = make_broker(group_initial_rebalance_delay_ms=200).start()
    there = Node(tmp_path / "apache-kafka")
    there.format_by("apache-kafka")
    there.start("apache-kafka")
    names = {"there": there, "here": here}
    properties = {
        "clusters": "there, here",
        **{f"{name}.bootstrap.servers": cluster.address for name, cluster in names.items()},
        "there->here.enabled": "true",
        "here->there.enabled": "true",
        "topics": "orders|payments",
        "groups": ".*-group",
        "replication.factor": "1",
        **{f"{kind}.topic.replication.factor": "1" for kind in ("checkpoints", "heartbeats", "offset-syncs")},
        **{f"{kind}.storage.replication.factor": "1" for kind in ("config", "offset", "status")},
        "emit.checkpoints.interval.seconds": "1",
        "sync.group.offsets.enabled": "true",
        "sync.group.offsets.interval.seconds": "1",
        "refresh.topics.interval.seconds": "1",
        "refresh.groups.interval.seconds": "1",
        "sync.topic.configs.interval.seconds": "1",
        "offset.lag.max": "0",
        "offset.flush.interval.ms": "500",
        "plugin.discovery": "service_load",
    }
    sent = [(f"k{n}", f"v{n}") for n in range(300)]
    for cluster, topic in ((there, "orders"), (here, "payments")):
        clients.create_topic(cluster, topic, retention_ms=86_400_000)
        clients.rdk_produce(cluster, topic, sent, "zstd")
    mirror = Running(
        compat_java("org.apache.kafka.connect.mirror.MirrorMaker", str(properties_file(tmp_path / "mm2.properties", properties))), "mirror"
    )
    try:
        for source, target, topic in (("there", "here", "orders"), ("here", "there", "payments")):
            # The mirror asks for a group's offset first after records have been copied: its syncs must cover it.
            wait_for(lambda: copied(names[target], f"{source}.{topic}", sent), f"{topic} of {source}")
            commit(names[source], f"{topic}-group", topic, 200)
            more = [(f"k{n}", f"v{n}") for n in range(300, 400)]
            clients.rdk_produce(names[source], topic, more)
            wait_for(lambda: copied(names[target], f"{source}.{topic}", sent + more), f"more {topic}")
            translated = wait_for(lambda: group_offset(names[target], f"{topic}-group", f"{source}.{topic}"), "translated offset")
            assert 0 < translated <= 200, translated
            described = clients.tool("kafka-configs", "--describe", "--topic", f"{source}.{topic}", broker=names[target]).out
            assert "retention.ms=86400000" in described, described
    except BaseException:
        print(mirror)
        raise
    finally:
        mirror.kill()
        there.stop()
