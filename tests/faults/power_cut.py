#!/usr/bin/python3
"""kill -9 of the store and its files cut back to what was synced: it opens, is mended from the change log, all is judged."""
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from groups import bury
from harness import Failed, Stage, main, say, wait_for
from openload import OpenLoad
from powercut import PowerCut
from watch import Watch

FULL = os.environ.get("WEIR_FULL") == "1"
RATE, CUTS, ORDERS = (2000, 20, 3000) if FULL else (400, 3, 400)
# Small buffers, so that there are flushes, and files that come and go.
SECTIONS = {
    "service store": ["batch.max = 200", "store.memory = 8MiB"],
    "gateway": ["access.log = off"],
    "kafka.consumer": ["session.timeout.ms = 6000"],
}


def test():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, sections=SECTIONS)
        power, store = PowerCut(weir.store_path.parent), weir.program("store")
        gateway = weir.start("gateway").wait_ready()
        store.start(**power.environment).wait_ready()
        log, lost = weir.folder / "accepted.jsonl", []
        load = OpenLoad(weir.address["gateway"], log, RATE).start()
        with Watch(kafka) as watch:
            for number in range(1, CUTS + 1):
                load.wait_accepted(ORDERS, 60)
                watch.wait_commit(60, [gateway, store])
                store.kill()
                lost.append(power.cut())
                say(f"cut {number}: lost {lost[-1]}, last commit {watch.commit_age_s * 1000:.0f} ms ago")
                bury(kafka.bootstrap, "store")
                store.start(**power.environment)
                wait_for("ready", 60, store.is_ready, [gateway, store])
            answers = load.stop()
            watch.wait_settled(120, [gateway, store])
        code, judged = weir.judge(log, store=True)
        say(f"answers {answers}, {CUTS} cuts lost {sum(one['bytes'] for one in lost)} bytes")
        say(f"judge: exit {code}, {judged}")
        if code != 0:
            raise Failed("the judge found the invariant violated")
        if not all(one["bytes"] for one in lost):
            raise Failed("a cut lost nothing: it proves nothing")
        weir.stop()


if __name__ == "__main__":
    main(test)
