"""Kafka Connect workers as processes, spoken to through their REST API."""

import json
import time
import urllib.error
import urllib.request

from .broker import free_port, java
from .paths import TOOLS
from .process import Late, Running

JARS = TOOLS / "compat-java"


def compat_java(*argv, **how):
    """The command line that runs a class of Connect, MirrorMaker or Streams."""
    command = java(*argv, **{"level": "WARN", **how})
    command[command.index("-cp") + 1] = f"{JARS}/*"
    return command


def properties_file(path, properties):
    path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return path


def wait_for(condition, what, timeout=240, pause=0.2):
    """For conditions that a program in another process brings about; it tells nobody, so this asks again."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            raise Late(f"{what}: not within {timeout} s")
        time.sleep(pause)
    return result


class Worker:
    def __init__(self, directory, broker, mode="distributed", arguments=(), **properties):
        self.port = free_port()
        converter = "org.apache.kafka.connect.storage.StringConverter"
        common = {
            "bootstrap.servers": broker.address,
            "key.converter": converter,
            "value.converter": converter,
            "listeners": f"http://127.0.0.1:{self.port}",
            "plugin.discovery": "service_load",
            "offset.flush.interval.ms": "500",
        }
        distributed = {
            "group.id": "connect",
            **{f"{kind}.storage.topic": f"connect-{kind}" for kind in ("config", "offset", "status")},
            **{f"{kind}.storage.replication.factor": "1" for kind in ("config", "offset", "status")},
            "offset.storage.partitions": "5",
            "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "500",
            "scheduled.rebalance.max.delay.ms": "500",
        }
        named = {key.replace("_", "."): value for key, value in properties.items()}
        own = distributed if mode == "distributed" else {"offset.storage.file.filename": directory / "offsets"}
        file = properties_file(directory / f"worker-{self.port}.properties", {**common, **own, **named})
        name = f"org.apache.kafka.connect.cli.Connect{mode.capitalize()}"
        self.program = Running(compat_java(name, str(file), *map(str, arguments)), f"worker {self.port}")

    def rest(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def ready(self):
        """Whether the REST API answers; a worker that has ended is an error."""
        assert self.program.alive(), self.program
        try:
            return self.rest("GET", "/connectors") is not None
        except (OSError, urllib.error.HTTPError):
            return False

    def create(self, name, **config):
        named = {key.replace("_", "."): value for key, value in config.items()}
        wait_for(lambda: self._try("POST", "/connectors", {"name": name, "config": named}), f"connector {name}")

    def _try(self, *request):
        """Workers answer 409 while they rebalance, 404 for what they have not heard of yet."""
        try:
            return self.rest(*request) or True
        except urllib.error.HTTPError as error:
            if error.code in (404, 409):
                return None
            raise AssertionError(error.read().decode()) from None

    def running(self, name):
        """Where the one task of a connector runs, once it does."""
        status = self._try("GET", f"/connectors/{name}/status")
        tasks = status["tasks"] if status else []
        failed = [task for task in tasks if task["state"] == "FAILED"]
        assert not failed, failed
        return tasks[0]["worker_id"] if len(tasks) == 1 and tasks[0]["state"] == "RUNNING" else None

    def stop(self, timeout=60):
        self.program.process.terminate()
        self.program.process.wait(timeout)
