"""Kafka for tests, as a service beside the server would speak it: librdkafka, which the server needs anyway, by
ctypes. Standard library only."""

import ctypes
import ctypes.util
from ctypes import c_char_p, c_int, c_int32, c_int64, c_size_t, c_ssize_t, c_void_p

LIB = ctypes.CDLL(ctypes.util.find_library("rdkafka") or "librdkafka.so.1")
TOPIC, PARTITION, VALUE, KEY, MSGFLAGS, HEADER, END = 1, 3, 4, 5, 7, 9, 0
COPY, ANY, BEGINNING, EOF = 2, -1, -2, -191


class Message(ctypes.Structure):
    _fields_ = [("err", c_int), ("rkt", c_void_p), ("partition", c_int32), ("payload", c_void_p),
                ("len", c_size_t), ("key", c_void_p), ("key_len", c_size_t), ("offset", c_int64),
                ("private", c_void_p)]


class Place(ctypes.Structure):
    _fields_ = [("topic", c_char_p), ("partition", c_int32), ("offset", c_int64),
                ("metadata", c_void_p), ("metadata_size", c_size_t), ("opaque", c_void_p),
                ("err", c_int), ("private", c_void_p)]


class Places(ctypes.Structure):
    _fields_ = [("cnt", c_int), ("size", c_int), ("elems", ctypes.POINTER(Place))]


for name, result, args in (
        ("conf_new", c_void_p, []), ("conf_set", c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t]),
        ("new", c_void_p, [c_int, c_void_p, c_char_p, c_size_t]), ("destroy", None, [c_void_p]),
        ("flush", c_int, [c_void_p, c_int]), ("outq_len", c_int, [c_void_p]),
        ("err2str", c_char_p, [c_int]), ("poll_set_consumer", c_int, [c_void_p]),
        ("topic_partition_list_new", ctypes.POINTER(Places), [c_int]),
        ("topic_partition_list_add", ctypes.POINTER(Place), [c_void_p, c_char_p, c_int32]),
        ("topic_partition_list_destroy", None, [c_void_p]), ("assign", c_int, [c_void_p, c_void_p]),
        ("consumer_poll", ctypes.POINTER(Message), [c_void_p, c_int]),
        ("consumer_close", c_int, [c_void_p]),
        ("message_destroy", None, [c_void_p]), ("message_headers", c_int, [c_void_p, c_void_p]),
        ("header_get_all", c_int, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p]),
        ("committed", c_int, [c_void_p, c_void_p, c_int]),
        ("query_watermark_offsets", c_int, [c_void_p, c_char_p, c_int32, c_void_p, c_void_p, c_int]),
        ("NewTopic_new", c_void_p, [c_char_p, c_int, c_int, c_char_p, c_size_t]),
        ("NewTopic_destroy", None, [c_void_p]), ("queue_new", c_void_p, [c_void_p]),
        ("queue_destroy", None, [c_void_p]), ("queue_poll", c_void_p, [c_void_p, c_int]),
        ("event_destroy", None, [c_void_p]), ("event_error", c_int, [c_void_p]),
        ("CreateTopics", None, [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p]),
        ("producev", c_int, None)):
    function = getattr(LIB, f"rd_kafka_{name}")
    function.restype = result
    if args is not None:
        function.argtypes = args


def client(kind, brokers, **options):
    why = ctypes.create_string_buffer(512)
    conf = LIB.rd_kafka_conf_new()
    for key, value in {"bootstrap.servers": brokers, "log_level": "2", **options}.items():
        if LIB.rd_kafka_conf_set(conf, key.replace("_", ".").encode() if key != "log_level" else b"log_level",
                                 str(value).encode(), why, len(why)) != 0:
            raise ValueError(f"{key}: {why.value.decode()}")
    made = LIB.rd_kafka_new(kind, conf, why, len(why))
    if not made:
        raise OSError(why.value.decode())
    return made


class Record:
    def __init__(self, message):
        self.partition, self.offset = message.partition, message.offset
        self.value = ctypes.string_at(message.payload, message.len) if message.payload else None
        self.key = ctypes.string_at(message.key, message.key_len) if message.key else None
        self.headers = []
        all_headers = c_void_p()
        if LIB.rd_kafka_message_headers(ctypes.byref(message), ctypes.byref(all_headers)) != 0:
            return
        name, value, size, at = c_char_p(), c_void_p(), c_size_t(), 0
        while LIB.rd_kafka_header_get_all(all_headers, at, ctypes.byref(name), ctypes.byref(value),
                                          ctypes.byref(size)) == 0:
            self.headers.append((name.value.decode(),
                                 ctypes.string_at(value, size.value) if value else None))
            at += 1

    def header(self, name):
        return next((value for key, value in self.headers if key == name), None)


