"""Programs: run to their end, or watched line by line while they run. Every wait has a deadline."""

import socket
import subprocess
import threading
import time
from dataclasses import dataclass


class Late(AssertionError):
    """What was waited for did not come before the deadline."""


@dataclass
class Done:
    code: int
    out: str
    err: str


def _tail(text, lines=15):
    return "\n".join(text.splitlines()[-lines:])


def die_with_us(argv):
    """The kernel ends the program when the test run ends, however that ends."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *map(str, argv)]


def run(argv, *, input=None, timeout=60, check=True, env=None, stdin=None, cwd=None):
    """Runs a program to its end. Text in, text out; bytes that are no UTF-8 survive as surrogates."""
    try:
        done = subprocess.run(
            die_with_us(argv), input=input, stdin=stdin if input is None else None, capture_output=True, text=True,
            encoding="utf-8", errors="surrogateescape", timeout=timeout, env=env, cwd=cwd,
        )
    except subprocess.TimeoutExpired as late:
        err = (late.stderr or b"").decode("utf-8", "replace")
        raise Late(f"{argv[:6]} did not end within {timeout} s\n{_tail(err)}") from None
    if check:
        assert done.returncode == 0, (
            f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{_tail(done.stdout)}\n{_tail(done.stderr)}"
        )
    return Done(done.returncode, done.stdout, done.stderr)


class Running:
    """A program whose lines of output are events to wait for."""

    def __init__(self, argv, name, *, env=None, cwd=None):
        self.name = name
        self.lines = []
        self.errors = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            die_with_us(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, encoding="utf-8", errors="surrogateescape", env=env, cwd=cwd,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, lines):
        for line in pipe:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def __str__(self):
        said = "\n".join((self.lines + self.errors)[-15:])
        return f"{self.name} (pid {self.process.pid}, exit code {self.process.poll()}):\n{said}"

    def alive(self):
        return self.process.poll() is None

    def wait_until(self, condition, what, timeout=60):
        """Waits until `condition()` is true; it is looked at whenever a line has come."""
        end = time.monotonic() + timeout
        with self._changed:
            while not (result := condition()):
                left = end - time.monotonic()
                if left <= 0:
                    raise Late(f"{what}: not within {timeout} s; {self}")
                if not self.alive() and not any(reader.is_alive() for reader in self._readers):
                    raise Late(f"{what}: the program has ended; {self}")
                self._changed.wait(min(left, 0.2))
            return result

    def wait_for_line(self, start, timeout=60):
        """Waits for a line that begins so."""
        return self.wait_until(lambda: next((line for line in self.lines if line.startswith(start)), None), start, timeout)

    def finish(self, timeout=60, check=True):
        """Ends its input, which asks it to finish, and waits for that."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Late(f"did not finish within {timeout} s; {self}") from None
        for reader in self._readers:
            reader.join(timeout)
        assert code == 0 or not check, f"exit code {code}; {self}"
        return self.lines

    def kill(self):
        """`kill -9`: no goodbye. Harmless when it has ended."""
        self.process.kill()
        self.process.wait(10)
        for reader in self._readers:
            reader.join(10)


def until_listens(port, process, tail, *, within, pause):
    """Returns when the process accepts connections on `port`; `tail` gives the end of its log."""
    end = time.monotonic() + within
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, f"the broker ended with {process.returncode}:\n{tail()}"
            if time.monotonic() > end:
                raise Late(f"the broker does not listen after {within} s:\n{tail()}") from None
            time.sleep(pause)  # until it listens there is no event to wait for


def until_nobody_listens(port, within=10):
    """The kernel lets go of a killed broker's sockets some time after the process has ended: until then the next one
    would be taken for started."""
    end = time.monotonic() + within
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
        if time.monotonic() > end:
            raise Late(f"port {port} is still listened on {within} s after the end of the process")
        time.sleep(0.005)  # nothing tells when the kernel is done
