"""What only corelog has, or does in its own way."""

import os
import re
import signal
import socket
import time

import pytest

from harness import clients
from harness.clients import CODECS
from harness.paths import CORELOG, ROOT
from harness.process import run

pytestmark = pytest.mark.corelog

#: The commands of Apache Kafka that README's walk names
FETCH_PATHS = ("auto", "sendfile", "splice", "read")
CONNECTIONS = 1000


def forget_pages(broker):
    """The segments leave the page cache, so that the next fetch finds them cold."""
    for path in broker.data.rglob("*.log"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def test_each_fetch_path_serves_equal_bytes_of_resident_and_of_cold_segments(make_broker):
    broker = make_broker().start()
    clients.create_topic(broker, "paths", partitions=2, segment_bytes=8 << 20)
    for codec in CODECS:
        small = [(f"k{n}", f"{codec} {n}") for n in range(2000)]
        large = [(f"k{n}", codec + os.urandom(300_000).hex()) for n in range(6)]
        clients.rdk_produce(broker, "paths", small + large, codec)
    expected = clients.rdk_digests(broker, "paths")
    assert sum(digest.count for digest in expected.values()) == 5 * 2006
    for path in FETCH_PATHS:
        broker.restart(corelog_fetch_path=path)
        for pages in ("resident", "cold"):
            if pages == "cold":
                forget_pages(broker)
            assert clients.franz_digests(broker, "paths") == expected, f"franz-go, {path}, {pages}"
            if pages == "cold":
                forget_pages(broker)
            assert clients.rdk_digests(broker, "paths") == expected, f"librdkafka, {path}, {pages}"


def test_one_core_reads_what_two_cores_wrote_and_the_other_way_round(make_broker):
    broker = make_broker(corelog_cores=2).start()
    clients.create_topic(broker, "cores", partitions=8)
    sent = [(f"k{n}", str(n)) for n in range(1000)]
    clients.rdk_produce(broker, "cores", sent)
    on_two = clients.rdk_consume(broker, "cores")
    broker.restart(corelog_cores=1)
    assert clients.rdk_consume(broker, "cores") == on_two
    added = clients.rdk_produce(broker, "cores", sent)
    broker.restart(corelog_cores=2)
    assert clients.rdk_consume(broker, "cores") == sorted(on_two + added)


def served(broker):
    """What the broker says at its end: requests, hops between cores."""
    broker.stop()
    requests, hops = re.findall(r"served (\d+) requests with (\d+) hops", broker.tail())[-1]
    return int(requests), int(hops)


def test_a_request_hops_once_at_most_and_never_where_all_is_local(make_broker):
    broker = make_broker(corelog_cores=1).start()
    clients.create_topic(broker, "hops", partitions=8)
    sent = [(f"k{n}", str(n)) for n in range(400)]
    one_by_one = {"batch_num_messages": 1, "linger_ms": 0}
    clients.rdk_produce(broker, "hops", sent, **one_by_one)
    requests, hops = served(broker)
    assert requests >= 400 and hops == 0, f"one core: {hops} hops in {requests} requests"
    broker.start(corelog_cores=2)
    clients.rdk_produce(broker, "hops", sent, **one_by_one)
    requests, hops = served(broker)
    # The start itself hops a few times: each core takes the metadata, registers, listens.
    start = 20
    assert requests >= 400 and 0 < hops <= requests + start, f"two cores: {hops} hops in {requests} requests"


def test_several_log_dirs_hold_the_partitions_and_come_back(make_broker):
    broker = make_broker()
    dirs = [broker.directory / name for name in "ab"]
    broker.properties["log.dirs"] = ",".join(map(str, dirs))
    broker.start()
    clients.create_topic(broker, "spread", partitions=6)
    sent = clients.rdk_produce(broker, "spread", [(f"k{n}", str(n)) for n in range(600)])
    broker.restart()
    assert clients.rdk_consume(broker, "spread") == sent
    held = [len(list(dir.glob("spread-*"))) for dir in dirs]
    assert sum(held) == 6 and min(held) > 0, held


def test_idle_with_a_thousand_connections_costs_no_cpu(make_broker):
    """CPU time, not wall time: at most 0.1 % of a core, and 40 MB after the start."""
    broker = make_broker().start()
    assert broker.resident_mib() <= 40
    open_connections = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(CONNECTIONS)]
    try:
        clients.create_topic(broker, "busy-for-a-moment")
        began, before = time.monotonic(), broker.cpu_seconds()
        time.sleep(10)  # the passing of time is what is looked at
        used, passed = broker.cpu_seconds() - before, time.monotonic() - began
        assert used <= 0.001 * passed + 0.01, f"{used} s CPU in {passed} s (the clock ticks 0.01 s)"
    finally:
        for connection in open_connections:
            connection.close()


def test_start_tells_what_it_is_and_sigterm_ends_it_with_0(make_broker):
    broker = make_broker().start()
    said = broker.log.read_text()
    cluster = re.search(r"cluster\.id=(\S{22})", (broker.data / "meta.properties").read_text()).group(1)
    for fact in (broker.address, cluster, str(broker.data)):
        assert fact in said, said
    assert len(said.splitlines()) < 20, "a few calm lines"
    broker.stop()


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 0), (signal.SIGTERM, 0)])
def test_either_signal_is_a_clean_shutdown(make_broker, number, code):
    broker = make_broker().start()
    broker.process.send_signal(number)
    assert broker.process.wait(30) == code
    assert (broker.data / ".kafka_cleanshutdown").exists()


