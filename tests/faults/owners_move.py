#!/usr/bin/python3
"""Reads while documents change hands: two stores, three, and back to one, one of them by kill -9, while clients write and read.

Each client has keys of its own. Behind each write it reads twice: as of the position that it was told, which has to give what it
has just written or 503 with Retry-After within the wait, and without one, which has to give something that it has written
before, or 503 likewise. Nothing else may be answered, and at the end the judge must find the invariant whole.
"""
import http.client
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import Failed, Stage, main, say, wait_for

CLIENTS, KEYS, WAIT_S, READS = 6, 20, 8, 1000
# Of a read, beyond its wait: for a machine that is busy.
GRACE_S = 4
SECTIONS = {"service store": ["batch.max = 500"], "kafka.consumer": ["session.timeout.ms = 6000"], "gateway": ["access.log = off"]}


class Client(threading.Thread):
    """Writes and reads until it is stopped, or has seen something wrong."""

    def __init__(self, number, address):
        super().__init__(daemon=True)
        self.number, self.address, self.stopping = number, address, False
        self.written, self.counts, self.slowest_s, self.wrong, self.connection = {}, Counter(), 0.0, None, None

    def call(self, method, path, body=None, headers=()):
        """(status, {header: value}, body, seconds)"""
        if self.connection is None:
            host, port = self.address.split(":")
            self.connection = http.client.HTTPConnection(host, int(port), timeout=30)
        began = time.monotonic()
        self.connection.request(method, path, body, {"Content-Type": "application/json", **dict(headers)} if body else dict(headers))
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text, time.monotonic() - began

    def write(self, key):
        number = self.written.get(key, 0) + 1
        status, headers, _, _ = self.call("PUT", f"/v1/orders/{key}", json.dumps({"n": number}))
        if status != 202:
            raise Failed(f"a write was answered {status}")
        self.written[key] = number
        return number, headers["weir-position"]

    def read(self, key, least, kind, headers):
        """Answers are the document, at least that old, or 503 with Retry-After in time."""
        status, fields, body, spent_s = self.call("GET", f"/v1/orders/{key}", headers=headers)
        self.counts[f"{kind} {status}"] += 1
        self.slowest_s = max(self.slowest_s, spent_s)
        if status == 503 and "retry-after" in fields and spent_s < WAIT_S + GRACE_S:
            return
        if status != 200:
            raise Failed(f"{kind} of {key}: {status} after {spent_s:.1f} s: {body[:200]!r}")
        found = json.loads(body)["n"]
        if not least <= found <= self.written[key]:
            raise Failed(f"{kind} of {key}: version {found}, where {least} to {self.written[key]} are possible")

    def turn(self, key):
        number, position = self.write(key)
        self.read(key, number, "positioned", [("Weir-Position", position), ("Prefer", f"wait={WAIT_S}")])
        if number > 1:
            self.read(key, 1, "plain", ())

    def run(self):
        try:
            while not self.stopping:
                for index in range(KEYS):
                    self.turn(f"k-{self.number}-{index}")
        except Exception as error:  # whatever it is, the test has to tell it
            self.wrong = f"client {self.number}: {error!r}"


class Crowd:
    """All clients."""

    def __init__(self, address):
        self.clients = [Client(number, address) for number in range(CLIENTS)]
        for client in self.clients:
            client.start()

    def check(self):
        wrong = [client.wrong for client in self.clients if client.wrong]
        if wrong:
            raise Failed("; ".join(wrong))

    def reads(self):
        self.check()
        return sum(client.counts["positioned 200"] for client in self.clients)

    def wait_reads(self, what, alive):
        """Until there are many more reads of what was just written."""
        goal = self.reads() + READS
        wait_for(f"{READS} reads, {what}", 90, lambda: self.reads() >= goal, alive)
        counts = sum((client.counts for client in self.clients), Counter())
        say(f"{what}: {dict(sorted(counts.items()))}, slowest {max(c.slowest_s for c in self.clients):.1f} s")

    def stop(self):
        for client in self.clients:
            client.stopping = True
        for client in self.clients:
            client.join(60)
        self.check()


def leave(store):
    if store.stop() != 0:
        raise Failed(f"it did not leave well\n{store.tail()}")


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, sections=SECTIONS)
        gateway = weir.start("gateway").wait_ready()
        one, two, three = (weir.instance(name) for name in ("one", "two", "three"))
        for store in (one, two):
            store.start()
        for store in (one, two):
            store.wait_ready(60)
        crowd = Crowd(weir.address["gateway"])
        crowd.wait_reads("two stores", [gateway, one, two])
        three.start().wait_ready(60)
        crowd.wait_reads("three stores", [gateway, one, two, three])
        leave(two)
        crowd.wait_reads("one of them has left", [gateway, one, three])
        three.kill()
        crowd.wait_reads("one store, another killed", [gateway, one])
        crowd.stop()
        code, counts = weir.judge()
        say(f"judge: exit {code}, {counts}")
        if code != 0:
            raise Failed("the judge found the invariant violated")
        weir.stop()


if __name__ == "__main__":
    main(test)
