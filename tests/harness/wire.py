"""Kafka's wire protocol in Python, straight from the schema: requests as dictionaries, answers as dictionaries.

A field left out of a request has its default. `Connection.ask` gives the answer, or None where the broker closed the
connection."""

import re
import socket
import struct
import uuid
from functools import cache

from .paths import ROOT

FIXED = {"bool": ">?", "int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "float64": ">d"}


class Versions:
    def __init__(self, text):
        low, plus, high = re.fullmatch(r"(\d+)(\+?)(?:-(\d+))?", text).groups() if text != "none" else ("1", "", "0")
        self.low, self.high = int(low), 1 << 15 if plus else int(high or low)

    def __contains__(self, version):
        return self.low <= version <= self.high


NONE = Versions("none")


class Field:
    def __init__(self, line):
        name, kind, versions, *rest = line.split()
        self.name, self.type, self.array = name.rstrip(":"), kind.removeprefix("[]"), kind.startswith("[]")
        self.versions, self.null, self.tag, self.default, self.classic, self.fields = Versions(versions), NONE, None, None, False, []
        for word in rest:
            key, _, value = word.partition("=")
            if key == "null":
                self.null = Versions(value)
            elif key == "tag":
                self.tag = int(value.split("@")[0])
            elif key == "default":
                self.default = value
            elif word == "flexible=none":
                self.classic = True

    @property
    def is_struct(self):
        return self.type not in FIXED and self.type not in ("string", "bytes", "records", "uuid")

    def absent(self, message):
        """What a field has that nobody sets."""
        if self.default == "null":
            return None
        if self.array:
            return []
        if self.is_struct:
            return {f.name: f.absent(message) for f in message.children(self)}
        if self.type == "string":
            return "" if self.default in (None, '""') else self.default
        if self.type in ("bytes", "records"):
            return b""
        if self.type == "uuid":
            return uuid.UUID(int=0)
        if self.type == "bool":
            return self.default == "true"
        return float(self.default or 0) if self.type == "float64" else int(self.default or "0", 0)


class Message:
    def __init__(self, line):
        words = line.split()
        self.kind, self.name = words[:2]
        options = dict(word.partition("=")[::2] for word in words[2:])
        self.key, self.versions, self.flexible = int(options.get("key", -1)), Versions(options["versions"]), Versions(options["flexible"])
        self.fields, self.structs = [], {}

    def children(self, field):
        return field.fields or self.structs.get(field.type, [])


@cache
def messages():
    """All requests and responses, by (kind, key); headers by (kind, name)."""
    found = {}
    for file in sorted((ROOT / "src" / "protocol" / "schema").glob("*.schema")):
        stack = []
        for line in file.read_text().splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            depth = (len(line) - len(line.lstrip())) // 2
            if depth == 0:
                message = Message(line)
                found[message.kind, message.name if message.kind == "header" else message.key] = message
                stack = [message.fields]
                continue
            if line.split()[0] == "struct":
                fields = message.structs.setdefault(line.split()[1], [])
            else:
                field = Field(line)
                stack[depth - 1].append(field)
                fields = field.fields
            stack[depth:] = [fields]
    return found


def uvarint(out, n):
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)


class Writer:
    def __init__(self, message, version):
        self.message, self.version, self.flexible = message, version, version in message.flexible

    def struct(self, out, fields, values):
        present = [f for f in fields if self.version in f.versions]
        for field in present:
            if field.tag is None:
                self.field(out, field, values.get(field.name, field.absent(self.message)))
        if self.flexible:
            tagged = [f for f in present if f.tag is not None and f.name in values and values[f.name] != f.absent(self.message)]
            uvarint(out, len(tagged))
            for field in sorted(tagged, key=lambda f: f.tag):
                value = bytearray()
                self.field(value, field, values[field.name])
                uvarint(out, field.tag), uvarint(out, len(value))
                out += value

    def length(self, out, n, classic, form):
        if self.flexible and not classic:
            uvarint(out, n + 1)
        else:
            out += struct.pack(form, n)

    def field(self, out, field, value):
        form = ">h" if field.type == "string" and not field.array else ">i"
        if value is None:
            if field.is_struct and not field.array:
                out.append(0xFF)
            else:
                self.length(out, -1, field.classic, form)
        elif field.array:
            self.length(out, len(value), field.classic, ">i")
            for item in value:
                self.value(out, field, item)
        else:
            if field.is_struct and self.version in field.null:
                out.append(1)
            self.value(out, field, value)

    def value(self, out, field, value):
        if field.type in FIXED:
            out += struct.pack(FIXED[field.type], value)
        elif field.type == "uuid":
            out += value.bytes
        elif field.is_struct:
            self.struct(out, self.message.children(field), value)
        else:
            data = value.encode() if field.type == "string" else value
            self.length(out, len(data), field.classic, ">h" if field.type == "string" else ">i")
            out += data


