"""The three configuration APIs by hand, field by field: what no tool shows (read-only, types, documentation, error texts)."""

import socket
import struct
from typing import NamedTuple, Optional

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)


class Entry(NamedTuple):
    """A row of DescribeConfigs."""

    name: str
    value: Optional[str]
    read_only: bool
    source: int
    sensitive: bool
    synonyms: tuple
    type: int
    documentation: Optional[str]


class Writer(bytearray):
    def i8(self, n):
        self.extend(struct.pack(">b", n))
        return self

    def uvarint(self, n):
        while n >= 0x80:
            self.append(n & 0x7F | 0x80)
            n >>= 7
        self.append(n)
        return self

    def string(self, text):
        """Compact and nullable."""
        if text is None:
            return self.uvarint(0)
        self.uvarint(len(text.encode()) + 1)
        self.extend(text.encode())
        return self

    def array(self, items, write):
        if items is None:
            return self.uvarint(0)
        self.uvarint(len(items) + 1)
        for item in items:
            write(item)
        return self

    def end(self):
        """No tagged fields."""
        return self.uvarint(0)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def fixed(self, form):
        (n,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return n

    def uvarint(self):
        n = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    def string(self):
        n = self.uvarint()
        if n == 0:
            return None
        self.at += n - 1
        return bytes(self.data[self.at - n + 1 : self.at]).decode()

    def array(self, read):
        return [read() for _ in range(self.uvarint() - 1)]

    def end(self):
        for _ in range(self.uvarint()):
            self.uvarint()
            n = self.uvarint()
            self.at += n


def ask(address, key, version, body):
    """Sends one flexible request and gives its answer's body."""
    host, port = address.rsplit(":", 1)
    header = struct.pack(">hhih", key, version, 7, 5) + b"admin" + b"\0"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        answer = bytearray()
        while len(answer) < 4 or len(answer) < 4 + struct.unpack_from(">i", answer)[0]:
            more = connection.recv(1 << 16)
            assert more, "the connection was closed"
            answer += more
    reader = Reader(bytes(answer[8:]))
    reader.end()
    return reader


def describe(address, *resources, synonyms=True, documentation=True):
    """DescribeConfigs v4 of `(type, name[, keys])`: for each `(error, message, {name: Entry})`."""
    body = Writer()

    def resource(r):
        body.i8(r[0]).string(r[1]).array(r[2] if len(r) > 2 else None, body.string).end()

    body.array(resources, resource).i8(synonyms).i8(documentation).end()
    reader = ask(address, 32, 4, body)
    reader.fixed(">i")

    def synonym():
        found = (reader.string(), reader.string(), reader.fixed(">b"))
        reader.end()
        return found

    def entry():
        fields = [reader.string(), reader.string(), bool(reader.fixed(">b")), reader.fixed(">b"), bool(reader.fixed(">b"))]
        fields += [tuple(reader.array(synonym)), reader.fixed(">b"), reader.string()]
        reader.end()
        return Entry(*fields)

    def result():
        error, message, _, _ = reader.fixed(">h"), reader.string(), reader.fixed(">b"), reader.string()
        entries = {e.name: e for e in reader.array(entry)}
        reader.end()
        return error, message, entries

    return reader.array(result)


def incremental_alter(address, *resources, validate_only=False):
    """IncrementalAlterConfigs v1 of `(type, name, [(key, operation, value)])`: for each `(error, message)`."""
    body = Writer()

    def config(c):
        body.string(c[0]).i8(c[1]).string(c[2]).end()

    def resource(r):
        body.i8(r[0]).string(r[1]).array(r[2], config).end()

    body.array(resources, resource).i8(validate_only).end()
    return _altered(ask(address, 44, 1, body))


def alter(address, *resources, validate_only=False):
    """AlterConfigs v2 of `(type, name, [(key, value)])`: for each `(error, message)`."""
    body = Writer()

    def config(c):
        body.string(c[0]).string(c[1]).end()

    def resource(r):
        body.i8(r[0]).string(r[1]).array(r[2], config).end()

    body.array(resources, resource).i8(validate_only).end()
    return _altered(ask(address, 33, 2, body))


def _altered(reader):
    reader.fixed(">i")

    def result():
        found = (reader.fixed(">h"), reader.string())
        reader.fixed(">b"), reader.string()
        reader.end()
        return found

    return reader.array(result)
