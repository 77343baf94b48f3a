"""Apicurio Registry, which keeps its schemas in topics only: a fresh process has to read all of them back."""

import json
import os
import urllib.error
import urllib.request

from harness.broker import free_port
from harness.connect import wait_for
from harness.paths import TOOLS
from harness.process import Running


class Registry:
    def __init__(self, broker):
        self.port = free_port()
        environment = {
            **os.environ,
            "APICURIO_STORAGE_KIND": "kafkasql",
            "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": broker.address,
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self.port),
        }
        argv = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-jar", *(TOOLS / "apicurio").glob("*-runner.jar")]
        self.program = Running(argv, "registry", env=environment)
        wait_for(self.ready, "the registry", 150)

    def ready(self):
        assert self.program.alive(), self.program
        try:
            return self.ask("GET", "/subjects") is not None
        except OSError:
            return False

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/apis/ccompat/v7{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def refuses(self, method, path, body):
        try:
            self.ask(method, path, body)
        except urllib.error.HTTPError as error:
            return error.code
        return None

    def everything(self):
        versions = {s: self.ask("GET", f"/subjects/{s}/versions") for s in sorted(self.ask("GET", "/subjects"))}
        return {(s, v): self.ask("GET", f"/subjects/{s}/versions/{v}") for s, all_of in versions.items() for v in all_of}


def schema(*fields):
    named = [{"name": name, "type": "string", "default": ""} for name in fields]
    return {"schema": json.dumps({"type": "record", "name": "Order", "fields": named})}


def test_schemas_survive_a_killed_registry_and_a_restarted_broker(make_broker):
    broker = make_broker().start()
    registry = Registry(broker)
    for subject in ("orders-value", "payments-value"):
        for fields in (("id",), ("id", "customer"), ("id", "customer", "note")):
            registry.ask("POST", f"/subjects/{subject}/versions", schema(*fields))
    registry.ask("PUT", "/config/orders-value", {"compatibility": "BACKWARD"})
    changed = {"schema": json.dumps({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "int"}]})}
    assert registry.refuses("POST", "/subjects/orders-value/versions", changed) == 409
    known = registry.everything()
    assert len(known) == 6

    registry.program.kill()
    again = Registry(broker)
    # It answers before it has read the topic to its end.
    wait_for(lambda: again.everything() == known, "the schemas after a killed registry", 120)
    again.ask("POST", "/subjects/late-value/versions", schema("late"))
    known = again.everything()
    again.program.kill()

    broker.kill()
    broker.start()
    last = Registry(broker)
    wait_for(lambda: last.everything() == known, "the schemas after a killed broker", 120)
    assert last.refuses("POST", "/subjects/orders-value/versions", changed) == 409, "the rule was forgotten"
    last.program.kill()
