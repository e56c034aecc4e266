#!/usr/bin/python3
"""Kafka forgets offsets after a minute (offsets.retention.minutes=1): a retry partition that has been idle for longer keeps
its own while the sources flow, and a restart neither skips a record nor handles one twice.
"""
import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("integration", "runtime")]

from stage import PARTITIONS, SOURCE, TARGET, Echo, Failed, Stage, keys_on, main, put, say, source

FULL = os.environ.get("WEIR_FULL") == "1"
# Longer than the retention and one look of the broker's at what has expired.
IDLE_S = 150 if FULL else 85
RETENTION = ("--set", "offsets.retention.minutes=1", "--set", "offsets.retention.check.interval.ms=5000")
RETRY = f"{SOURCE}.echo.retry"
ECHO = ["batch.max = 100"]


def by_key(records):
    """{key: [values in order]}"""
    found = {}
    for record in sorted(records, key=lambda r: (r.partition, r.offset)):
        found.setdefault(record.key, []).append(record.value)
    return found


def check(echo):
    """Each record once, each key in the order of acceptance."""
    found = echo.read(SOURCE, TARGET)
    came, went = by_key(found[SOURCE]), by_key(found[TARGET])
    wrong = [key for key in came.keys() | went.keys() if came.get(key) != went.get(key)]
    if wrong:
        raise Failed(f"{len(wrong)} keys are not as they came: {wrong[0]}: {came.get(wrong[0])}, {went.get(wrong[0])}")
    say(f"{sum(map(len, went.values()))} records of {len(went)} keys, each once and in order")


def check_offsets(echo):
    """A retry partition that holds anything has a committed offset."""
    marks = source.ends(echo.kafka.bootstrap, {RETRY: PARTITIONS})
    offsets = source.committed(echo.kafka.bootstrap, "echo", RETRY, PARTITIONS)
    say(f"{RETRY}: ends {[high for _, high in marks.values()]}, committed {list(offsets.values())}")
    lost = [p for (_, p), (_, high) in marks.items() if high > 0 and offsets[p] < 0]
    if lost:
        raise Failed(f"the offsets of retry partitions {lost} are forgotten")


def test():
    with Stage() as stage:
        kafka = stage.kafka(*RETENTION)
        echo = Echo(stage, kafka, echo=ECHO)
        one, number = echo.instance().start().wait_ready(), 0
        hard = [key for p in range(PARTITIONS) for key in keys_on(p, 3, "retry2")]
        easy = [key for p in range(PARTITIONS) for key in keys_on(p, 3)]
        put(kafka, [(key, "first") for key in hard + easy])
        echo.settle(alive=[one])
        until = time.monotonic() + IDLE_S
        while time.monotonic() < until:
            put(kafka, [(key, str(number)) for key in easy])
            number += 1
            time.sleep(1)
        check_offsets(echo)
        if one.stop() != 0:
            raise Failed(f"it did not end well\n{one.tail()}")
        put(kafka, [(key, "last") for key in hard + easy])
        one.start().wait_ready()
        echo.settle(alive=[one])
        check(echo)


if __name__ == "__main__":
    main(test)
