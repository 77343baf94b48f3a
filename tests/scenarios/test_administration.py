"""Every method of Apache Kafka's Admin once, then its administrative tools; one broker, one JVM each."""

import json
import re

from harness.broker import IS_CORELOG, java
from harness.paths import ROOT
from harness.process import run

ADMIN_TOUR = str(ROOT / "tests" / "harness" / "AdminTour.java")
#: what Apache Kafka 4.3.1 answers to each method, but for those of transactions, groups and shares, which have their own
#: scenarios
ANSWERS = (ROOT / "tests" / "harness" / "admin_tour.txt").read_text()
TOOL_TOUR = str(ROOT / "tests" / "harness" / "ToolTour.java")
CONFIGS = "kafka.admin.ConfigCommand"
TOOLS = "org.apache.kafka.tools."
TOPIC = "administered"


def configs(kind, name, *change):
    named = ["--entity-default"] if name is None else ["--entity-name", name]
    return CONFIGS, ["--alter", "--entity-type", kind, *named, *change]


def described(kind, name, *more):
    named = ["--entity-default"] if name is None else ["--entity-name", name]
    return CONFIGS, ["--describe", "--entity-type", kind, *named, *more]


def tour(directory):
    """Each command with what it must print (regular expressions)."""
    offsets, move, topics = directory / "offsets.json", directory / "move.json", directory / "topics.json"
    partition = {"topic": TOPIC, "partition": 0}
    offsets.write_text(json.dumps({"partitions": [{**partition, "offset": 0}], "version": 1}))
    move.write_text(json.dumps({"version": 1, "partitions": [{**partition, "replicas": [1], "log_dirs": ["any"]}]}))
    topics.write_text(json.dumps({"version": 1, "topics": [{"topic": TOPIC}]}))
    yield (TOOLS + "TopicCommand", ["--create", "--topic", TOPIC, "--partitions", "2"]), [f"Created topic {TOPIC}"]
    yield (TOOLS + "BrokerApiVersionsCommand", []), [r"\(id: 1 rack: null isFenced: false\)", r"DescribeQuorum\(55\): 0 to 2", r"Produce\(0\): 0 to 13"]
    yield (TOOLS + "FeatureCommand", ["describe"]), [r"metadata.version\s+SupportedMinVersion: 3.3-IV3\s+SupportedMaxVersion: 4.3-IV0\s+FinalizedVersionLevel: 4.3-IV0"]
    yield (TOOLS + "FeatureCommand", ["downgrade", "--feature", "metadata.version=29", "--dry-run"]), ["Can ?not downgrade metadata.version to 29"]
    yield (TOOLS + "MetadataQuorumCommand", ["describe", "--status"]), [r"LeaderId:\s+1", r"CurrentVoters:\s+\[.*1", r"CurrentObservers:\s+\[\]"]
    yield (TOOLS + "MetadataQuorumCommand", ["describe", "--replication"]), [r"NodeId\s+.*Status", r"1\s+.*Leader"]
    yield (TOOLS + "ClusterTool", ["cluster-id"]), ["Cluster ID: \\S{22}"]
    yield (TOOLS + "ClusterTool", ["list-endpoints"]), [r"1\s+127.0.0.1\s+\d+"]
    yield (TOOLS + "ClusterTool", ["unregister", "--id", "9"]), ["Broker ID 9 is not currently registered"]
    yield configs("topics", TOPIC, "--add-config", "retention.ms=86400000"), ["Completed updating config for topic"]
    yield described("topics", TOPIC), [r"retention.ms=86400000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:retention.ms=86400000"]
    yield configs("brokers", "1", "--add-config", "log.cleaner.backoff.ms=16000"), ["Completed updating config for broker"]
    yield described("brokers", "1"), ["log.cleaner.backoff.ms=16000 sensitive=false synonyms="]
    yield configs("brokers", None, "--add-config", "message.max.bytes=1048589"), ["Completed updating default config for brokers"]
    yield described("brokers", None), ["message.max.bytes=1048589"]
    yield configs("broker-loggers", "1", "--add-config", "root=WARN"), ["Completed updating config for broker-logger 1"]
    yield described("broker-loggers", "1"), ["root=WARN sensitive=false synonyms=\\{\\}"]
    yield configs("users", "alice", "--add-config", "producer_byte_rate=1024"), ["Completed updating config for user alice"]
    yield configs("users", "alice", "--add-config", "SCRAM-SHA-256=[password=secret]"), ["Completed updating config for user alice"]
    yield described("users", "alice"), ["Quota configs for user-principal 'alice' are producer_byte_rate=1024", "SCRAM credential configs for user-principal 'alice' are .*SCRAM-SHA-256=iterations=4096"]
    yield configs("clients", None, "--add-config", "consumer_byte_rate=2048"), ["Completed updating default config for clients"]
    yield described("clients", None), [r"default client-id are consumer_byte_rate=2048"]
    yield configs("ips", "127.0.0.1", "--add-config", "connection_creation_rate=50"), ["Completed updating config for ip"]
    yield described("ips", "127.0.0.1"), ["connection_creation_rate=50"]
    yield (TOOLS + "ClientMetricsCommand", ["--alter", "--name", "watched", "--metrics", "org.apache.kafka.producer.", "--interval", "5000", "--match", "client_id=a.*"]), ["Altered client metrics config for watched"]
    yield (TOOLS + "ClientMetricsCommand", ["--describe", "--name", "watched"]), ["interval.ms=5000", "match=client_id=a.\\*", "metrics=org.apache.kafka.producer."]
    yield (TOOLS + "ClientMetricsCommand", ["--list"]), ["watched"]
    yield (TOOLS + "ClientMetricsCommand", ["--delete", "--name", "watched"]), ["Deleted client metrics config for watched"]
    yield (TOOLS + "LeaderElectionCommand", ["--election-type", "preferred", "--all-topic-partitions"]), []
    yield (TOOLS + "LeaderElectionCommand", ["--election-type", "unclean", "--topic", TOPIC, "--partition", "0"]), ["Valid replica already elected for partitions"]
    yield (TOOLS + "LogDirsCommand", ["--describe", "--topic-list", TOPIC]), [f'"partition":"{TOPIC}-0","size":0,"offsetLag":0,"isFuture":false']
    yield (TOOLS + "DeleteRecordsCommand", ["--offset-json-file", str(offsets)]), [rf"partition: {TOPIC}-0\s+low_watermark: 0"]
    yield (TOOLS + "reassign.ReassignPartitionsCommand", ["--generate", "--topics-to-move-json-file", str(topics), "--broker-list", "1"]), [r'"replicas":\[1\]']
    yield (TOOLS + "reassign.ReassignPartitionsCommand", ["--execute", "--reassignment-json-file", str(move)]), ["Successfully started partition reassignment"]
    yield (TOOLS + "reassign.ReassignPartitionsCommand", ["--verify", "--reassignment-json-file", str(move)]), [f"Reassignment of partition {TOPIC}-0 is completed"]
    yield (TOOLS + "reassign.ReassignPartitionsCommand", ["--list"]), ["No partition reassignments found"]


