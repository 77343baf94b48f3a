"""Streams groups (KIP-1071): Kafka Streams of Apache Kafka with `group.protocol=streams`, unmodified, and its tool."""

import re

import pytest

from harness import clients
from harness.connect import wait_for
from harness.streams import QUICK, Instance, Words
from harness.tools import KafkaTools

APPLICATION = "counting"


@pytest.fixture
def tools():
    """Apache Kafka's tools in one JVM."""
    tools = KafkaTools()
    yield tools
    tools.close()


def groups(tools, broker, *argv):
    said = tools.run("streams-groups", "--bootstrap-server", broker.address, *argv)
    assert said.code == 0, (argv, said)
    return said.out


def state(tools, broker):
    out = groups(tools, broker, "--describe", "--group", APPLICATION, "--state")
    return [line.split() for line in out.splitlines() if line.startswith(APPLICATION)][0]


def lags(tools, broker):
    """How many lines of each partition of `words` have not been read, as the tool tells it."""
    out = groups(tools, broker, "--describe", "--group", APPLICATION)
    rows = [line.split() for line in out.splitlines() if " words " in line]
    return {partition: int(lag) for _, _, partition, lag in rows}


@pytest.mark.timeout(400)
def test_a_word_count_outlives_an_instance_and_the_broker(make_broker, tmp_path, tools):
    """Internal topics are created by the broker; a killed instance's tasks go to the one that followed them; the broker
    is killed; every word is counted exactly once."""
    broker = make_broker(**QUICK, group_streams_num_standby_replicas=1).start()
    words = Words(broker)
    first = Instance(broker, APPLICATION, tmp_path / "1", 1)
    second = Instance(broker, APPLICATION, tmp_path / "2", 2)
    try:
        # The source topic is missing until now: members wait and are told so.
        clients.create_topic(broker, "counts", 2)
        clients.create_topic(broker, "words", 4)
        for instance in (first, second):
            instance.wait_for_line("RUNNING", 120)
        words.write(400)
        wait_for(words.are_counted, "the first words", 60)
        made = {line.strip() for line in clients.tool("kafka-topics", "--list", broker=broker).out.splitlines()}
        assert {f"{APPLICATION}-counted-changelog", f"{APPLICATION}-counted-repartition"} <= made, made

        # Each task is active in one instance and followed in the other, and both know.
        def spread():
            places = [first.where(word) for word in words.written]
            told = [second.where(word) for word in words.written]
            return places == told and all({active} | standbys == {1, 2} for active, standbys in places) and {
                active for active, _ in places
            } == {1, 2}

        wait_for(spread, "tasks and standby tasks are spread", 60)
        wait_for(lambda: state(tools, broker)[-2:] == ["Stable", "2"], "the group is stable", 60)

        words.write(100)
        first.kill()
        words.write(300)
        wait_for(words.are_counted, "the words after a killed instance", 90)
        assert {second.where(word)[0] for word in words.written} == {2}

        broker.kill()
        broker.start()
        words.write(200)
        wait_for(words.are_counted, "the words after a killed broker", 120)
        wait_for(lambda: lags(tools, broker) == dict.fromkeys("0123", 0), "no lag", 60)
        assert "closed" in second.finish(90)
    finally:
        for instance in (first, second):
            instance.kill()
    assert "FAILED" not in "".join(second.lines), second.lines
    the_tool(tools, broker, words)


def the_tool(tools, broker, words):
    """kafka-streams-groups on a group whose members have gone."""
    assert groups(tools, broker, "--list").split() == [APPLICATION]
    listed = groups(tools, broker, "--list", "--state")
    assert re.search(rf"{APPLICATION}\s+Empty", listed), listed
    reset = ["--reset-offsets", "--group", APPLICATION, "--input-topic", "words"]
    offsets = lambda out: {part: int(offset) for part, offset in re.findall(r"words\s+([0-3])\s+(\d+)\b", out)}
    assert sum(offsets(groups(tools, broker, *reset, "--to-current", "--dry-run")).values()) == words.lines
    assert offsets(groups(tools, broker, *reset, "--to-earliest", "--execute")) == dict.fromkeys("0123", 0)
    assert offsets(groups(tools, broker, *reset, "--shift-by", "10", "--dry-run")) == dict.fromkeys("0123", 10)
    groups(tools, broker, "--delete", "--group", APPLICATION)
    assert groups(tools, broker, "--list").split() == []
