"""A small file system of our own, in a file: to fill up, or to cut the power of."""

import array
import errno
import fcntl
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .process import Running, run

#: EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are the same number
SHUTDOWN = 0x8004587D
#: what is in the journal's memory is lost too
WITHOUT_LOG_FLUSH = 2

KINDS = ("ext4", "xfs")


@functools.cache
def why_not():
    """Why there can be no such file systems here; None where there can."""
    if os.geteuid() != 0:
        return "not root"
    missing = [tool for tool in ("losetup", "mkfs.ext4", "mkfs.xfs", "mount") if not shutil.which(tool)]
    if missing:
        return f"no {', '.join(missing)}"
    done = subprocess.run(["losetup", "--find"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"no loop device: {done.stderr.strip()}"


class LoopFs:
    EXT4 = ["-m", "0"]

    def __init__(self, directory, kind, mib):
        self.prepare(directory)
        self.kind, self.image, self.path = kind, directory / f"{kind}.img", directory / kind
        self.path.mkdir()
        self.make(mib)

    def make(self, mib):
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        self.format()

    def format(self):
        run([f"mkfs.{self.kind}", "-q", *(self.EXT4 if self.kind == "ext4" else []), self.image])
        self.mount()

    def renew(self):
        """Another one in its place, empty."""
        self.unmount()
        size = self.image.stat().st_size
        self.image.unlink()
        self.make(size >> 20)

    def prepare(self, directory):
        """Makes the directory that holds the image."""
        directory.mkdir(parents=True, exist_ok=True)

    def mount(self):
        run(["mount", "-o", "loop", self.image, self.path])

    def unmount(self):
        run(["umount", self.path])

    def cut_power(self):
        """From here on nothing reaches the disk; what was not synced is gone after the next mount."""
        fd = os.open(self.path, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, array.array("I", [WITHOUT_LOG_FLUSH]))
        os.close(fd)

    def free_bytes(self):
        stat = os.statvfs(self.path)
        return stat.f_bavail * stat.f_frsize

    def remove(self):
        if os.path.ismount(self.path):
            run(["umount", "-l", self.path])
        shutil.rmtree(self.image.parent, ignore_errors=True)


class FaultyFs(LoopFs):
    """On a block device that fails with EIO, in the way that `fault` says (`faulty_file.py`), when it is told to."""

    #: Nothing is written later that nobody asked for: it would meet the fault instead.
    EXT4 = [*LoopFs.EXT4, "-E", "lazy_itable_init=0,lazy_journal_init=0"]

    def __init__(self, directory, kind, mib, fault):
        self.fault = fault
        super().__init__(directory, kind, mib)

    def make(self, mib):
        backing = self.image.with_suffix(".bytes")
        with open(backing, "wb") as file:
            file.truncate(mib << 20)
        self.image.touch()
        program = Path(__file__).with_name("faulty_file.py")
        self.device = Running([sys.executable, program, self.image, backing], "faulty device")
        self.device.wait_for_line("serves")
        self.format()

    def tell(self, line):
        said = len(self.device.lines)
        self.device.process.stdin.write(line + "\n")
        self.device.process.stdin.flush()
        self.device.wait_until(lambda: self.device.lines[said:] == [line], line)

    def fail(self):
        self.tell(self.fault)

    def heal(self):
        self.tell("heal")

    def renew(self):
        self.unmount()
        size = self.image.stat().st_size
        self.end_device()
        self.make(size >> 20)

    def end_device(self):
        run(["umount", "-l", self.image])
        self.device.finish()

    def remove(self):
        if os.path.ismount(self.path):
            run(["umount", "-l", self.path])
        self.end_device()
        shutil.rmtree(self.image.parent, ignore_errors=True)


class FailingFs(LoopFs):
    """On a block device that can be made to fail: its image is sparse and lies in memory, and when that is used up,
    blocks that were never written before cannot be written: write-back fails, and fsync tells (EIO or ENOSPC)."""

    fault = "space"

    def prepare(self, directory):
        super().prepare(directory)
        run(["mount", "-t", "tmpfs", "-o", "size=200m", "failing", directory])

    def fail(self):
        with open(self.image.parent / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
        assert shutil.disk_usage(self.image.parent).free == 0

    def heal(self):
        (self.image.parent / "ballast").unlink()

    def remove(self):
        for path in (self.path, self.image.parent):
            if os.path.ismount(path):
                run(["umount", "-l", path])
        shutil.rmtree(self.image.parent, ignore_errors=True)
