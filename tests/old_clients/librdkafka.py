"""librdkafka 1.x as an old client (README.md), over its C interface; the library is the one in the first argument."""

import ctypes
import itertools
import sys
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p

TIMED_OUT, PARTITION_EOF = -185, -191
PRODUCER, CONSUMER = 0, 1
COPY = 2
ADMIN_ANY = 0
DEADLINE = time.monotonic() + 90


class TopicPartition(ctypes.Structure):
    _fields_ = [
        ("topic", c_char_p), ("partition", c_int32), ("offset", c_int64), ("metadata", c_void_p),
        ("metadata_size", c_size_t), ("opaque", c_void_p), ("err", c_int), ("_private", c_void_p),
    ]


class List(ctypes.Structure):
    _fields_ = [("cnt", c_int), ("size", c_int), ("elems", POINTER(TopicPartition))]


class Message(ctypes.Structure):
    _fields_ = [
        ("err", c_int), ("rkt", c_void_p), ("partition", c_int32), ("payload", c_void_p), ("len", c_size_t),
        ("key", c_void_p), ("key_len", c_size_t), ("offset", c_int64), ("_private", c_void_p),
    ]


DELIVERED = ctypes.CFUNCTYPE(None, c_void_p, POINTER(Message), c_void_p)
SIGNATURES = {  # name: result, arguments
    "version_str": (c_char_p,),
    "err2str": (c_char_p, c_int),
    "conf_new": (c_void_p,),
    "conf_set": (c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t),
    "conf_set_dr_msg_cb": (None, c_void_p, DELIVERED),
    "new": (c_void_p, c_int, c_void_p, c_char_p, c_size_t),
    "destroy": (None, c_void_p),
    "topic_new": (c_void_p, c_void_p, c_char_p, c_void_p),
    "topic_destroy": (None, c_void_p),
    "produce": (c_int, c_void_p, c_int32, c_int, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p),
    "last_error": (c_int,),
    "poll": (c_int, c_void_p, c_int),
    "flush": (c_int, c_void_p, c_int),
    "topic_partition_list_new": (POINTER(List), c_int),
    "topic_partition_list_add": (c_void_p, POINTER(List), c_char_p, c_int32),
    "topic_partition_list_destroy": (None, POINTER(List)),
    "poll_set_consumer": (c_int, c_void_p),
    "subscribe": (c_int, c_void_p, POINTER(List)),
    "assignment": (c_int, c_void_p, POINTER(POINTER(List))),
    "consumer_poll": (POINTER(Message), c_void_p, c_int),
    "message_destroy": (None, POINTER(Message)),
    "commit": (c_int, c_void_p, POINTER(List), c_int),
    "committed": (c_int, c_void_p, POINTER(List), c_int),
    "consumer_close": (c_int, c_void_p),
    "NewTopic_new": (c_void_p, c_char_p, c_int, c_int, c_char_p, c_size_t),
    "DeleteTopic_new": (c_void_p, c_char_p),
    "CreateTopics": (None, c_void_p, POINTER(c_void_p), c_size_t, c_void_p, c_void_p),
    "DeleteTopics": (None, c_void_p, POINTER(c_void_p), c_size_t, c_void_p, c_void_p),
    "queue_new": (c_void_p, c_void_p),
    "queue_poll": (c_void_p, c_void_p, c_int),
    "event_error": (c_int, c_void_p),
    "event_CreateTopics_result": (c_void_p, c_void_p),
    "event_DeleteTopics_result": (c_void_p, c_void_p),
    "CreateTopics_result_topics": (POINTER(c_void_p), c_void_p, POINTER(c_size_t)),
    "DeleteTopics_result_topics": (POINTER(c_void_p), c_void_p, POINTER(c_size_t)),
    "topic_result_error": (c_int, c_void_p),
}


