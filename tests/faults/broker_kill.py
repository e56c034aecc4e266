#!/usr/bin/python3
"""Kills the broker (-9) while 64 connections post: no 2xx without its record, no 503 with it; then all is stored."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import Failed, Stage, main, say
from outage import ENOUGH, broker_outage


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka)
        weir.start("gateway"), weir.start("store")
        weir.program("gateway").wait_ready(), weir.program("store").wait_ready()
        log = weir.folder / "accepted.jsonl"
        before, during, after = broker_outage(kafka, weir, log)
        code, judged = weir.judge(log)
        say(f"judge: exit {code}, {judged}")
        if code != 0:
            raise Failed("the judge found the invariant violated")
        accepted = before["2xx"], after["2xx"] - during["2xx"]
        say(f"2xx before {accepted[0]}, after {accepted[1]}; refused 503: {after['503']}, unknown 504: {after.get('504', 0)}")
        if min(accepted) < ENOUGH:
            raise Failed(f"fewer than {ENOUGH} accepted before or after: {accepted}")
        weir.stop()


if __name__ == "__main__":
    main(test)
