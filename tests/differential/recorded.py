"""What Apache Kafka answered: `recorded.json.gz`, written by `scripts/differential.sh record`."""

import gzip
import json
import random
from pathlib import Path

from .generate import Sequence

#: sequences that find what the others before them made
CHUNK = 10

FILE = Path(__file__).with_name("recorded.json.gz")


def sequences(seed, numbers, versions):
    """`(number, requests)`; each is made of its number alone."""
    for number in numbers:
        yield number, Sequence(random.Random(f"{seed}/{number}"), number, versions).make().requests


def chunks(seed, numbers, versions):
    """All sequences, in the pieces after which the broker is tidied."""
    for at in range(0, len(numbers), CHUNK):
        yield list(sequences(seed, numbers[at : at + CHUNK], versions))


def write(seed, versions, answers):
    recorded = {"seed": seed, "versions": {str(key): list(range_) for key, range_ in versions.items()}, "answers": answers}
    with open(FILE, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(json.dumps(recorded, separators=(",", ":")).encode())


def read():
    """The versions it was recorded with, and of each chunk its sequences and what Apache Kafka answered to them."""
    with gzip.open(FILE) as file:
        recorded = json.load(file)
    versions, answers = {int(key): tuple(range_) for key, range_ in recorded["versions"].items()}, iter(recorded["answers"])
    made = chunks(recorded["seed"], range(len(recorded["answers"])), versions)
    return versions, [(chunk, [next(answers) for _ in chunk]) for chunk in made]
