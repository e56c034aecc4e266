#!/usr/bin/python3
"""Gateway and store started while no broker is there: they wait, and work once it comes, however late."""
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import Failed, Stage, main, say, wait_for
from load import Load, Workload

ORDERS = 200
# Longer than a look at the store's consumer group may take: one that was given up must not come back to bite.
LATE_S = 8


def stood_out(started, programs):
    """True once LATE_S have passed; Failed as soon as a program ends or calls itself ready."""
    for program in programs:
        program.check_alive()
        if program.is_ready():
            raise Failed(f"{program.name} says it is ready without a broker")
    return time.monotonic() - started > LATE_S


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka)
        kafka.broker("kill")
        programs = [weir.start("gateway"), weir.start("store")]
        started = time.monotonic()
        wait_for("the broker's absence", 2 * LATE_S, lambda: stood_out(started, programs))
        kafka.broker("start")
        for program in programs:
            program.wait_ready(60)
        log = weir.folder / "accepted.jsonl"
        load = Load(weir.url, Workload(ORDERS), log, connections=8).start()
        load.wait_idle(30)
        load.stop()
        code, counts = weir.judge(log)
        say(f"judge: exit {code}, {counts}")
        for program in programs:
            program.check_alive()
        if code != 0 or counts["commands"] != ORDERS + ORDERS // 10:
            raise Failed("not every order was stored")
        weir.stop()


if __name__ == "__main__":
    main(test)
