#!/usr/bin/python3
"""kill -9 of the store exactly between the commit of its transaction and the markers: three brokers, the leader of a change
partition stands still, so that its marker can't be written.

The store stops itself before the commit; the leader is stopped; the store goes on and dies as soon as the commit is answered,
which the coordinator does once it has written the decision down. A new store finds offsets that are committed and changes that
are not yet: it must wait for them.
"""
import os
import signal
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from groups import bury
from harness import Failed, Stage, main, say, wait_for
from openload import OpenLoad
from watch import Watch

FULL = os.environ.get("WEIR_FULL") == "1"
RATE, KILLS, ORDERS = (2000, 6, 2000) if FULL else (300, 2, 300)
# A broker that stands is given up, and its partitions get another leader, after its session of 5 s.
MOVED_AFTER_S = 5
# The decision is kept by its coordinator alone: else it would wait for the broker that stands.
KAFKA = ("--set", "transaction.state.log.replication.factor=1", "--set", "transaction.state.log.min.isr=1")
SECTIONS = {
    "service store": ["batch.max = 200"],
    "gateway": ["access.log = off"],
    "kafka.consumer": ["session.timeout.ms = 6000"],
}


def is_stopped(program):
    """Whether the process has stopped itself."""
    program.check_alive()
    return os.waitid(os.P_PID, program.process.pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is not None


def pick_broker(kafka, coordinator):
    """A broker that leads change partitions and coordinates neither the transaction nor the group."""
    busy = {kafka.coordinator("store.one", "__transaction_state"), coordinator}
    return next(leader for leader in kafka.leaders("orders.changes").values() if leader not in busy)


def kill_between(kafka, store, load):
    """One kill; the number of the broker that stands, and how long it stood when the kill came. The dead one leaves the group, so
    that the next is quick enough to meet what it left."""
    store.start(WEIR_STOP_AT="before-commit:4", WEIR_CRASH_AT="after-commit:4")
    wait_for("the store before its commit", 60, lambda: is_stopped(store), [load])
    coordinator = kafka.coordinator("store")
    broker = pick_broker(kafka, coordinator)
    kafka.broker("stop", broker)
    stood = time.monotonic()
    store.signal(signal.SIGCONT)
    code = store.wait_ended(30)
    took = time.monotonic() - stood
    if code != -signal.SIGKILL:
        raise Failed(f"the store ended with {code} instead of after its commit\n{store.tail()}")
    bury(kafka.address(coordinator), "store")
    return broker, took


def test():
    with Stage() as stage:
        kafka = stage.kafka("--brokers", "3", *KAFKA)
        weir = stage.weir(kafka, sections=SECTIONS)
        gateway, store = weir.start("gateway").wait_ready(), weir.instance("one")
        log, between = weir.folder / "accepted.jsonl", 0
        load = OpenLoad(weir.address["gateway"], log, RATE).start()
        for number in range(1, KILLS + 1):
            load.wait_accepted(ORDERS, 60)
            broker, took = kill_between(kafka, store, load)
            between += took < MOVED_AFTER_S
            say(f"kill {number}: after the commit was answered, {took:.2f} s after broker {broker} was stopped")
            began = time.monotonic()
            store.start()
            wait_for("ready", 90, store.is_ready, [gateway, store])
            say(f"  ready again {time.monotonic() - began:.1f} s later")
            kafka.broker("cont", broker)
            wait_for("all replicas in sync", 60, kafka.is_in_sync, [gateway, store])
            store.stop()
        store.start()
        answers = load.stop()
        with Watch(kafka) as watch:
            watch.wait_settled(120, [gateway, store])
        code, judged = weir.judge(log)
        say(f"answers {answers}, {between} of {KILLS} kills before a new leader could write the marker")
        say(f"judge: exit {code}, {judged}")
        if code != 0:
            raise Failed("the judge found the invariant violated")
        if between == 0:
            raise Failed("no kill came between the commit and its markers: it proves nothing")
        weir.stop()


if __name__ == "__main__":
    main(test)
