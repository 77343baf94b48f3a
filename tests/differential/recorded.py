"""What Apache Kafka answered: `recorded.json.gz`, written by `scripts/differential.sh record`."""

import gzip
import json
import random
from pathlib import Path

from .generate import Sequence

FILE = Path(__file__).with_name("recorded.json.gz")


def sequences(seed, first, count, versions):
    """`(number, requests)`; each is made of its number alone."""
    for number in range(first, first + count):
        yield number, Sequence(random.Random(f"{seed}/{number}"), number, versions).make().requests


def write(seed, versions, answers):
    recorded = {"seed": seed, "versions": {str(key): list(range_) for key, range_ in versions.items()}, "answers": answers}
    with open(FILE, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(json.dumps(recorded, separators=(",", ":")).encode())


def read():
    """The versions it was recorded with, and each sequence: `(number, requests, answers)`."""
    with gzip.open(FILE) as file:
        recorded = json.load(file)
    versions = {int(key): tuple(range_) for key, range_ in recorded["versions"].items()}
    made = sequences(recorded["seed"], 0, len(recorded["answers"]), versions)
    return versions, [(number, requests, answers) for (number, requests), answers in zip(made, recorded["answers"])]
