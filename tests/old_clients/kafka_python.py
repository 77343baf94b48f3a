"""kafka-python 1.4, 2.0 and 2.2 as an old client (README.md); the release is what PYTHONPATH leads to."""

import itertools
import sys
import threading
import time

try:  # releases before 2.1 carry a `six` that Python 3.12 cannot import
    import six

    sys.modules["kafka.vendor.six"] = six
    sys.modules["kafka.vendor.six.moves"] = six.moves
except ImportError:
    pass

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

DEADLINE = time.monotonic() + 90


def in_time():
    if time.monotonic() > DEADLINE:
        sys.exit("late")
    return True


def write(broker, topic, codec, numbers):
    producer = KafkaProducer(bootstrap_servers=broker, compression_type=None if codec == "none" else codec, linger_ms=20)
    sent = []
    for n in range(40):
        key, value = f"k{next(numbers)}", f"{codec} {n} " + "again and again " * n
        sent.append((key, value, producer.send(topic, key=key.encode(), value=value.encode(), partition=n % 2)))
    producer.flush(60)
    for key, value, future in sent:
        at = future.get(60)
        print(f"wrote {at.partition} {at.offset} {key}\t{value}")
    producer.close()


def member(broker, topic):
    consumer = KafkaConsumer(
        bootstrap_servers=broker, group_id=f"{topic}-group", auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=10_000, heartbeat_interval_ms=300,
    )
    consumer.subscribe([topic])
    return consumer


def group(broker, topic, count):
    first = member(broker, topic)
    while count and in_time():
        for batch in first.poll(timeout_ms=300).values():
            for r in batch:
                print(f"read {r.partition} {r.offset} {r.key.decode()}\t{r.value.decode()}")
                count -= 1
    first.commit()
    second = member(broker, topic)
    members = (first, second)
    # To join blocks until all have joined again: each polls in a thread of its own.
    polling = [threading.Thread(target=poll_until_balanced, args=(mine, members)) for mine in members]
    for thread in polling:
        thread.start()
    for thread in polling:
        thread.join()
    print("balanced")
    for partition in range(2):
        print(f"committed {partition} {second.committed(TopicPartition(topic, partition))}")
    for mine in members:
        mine.close()


def poll_until_balanced(mine, members):
    while [len(m.assignment()) for m in members] != [1, 1] and in_time():
        mine.poll(timeout_ms=50)


def main(broker, topic, codecs):
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(topic, 2, 1)])
    print("created")
    numbers = itertools.count()
    for codec in codecs.split(","):
        write(broker, topic, codec, numbers)
    print("ready", flush=True)
    group(broker, topic, int(sys.stdin.read().split()[-1]))
    admin.delete_topics([topic])
    print("deleted", flush=True)


main(*sys.argv[1:])
