"""Every method of Apache Kafka's Admin once, and Apache Kafka's administrative tools, one broker for all."""

import os

from harness.broker import IS_CORELOG, java
from harness.clients import tool
from harness.paths import ROOT
from harness.process import run

TOUR = ROOT / "tests" / "harness" / "AdminTour.java"
#: what Apache Kafka 4.3.1 answered; RECORD=1 BROKER=apache-kafka writes it anew
ANSWERS = ROOT / "tests" / "harness" / "admin_tour.txt"
#: only corelog receives clients' metrics without a plugin
OWN = {"clientInstanceId"}


def answers(text):
    return dict(line.split(" ", 1) for line in text.splitlines())


def test_every_method_of_admin_does_what_it_does_on_apache_kafka(broker):
    done = run(java(str(TOUR), broker.address, level="OFF"), timeout=150)
    if os.environ.get("RECORD"):
        ANSWERS.write_text("".join(f"{line}\n" for line in done.out.splitlines()))
    expected, found = answers(ANSWERS.read_text()), answers(done.out)
    assert expected.keys() == found.keys() and len(expected) > 70
    differ = {name: (expected[name], found[name]) for name in expected if expected[name] != found[name] and name not in OWN}
    assert not differ, "\n".join(f"{name}: {a}\n    {b}" for name, (a, b) in differ.items())
    if IS_CORELOG:
        assert found["clientInstanceId"] == "true"
