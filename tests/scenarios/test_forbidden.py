"""Where the machine does not allow what corelog needs: the program itself says so, and ends."""

import ctypes
import struct
import subprocess

import pytest

from harness.paths import CORELOG

pytestmark = pytest.mark.corelog

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RETURN_ERRNO, RETURN_ALLOW = 0x00050000, 0x7FFF0000
IO_URING_SETUP, IO_URING_REGISTER = 425, 427
EPERM, ENOSYS = 1, 38


def filter_that_fails(system_call, errno):
    """What a container's seccomp profile does to one system call, to be run in the child before the program."""
    step = struct.Struct("HBBI").pack
    code = b"".join(
        [
            step(0x20, 0, 0, 0),
            step(0x15, 0, 1, system_call),
            step(0x06, 0, 0, RETURN_ERRNO | errno),
            step(0x06, 0, 0, RETURN_ALLOW),
        ]
    )
    steps = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(steps)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install(_keep=steps):
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
            raise OSError(ctypes.get_errno(), "no seccomp filter could be set")

    return install


@pytest.mark.parametrize(
    ("system_call", "errno", "says"),
    [
        (IO_URING_SETUP, EPERM, "seccomp"),
        (IO_URING_SETUP, ENOSYS, "CONFIG_IO_URING"),
        (IO_URING_REGISTER, EPERM, "io_uring"),
    ],
    ids=["setup forbidden", "setup hidden", "register forbidden"],
)
def test_without_io_uring_the_start_ends_with_one_sentence_and_leaves_nothing_behind(tmp_path, system_call, errno, says):
    data = tmp_path / "data"
    ended = subprocess.run(
        [CORELOG, "--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", f"log.dirs={data}"],
        capture_output=True,
        text=True,
        timeout=20,
        preexec_fn=filter_that_fails(system_call, errno),
    )
    output = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
    assert ended.returncode == 1, output
    assert len(output) == 1 and says in output[0], output
    assert not data.exists()
