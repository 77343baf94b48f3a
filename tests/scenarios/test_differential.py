"""What Apache Kafka 4.3.1 answered to random requests, asked again: the short form of scripts/differential.sh."""

from differential import PROPERTIES, recorded
from differential.compare import Comparison
from differential.side import Side
from harness.broker import IS_CORELOG


def test_recorded_requests_are_answered_as_apache_kafka_answered_them(make_broker):
    broker = make_broker(**{key.replace(".", "_"): value for key, value in PROPERTIES.items()}).start()
    side, comparison = Side(broker.address, follows=not IS_CORELOG), Comparison()
    versions, sequences = recorded.read()
    side.prepare(versions)
    for number, requests, answers in sequences:
        comparison.add(number, requests, answers, side.run(requests))
    print(comparison.summary(len(sequences)))
    assert len(sequences) >= 100
    assert not comparison.told, "\n".join(comparison.told)
