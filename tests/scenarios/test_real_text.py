"""200 MB of real lines piped in with kcat, in each compression, keyed and not; franz-go reads them back."""

import os
import shutil
import subprocess

import pytest

from harness import clients, corpus
from harness.clients import CODECS, kcat
from harness.paths import SCRATCH
from harness.process import die_with_us, run

BYTES_MIN = int(os.environ.get("REAL_TEXT_BYTES", 200_000_000))
PARTITIONS = 4


@pytest.fixture(scope="module")
def text():
    directory = SCRATCH / f"corpus-{os.getpid()}"
    try:
        built = corpus.build(directory, BYTES_MIN, PARTITIONS)
        print(f"{built.lines} lines, {built.bytes} bytes")
        yield built
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def compression(codec):
    return [] if codec == "none" else ["-z", codec]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("codec", CODECS)
def test_keyed_lines_come_back_equal_per_partition(broker, text, codec):
    """The key decides the partition (CRC32), and the order within it is the order of the input."""
    topic = f"keyed-{codec}"
    clients.create_topic(broker, topic, partitions=PARTITIONS)
    with open(text.keyed, "rb") as lines:
        argv = kcat(broker, "-P", "-t", topic, "-K", "\t", "-X", "enable.idempotence=true", *compression(codec))
        run(argv, stdin=lines, timeout=250)
    assert clients.franz_digests(broker, topic, timeout=250) == text.keyed_digests
    clients.delete_topic(broker, topic)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("codec", CODECS)
def test_unkeyed_lines_come_back_equal_per_partition(broker, text, codec):
    """One kcat for each partition, all at once."""
    topic = f"unkeyed-{codec}"
    clients.create_topic(broker, topic, partitions=PARTITIONS)
    writers = []
    try:
        for partition, path in enumerate(text.unkeyed):
            argv = kcat(broker, "-P", "-t", topic, "-p", partition, *compression(codec))
            with open(path, "rb") as lines:
                writers.append(subprocess.Popen(die_with_us(argv), stdin=lines, stderr=subprocess.PIPE, text=True))
        for writer in writers:
            _, err = writer.communicate(timeout=250)
            assert writer.returncode == 0, err
    finally:
        for writer in writers:
            writer.kill()
    assert clients.franz_digests(broker, topic, timeout=250) == text.unkeyed_digests
    clients.delete_topic(broker, topic)
