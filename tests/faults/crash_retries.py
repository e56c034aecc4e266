#!/usr/bin/python3
"""kill -9 of a host whose records fail and are parked, at its named points: each is executed as often as it may be, ends once
and in the order of its key.

crash_retries.py [--each N] [POINT …]; the test plugin echo over real Kafka, a third of its keys fail twice, a few for ever.
"""
import argparse
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("integration", "runtime")]

from groups import bury
from stage import LETTERS, PARTITIONS, SOURCE, TARGET, Echo, Failed, Stage, by_key, main, put, say

RECORDS, END_S, ATTEMPTS = 60, 40, 3
# Records a second that end once nobody is killed any more, far below what a busy machine does.
PATIENCE = 20
KEYS = ("easy-", "retry1-", "retry2-", "fail-")
ECHO = ["batch.max = 20"]
POINTS = {
    "before-resume": PARTITIONS,
    "before-handle": 6,
    "after-handle": 6,
    "dead-letter": 1,
    "mid-produce": 30,
    "after-produce": 6,
    "before-commit": 6,
    "after-commit": 6,
    "before-apply": 6,
    "after-apply": 6,
    "mid-restore": 1,
    "revoking": PARTITIONS,
}


class Host:
    """The host, killed again and again over ever new records."""

    def __init__(self, echo, kafka, dice):
        self.echo, self.kafka, self.dice = echo, kafka, dice
        self.program, self.kills, self.count = echo.instance(), Counter(), 0

    def feed(self):
        records = [(f"{self.dice.choice(KEYS)}{self.dice.randrange(6)}", str(self.count + i)) for i in range(RECORDS)]
        # Each start finds something that becomes a dead letter.
        put(self.kafka, records + [(f"fail-{self.dice.randrange(6)}", f"last of {self.count}")])
        self.count += len(records) + 1

    def crash(self, point, passes):
        self.feed()
        self.program.start(WEIR_CRASH_AT=f"{point}:{self.dice.randint(1, passes)}")
        if point == "revoking":
            self.program.wait_ready()
            self.program.signal(signal.SIGTERM)
        code = self.program.wait_ended(END_S)
        if code != -signal.SIGKILL:
            raise Failed(f"it ended with {code} instead of at {point}\n{self.program.tail()}")
        self.kills[point] += 1
        bury(self.kafka.bootstrap, "echo")


def check(echo):
    """Every record once in the target or among the dead letters; each key's in the order of acceptance in both."""
    found = echo.read(SOURCE, TARGET, LETTERS)
    came, went, died = (by_key(found[topic]) for topic in (SOURCE, TARGET, LETTERS))
    for key, values in came.items():
        done, dead = went.get(key, []), died.get(key, [])
        if sorted(done + dead) != sorted(values):
            raise Failed(f"{key}: {len(values)} came, {len(done)} were done, {len(dead)} are dead letters")
        if any([v for v in values if v in set(some)] != some for some in (done, dead)):
            raise Failed(f"{key}: not in order")
    why = Counter(letter.header("weir-disposition") for letter in found[LETTERS])
    wrong = [k for k in died if not k.startswith("fail-")] if set(why) == {"max-attempts"} else []
    if wrong or set(why) - {"max-attempts", "crashed"}:
        raise Failed(f"dead letters that should not be: {why} {wrong}")
    say(f"{sum(map(len, went.values()))} done, dead letters {dict(why)}")


def run(points, each, seed):
    say(f"seed {seed}")
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=ECHO)
        host = Host(echo, kafka, random.Random(seed))
        for point in points:
            for _ in range(each):
                host.crash(point, POINTS[point])
        host.program.start()
        echo.settle(120, [host.program])
        # What fails for ever is tried record by record, key by key.
        code, judged = echo.weir.judge_service("echo", 60 + host.count // PATIENCE)
        say(f"{sum(host.kills.values())} kills at {len(host.kills)} points, {host.count} records")
        say(f"judge: exit {code}, {judged}")
        if code != 0:
            raise Failed(f"the judge found the retries wrong (seed {seed})")
        check(echo)
        if host.program.stop() != 0:
            raise Failed(f"it did not end well\n{host.program.tail()}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=20 if os.environ.get("WEIR_FULL") == "1" else 1)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("points", nargs="*", metavar="POINT")
    options = parser.parse_args()
    if not set(options.points) <= set(POINTS):
        parser.error(f"the points are: {' '.join(POINTS)}")
    return options


if __name__ == "__main__":
    options = arguments()
    main(lambda: run(options.points or list(POINTS), options.each, options.seed))
