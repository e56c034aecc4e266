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
from harness import Failed, Stage, main, say, source, wait_for
from openload import OpenLoad
from watch import Watch

CHANGES = "orders.changes"
FULL = os.environ.get("WEIR_FULL") == "1"
RATE, KILLS, ORDERS = (2000, 6, 2000) if FULL else (300, 2, 300)
RATE = int(os.environ.get("WEIR_FAULT_RATE", RATE))
# A transaction that wrote to no partition of a broker that may be stopped proves nothing: another try.
MOST_TRIES = 4
# A broker that stands is given up, and its partitions get another leader, after its session of 5 s.
MOVED_AFTER_S = 5
# The decision is kept by its coordinator alone: else it would wait for the broker that stands.
KAFKA = ("--set", "transaction.state.log.replication.factor=1", "--set", "transaction.state.log.min.isr=1")
SECTIONS = {
    "service store": ["batch.max = 1000"],
    "gateway": ["access.log = off"],
    "kafka.consumer": ["session.timeout.ms = 6000"],
}


def is_stopped(program):
    """Whether the process has stopped itself."""
    program.check_alive()
    return os.waitid(os.P_PID, program.process.pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is not None


def pick_broker(kafka, coordinator):
    """A broker that leads a partition which the open transaction has written to, and coordinates neither the transaction nor the
    group; None when there is none."""
    leaders = kafka.leaders(CHANGES)
    written = source.open_partitions(kafka.bootstrap, CHANGES, len(leaders))
    busy = {kafka.coordinator("store.one", "__transaction_state"), coordinator}
    return next((leaders[partition] for partition in sorted(written) if leaders[partition] not in busy), None)


def kill_between(kafka, store, load):
    """One kill; the number of the broker that stands, if any, and how long it stood when the kill came. The dead one leaves the group, so
    that the next is quick enough to meet what it left."""
    store.start(WEIR_STOP_AT="before-commit:4", WEIR_CRASH_AT="after-commit:4")
    wait_for("the store before its commit", 60, lambda: is_stopped(store), [load])
    coordinator = kafka.coordinator("store")
    broker = pick_broker(kafka, coordinator)
    if broker is not None:
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
        log, between, tries = weir.folder / "accepted.jsonl", 0, 0
        load = OpenLoad(weir.address["gateway"], log, RATE).start()
        while between < KILLS and tries < MOST_TRIES * KILLS:
            tries += 1
            load.wait_accepted(ORDERS, 60)
            broker, took = kill_between(kafka, store, load)
            between += broker is not None and took < MOVED_AFTER_S
            say(f"kill {tries}: after the commit was answered, {took:.2f} s after broker {broker} was stopped")
            began = time.monotonic()
            store.start()
            wait_for("ready", 90, store.is_ready, [gateway, store])
            say(f"  ready again {time.monotonic() - began:.1f} s later")
            if broker is not None:
                kafka.broker("cont", broker)
            wait_for("all replicas in sync", 60, kafka.is_in_sync, [gateway, store])
            kafka.spread_leaders()
            store.stop()
        store.start()
        answers = load.stop()
        with Watch(kafka) as watch:
            watch.wait_settled(120, [gateway, store])
        code, judged = weir.judge(log)
        say(f"answers {answers}, {between} of {tries} kills between the commit and its marker")
        say(f"judge: exit {code}, {judged}")
        if code != 0:
            raise Failed("the judge found the invariant violated")
        if between < KILLS:
            raise Failed(f"only {between} kills came between the commit and its markers")
        weir.stop()


if __name__ == "__main__":
    main(test)