class Producer:
    def __init__(self, brokers):
        self.of = client(0, brokers, acks="all", message_timeout_ms=30000)

    def send(self, topic, value, key=None, headers=(), partition=ANY):
        args = [c_int(TOPIC), c_char_p(topic.encode()), c_int(PARTITION), c_int32(partition),
                c_int(MSGFLAGS), c_int(COPY)]
        if value is not None:
            args += [c_int(VALUE), c_char_p(value), c_size_t(len(value))]
        if key is not None:
            args += [c_int(KEY), c_char_p(key), c_size_t(len(key))]
        for name, text in headers:
            data = text.encode() if isinstance(text, str) else text
            args += [c_int(HEADER), c_char_p(name.encode()), c_char_p(data), c_ssize_t(len(data))]
        code = LIB.rd_kafka_producev(c_void_p(self.of), *args, c_int(END))
        if code != 0:
            raise OSError(LIB.rd_kafka_err2str(code).decode())

    def flush(self):
        LIB.rd_kafka_flush(self.of, 30000)
        if LIB.rd_kafka_outq_len(self.of):
            raise OSError("not all was sent")

    def close(self):
        LIB.rd_kafka_destroy(self.of)


def make_topic(brokers, topic, partitions=1):
    of, why = client(0, brokers), ctypes.create_string_buffer(512)
    queue = LIB.rd_kafka_queue_new(of)
    wanted = LIB.rd_kafka_NewTopic_new(topic.encode(), partitions, 1, why, len(why))
    LIB.rd_kafka_CreateTopics(of, ctypes.byref(c_void_p(wanted)), 1, None, queue)
    event = LIB.rd_kafka_queue_poll(queue, 20000)
    if not event or LIB.rd_kafka_event_error(event):
        raise OSError("the topic was not made")
    LIB.rd_kafka_event_destroy(event)
    LIB.rd_kafka_NewTopic_destroy(wanted)
    LIB.rd_kafka_queue_destroy(queue)
    LIB.rd_kafka_destroy(of)


def places(topic, partitions, offset=BEGINNING):
    made = LIB.rd_kafka_topic_partition_list_new(partitions)
    for partition in range(partitions):
        LIB.rd_kafka_topic_partition_list_add(made, topic.encode(), partition).contents.offset = offset
    return made


def read_all(brokers, topic, partitions):
    """What is there, by partition and offset."""
    of = client(1, brokers, group_id="reader-of-a-test", enable_partition_eof="true",
                enable_auto_commit="false", auto_offset_reset="earliest")
    LIB.rd_kafka_poll_set_consumer(of)
    wanted = places(topic, partitions)
    LIB.rd_kafka_assign(of, wanted)
    LIB.rd_kafka_topic_partition_list_destroy(wanted)
    found, left, silent = [], set(range(partitions)), 0
    while left and silent < 20:
        message = LIB.rd_kafka_consumer_poll(of, 1000)
        if not message:
            silent += 1
            continue
        one = message.contents
        if one.err == 0:
            found.append(Record(one))
        elif one.err == EOF:
            left.discard(one.partition)
        LIB.rd_kafka_message_destroy(message)
    LIB.rd_kafka_consumer_close(of)
    LIB.rd_kafka_destroy(of)
    if left:
        raise OSError(f"{topic}: not read to its end")
    return sorted(found, key=lambda record: (record.partition, record.offset))


def ends(brokers, topic, partitions):
    of = client(1, brokers, group_id="reader-of-a-test")
    low, high, out = c_int64(), c_int64(), []
    for partition in range(partitions):
        code = LIB.rd_kafka_query_watermark_offsets(of, topic.encode(), partition, ctypes.byref(low),
                                                    ctypes.byref(high), 20000)
        if code:
            raise OSError(LIB.rd_kafka_err2str(code).decode())
        out.append(high.value)
    LIB.rd_kafka_destroy(of)
    return out


def committed(brokers, topic, partitions, group):
    """How far the group is, by partition; below 0: it has not begun."""
    of = client(1, brokers, group_id=group)
    wanted = places(topic, partitions, -1001)
    code = LIB.rd_kafka_committed(of, wanted, 20000)
    if code:
        raise OSError(LIB.rd_kafka_err2str(code).decode())
    out = [wanted.contents.elems[n].offset for n in range(wanted.contents.cnt)]
    LIB.rd_kafka_topic_partition_list_destroy(wanted)
    LIB.rd_kafka_destroy(of)
    return out
