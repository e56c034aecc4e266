#!/usr/bin/python3
"""Kills the store six times while 64 connections post orders; the judge must find the invariant whole.

store_kill.py [--wipe] [--short] [--orders N]: --wipe removes the store's documents before each restart, as a lost disk
would; --short is three kills and fewer orders.
Five of the kills must meet lag above 0 and a commit under 1 s old, two of them from inside, between produce and
commit (WEIR_CRASH_AT in a test build); the sixth comes between commit and apply.
"""
import argparse
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness import Failed, Stage, main, say, wait_for
from load import Load, Workload
from watch import Watch

ORDERS, SHORT_ORDERS = 20000, 6000
MAX_COMMIT_AGE_S = 1.0
# A kill that meets an older commit, as on a busy machine, is one more than was asked for; then it is done again.
ATTEMPTS = 5
# Orders at a time for a store that has to reach its crash point.
FEED = 100
# None: from outside, at any moment. Else the point, and how often it is reached before it counts.
KILLS = (None, "after-produce:4", None, "before-commit:4", None, "before-apply:4")
SHORT_KILLS = (None, "before-commit:4", "before-apply:4")
# Here its records lie in the log already, in a transaction without an end.
OPEN, COMMITTED = ("after-produce:4", "before-commit:4"), "before-apply:4"
# Small batches: many transactions, so that a kill rarely finds a moment without one.
SECTIONS = {"service store": ["batch.max = 100"], "kafka.consumer": ["session.timeout.ms = 6000"]}


def kill_outside(watch, store):
    """kill -9 while it is behind and busy."""
    wait_for(
        "lag above 0 and a fresh commit",
        30,
        lambda: watch.last.lag > 0 and watch.commit_age_s < MAX_COMMIT_AGE_S / 2,
        [store],
    )
    seen, age = watch.last, watch.commit_age_s
    store.kill()
    return seen, age


def kill_inside(watch, store, load):
    """Feeds the store until it kills itself at its crash point."""

    def ended():
        if load.is_idle() and watch.last.lag == 0:
            load.raise_limit(load.sent + FEED)
        return not store.running

    wait_for("the crash point", 60, ended)
    seen, age = watch.last, watch.commit_age_s
    if store.process.returncode != -signal.SIGKILL:
        raise Failed(f"the store ended with {store.process.returncode} instead of by its crash point\n{store.tail()}")
    return seen, age


def kill(number, point, watch, store, load):
    """One kill, proven to have met what it was to meet; False when only its last commit was too old."""
    seen, age = kill_outside(watch, store) if point is None else kill_inside(watch, store, load)
    # What was on the topic before the kill and is not committed after it was surely unfinished at the kill. A kill from
    # inside may come between two looks: there the transaction it left open is the proof.
    lag = sum(max(0, end - done) for end, done in zip(seen.ends, watch.sample().done))
    unended = watch.open_records("orders.changes")
    say(
        f"kill {number} ({point or 'from outside'}): lag {max(lag, unended)}, last commit {age * 1000:.0f} ms ago, "
        f"{unended} changes in an open transaction, {load.counts['2xx']} accepted"
    )
    if point in OPEN and unended == 0:
        raise Failed(f"kill {number} was not between produce and commit")
    if point == COMMITTED:
        return True
    if max(lag, unended) == 0:
        raise Failed(f"kill {number} met lag 0: it proves nothing")
    return age < MAX_COMMIT_AGE_S


def kill_and_restart(number, kills, watch, store, load, gateway, wipe):
    """wipe() takes away what the store has on its disk."""
    point, following = (*kills, None)[number - 1 : number + 1]
    for _ in range(ATTEMPTS):
        done = kill(number, point, watch, store, load)
        wipe()
        store.start(**environment(following if done else point))
        watch.wait_commit(60, [gateway])
        if done:
            return
    raise Failed(f"kill {number} met a store whose last commit was {MAX_COMMIT_AGE_S} s old, {ATTEMPTS} times")


def run(orders, wipe, kills):
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, sections=SECTIONS)
        gateway, store = weir.start("gateway"), weir.program("store")
        store.start(**environment(kills[0]))
        gateway.wait_ready(), store.wait_ready()
        log, step = weir.folder / "accepted.jsonl", orders // len(kills)
        load = Load(weir.url, Workload(orders), log, limit=0).start()
        with Watch(kafka) as watch:
            for number in range(1, len(kills) + 1):
                load.raise_limit(max(load.sent, number * step))
                load.wait("orders accepted", 60, lambda c, n=number: c["2xx"] >= (n - 1) * step + step // 8)
                kill_and_restart(number, kills, watch, store, load, gateway, weir.wipe_store if wipe else lambda: None)
            load.raise_limit(None)
            load.wait_idle(120)
            watch.wait_settled(60, [gateway, store])
        counts = load.stop()
        say(f"answers: {counts}")
        check(counts, *weir.judge(log), orders)
        weir.stop()


def environment(point):
    return {} if point is None else {"WEIR_CRASH_AT": point}


def check(counts, code, judged, orders):
    say(f"judge: exit {code}, {judged}")
    if code != 0:
        raise Failed("the judge found the invariant violated")
    asked = orders + orders // 10
    if counts != {"2xx": asked} or judged["commands"] != asked:
        raise Failed(f"{asked} requests, of which {counts} answered and {judged['commands']} on the topic")
    if judged.get("dead_letters") or judged["changes"] + judged.get("outcomes", 0) != asked:
        raise Failed("not every order was stored")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wipe", action="store_true")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--orders", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    orders = options.orders or (SHORT_ORDERS if options.short else ORDERS)
    main(lambda: run(orders, options.wipe, SHORT_KILLS if options.short else KILLS))
