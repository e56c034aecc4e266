#!/usr/bin/python3
"""Broken JSON put on the topic by kcat: one dead letter, and the next order of that partition is stored."""
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import Failed, Stage, main, say, wait_for
from history import partition_of
from load import Load, Order
from reads import Http
from source import read

PARTITIONS = 6
POISON, BROKEN = "poison-1", b'{"orderID":"poison-1","total":'
NEXT = next(k for k in (f"next-{i}" for i in range(99)) if partition_of(k.encode(), 6) == partition_of(POISON.encode(), 6))
BODY = f'{{"orderID":"{NEXT}", "total": 19.99}}'.encode()


class One:
    """A workload of one order."""

    def __init__(self, order):
        self.orders, self.follow_ups = [order], []

    def next(self):
        return self.orders.pop() if self.orders else None

    def accepted(self, _order):
        pass


def put_by_kcat(kafka, key, value):
    subprocess.run(
        ["kcat", "-P", "-b", kafka.bootstrap, "-t", "orders", "-k", key, "-X", "topic.partitioner=murmur2_random"],
        input=value,
        check=True,
    )


def stored(weir, key):
    status, _, body = Http(weir.url).get(f"/v1/orders/{key}")
    return body if status == 200 else None


def check_letter(letters):
    if len(letters) != 1:
        raise Failed(f"{len(letters)} dead letters instead of one")
    letter = letters[0]
    for name, value in sorted(letter.headers.items()):
        say(f"  {name}: {value.decode()}")
    told = {name: letter.header(name) for name in ("weir-disposition", "__dlq.errors.topic", "__dlq.errors.group")}
    if told != {"weir-disposition": "invalid", "__dlq.errors.topic": "orders", "__dlq.errors.group": "store"}:
        raise Failed(f"headers of the dead letter: {told}")
    if (letter.key_text, letter.value) != (POISON, BROKEN) or letter.partition != partition_of(POISON.encode(), 6):
        raise Failed("the dead letter is not the record as it was, on its own partition")


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, partitions=PARTITIONS)
        gateway, store = weir.start("gateway"), weir.start("store")
        gateway.wait_ready(), store.wait_ready()
        put_by_kcat(kafka, POISON, BROKEN)
        log = weir.folder / "accepted.jsonl"
        load = Load(weir.url, One(Order("create", NEXT, BODY)), log, connections=1).start()
        load.wait("202", 20, lambda c: c["2xx"] == 1)
        load.stop()
        body = wait_for("the next order stored", 20, lambda: stored(weir, NEXT), [gateway, store])
        if body != BODY:
            raise Failed(f"stored {body!r} instead of {BODY!r}")
        code, counts = weir.judge(log)
        check_letter(read(kafka.bootstrap, {"orders.store.dlq": PARTITIONS})["orders.store.dlq"])
        say(f"judge: exit {code}, {counts}")
        if code != 0 or counts["dead_letters"] != 1 or counts["changes"] != 1:
            raise Failed("the judge found something else than one dead letter and one change")
        weir.stop()


if __name__ == "__main__":
    main(test)
