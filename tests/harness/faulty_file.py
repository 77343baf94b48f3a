"""A file whose reads, writes or syncs fail with EIO when they are told to: a loop device on it is a block device that does.

Run as a program: `faulty_file.py MOUNTPOINT BACKING`, as root. It serves the kernel's FUSE protocol over a file system that
is one file, on the file MOUNTPOINT; the bytes lie in BACKING. Lines on standard input: `write`, `sync`, `read` (such
requests fail from now on), `write once`, `sync once`, `read once` (one of them does), `heal`. Each is answered by a line
that repeats it. At the end of input, or of the mount, it ends.
"""

import errno
import os
import struct
import subprocess
import sys
import threading

MAX_WRITE = 1 << 20
#: room for the header of a write
BUFFER = MAX_WRITE + 4096
IN_HEADER = struct.Struct("<IIQQIIIHH")
OUT_HEADER = struct.Struct("<IiQ")
ATTRIBUTES = struct.Struct("<6Q10I")
#: file handle, offset, size
READ_OR_WRITE = struct.Struct("<QQI")
WRITE_HEADER_BYTES = 40
#: of INIT: the largest write in pages is told; of OPEN: the page cache is passed by, so that every read comes here
FUSE_MAX_PAGES, FOPEN_DIRECT_IO = 1 << 22, 1
FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, INIT, INTERRUPT, DESTROY, BATCH_FORGET = (
    2, 3, 4, 14, 15, 16, 17, 18, 20, 26, 36, 38, 42)
FAULTS = {"read": READ, "write": WRITE, "sync": FSYNC}
SILENT = (FORGET, BATCH_FORGET, INTERRUPT)


class Faults:
    """What fails, and how often yet (None: always)."""

    def __init__(self):
        self.lock, self.left = threading.Lock(), {}

    def tell(self, line):
        with self.lock:
            if line == "heal":
                self.left = {}
                return
            name, once = line.split()[0], line.endswith("once")
            self.left[FAULTS[name]] = 1 if once else None

    def due(self, opcode):
        with self.lock:
            left = self.left.get(opcode, 0)
            if left:
                self.left[opcode] = left - 1
            return left is None or left > 0


class Server:
    def __init__(self, mountpoint, backing, faults):
        self.backing, self.faults = os.open(backing, os.O_RDWR), faults
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=100000,user_id=0,group_id=0"
        subprocess.run(["mount", "-i", "-t", "fuse", "-o", options, "faulty", mountpoint], check=True,
                       pass_fds=[self.device])

    def serve(self):
        while True:
            try:
                request = os.read(self.device, BUFFER)
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted
                    return
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                raise
            _, opcode, unique, *_ = IN_HEADER.unpack_from(request)
            if opcode in SILENT:
                continue
            failed, answer = 0, b""
            try:
                answer = self.answer(opcode, memoryview(request)[IN_HEADER.size:])
            except OSError as error:
                failed = -error.errno
            os.write(self.device, OUT_HEADER.pack(OUT_HEADER.size + len(answer), failed, unique) + answer)

    def answer(self, opcode, body):
        if self.faults.due(opcode):
            raise OSError(errno.EIO, "as told")
        if opcode == READ:
            _, offset, size = READ_OR_WRITE.unpack_from(body)
            return os.pread(self.backing, size, offset)
        if opcode == WRITE:
            _, offset, size = READ_OR_WRITE.unpack_from(body)
            written = os.pwrite(self.backing, body[WRITE_HEADER_BYTES:WRITE_HEADER_BYTES + size], offset)
            return struct.pack("<II", written, 0)
        if opcode in (GETATTR, SETATTR):
            size = os.fstat(self.backing).st_size
            return struct.pack("<QII", 1, 0, 0) + ATTRIBUTES.pack(
                1, size, size >> 9, 0, 0, 0, 0, 0, 0, 0o100600, 1, 0, 0, 0, 4096, 0)
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, FUSE_MAX_PAGES, 16, 12, MAX_WRITE, 1, MAX_WRITE >> 12,
                               *[0] * 9)
        if opcode == OPEN:
            return struct.pack("<QII", 1, FOPEN_DIRECT_IO, 0)
        if opcode == STATFS:
            return bytes(80)
        if opcode in (FSYNC, RELEASE, DESTROY):  # a power cut is not what is tested here
            return b""
        raise OSError(errno.ENOSYS, f"operation {opcode}")


def main(mountpoint, backing):
    faults = Faults()
    server = Server(mountpoint, backing, faults)
    threading.Thread(target=server.serve, daemon=True).start()
    print("serves", flush=True)
    for line in sys.stdin:
        faults.tell(line.strip())
        print(line.strip(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
