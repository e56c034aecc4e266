#!/usr/bin/python3
"""Half of the keys fail their first two executions: each ends at its third, in order, and the others wait no longer for it.

The time from a record's production to its committed output, of keys that never fail, with and without failing ones beside
them at the same rate, in turn: the 99th percentile with them is at most three times the one without.
"""
import json
import statistics
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

import confluent_kafka as ck
from stage import LETTERS, SOURCE, TARGET, Echo, Failed, Stage, by_key, executions, main, say, wait_for

RATE, SECONDS, ROUNDS, KEYS = 400, 15, 3, 200
FAILING, GOOD = "retry2-{}", "good-{}"
TIMES = 3


class Watcher:
    """Notes when each output became visible to a reader of what is committed."""

    def __init__(self, bootstrap):
        self.seen, self.ending = {}, False
        self.consumer = ck.Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "watch", "isolation.level": "read_committed", "auto.offset.reset": "earliest"}
        )
        self.consumer.subscribe([TARGET])
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ending:
            for message in self.consumer.consume(1000, 0.05):
                if message.error() is None:
                    self.seen.setdefault(message.value(), time.monotonic())
        self.consumer.close()

    def end(self):
        self.ending = True
        self.thread.join()


def run_round(kafka, watcher, number, words):
    """Puts records at RATE for SECONDS, the keys of `words` in turn; {value: when it was produced}."""
    producer = ck.Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "acks": "all", "linger.ms": 0})
    put, began = {}, time.monotonic()
    for i in range(RATE * SECONDS):
        producer.poll(max(0, began + i / RATE - time.monotonic()))
        value = f"{number}/{i}".encode()
        put[value] = time.monotonic()
        producer.produce(SOURCE, key=words[i % len(words)].format(i % KEYS), value=value)
    if producer.flush(30):
        raise Failed("records were not written")
    wait_for(f"outputs of round {number}", 120, lambda: put.keys() <= watcher.seen.keys())
    return {value: (watcher.seen[value] - at) * 1000 for value, at in put.items()}


def p99(delays):
    return statistics.quantiles(delays, n=100)[98]


def good_delays(delays, words):
    return [ms for value, ms in delays.items() if words[int(value.split(b"/")[1]) % len(words)] == GOOD]


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        one = echo.instance().start()
        one.wait_ready(60)
        watcher = Watcher(kafka.bootstrap)
        try:
            run_round(kafka, watcher, "warm", [GOOD])
            found = {"without": [], "with": []}
            for number in range(ROUNDS):
                for name, words in (("without", [GOOD]), ("with", [GOOD, FAILING])):
                    delays = run_round(kafka, watcher, f"{name}-{number}", words)
                    found[name].append(p99(good_delays(delays, words)))
        finally:
            watcher.end()
        ends = executions(one)
        records = echo.read(SOURCE, TARGET, LETTERS)
        failing = sum(r.key_text.startswith("retry2") for r in records[SOURCE])
        say(json.dumps({"rate": RATE, "records": len(records[SOURCE]), "failing": failing, "executions": ends, "p99_ms": found}))
        if by_key(records[SOURCE]) != by_key(records[TARGET]) or records[LETTERS]:
            raise Failed("not each record once, each key in its order")
        if ends != {1: len(records[SOURCE]) - failing, 3: failing}:
            raise Failed(f"executions: {ends}, of {failing} that fail twice")
        if statistics.median(found["with"]) > TIMES * statistics.median(found["without"]):
            raise Failed(f"others wait for those that fail: {found}")


if __name__ == "__main__":
    main(test)
