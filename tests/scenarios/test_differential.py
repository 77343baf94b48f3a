"""Short form of `scripts/differential.sh`: what Apache Kafka 4.3.1 answered to some hundred sequences of requests, asked of
corelog alone."""

import pytest

from differential import PROPERTIES, recorded
from differential.compare import Comparison
from differential.side import Side


@pytest.mark.corelog
def test_answers_are_those_that_apache_kafka_gave(make_broker):
    versions, chunks = recorded.read()
    broker = make_broker(**{key.replace(".", "_"): value for key, value in PROPERTIES.items()}).start()
    side, comparison = Side(broker.address), Comparison()
    side.prepare(versions)
    for chunk, answers in chunks:
        for (number, requests), expected, found in zip(chunk, answers, side.run_all(chunk), strict=True):
            comparison.add(number, requests, expected, found)
    assert not comparison.unexplained, "\n".join([*comparison.untold, comparison.summary(sum(len(chunk) for chunk, _ in chunks))])
    assert len(comparison.asked) > 60 and sum(comparison.asked.values()) > 1900, comparison.asked
