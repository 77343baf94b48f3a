"""A PostgreSQL whose changes can be followed (logical decoding): the binaries of `compat/install.sh`, a directory of its own."""

import os
import shutil
import tempfile
from pathlib import Path

from .broker import free_port
from .connect import wait_for
from .paths import TOOLS
from .process import Running, run

HOME = TOOLS / "debezium-postgres"
#: PostgreSQL does not run as root; then it runs as this one (nobody).
USER = 65534
DATABASE = "postgres"


def _as_user(argv):
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *argv] if os.geteuid() == 0 else argv


class Postgres:
    def __init__(self):
        # Not below pytest's directory: nobody else may enter that.
        self.directory, self.port = Path(tempfile.mkdtemp(prefix="corelog-postgres-")), free_port()
        data = self.directory / "data"
        if os.geteuid() == 0:
            os.chown(self.directory, USER, USER)
        run(_as_user([HOME / "bin" / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]), cwd="/")
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "wal_level": "logical", "fsync": "off"}
        argv = [HOME / "bin" / "postgres", "-D", data, *[word for name, value in settings.items() for word in ("-c", f"{name}={value}")]]
        self.program = Running(_as_user(argv), "postgres", cwd="/")
        wait_for(self._answers, "PostgreSQL", 60)

    def _connect(self):
        from pg8000 import native

        return native.Connection("postgres", host="127.0.0.1", port=self.port, database=DATABASE)

    def _answers(self):
        assert self.program.alive(), self.program
        try:
            self.sql("select 1")
        except Exception:  # refused, or still starting: the driver has many ways to say it
            return False
        return True

    def sql(self, *statements):
        """Each statement a transaction of its own."""
        connection = self._connect()
        try:
            for statement in statements:
                connection.run(statement)
        finally:
            connection.close()

    def close(self):
        self.program.process.kill()
        self.program.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)
