#!/usr/bin/python3
"""Keeps a copy of a collection in SQLite, made of nothing but its change topic: an example of a consumer of changes.

Needs confluent-kafka (Debian: python3-confluent-kafka). What was handled is remembered by Kafka, in the consumer group; a change that is
read twice, after a crash, does no harm, because writing the same document twice is writing it once."""
import argparse
import json
import signal
import sqlite3
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException

TABLE = "CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, version INTEGER, document TEXT)"
UPSERT = "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET version = excluded.version, document = excluded.document"


def store(database, event):
    database.execute(UPSERT, (event["key"], event["version"], json.dumps(event["after"])))
    return f"{'created' if event['op'] == 'c' else 'updated'} {event['key']}, version {event['version']}"


def remove(database, event):
    database.execute("DELETE FROM documents WHERE key = ?", (event["key"],))
    return f"deleted {event['key']}"


HANDLERS = {"c": store, "u": store, "d": remove}


def handle(database, record):
    """What the record did, in words; None for a tombstone, which is there for compaction: the deletion came before it."""
    if record.value() is None:
        return None
    event = json.loads(record.value())
    return HANDLERS[event["op"]](database, event)


def consumer_of(arguments):
    return Consumer({
        "bootstrap.servers": arguments.brokers,
        "group.id": arguments.group,
        "isolation.level": "read_committed",  # what a store has taken back was never there
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    })


def begin_anew(consumer, partitions):
    """A database that is new needs all there is, whatever the group has read before."""
    for partition in partitions:
        partition.offset = OFFSET_BEGINNING
    consumer.assign(partitions)


def consume(arguments, database, is_new):
    consumer = consumer_of(arguments)
    consumer.subscribe([arguments.topic], **({"on_assign": begin_anew} if is_new else {}))
    at_end = set()
    while not (arguments.to_end and at_end and at_end >= {part.partition for part in consumer.assignment()}):
        record = consumer.poll(1)
        if record is None:
            continue
        if record.error():
            if record.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(record.error())
            at_end.add(record.partition())
            continue
        done = handle(database, record)
        database.commit()
        consumer.commit(record, asynchronous=False)
        if done:
            print(done, flush=True)
    consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True, help="host:port, …")
    parser.add_argument("--topic", default="orders.changes")
    parser.add_argument("--group", default="copy-of-orders")
    parser.add_argument("--database", default="orders.sqlite")
    parser.add_argument("--to-end", action="store_true", help="end when all that is there was read")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with sqlite3.connect(arguments.database) as database:
        is_new = database.execute("SELECT 1 FROM sqlite_master").fetchone() is None
        database.execute(TABLE)
        consume(arguments, database, is_new)


if __name__ == "__main__":
    main()
