"""python -m differential compare SEQUENCES [SEED [FIRST]] | record SEQUENCES | ask KAFKA CORELOG SEQUENCES [SEED [FIRST]]"""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from harness.node import Node
from harness.paths import SCRATCH

from . import PROPERTIES, recorded
from .compare import Comparison
from .recorded import sequences
from .side import Side


def shared(kafka, corelog):
    """Keys and versions that both serve."""
    both = {key: (max(low, corelog[key][0]), min(high, corelog[key][1])) for key, (low, high) in kafka.items() if key in corelog}
    # Produce is advertised from 0 and served from 3.
    return {key: (3, versions[1]) if key == 0 else versions for key, versions in both.items()}


@contextmanager
def brokers():
    """A fresh Apache Kafka and a fresh corelog."""
    directory = SCRATCH / "differential"
    shutil.rmtree(directory, ignore_errors=True)
    nodes = []
    try:
        for which in ("kafka", "corelog"):
            node = Node(directory / which, **PROPERTIES)
            node.format_by(which)
            nodes.append(node)
            node.start(which)
        yield [node.address for node in nodes]
    finally:
        for node in nodes:
            if node.process:
                node.kill()


def ask(kafka, corelog, count, seed=1, first=0):
    """Both, side by side; true where every difference has its reason."""
    sides = [Side(kafka, follows=True), Side(corelog)]
    versions = shared(*(side.versions() for side in sides))
    for side in sides:
        side.prepare(versions)
    comparison = Comparison()
    with ThreadPoolExecutor(2) as pool:
        for number, requests in sequences(seed, first, count, versions):
            expected, found = pool.map(lambda side: side.run(requests), sides)
            before = len(comparison.told)
            comparison.add(f"{seed}/{number}", requests, expected, found)
            print(*comparison.told[before:], sep="\n", end="\n" if comparison.told[before:] else "", flush=True)
    print(comparison.summary(count))
    return not comparison.unexplained


def record(kafka, corelog, count, seed=1):
    """Keeps what Apache Kafka answers to what corelog serves."""
    side = Side(kafka, follows=True)
    versions = shared(side.versions(), Side(corelog).versions())
    side.prepare(versions)
    answers = [side.run(requests) for _, requests in sequences(seed, 0, count, versions)]
    recorded.write(seed, versions, answers)
    print(f"{count} sequences of {len(versions)} keys recorded in {recorded.FILE}")
    return True


def main(verb, *words):
    if verb == "ask":
        kafka, corelog, *numbers = words
        return ask(kafka, corelog, *map(int, numbers))
    numbers = [int(word) for word in words]
    with brokers() as addresses:
        return {"compare": ask, "record": record}[verb](*addresses, *numbers)


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
