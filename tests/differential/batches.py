"""Record batches, right ones and wrong ones."""

import struct

#: November 2023: neither broker's clock matters
THEN = 1_700_000_000_000


def _table():
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        yield n


TABLE = tuple(_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _varint(n):
    n, out = n << 1 ^ n >> 63, bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _bytes(data):
    return _varint(-1) if data is None else _varint(len(data)) + data


class Produced:
    """A batch whose producer is known when it is sent."""

    def __init__(self, records, **fields):
        self.records, self.fields = records, fields

    def resolve(self, names):
        return batch(self.records, **{name: names.resolve(value) for name, value in self.fields.items()})

    def __repr__(self):
        return f"<batch {self.records} {self.fields}>"


def batch(records, attributes=0, producer_id=-1, producer_epoch=-1, sequence=-1, count=None):
    """A batch of `(key, value)`."""
    body = b""
    for at, (key, value) in enumerate(records):
        record = b"\0" + _varint(at) + _varint(at) + _bytes(key) + _bytes(value) + _varint(0)
        body += _varint(len(record)) + record
    last = len(records) - 1
    count = len(records) if count is None else count
    tail = struct.pack(">hiqqqhii", attributes, last, THEN, THEN + last, producer_id, producer_epoch, sequence, count) + body
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


def shown(data, name_of):
    """Batches as values that two brokers can share: producers by name, and of markers neither time nor checksum."""
    out, at = [], 0
    while at + 61 <= len(data):
        size = 12 + struct.unpack_from(">i", data, at + 8)[0]
        piece = data[at : at + size]
        attributes, *_, producer, epoch, sequence = struct.unpack_from(">hiqqqhi", piece, 21)
        if producer < 0 or len(piece) < size:
            out.append(piece.hex())
        else:
            body = piece[61:].hex() if not attributes & 0x20 else piece[62:].hex()[6:]
            out.append(f"{piece[:8].hex()} {attributes} {name_of(producer)} {epoch} {sequence} {body}")
        at += size
    return out if at == len(data) else [*out, data[at:].hex()]
