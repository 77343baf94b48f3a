#!/usr/bin/env python3
"""Chooses one line per message and version out of what Recode.java printed: the one nearest to 60 bytes.
Arguments: files, the newer release first."""
import sys

chosen = {}
for path in sys.argv[1:]:
    fresh = {}
    for line in open(path):
        name, version, hexes = line.rstrip("\n").split(" ")
        fresh.setdefault((name, int(version)), []).append(hexes)
    for key, candidates in fresh.items():
        chosen.setdefault(key, min(candidates, key=lambda it: (abs(len(it) - 120), it)))
print("# Messages that Apache Kafka 4.3.1 (3.9.1 for dropped versions) read and wrote back: name, version, bytes.")
for (name, version), hexes in sorted(chosen.items()):
    print(name, version, hexes)
