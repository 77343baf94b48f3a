"""Kafka Connect: file source and sink, standalone and with two distributed workers of which one is killed."""

from collections import Counter

import pytest

from harness import clients
from harness.connect import Worker, properties_file, wait_for
from harness.process import run

SOURCE, SINK = "org.apache.kafka.connect.file.FileStreamSourceConnector", "org.apache.kafka.connect.file.FileStreamSinkConnector"


def append(path, numbers):
    with open(path, "a") as file:
        file.writelines(f"line {n}\n" for n in numbers)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def expected(*numbers):
    return {f"line {n}" for n in range(*numbers)}


def committed_values(broker, topic):
    out = run(clients.kcat(broker, "-C", "-t", topic, "-o", "beginning", "-e", "-X", "isolation.level=read_committed")).out
    return out.splitlines()


def connectors(directory, topic):
    source = {"connector_class": SOURCE, "tasks_max": "1", "file": str(directory / "in"), "topic": topic}
    sink = {"connector_class": SINK, "tasks_max": "1", "file": str(directory / "out"), "topics": topic}
    return source, sink


def test_standalone_goes_on_where_it_stopped(make_broker, tmp_path):
    broker = make_broker(group_initial_rebalance_delay_ms=200).start()
    files = [
        properties_file(tmp_path / f"{name}.properties", {"name": name, **{key.replace("_", "."): value for key, value in config.items()}})
        for name, config in zip(("source", "sink"), connectors(tmp_path, "standalone"))
    ]
    for numbers in ((0, 500), (500, 1000)):
        append(tmp_path / "in", range(*numbers))
        worker = Worker(tmp_path, broker, "standalone", files)
        wait_for(worker.ready, "REST API")
        wait_for(lambda: set(lines(tmp_path / "out")) == expected(numbers[1]), "all lines")
        assert sorted(worker.rest("GET", "/connectors")) == ["sink", "source"]
        worker.stop()
    assert Counter(lines(tmp_path / "out")).most_common(1)[0][1] == 1, "a line came twice"


@pytest.mark.parametrize("exactly_once", [False, True], ids=["at-least-once", "exactly-once"])
def test_two_workers_of_which_one_is_killed(make_broker, tmp_path, exactly_once):
    broker = make_broker(group_initial_rebalance_delay_ms=200).start()
    support = {"exactly_once_source_support": "enabled"} if exactly_once else {}
    workers = [Worker(tmp_path, broker, **support) for _ in range(2)]
    for worker in workers:
        wait_for(worker.ready, "REST API")
    source, sink = connectors(tmp_path, "distributed")
    append(tmp_path / "in", range(500))
    workers[0].create("source", **source)
    workers[1].create("sink", **sink, **{"consumer_override_isolation_level": "read_committed"})
    wait_for(lambda: set(lines(tmp_path / "out")) == expected(500), "the first lines")

    home = wait_for(lambda: workers[0].running("source"), "the source's task")
    victim = next(worker for worker in workers if home.endswith(f":{worker.port}"))
    survivor = next(worker for worker in workers if worker is not victim)
    append(tmp_path / "in", range(500, 700))
    victim.program.kill()
    append(tmp_path / "in", range(700, 1000))
    wait_for(lambda: set(lines(tmp_path / "out")) == expected(1000), "the lines after a worker's death")
    wait_for(lambda: (survivor.running("source") or "").endswith(f":{survivor.port}"), "the task has moved")
    written = committed_values(broker, "distributed")
    assert set(written) == expected(1000)
    if exactly_once:
        assert sorted(written) == sorted(expected(1000)), "a line was written twice"
    for name in ("source", "sink"):
        survivor.rest("DELETE", f"/connectors/{name}")
    wait_for(lambda: survivor.rest("GET", "/connectors") == [], "no connectors")
    survivor.stop()