class Library:
    def __init__(self, path):
        library = ctypes.CDLL(path)
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(library, f"rd_kafka_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


def ok(code):
    if code:
        sys.exit(f"librdkafka: {K.err2str(code).decode()}")


def in_time():
    if time.monotonic() > DEADLINE:
        sys.exit("late")
    return True


def client(kind, broker, delivered=None, **properties):
    conf, why = K.conf_new(), ctypes.create_string_buffer(512)
    properties = {"bootstrap_servers": broker, "broker_address_family": "v4", **properties}
    for name, value in properties.items():
        if K.conf_set(conf, name.replace("_", ".").encode(), value.encode(), why, 512):
            sys.exit(why.value.decode())
    if delivered:
        K.conf_set_dr_msg_cb(conf, delivered)
    made = K.new(kind, conf, why, 512)
    return made or sys.exit(why.value.decode())


def administer(broker, verb, one):
    """CreateTopics or DeleteTopics of one, whose own error counts too."""
    handle = client(PRODUCER, broker)
    queue = K.queue_new(handle)
    getattr(K, verb)(handle, (c_void_p * 1)(one), 1, None, queue)
    event = K.queue_poll(queue, 60_000) or sys.exit(f"{verb}: no answer")
    ok(K.event_error(event))
    count = c_size_t()
    results = getattr(K, f"{verb}_result_topics")(getattr(K, f"event_{verb}_result")(event), byref(count))
    ok(K.topic_result_error(results[0]))


def write(broker, topic, codec, numbers):
    def told(_, message, __):
        m = message.contents
        ok(m.err)
        key, value = ctypes.string_at(m.key, m.key_len).decode(), ctypes.string_at(m.payload, m.len).decode()
        print(f"wrote {m.partition} {m.offset} {key}\t{value}")

    callback = DELIVERED(told)
    properties = {"compression_codec": codec, "linger_ms": "20", "message_timeout_ms": "60000"}
    producer = client(PRODUCER, broker, callback, **properties)
    to = K.topic_new(producer, topic.encode(), None)
    for n in range(40):
        key, value = f"k{next(numbers)}".encode(), (f"{codec} {n} " + "again and again " * n).encode()
        if K.produce(to, n % 2, COPY, value, len(value), key, len(key), None):
            ok(K.last_error())
    ok(K.flush(producer, 60_000))
    K.topic_destroy(to)
    K.destroy(producer)


def partitions(topic, *numbers):
    named = K.topic_partition_list_new(2)
    for number in numbers:
        K.topic_partition_list_add(named, topic.encode(), number)
    return named


class Member:
    def __init__(self, broker, topic):
        self.handle = client(
            CONSUMER, broker, group_id=f"{topic}-group", auto_offset_reset="earliest", enable_auto_commit="false",
            session_timeout_ms="10000", heartbeat_interval_ms="300",
        )
        ok(K.poll_set_consumer(self.handle))
        ok(K.subscribe(self.handle, partitions(topic, -1)))

    def poll(self, timeout_ms):
        """Records that came: one or none."""
        message = K.consumer_poll(self.handle, timeout_ms)
        if not message:
            return 0
        m = message.contents
        if m.err not in (0, PARTITION_EOF, TIMED_OUT):
            ok(m.err)
        if not m.err:
            key, value = ctypes.string_at(m.key, m.key_len).decode(), ctypes.string_at(m.payload, m.len).decode()
            print(f"read {m.partition} {m.offset} {key}\t{value}")
        came = int(not m.err)
        K.message_destroy(message)
        return came

    def owned(self):
        mine = POINTER(List)()
        ok(K.assignment(self.handle, byref(mine)))
        count = mine.contents.cnt
        K.topic_partition_list_destroy(mine)
        return count


def group(broker, topic, count):
    first = Member(broker, topic)
    while count and in_time():
        count -= first.poll(300)
    ok(K.commit(first.handle, None, 0))
    second = Member(broker, topic)
    while (first.owned(), second.owned()) != (1, 1) and in_time():
        first.poll(50)
        second.poll(50)
    print("balanced")
    both = partitions(topic, 0, 1)
    ok(K.committed(second.handle, both, 30_000))
    for n in range(2):
        print(f"committed {both.contents.elems[n].partition} {both.contents.elems[n].offset}")
    for member in (first, second):
        ok(K.consumer_close(member.handle))


def main(broker, topic, codecs):
    print("library", K.version_str().decode())
    why = ctypes.create_string_buffer(512)
    administer(broker, "CreateTopics", K.NewTopic_new(topic.encode(), 2, 1, why, 512))
    print("created")
    numbers = itertools.count()
    for codec in codecs.split(","):
        write(broker, topic, codec, numbers)
    print("ready", flush=True)
    group(broker, topic, int(sys.stdin.read().split()[-1]))
    administer(broker, "DeleteTopics", K.DeleteTopic_new(topic.encode()))
    print("deleted", flush=True)


K = Library(sys.argv[1])
main(*sys.argv[2:])
