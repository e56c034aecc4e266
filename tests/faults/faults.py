#!/usr/bin/python3
"""The table of faults under load, each judged at its end: faults.py NAME (ctest faults.NAME).

Short form: a lower rate and a shorter fault; WEIR_FULL=1: 2,000 orders/s for a minute or more of each fault.
"""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from cut import cut_off, in_own_network
from harness import Failed, main, say, wait_for
from scene import FULL, judge_fault

CUT_S, PAUSE_S, KILL_EVERY_S = 15, 20, 2
RETENTION = ("--set", "offsets.retention.minutes=1", "--set", "offsets.retention.check.interval.ms=5000")
GROWTH_MIB_PER_MIN = 1.0


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
        one.signal(signal.SIGCONT)
        wait_for("the woken one takes part again", 60, one.is_ready, scene.stores)


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
            scene.met(f"broker {number} restarted")
            scene.kafka.broker("term", number)
            scene.kafka.broker("start", number)
            scene.wait_in_sync()


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


def mixed(scene):
    """What befalls brokers, one after the other; the programs live through all of it."""
    faults = (leader_kill_once, pause_broker, rolling_restart_once)
    turn = 0
    while scene.goes_on():
        faults[turn % len(faults)](scene)
        turn += 1
        scene.pause(15)


def leader_kill_once(scene):
    scene.lose_broker(scene.kafka.leaders("orders")[0])


def pause_broker(scene):
    number = scene.kafka.leaders("orders")[1]
    scene.met(f"broker {number} stopped")
    scene.kafka.broker("stop", number)
    scene.pause(8)
    scene.kafka.broker("cont", number)
    scene.wait_in_sync()


def rolling_restart_once(scene):
    number = scene.kafka.leaders("orders")[2]
    scene.met(f"broker {number} restarted")
    scene.kafka.broker("term", number)
    scene.kafka.broker("start", number)
    scene.wait_in_sync()


def check_growth(scene):
    growth = scene.memory.growth()
    say(f"growth in MiB a minute after the first two: {growth}")
    if not growth or max(growth.values()) >= GROWTH_MIB_PER_MIN:
        raise Failed(f"memory grows: {growth}")


def two_versions(scene):
    """One instance on Debian's librdkafka, one on the newest: they share the group, and each is killed in turn."""
    for program in scene.stores:
        if "librdkafka" not in program.log.read_text():
            raise Failed("an instance does not tell its librdkafka")
    consumer_kill(scene)


FAULTS = {
    "consumer_kill": (consumer_kill, {}),
    "consumer_pause": (consumer_pause, {}),
    "coordinator_kill": (coordinator_kill, {"brokers": 3}),
    "leader_kill": (leader_kill, {"brokers": 3}),
    "rolling_restart": (rolling_restart, {"brokers": 3}),
    "broker_cut": (broker_cut, {"brokers": 3}),
    "third_instance": (third_instance, {"brokers": 3 if FULL else 1}),
    "mixed": (mixed, {"brokers": 3, "seconds": 600 if FULL else 40, "check": check_growth if FULL else None}),
}


def run(name):
    act, options = FAULTS[name]
    judge_fault(name, act, **{**options, **({"brokers": 3} if FULL else {})})


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in FAULTS:
        sys.exit(f"usage: faults.py {'|'.join(FAULTS)}")
    if sys.argv[1] == "broker_cut":
        in_own_network()
    main(lambda: run(sys.argv[1]))