class Reader:
    def __init__(self, message, version, data):
        self.message, self.version, self.flexible, self.data, self.at = message, version, version in message.flexible, data, 0

    def take(self, n):
        assert 0 <= n <= len(self.data) - self.at, f"{n} bytes wanted at {self.at} of {len(self.data)}"
        self.at += n
        return self.data[self.at - n : self.at]

    def fixed(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def uvarint(self):
        n = shift = 0
        while True:
            (byte,) = self.take(1)
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    def struct(self, fields):
        present = [f for f in fields if self.version in f.versions]
        values = {f.name: self.field(f) if f.tag is None else f.absent(self.message) for f in present}
        if self.flexible:
            tags = {f.tag: f for f in present if f.tag is not None}
            for _ in range(self.uvarint()):
                tag, size = self.uvarint(), self.uvarint()
                if tag in tags:
                    values[tags[tag].name] = self.field(tags[tag])
                else:
                    values[f"unknown tag {tag}"] = self.take(size)
        return values

    def length(self, field, form):
        return self.uvarint() - 1 if self.flexible and not field.classic else self.fixed(form)

    def field(self, field):
        if field.array:
            n = self.length(field, ">i")
            return None if n < 0 else [self.value(field) for _ in range(n)]
        if field.is_struct and self.version in field.null and self.fixed(">b") < 0:
            return None
        return self.value(field)

    def value(self, field):
        if field.type in FIXED:
            return self.fixed(FIXED[field.type])
        if field.type == "uuid":
            return uuid.UUID(bytes=bytes(self.take(16)))
        if field.is_struct:
            return self.struct(self.message.children(field))
        n = self.length(field, ">h" if field.type == "string" else ">i")
        data = None if n < 0 else bytes(self.take(n))
        return data.decode() if data is not None and field.type == "string" else data


def encode(key, version, body):
    """The body of a request."""
    message, out = messages()["request", key], bytearray()
    Writer(message, version).struct(out, message.fields, body)
    return bytes(out)


def decode(key, version, data):
    """The body of an answer; every byte must be read."""
    message = messages()["response", key]
    reader = Reader(message, version, data)
    values = reader.struct(message.fields)
    assert reader.at == len(data), f"{len(data) - reader.at} bytes behind the answer {values}"
    return values


class Connection:
    def __init__(self, address, client_id="wire", timeout=30):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id, self.correlation = client_id.encode(), 0

    def ask_bytes(self, key, version, body):
        """The answer's body; None where the connection was closed."""
        self.correlation += 1
        request = messages()["request", key]
        header = struct.pack(">hhih", key, version, self.correlation, len(self.client_id)) + self.client_id
        header += b"\0" if version in request.flexible else b""
        try:
            self.socket.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
            size = self._read(4)
            answer = size and self._read(struct.unpack(">i", size)[0])
        except (ConnectionResetError, BrokenPipeError):
            return None
        if not answer:
            return None
        assert struct.unpack_from(">i", answer) == (self.correlation,), "an answer to another request"
        flexible = key != 18 and version in request.flexible
        assert not flexible or answer[4] == 0, "tags in the response header"
        return answer[5:] if flexible else answer[4:]

    def ask(self, key, version, **body):
        answer = self.ask_bytes(key, version, encode(key, version, body))
        return None if answer is None else decode(key, version, answer)

    def _read(self, n):
        data = bytearray()
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                return None
            data += more
        return bytes(data)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
