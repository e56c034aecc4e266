"""Reads a History from Kafka: read_committed, from the log start to the end as it was when the reading began."""
import time

import confluent_kafka as ck

from history import History, Record

CALL_S = 15


# More of librdkafka's properties for every handle, e.g. what a secure cluster wants.
PROPERTIES = {}


class Unreadable(Exception):
    """The topics cannot be read whole: no judgement is possible."""


def read_properties(path):
    """A file of key=value lines, as kcat takes them, becomes PROPERTIES; where the cluster is stays the caller's to say."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    PROPERTIES.update(line.split("=", 1) for line in lines)
    PROPERTIES.pop("bootstrap.servers", None)


def admin(bootstrap):
    """An admin handle."""
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": bootstrap, **PROPERTIES})


def consumer(bootstrap, isolation, group="weir-judge"):
    """A handle that joins no group and commits nothing."""
    return ck.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.message.max.bytes": 4 << 20,
            "fetch.wait.max.ms": 50,
            **PROPERTIES,
        }
    )


def patiently(call, *arguments, deadline_s=CALL_S):
    """call(*arguments), again while Kafka says something that passes (a new leader, a coordinator that loads)."""
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            return call(*arguments, CALL_S)
        except ck.KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def describe(bootstrap, topics):
    """(cluster id, {topic: partition count}); Unreadable names what is missing."""
    handle = admin(bootstrap)
    metadata = patiently(lambda limit_s: handle.list_topics(timeout=limit_s))
    missing = [t for t in topics if t not in metadata.topics]
    if missing:
        raise Unreadable("no such topic: " + ", ".join(missing))
    return metadata.cluster_id or "", {t: len(metadata.topics[t].partitions) for t in topics}


def leaders(bootstrap, topic):
    """{partition: broker id of its leader, -1 without one}."""
    handle = admin(bootstrap)
    metadata = patiently(lambda limit_s: handle.list_topics(topic, timeout=limit_s))
    return {number: partition.leader for number, partition in metadata.topics[topic].partitions.items()}


def is_in_sync(bootstrap):
    """Whether all replicas of all partitions are in sync, as far as a broker tells."""
    try:
        topics = admin(bootstrap).list_topics(timeout=CALL_S).topics.values()
    except ck.KafkaException:
        return False
    return all(len(p.isrs) == len(p.replicas) for topic in topics for p in topic.partitions.values())


def coordinating_partition(name, count):
    """The partition of __consumer_offsets or __transaction_state for a group or transactional.id: Java's String.hashCode."""
    code = 0
    for letter in name:
        code = code * 31 + ord(letter) & 0xFFFFFFFF
    return 0 if code == 1 << 31 else min(code, (1 << 32) - code) % count


def ends(bootstrap, counts):
    """{(topic, partition): (log start, high watermark)}; a read_uncommitted handle, or the stable end is told instead."""
    handle = consumer(bootstrap, "read_uncommitted")
    try:
        return {
            (topic, partition): patiently(handle.get_watermark_offsets, ck.TopicPartition(topic, partition))
            for topic, count in counts.items()
            for partition in range(count)
        }
    finally:
        handle.close()


def open_partitions(bootstrap, topic, count):
    """Partitions of a topic that hold records of a transaction without an end."""
    high = ends(bootstrap, {topic: count})
    stable = consumer(bootstrap, "read_committed")
    try:
        places = [ck.TopicPartition(topic, p) for p in range(count)]
        return {p.partition for p in places if patiently(stable.get_watermark_offsets, p)[1] < high[topic, p.partition][1]}
    finally:
        stable.close()


def committed(bootstrap, group, topic, count):
    """The group's stable committed offsets of a topic as {partition: offset, or -1001 for none}."""
    handle = consumer(bootstrap, "read_committed", group)
    try:
        asked = [ck.TopicPartition(topic, p) for p in range(count)]
        return {tp.partition: tp.offset for tp in patiently(handle.committed, asked)}
    finally:
        handle.close()


def lag(bootstrap, group, topic):
    """Records that the group has not finished, over all partitions."""
    _, counts = describe(bootstrap, [topic])
    done = committed(bootstrap, group, topic, counts[topic])
    marks = ends(bootstrap, counts)
    return sum(high - max(done[p], low) for (_, p), (low, high) in marks.items())


def settle(bootstrap, group, topic, deadline_s):
    """Waits until the group has committed to the end of the topic; the lag that is left (0 = settled)."""
    deadline = time.monotonic() + deadline_s
    while True:
        left = lag(bootstrap, group, topic)
        if left == 0 or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def _record(message):
    _, timestamp = message.timestamp()
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        dict(message.headers() or []),
        timestamp,
    )


def read(bootstrap, counts, deadline_s=120, allow_trimmed=False):
    """Every committed record of the topics as {topic: [Record in (partition, offset) order]}."""
    marks = ends(bootstrap, counts)
    trimmed = [f"{t}/{p} from {low}" for (t, p), (low, _) in marks.items() if low > 0]
    if trimmed and not allow_trimmed:
        raise Unreadable("records are gone from the log's beginning: " + ", ".join(trimmed))
    open_ends = {tp: high for tp, (low, high) in marks.items() if high > low}
    found = {topic: [] for topic in counts}
    if not open_ends:
        return found
    handle = consumer(bootstrap, "read_committed")
    handle.assign([ck.TopicPartition(t, p, marks[t, p][0]) for t, p in open_ends])
    deadline = time.monotonic() + deadline_s
    try:
        while open_ends:
            if time.monotonic() > deadline:
                raise Unreadable(f"not at the end after {deadline_s} s: {sorted(open_ends)}")
            for message in handle.consume(5000, 0.2):
                _take(message, found, open_ends)
    finally:
        handle.close()
    for records in found.values():
        records.sort(key=lambda r: (r.partition, r.offset))
    return found


def _take(message, found, open_ends):
    error = message.error()
    where = (message.topic(), message.partition())
    if error is None:
        if message.offset() < open_ends.get(where, 0):
            found[where[0]].append(_record(message))
    elif error.code() == ck.KafkaError._PARTITION_EOF:
        # The end told here counts transaction markers and aborted records, so an idle tail is still reached.
        if message.offset() >= open_ends.get(where, 0):
            open_ends.pop(where, None)
    elif not error.retriable() and error.code() not in (
        ck.KafkaError._TRANSPORT,
        ck.KafkaError._ALL_BROKERS_DOWN,
    ):
        raise Unreadable(str(error))


def service_history(bootstrap, names):
    """The History of what any service has: source, retry topic and dead letters."""
    cluster, counts = describe(bootstrap, names.own)
    found = read(bootstrap, counts)
    commands, retry, dlq = (found[topic] for topic in names.own)
    return History(names, counts[names.commands], cluster, commands, [], [], retry, dlq, counts)


def history(bootstrap, names, deadline_s=120, allow_trimmed=False):
    """The History of one collection and service."""
    cluster, counts = describe(bootstrap, names.all)
    found = read(bootstrap, counts, deadline_s, allow_trimmed)
    return History(
        names,
        counts[names.commands],
        cluster,
        *(found[topic] for topic in names.all),
        partition_counts=counts,
    )