def refused(*argv, cwd):
    """Starts corelog as it must not start; returns what it says."""
    done = run([CORELOG, *argv], check=False, timeout=20, cwd=cwd)
    assert done.code == 1, f"exit code {done.code}\n{done.out}{done.err}"
    assert "panicked" not in done.err
    return done.out + done.err


@pytest.mark.parametrize(
    "properties, says",
    [
        (["num.partitions=0"], ["num.partitions", "0"]),
        (["log.segment.bytes=many"], ["log.segment.bytes", "many"]),
        (["process.roles=broker"], ["process.roles"]),
        (["zookeeper.connect=localhost:2181"], ["zookeeper.connect"]),
        (["authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"], ["authorizer.class.name"]),
        (["super.users=User:admin"], ["super.users"]),
        (["listeners=SASL_PLAINTEXT://127.0.0.1:0"], ["SASL"]),
        (["listeners=SSL://127.0.0.1:0"], ["SSL"]),
        (["create.topic.policy.class.name=com.example.Policy"], ["create.topic.policy.class.name"]),
        (["corelog.fetch.path=teleport"], ["corelog.fetch.path", "teleport"]),
    ],
    ids=lambda value: value[0].partition("=")[0] if isinstance(value, list) and "=" in value[0] else "",
)
def test_start_is_refused_with_a_sentence(tmp_path, properties, says):
    argv = ["--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={tmp_path}/data"]
    for each in properties:
        argv += ["--override", each]
    said = refused(*argv, cwd=tmp_path)
    for word in says:
        assert word in said, said


def test_with_a_properties_file_an_unformatted_directory_is_refused_and_formatting_is_named(tmp_path):
    (tmp_path / "server.properties").write_text(
        f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:9093\n"
        f"listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\ncontroller.listener.names=CONTROLLER\n"
        f"log.dirs={tmp_path}/data\n"
    )
    said = refused("server.properties", cwd=tmp_path)
    assert "format" in said and f"{tmp_path}/data" in said, said


def test_a_directory_with_topics_but_without_meta_properties_is_never_formatted(tmp_path):
    (tmp_path / "data" / "precious-0").mkdir(parents=True)
    argv = ["--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={tmp_path}/data"]
    said = refused(*argv, cwd=tmp_path)
    assert "meta.properties" in said, said
    assert [path.name for path in (tmp_path / "data").iterdir() if not path.name.startswith(".")] == ["precious-0"]


def test_a_second_broker_on_the_same_port_or_directory_is_refused(make_broker, tmp_path):
    broker = make_broker().start()
    listeners = f"listeners=PLAINTEXT://{broker.address}"
    said = refused("--override", listeners, "--override", f"log.dirs={tmp_path}/data", cwd=tmp_path)
    assert str(broker.port) in said, said
    said = refused(
        "--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={broker.data}", cwd=tmp_path
    )
    assert str(broker.data) in said, said


def test_a_client_is_told_the_endpoint_of_the_listener_it_came_by(make_broker):
    from kafka import KafkaAdminClient

    broker = make_broker()
    inner, outer = broker.port, broker.port + 1
    broker.properties.update({
        "listeners": f"INTERNAL://127.0.0.1:{inner},EXTERNAL://127.0.0.1:{outer}",
        "advertised.listeners": f"INTERNAL://127.0.0.1:{inner},EXTERNAL://localhost:{outer}",
        "listener.security.protocol.map": "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT",
        "inter.broker.listener.name": "INTERNAL",
    })
    broker.start()
    for port, host in ((inner, "127.0.0.1"), (outer, "localhost")):
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
        try:
            brokers = admin.describe_cluster()["brokers"]
        finally:
            admin.close()
        assert [(b["host"], b["port"]) for b in brokers] == [(host, port)]


#: The walk's last command stops the broker: that must have found one, and it must end.
WALK_ENDS = """
ended=$?
for _ in $(seq 300); do pgrep -x corelog >/dev/null || exit $ended; sleep 0.1; done
echo "a broker still runs"; exit 1
"""


@pytest.mark.timeout(300)
def test_the_bare_metal_walk_of_the_readme_works_as_written():
    """In a network namespace of its own, so that port 9092 is free."""
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```sh bare-metal-walk\n(.*?)^```", readme, re.M | re.S)
    assert blocks, "README.md has no block ```sh bare-metal-walk"
    # As a user types it: `tune.sh check` tells by its exit code that something deviates, and the walk goes on.
    script = "ip link set lo up\n" + "".join(blocks) + WALK_ENDS
    # A namespace of processes too: kafka-server-stop.sh stops every broker it sees.
    done = run(
        ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", script],
        timeout=280, check=False, cwd=ROOT,
        env={**os.environ, "CORELOG_BIN": str(CORELOG)},
    )
    assert done.code == 0, f"{script}\n{done.out}\n{done.err}"
    lines = done.out.splitlines()
    assert "AAA" in lines and "BBB" in lines and lines.index("AAA") < lines.index("BBB"), done.out + done.err
