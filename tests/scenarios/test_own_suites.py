"""Short form of the long matrices (`scripts/compat.sh`): kafka-python's own tests of consumer and producer, unchanged."""

from compat.test_kafka_python import run_suite, start

#: the suite leaves it out itself: for brokers before 0.10.1
LEFT_OUT = {"consumer::kafka_consumer_offsets_for_time_old"}


def test_kafka_pythons_own_tests_of_consumer_and_producer(make_broker, tmp_path):
    found = run_suite(start(make_broker), tmp_path, ("consumer", "producer"))
    wrong = {name: outcomes for name, outcomes in found.items() if outcomes and name not in LEFT_OUT}
    assert not wrong, "\n".join(f"{name}: {outcomes[0][1]}" for name, outcomes in wrong.items())
    assert len(found) > 15, f"the suite has shrunk: {sorted(found)}"
