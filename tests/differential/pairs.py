"""Fresh broker pairs, and sequences asked of them: by several processes, each with a pair of its own."""

import multiprocessing
import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from harness.node import Node
from harness.paths import SCRATCH

from . import PROPERTIES
from .compare import Comparison
from .recorded import chunks
from .side import Side

#: sequences for which a broker pair serves: what sequences leave behind (configurations, quotas) makes it slower
OF_A_PAIR = 1000


def shared(kafka, corelog):
    """Keys and versions that both serve."""
    both = {key: (max(low, corelog[key][0]), min(high, corelog[key][1])) for key, (low, high) in kafka.items() if key in corelog}
    # Produce is advertised from 0 and served from 3.
    return {key: (3, versions[1]) if key == 0 else versions for key, versions in both.items()}


@contextmanager
def brokers(name="pair"):
    """A fresh Apache Kafka and a fresh corelog, in memory where there is such a file system: many small flushes."""
    memory = Path("/dev/shm")
    root = memory if memory.is_dir() and os.access(memory, os.W_OK) else SCRATCH
    directory = root / f"corelog-differential-{os.getpid()}-{name}"
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
        shutil.rmtree(directory, ignore_errors=True)


def ask(kafka, corelog, comparison, seed, numbers):
    """Asks both, side by side."""
    sides = [Side(kafka, follows=True), Side(corelog)]
    versions = shared(*(side.versions() for side in sides))
    for side in sides:
        side.prepare(versions)
    with ThreadPoolExecutor(2) as pool:
        for chunk in chunks(seed, numbers, versions):
            answers = pool.map(lambda side: side.run_all(chunk), sides)
            for (number, requests), expected, found in zip(chunk, *answers, strict=True):
                comparison.add(f"{seed}/{number}", requests, expected, found)
            comparison.tell()


def _share(task):
    """One process's part: as many broker pairs, one after another, as it takes."""
    which, seed, numbers = task
    comparison = Comparison()
    for at in range(0, len(numbers), OF_A_PAIR):
        with brokers(which) as addresses:
            ask(*addresses, comparison, seed, numbers[at : at + OF_A_PAIR])
    return comparison


def compare(count, seed, first, jobs):
    """All sequences by `jobs` processes; true where every difference has its reason."""
    numbers = range(first, first + count)
    tasks = [(job, seed, numbers[job::jobs]) for job in range(min(jobs, count))]
    if len(tasks) == 1:
        parts = [_share(tasks[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(len(tasks)) as pool:
            parts = list(pool.imap_unordered(_share, tasks))
    whole = Comparison()
    for part in parts:
        for mine, others in ((whole.asked, part.asked), (whole.explained, part.explained), (whole.unexplained, part.unexplained)):
            mine.update(Counter(others))
    print(whole.summary(count))
    return not whole.unexplained
