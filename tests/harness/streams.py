"""Instances of a word count as a streams group: `StreamsGroups.java`, on Apache Kafka's own Kafka Streams."""

from collections import Counter

from . import clients
from .broker import java
from .paths import ROOT
from .process import Running, run

PROGRAM = str(ROOT / "tests" / "harness" / "StreamsGroups.java")
WORDS = [f"word{n}" for n in range(40)]

#: what makes a streams group quick: heartbeats, sessions and transactions that time out in seconds
QUICK = {
    "group_streams_min_heartbeat_interval_ms": 100,
    "group_streams_heartbeat_interval_ms": 300,
    "group_streams_min_session_timeout_ms": 1000,
    "group_streams_session_timeout_ms": 3000,
    "group_streams_assignment_interval_ms": 100,
    "group_streams_initial_rebalance_delay_ms": 500,
    "transaction_abort_timed_out_transaction_cleanup_interval_ms": 500,
    "offsets_topic_num_partitions": 3,
    "transaction_state_log_num_partitions": 3,
}


class Instance(Running):
    """One process of the application; `port` stands for it among the others."""

    def __init__(self, broker, application, state, port):
        super().__init__(java(PROGRAM, broker.address, application, str(state), str(port), level="OFF"), f"instance {port}")
        self.port = port

    def where(self, word):
        """The instance that has the count of `word`, and those that follow it, as this one knows."""
        told = lambda: [line for line in self.lines if line.startswith("where ")]
        count = len(told())
        self.process.stdin.write(f"where {word}\n")
        self.process.stdin.flush()
        self.wait_until(lambda: len(told()) > count, "where")
        _, _, active, standbys = told()[-1].split()
        return int(active), set() if standbys == "-" else {int(port) for port in standbys.split(",")}


class Words:
    """Lines of words written so far, and what their counts must be."""

    def __init__(self, broker):
        self.broker, self.written, self.lines = broker, Counter(), 0

    def write(self, lines):
        told = []
        for n in range(self.lines, self.lines + lines):
            words = [WORDS[n % len(WORDS)], WORDS[(n * 7) % len(WORDS)]]
            self.written.update(words)
            told.append((f"line{n}", " ".join(words)))
        self.lines += lines
        clients.rdk_produce(self.broker, "words", told)

    def counted(self):
        """The last count of each word that a transactional reader sees."""
        argv = clients.kcat(
            self.broker, "-C", "-t", "counts", "-o", "beginning", "-e", "-X", "isolation.level=read_committed", "-f", "%k %s\\n"
        )
        return {word: int(count) for word, count in (line.split() for line in run(argv).out.splitlines())}

    def are_counted(self):
        return self.counted() == dict(self.written)
