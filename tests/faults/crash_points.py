#!/usr/bin/python3
"""kill -9 of the store and of the gateway at each of their named points (WEIR_CRASH_AT), judged at the end.

crash_points.py [--each N] [POINT …]: N kills at each point (default 1; with WEIR_FULL=1 20). One broker, one topic, one history:
each kill meets new commands, odd and broken ones among them, and whatever the kills before have left.
"""
import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from groups import bury
from harness import Failed, Stage, main, say
from openload import OpenLoad
from random_commands import PARTITIONS, Feed
from watch import Watch

COMMANDS, GATEWAY_RATE, END_S = 120, 200, 40
SECTIONS = {"service store": ["batch.max = 40"], "kafka.consumer": ["session.timeout.ms = 6000"]}
# How often a point may be passed before it kills.
STORE_POINTS = {
    "taking": 1,
    "before-beginning": 1,
    "after-beginning": 1,
    "before-resume": PARTITIONS,
    "before-handle": 3,
    "after-handle": 3,
    "dead-letter": 2,
    "before-offsets": 3,
    "after-offsets": 3,
    "before-produce": 3,
    "mid-produce": 20,
    "after-produce": 3,
    "before-commit": 3,
    "after-commit": 3,
    "before-apply": 3,
    "after-apply": 3,
    "mid-restore": 1,
    "revoking": PARTITIONS,
}
GATEWAY_POINTS = {"before-send": 20, "after-send": 20, "before-answer": 20}
# These are passed once in the life of a group only, or want more than a start.
ONCE, WIPED, ASKED = ("before-beginning", "after-beginning"), ("mid-restore",), ("revoking",)


class Store:
    """The store, killed again and again; `kills` counts them by point."""

    def __init__(self, weir, kafka, feed, dice):
        self.weir, self.kafka, self.feed, self.dice = weir, kafka, feed, dice
        self.program, self.kills = weir.program("store"), Counter()

    def crash(self, point, passes):
        """One kill; Failed when the process ends in another way or lives on."""
        self.feed.put(COMMANDS)
        if point in WIPED:
            self.weir.wipe_store()
        self.program.start(WEIR_CRASH_AT=f"{point}:{self.dice.randint(1, passes)}")
        if point in ASKED:
            self.program.wait_ready()
            self.program.signal(signal.SIGTERM)
        code = self.program.wait_ended(END_S)
        if code != -signal.SIGKILL:
            raise Failed(f"the store ended with {code} instead of at {point}\n{self.program.tail()}")
        self.kills[point] += 1
        bury(self.kafka.bootstrap, "store")


def crash_gateway(weir, load, dice, point, passes):
    """The gateway dies under load and is started again at once, as its supervisor would."""
    gateway = weir.program("gateway")
    gateway.stop()
    gateway.start(WEIR_CRASH_AT=f"{point}:{dice.randint(1, passes)}")
    code = gateway.wait_ended(END_S)
    if code != -signal.SIGKILL:
        raise Failed(f"the gateway ended with {code} instead of at {point}\n{gateway.tail()}")
    gateway.start().wait_ready()
    load.wait_accepted(10, END_S)


def run(points, each, seed):
    dice, began = random.Random(seed), time.monotonic()
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, partitions=PARTITIONS, sections=SECTIONS)
        feed, log = Feed(kafka, seed), weir.folder / "accepted.jsonl"
        gateway = weir.start("gateway").wait_ready()
        store = Store(weir, kafka, feed, dice)
        for point, passes in STORE_POINTS.items():
            for _ in range(1 if point in ONCE else each) if point in points else ():
                store.crash(point, passes)
        program = weir.start("store").wait_ready()
        load = OpenLoad(weir.address["gateway"], log, GATEWAY_RATE, stem="g").start()
        for point, passes in GATEWAY_POINTS.items():
            for _ in range(each) if point in points else ():
                crash_gateway(weir, load, dice, point, passes)
                store.kills[point] += 1
        answers = load.stop()
        with Watch(kafka) as watch:
            watch.wait_settled(120, [gateway, program])
        code, judged = weir.judge(log, store=True)
        report(store.kills, feed.count, answers, time.monotonic() - began)
        say(f"judge: exit {code}, {judged}")
        if code != 0:
            raise Failed(f"the judge found the invariant violated (seed {seed})")
        weir.stop()


def report(kills, commands, answers, seconds):
    say(f"{sum(kills.values())} kills at {len(kills)} points in {seconds:.0f} s, {commands} commands by Kafka, {answers} by HTTP")
    for point, count in kills.items():
        say(f"  {point}: {count}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=20 if os.environ.get("WEIR_FULL") == "1" else 1)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("points", nargs="*", metavar="POINT")
    options = parser.parse_args()
    known = {**STORE_POINTS, **GATEWAY_POINTS}
    if not set(options.points) <= set(known):
        parser.error(f"the points are: {' '.join(known)}")
    return options


if __name__ == "__main__":
    options = arguments()
    say(f"seed {options.seed}")
    main(lambda: run(options.points or [*STORE_POINTS, *GATEWAY_POINTS], options.each, options.seed))
