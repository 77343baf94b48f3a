"""aiokafka 0.8 as an old client (README.md); the release is what PYTHONPATH leads to."""

import asyncio
import itertools
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def write(broker, topic, codec, numbers):
    producer = AIOKafkaProducer(bootstrap_servers=broker, compression_type=None if codec == "none" else codec, linger_ms=20)
    await producer.start()
    sent = []
    for n in range(40):
        key, value = f"k{next(numbers)}", f"{codec} {n} " + "again and again " * n
        sent.append((key, value, await producer.send(topic, key=key.encode(), value=value.encode(), partition=n % 2)))
    for key, value, future in sent:
        at = await future
        print(f"wrote {at.partition} {at.offset} {key}\t{value}")
    await producer.stop()


async def member(broker, topic):
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker, group_id=f"{topic}-group", auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=10_000, heartbeat_interval_ms=300, metadata_max_age_ms=1000,
    )
    await consumer.start()
    return consumer


async def group(broker, topic, count):
    first = await member(broker, topic)
    while count:
        for batch in (await first.getmany(timeout_ms=300)).values():
            for r in batch:
                print(f"read {r.partition} {r.offset} {r.key.decode()}\t{r.value.decode()}")
                count -= 1
    await first.commit()
    second = await member(broker, topic)
    while [len(mine.assignment()) for mine in (first, second)] != [1, 1]:
        await asyncio.sleep(0.05)
    print("balanced")
    for partition in range(2):
        at = TopicPartition(topic, partition)
        owner = first if at in first.assignment() else second
        print(f"committed {partition} {await owner.committed(at)}")
    await first.stop()
    await second.stop()


async def main(broker, topic, codecs):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    print("created")
    numbers = itertools.count()
    for codec in codecs.split(","):
        await write(broker, topic, codec, numbers)
    print("ready", flush=True)
    count = int((await asyncio.to_thread(sys.stdin.read)).split()[-1])
    await group(broker, topic, count)
    await admin.delete_topics([topic])
    print("deleted", flush=True)
    await admin.close()


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 90))
