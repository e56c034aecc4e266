"""One fault under load: what is started, what is measured meanwhile, what must hold afterwards.

    judge_fault("leader_kill", act, brokers=3)      # act(scene) does the harm, for scene.seconds
Steady load, then the fault, then steady load again without a hand; at the end the load stops, everything is finished and
judged. Prints the counts, the rates and the kills.
"""
import json
import os
import time

from harness import Failed, Stage, newest_librdkafka, say, wait_for
from openload import OpenLoad, rate_between
from progress import Progress
from rss import Memory

FULL = os.environ.get("WEIR_FULL") == "1"
# Orders a second, seconds of the fault, of the load before and after it, and until 90 % of the rate must be back.
RATE, FAULT_S, STEADY_S, BACK_S = (2000, 60, 15, 30) if FULL else (300, 20, 4, 60)
# Orders before anything is measured: so that the brokers have warmed up.
WARM_S = 20 if FULL else 4
RATE = int(os.environ.get("WEIR_FAULT_RATE", RATE))
# Three brokers on one machine answer late under the full rate: as many connections and as large batches as that takes.
CONNECTIONS, LINGER_MS = (256, 10) if FULL else (64, 0)
# A broker that is started in the middle of a fault must not spend two cores for a minute on compiling itself well.
QUICK = ("--jvm", "-XX:TieredStopAtLevel=1")
WINDOW_S, ENOUGH = 3, 0.9
SECTIONS = {
    "service store": ["batch.max = 1000"],
    "gateway": ["access.log = off"],
    "kafka.consumer": ["session.timeout.ms = 6000"],
    "kafka.producer": [f"linger.ms = {LINGER_MS}"],
}


class Scene:
    """A deployment under load and what its faults met."""

    def __init__(self, stage, brokers, kafka, instances, seconds, sections, newest):
        self.stage, self.seconds, self.kills, self.notes = stage, seconds, [], {}
        self.kafka = stage.kafka("--brokers", str(brokers), *QUICK, *kafka)
        self.weir = stage.weir(self.kafka, sections={**SECTIONS, **(sections or {})})
        self.gateway = self.weir.program("gateway")
        self.stores = [self.weir.instance(name) for name in instances]
        for name in newest:
            self.weir.instance(name).environment["LD_LIBRARY_PATH"] = newest_librdkafka()
        self.log = self.weir.folder / "accepted.jsonl"
        self.load = OpenLoad(self.weir.address["gateway"], self.log, RATE, CONNECTIONS)
        self.progress, self.memory, self.harmed, self.ends = None, Memory(), None, None

    def start(self):
        for program in (self.gateway, *self.stores):
            program.start()
        for program in (self.gateway, *self.stores):
            program.wait_ready(60)
            self.memory.watch(program)
        self.notes["librdkafka"] = {p.name: p.library("librdkafka") for p in (self.gateway, *self.stores)}
        self.load.start()

    def pause(self, seconds):
        """Lets the fault last; the load goes on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.load.check_alive()
            self.supervise()
            time.sleep(0.05)

    def supervise(self):
        """What a supervisor does: starts again what has ended by itself; counted and told."""
        for program in (self.gateway, *self.stores):
            if not program.running:
                ended = f"{program.name} ended with {program.process.returncode}"
                self.notes.setdefault("supervised", []).append(ended)
                program.start()

    def wait(self, what, probe, seconds=90):
        """Waits for a condition; the supervisor is awake."""

        def look():
            self.supervise()
            return probe()

        wait_for(what, seconds, look, [self.load])

    def goes_on(self):
        """Whether the time of the fault is not over."""
        return time.monotonic() < self.ends

    def met(self, what):
        """Writes down what a kill meets: lag and age of the last commit, as Kafka showed them last."""
        age = self.progress.commit_age_s
        self.kills.append({"what": what, "lag": self.progress.lag, "commit_age_ms": round(age * 1000) if age < 1e6 else None})

    def kill(self, program):
        """kill -9 and, as its supervisor would, a new start."""
        self.met(program.name)
        program.kill()
        program.start()

    def lose_broker(self, number, away_s=3):
        """kill -9 of a broker, back after a while, and all replicas in sync again."""
        self.met(f"broker {number}")
        self.kafka.broker("kill", number)
        self.pause(away_s)
        self.kafka.broker("start", number)
        self.wait_in_sync()

    def restart_broker(self, number):
        """Ended and started as for an upgrade, and all replicas in sync again."""
        self.met(f"broker {number} restarted")
        self.kafka.broker("term", number)
        self.kafka.broker("start", number)
        self.wait_in_sync()

    def wait_in_sync(self):
        self.wait("all replicas in sync", self.kafka.is_in_sync, 120)


def _rates(scene, since, until):
    accepted = rate_between(scene.load.history, since, until)
    stored = rate_between(scene.progress.history, since, until)
    return None if None in (accepted, stored) else {"accepted": round(accepted), "stored": round(stored)}


def _is_back(scene, before, since):
    rates = _rates(scene, since, since + WINDOW_S)
    return rates is not None and all(rates[name] >= ENOUGH * min(RATE, before[name]) for name in before)


def _wait_back(scene, before, began):
    """Seconds after the fault's end from which on both rates are at 90 % of what they were; None when they are not in time."""
    deadline, at = began + BACK_S, began
    while at <= deadline:
        scene.pause(max(0.0, at + WINDOW_S + 0.5 - time.monotonic()))
        if _is_back(scene, before, at):
            return round(at - began, 1)
        at += 0.5
    return None


