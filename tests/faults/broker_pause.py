#!/usr/bin/python3
"""The broker stands still (SIGSTOP) under load, then for longer than a transaction may last: nothing lost, nothing twice."""
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import Failed, Stage, main, say
from load import Load, Workload

PAUSES_S = (8, 20)
ENOUGH = 1000
SECTIONS = {"service store": ["batch.max = 100"]}


def pause(kafka, load, seconds):
    """Stops the broker while orders come in; goes on when as many are accepted again."""
    before = load.counts["2xx"]
    load.wait("2xx before the pause", 60, lambda c: c["2xx"] >= before + ENOUGH)
    kafka.broker("stop")
    time.sleep(seconds)
    during = load.counts["2xx"]
    kafka.broker("cont")
    load.wait("2xx after the pause", 120, lambda c: c["2xx"] >= during + ENOUGH)
    say(f"paused for {seconds} s: {dict(load.counts)}")


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, sections=SECTIONS)
        programs = [weir.start("gateway"), weir.start("store")]
        for program in programs:
            program.wait_ready()
        log = weir.folder / "accepted.jsonl"
        load = Load(weir.url, Workload(), log).start()
        for seconds in PAUSES_S:
            pause(kafka, load, seconds)
        load.raise_limit(0)
        load.wait_idle(60)
        load.stop()
        code, counts = weir.judge(log)
        say(f"judge: exit {code}, {counts}")
        for program in programs:
            program.check_alive()
        if code != 0:
            raise Failed("the judge found the invariant violated")
        weir.stop()


if __name__ == "__main__":
    main(test)
