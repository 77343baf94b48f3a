"""python -m differential compare SEQUENCES [SEED [FIRST]] | record SEQUENCES | ask KAFKA CORELOG SEQUENCES [SEED [FIRST]]

JOBS processes, each with a broker pair of its own, share the sequences of `compare` (2)."""

import os
import sys

from . import pairs, recorded
from .compare import Comparison
from .side import Side


def record(count, seed=1):
    """Keeps what Apache Kafka answers to what corelog serves."""
    with pairs.brokers() as (kafka, corelog):
        side = Side(kafka, follows=True)
        versions = pairs.shared(side.versions(), Side(corelog).versions())
        side.prepare(versions)
        answers = [one for chunk in recorded.chunks(seed, range(count), versions) for one in side.run_all(chunk)]
    recorded.write(seed, versions, answers)
    print(f"{count} sequences of {len(versions)} keys recorded in {recorded.FILE}")
    return True


def ask(kafka, corelog, count, seed=1, first=0):
    """Of brokers that run already."""
    comparison = Comparison()
    pairs.ask(kafka, corelog, comparison, seed, range(first, first + count))
    print(comparison.summary(count))
    return not comparison.unexplained


def main(verb, *words):
    if verb == "ask":
        return ask(*words[:2], *map(int, words[2:]))
    numbers = [int(word) for word in words]
    if verb == "record":
        return record(*numbers)
    count, seed, first = (*numbers, *(1, 0)[len(numbers) - 1 :])
    return pairs.compare(count, seed, first, int(os.environ.get("JOBS", "2")))


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