def _tails(scene):
    return "\n".join(program.tail(8) for program in scene.weir.programs.values())


def _measure(scene, act, warm):
    """Runs the load, the fault and the load again; the rates."""
    scene.start()
    scene.load.wait_accepted(WARM_S * RATE // 4, 120)
    if warm:
        warm(scene)
    wait_for("the store keeps up", 60, lambda: scene.progress.lag < 2 * RATE, scene.stores)
    began = time.monotonic()
    scene.pause(STEADY_S)
    harmed = scene.harmed = time.monotonic()
    scene.ends = harmed + scene.seconds
    before = _rates(scene, began, harmed)
    act(scene)
    ended = time.monotonic()
    back_s = _wait_back(scene, before, ended)
    scene.pause(STEADY_S)
    now = time.monotonic() - 0.5
    return {
        "fault_s": round(ended - harmed, 1),
        "before": before,
        "during": _rates(scene, harmed, ended),
        "after": _rates(scene, now - STEADY_S, now),
        "back_s": back_s,
    }


def _settle(scene):
    wait_for("lag 0", 120, lambda: scene.progress.lag == 0, scene.stores)


def judge_fault(name, act, brokers=1, kafka=(), instances=("one", "two"), seconds=FAULT_S, sections=None, newest=(), warm=None, check=None):
    """Runs one fault from start to verdict; Failed when anything promised does not hold. The instances named in `newest` run with
    the newest librdkafka; warm(scene) comes before anything is measured, check(scene) last."""
    with Stage() as stage:
        scene = Scene(stage, brokers, kafka, instances, seconds, sections, newest)
        with Progress(scene.kafka) as scene.progress, scene.memory:
            rates = _measure(scene, act, warm)
            answers = scene.load.stop()
            _settle(scene)
        for kill in scene.kills:
            say(f"  killed {kill}")
        say(json.dumps({"fault": name, "answers": answers, **rates, "kills": len(scene.kills), **scene.notes}))
        say(f"memory {json.dumps(scene.memory.report())}")
        code, judged = scene.weir.judge(scene.log, settle=120)
        say(f"judge: exit {code}, {json.dumps(judged)}")
        if code != 0:
            raise Failed(f"the judge found the invariant violated\n{_tails(scene)}")
        if judged["commands"] < answers["2xx"] or answers.get("other"):
            raise Failed(f"{judged['commands']} commands, answers {answers}")
        if rates["back_s"] is None:
            raise Failed(f"90 % of the rate was not back within {BACK_S} s\n{_tails(scene)}")
        if check:
            check(scene)
        scene.weir.stop()
