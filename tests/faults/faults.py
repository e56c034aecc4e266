#!/usr/bin/python3
"""The table of faults under load, each judged at its end: faults.py [--short] [--newest] NAME (ctest faults.NAME).

Short form: a lower rate and a shorter fault; WEIR_FULL=1 without --short: 2,000 orders/s for a minute or more of each fault.
--newest: on the newest librdkafka of Debian's sources (tests/support/newest) instead of this machine's.
"""
import argparse
import itertools
import os
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="the short form, whatever WEIR_FULL says")
    parser.add_argument("--newest", action="store_true", help="on the newest librdkafka")
    parser.add_argument("name", metavar="NAME")
    return parser.parse_args()


OPTIONS = arguments()
if OPTIONS.short:
    os.environ["WEIR_FULL"] = "0"

from cut import cut_off, in_own_network
from harness import Failed, main, newest_librdkafka, say
from reads import Http
from rss import slope
from scene import ENOUGH, FULL, judge_fault

CUT_S, PAUSE_S, KILL_EVERY_S = 15, 20, 2
GROWTH_MIB_PER_MIN, LEAST_MINUTES = 1.0, 4


def consumer_kill(scene):
    """kill -9 of a consumer every 2 s, in turn."""
    turn = 0
    while scene.goes_on():
        scene.kill(scene.stores[turn % len(scene.stores)])
        turn += 1
        scene.pause(KILL_EVERY_S)


def consumer_pause(scene):
    """SIGSTOP for 20 s, beyond session and transaction; then it wakes and knows nothing."""
    while scene.goes_on():
        one = scene.stores[0]
        scene.met(f"{one.name} stopped")
        one.signal(signal.SIGSTOP)
        scene.pause(PAUSE_S)
        taken = one.log.read_text().count("assignment.taken")
        one.signal(signal.SIGCONT)
        scene.wait("the woken one takes part again", lambda: one.log.read_text().count("assignment.taken") > taken)
        scene.wait("it is ready", one.is_ready)


def coordinator_kill(scene):
    """kill -9 of the broker that coordinates the group."""
    while scene.goes_on():
        scene.lose_broker(scene.kafka.coordinator("store"))


def leader_kill(scene):
    """kill -9 of the leader of each partition in turn."""
    for partition in sorted(scene.kafka.leaders("orders")):
        if scene.goes_on():
            scene.lose_broker(scene.kafka.leaders("orders")[partition])


def rolling_restart(scene):
    """Each broker ended and started, as for an upgrade."""
    while scene.goes_on():
        for number in range(1, scene.kafka.brokers + 1):
            scene.restart_broker(number)


def broker_cut(scene):
    """Nobody reaches one broker for 15 s; it reaches the others."""
    number = scene.kafka.leaders("orders")[0]
    while scene.goes_on():
        scene.met(f"broker {number} cut off")
        with cut_off(scene.kafka.ports(number)):
            scene.pause(CUT_S)
        scene.wait_in_sync()


def third_instance(scene):
    """A third instance comes and goes."""
    three = scene.weir.instance("three")
    while scene.goes_on():
        three.start().wait_ready(60)
        scene.pause(5)
        if three.stop() != 0:
            raise Failed(f"it did not leave well\n{three.tail()}")
        scene.notes["comings_and_goings"] = scene.notes.get("comings_and_goings", 0) + 1
        scene.pause(5)


def lose_leader(scene):
    scene.lose_broker(scene.kafka.leaders("orders")[0])


def pause_broker(scene):
    number = scene.kafka.leaders("orders")[1]
    scene.met(f"broker {number} stopped")
    scene.kafka.broker("stop", number)
    scene.pause(8)
    scene.kafka.broker("cont", number)
    scene.wait_in_sync()


def restart_broker(scene):
    scene.restart_broker(scene.kafka.leaders("orders")[2])


def mixed(scene):
    """What befalls brokers, one after the other; the programs live through all of it."""
    faults, turn = (lose_leader, pause_broker, restart_broker), 0
    while scene.goes_on():
        faults[turn % len(faults)](scene)
        turn += 1
        scene.pause(15)


def fill_caches(scene):
    """Reads documents until the stores' caches are full, so that growth is growth."""
    reader, numbers = Http(scene.weir.url), itertools.count(1)

    def are_full():
        for number in itertools.islice(numbers, 500):
            reader.get(f"/v1/orders/o-{number:07}")
        return all(one.metric("weir_store_block_cache_bytes") > ENOUGH * CACHE_BYTES for one in scene.stores)

    scene.wait("full caches", are_full, 300)
    reader.close()


def check_growth(scene):
    floors = scene.memory.floors(scene.harmed + 120)
    growth = {name: round(slope(points), 3) for name, points in floors.items()}
    say(f"growth in MiB a minute after the first two: {growth}; the lowest of each minute: "
        f"{ {name: [round(mib, 1) for _, mib in points] for name, points in floors.items()} }")
    if not floors or min(len(points) for points in floors.values()) < LEAST_MINUTES:
        raise Failed("a program did not live long enough for its growth to be known")
    if max(growth.values()) >= GROWTH_MIB_PER_MIN:
        raise Failed(f"memory grows: {growth}")


def two_versions(scene):
    """One instance on this machine's librdkafka, one on the newest, in one group; each is killed in turn."""
    used = scene.notes["librdkafka"]
    if used["store-one"] == used["store-two"]:
        raise Failed(f"both run with {used}")
    consumer_kill(scene)


# A name that stays is no new member: a restart within the session moves nothing.
STATIC = {"service store": ["batch.max = 1000", "instance.static = on"]}
# A cache (half of store.memory) that is full soon.
CACHE_BYTES = 4 << 20
SMALL = {"service store": ["batch.max = 1000", "store.memory = 8MiB"]}
GROWTH = {"warm": fill_caches, "check": check_growth}
FAULTS = {
    "consumer_kill": (consumer_kill, {}),
    "consumer_kill_static": (consumer_kill, {"sections": STATIC}),
    "consumer_pause": (consumer_pause, {}),
    "coordinator_kill": (coordinator_kill, {"brokers": 3}),
    "leader_kill": (leader_kill, {"brokers": 3}),
    "rolling_restart": (rolling_restart, {"brokers": 3}),
    "broker_cut": (broker_cut, {"brokers": 3}),
    "third_instance": (third_instance, {"brokers": 3 if FULL else 1}),
    "two_versions": (two_versions, {"newest": ("two",)}),
    "mixed": (mixed, {"brokers": 3, "sections": SMALL, "seconds": 600 if FULL else 40, **(GROWTH if FULL else {})}),
}


def run(name):
    if name not in FAULTS:
        raise Failed(f"no fault {name}; there are: {' '.join(FAULTS)}")
    act, options = FAULTS[name]
    judge_fault(name, act, **{**options, **({"brokers": 3} if FULL else {})})


if __name__ == "__main__":
    if OPTIONS.newest:
        os.environ["WEIR_LIBRDKAFKA"] = newest_librdkafka()
    if OPTIONS.name == "broker_cut":
        in_own_network()
    main(lambda: run(OPTIONS.name))
