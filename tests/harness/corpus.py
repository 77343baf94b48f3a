"""Real text: lines of the source files that a machine with the toolchains has anyway.

Each file's lines are records; the file's name is their key. What each partition must hold is computed while
the corpus is written, by means that share nothing with a Kafka client.
"""

import glob
import hashlib
import os
import sys
import sysconfig
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from .clients import Digest
from .paths import TOOLS

SUFFIXES = (".rs", ".c", ".h", ".cpp", ".go", ".py", ".pyi", ".java", ".md", ".rst", ".txt", ".toml", ".json", ".s", ".S")
LINE_MAX = 200_000


@dataclass
class Corpus:
    """Files to pipe into kcat, and the digests that partitions must have afterwards."""

    keyed: Path
    keyed_digests: dict
    unkeyed: list
    unkeyed_digests: dict
    bytes: int
    lines: int


def _go(variable):
    return os.popen(f"go env {variable} 2>/dev/null").read().strip()


def _sources():
    """(name, content) of source files, in an order that stays."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for jar in sorted(glob.glob(str(TOOLS / "kafka-sources" / "*.jar"))):
        with zipfile.ZipFile(jar) as archive:
            for entry in sorted(archive.namelist()):
                if entry.endswith(SUFFIXES):
                    yield f"{Path(jar).name}/{entry}", archive.read(entry)
    roots = [cargo / "registry" / "src", _go("GOMODCACHE"), _go("GOROOT"), sysconfig.get_path("stdlib"), sys.prefix, "/usr/include", "/usr/lib"]
    for root in filter(None, roots):
        for directory, below, names in os.walk(root):
            below.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                if name.endswith(SUFFIXES) and os.path.isfile(path) and not os.path.islink(path):
                    yield os.path.relpath(path, root), Path(path).read_bytes()


def _lines(content):
    """Lines that kcat sends as they are: it ends a record at a newline and takes no empty one."""
    return [line for line in content.split(b"\n") if line and len(line) <= LINE_MAX]


def build(directory, bytes_min, partitions):
    """Writes at least `bytes_min` bytes of lines; fails when the machine has not so much."""
    directory.mkdir(parents=True, exist_ok=True)
    unkeyed_paths = [directory / f"unkeyed-{p}" for p in range(partitions)]
    keyed_path = directory / "keyed"
    unkeyed = [open(path, "wb") for path in unkeyed_paths]
    keyed = open(keyed_path, "wb")
    keyed_shas, unkeyed_shas = ([hashlib.sha256() for _ in range(partitions)] for _ in range(2))
    keyed_counts, unkeyed_counts = [0] * partitions, [0] * partitions
    total = 0
    for number, (name, content) in enumerate(_sources()):
        lines = _lines(content)
        if not lines:
            continue
        key = name.encode("utf-8", "surrogateescape").replace(b"\t", b" ")
        with_key = b"".join(b"%s\t%s\n" % (key, line) for line in lines)
        owner = zlib.crc32(key) % partitions
        keyed.write(with_key)
        keyed_shas[owner].update(with_key)
        keyed_counts[owner] += len(lines)
        part = number % partitions
        unkeyed[part].write(b"".join(b"%s\n" % line for line in lines))
        unkeyed_shas[part].update(b"".join(b"-\t%s\n" % line for line in lines))
        unkeyed_counts[part] += len(lines)
        total += sum(map(len, lines)) + len(lines)
        if total >= bytes_min:
            break
    for file in (keyed, *unkeyed):
        file.close()
    assert total >= bytes_min, f"only {total} bytes of source text on this machine, {bytes_min} wanted"

    def digests(counts, shas):
        return {p: Digest(counts[p], shas[p].hexdigest()) for p in range(partitions)}

    return Corpus(
        keyed_path, digests(keyed_counts, keyed_shas), unkeyed_paths, digests(unkeyed_counts, unkeyed_shas),
        total, sum(keyed_counts),
    )
