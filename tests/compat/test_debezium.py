"""Debezium: rows that are inserted, updated and deleted in PostgreSQL appear as events in their order, while the worker is
stopped and killed and the broker is killed. Offsets of the connector, and all it must remember, are in the broker."""

import itertools
import json
import os
import random
from collections import Counter

import pytest

from harness import clients
from harness.connect import Worker, wait_for
from harness.paths import TOOLS
from harness.postgres import DATABASE, Postgres
from harness.process import Late, run

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))
TOPIC, ROWS, CHANGES = "shop.public.items", 200, 400


@pytest.fixture
def postgres():
    database = Postgres()
    yield database
    database.close()


class Table:
    """What was done to the table, as the events that must follow: each has a number that no other has."""

    def __init__(self, database):
        self.database, self.random, self.rows, self.expected, self.last = database, random.Random(SEED), {}, [], 0
        database.sql("create table items (id int primary key, n int not null)", "alter table items replica identity full")

    def number(self):
        self.last += 1
        return self.last

    def insert(self, op="c"):
        id_ = self.random.choice([id_ for id_ in range(2 * ROWS) if id_ not in self.rows])
        self.rows[id_] = self.number()
        self.expected.append((op, id_, self.rows[id_]))
        return f"insert into items values ({id_}, {self.rows[id_]})"

    def change(self):
        what = self.random.randrange(4)
        if what == 0 or not self.rows:
            return self.insert()
        id_ = self.random.choice(list(self.rows))
        if what == 1:
            self.expected.append(("d", id_, self.rows.pop(id_)))
            return f"delete from items where id = {id_}"
        self.rows[id_] = self.number()
        self.expected.append(("u", id_, self.rows[id_]))
        return f"update items set n = {self.rows[id_]} where id = {id_}"

    def changes(self, count):
        self.database.sql(*[self.change() for _ in range(count)])


def events(broker):
    """`(op, id, n)` in the topic's order; the tombstones behind deleted rows must be there and are left out."""
    out = run(clients.kcat(broker, "-C", "-t", TOPIC, "-o", "beginning", "-e", "-f", "%k\t%s\n"), check=False).out
    found, deleted = [], None
    for key, value in (line.split("\t", 1) for line in out.splitlines()):
        id_ = json.loads(key)["id"]
        if not value:
            assert deleted == id_, f"a tombstone for {id_} that nothing deleted"
            deleted = None
            continue
        event = json.loads(value)
        row = event["before"] if event["op"] == "d" else event["after"]
        assert row["id"] == id_
        deleted = id_ if event["op"] == "d" else None
        found.append((event["op"], id_, row["n"]))
    return found


def test_changes_of_a_table_appear_in_order(make_broker, tmp_path, postgres):
    print(f"seed {SEED}")
    broker = make_broker(group_initial_rebalance_delay_ms=200).start()
    table = Table(postgres)
    postgres.sql(*[table.insert("r") for _ in range(ROWS)])
    snapshot, table.expected = sorted(table.expected), []
    # A new worker would wait for the session of the killed one: each has a group of its own.
    groups = itertools.count()
    start = lambda: Worker(tmp_path, broker, plugin_path=TOOLS / "debezium", group_id=f"connect-{next(groups)}")  # noqa: E731
    worker = start()
    wait_for(worker.ready, "REST API")
    json_converter = "org.apache.kafka.connect.json.JsonConverter"
    worker.create(
        "shop", connector_class="io.debezium.connector.postgresql.PostgresConnector", tasks_max="1", database_hostname="127.0.0.1", database_port=str(postgres.port),
        database_user="postgres", database_password="-", database_dbname=DATABASE, topic_prefix="shop", table_include_list="public.items", plugin_name="pgoutput",
        key_converter=json_converter, value_converter=json_converter, key_converter_schemas_enable="false", value_converter_schemas_enable="false",
    )  # fmt: skip
    wait_for(lambda: sorted(events(broker)) == snapshot, "the rows that were there before")

    def all_is_there(what):
        nonlocal worker
        arrived = lambda: set(events(broker)[ROWS:]) >= set(table.expected)  # noqa: E731
        try:
            wait_for(arrived, what, 60)
        except Late:
            # A broker that is away for long (Apache Kafka's start) lets Connect begin the task anew while the one before, which
            # waits for the broker, still holds its place in PostgreSQL's log: only a new process frees that.
            print(f"{what}: not within 60 s, a new worker")
            worker.program.kill()
            worker = start()
            wait_for(arrived, what, 180)

    table.changes(CHANGES)
    all_is_there("the first changes")
    assert events(broker)[ROWS:] == table.expected, "nothing was stopped: each change once"
    for what in ("the worker stops", "the broker is killed", "the worker is killed", "both are killed"):
        table.changes(CHANGES // 2)
        if "broker" in what or "both" in what:
            broker.kill()
        if "worker stops" in what:
            worker.stop()
        elif "worker" in what or "both" in what:
            worker.program.kill()
        table.changes(CHANGES // 2)
        if not broker.running():
            broker.start()
        if not worker.program.alive():
            worker = start()
        all_is_there(what)
    found = events(broker)[ROWS:]
    # What was not yet remembered as sent is sent again: the first of each are all, in their order.
    first = list(dict.fromkeys(found))
    assert first == table.expected
    again = {event: count for event, count in Counter(found).items() if count > 1}
    print(f"{len(found)} events of {len(first)} changes, {len(again)} came more than once")
    worker.stop()