def test_the_administrative_tools_work(broker, tmp_path):
    steps = list(tour(tmp_path))
    lines = ["\t".join((name, "--bootstrap-server", broker.address, *words)) for (name, words), _ in steps]
    # ClusterTool takes its verb before its options.
    lines = [re.sub(r"(ClusterTool|FeatureCommand|MetadataQuorumCommand)\t(--bootstrap-server\t\S+)\t(cluster-id|list-endpoints|unregister)", r"\1\t\3\t\2", line) for line in lines]
    out = run(java(TOOL_TOUR, level="OFF"), input="".join(f"{line}\n" for line in lines), timeout=170).out
    told = re.split(r"\n== exit \d+\n", out)
    assert len(told) == len(steps) + 1, out
    wrong = [
        f"{name.rsplit('.', 1)[1]} {' '.join(words)}: no {pattern!r} in\n{text}"
        for ((name, words), patterns), text in zip(steps, told)
        for pattern in patterns
        if not re.search(pattern, text)
    ]
    assert not wrong, "\n".join(wrong)


def answers(text):
    return dict(line.split(" ", 1) for line in text.splitlines())


def test_every_method_of_admin_does_what_it_does_on_apache_kafka(broker):
    found = answers(run(java(ADMIN_TOUR, broker.address, level="OFF"), timeout=150).out)
    differ = [f"{name}: {told}\n    {found.get(name)}" for name, told in answers(ANSWERS).items() if told != found.get(name)]
    assert not differ, "\n".join(differ)
    assert "tour" in found["listTopics"] and "TOPIC=tour" in found["listConfigResources"]
    assert found["listClientMetricsResources"] == "[subscription]"
    assert "SCRAM_SHA_512, iterations=4096" in found["describeUserScramCredentials"]
    assert "producer_byte_rate=1000000.0" in found["describeClientQuotas"]
    if IS_CORELOG:
        # Apache Kafka receives clients' metrics only through a plugin.
        assert found["clientInstanceId"] == "true"
