#!/usr/bin/python3
"""Programs that are wrong on purpose: the judge must catch each, or it proves nothing about the right ones.

mutants.py apply-first: a store host that applies a batch before its transaction is committed.
mutants.py offsets-first: a store host that commits the offsets of a batch before what it made of it.
mutants.py no-dedupe: a store that knows no request again.
mutants.py attempts-in-memory: a host that forgets at a restart how often a record was executed.
mutants.py ack-first: a gateway that answers before Kafka has acknowledged.
mutants.py right: the right gateway under the same fault, which the judge must find whole (for the store: store_kill.py).
"""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("integration", "runtime")]

from groups import bury
from harness import BUILD, Failed, Stage, main, say, wait_for
from load import Load, Workload
from random_commands import PARTITIONS, Feed
from outage import broker_outage, restart_gateway
from stage import LETTERS, RETRIES, Echo, put
from watch import Watch

ORDERS, ATTEMPTS = 1500, 20
FEW = {"service store": ["batch.max = 100"], "kafka.consumer": ["session.timeout.ms = 6000"]}


def store_dies_before_commit(binary):
    """Its transaction is never committed; what it applied must not be there. (exit code of the judge, counts)"""
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, sections=FEW)
        weir.start("gateway").wait_ready()
        log = weir.folder / "accepted.jsonl"
        load = Load(weir.url, Workload(ORDERS), log).start()
        load.wait_idle(60)
        load.stop()
        store = weir.start("store", binary, WEIR_CRASH_AT="before-commit:4")
        if store.wait_ended(60) != -9:
            raise Failed(f"no crash before the commit\n{store.tail()}")
        store.start()
        with Watch(kafka) as watch:
            watch.wait_settled(60, [store])
        return weir.judge(log)


def gateway_dies_in_an_outage(binary=None):
    """What it had told clients must be on the topic though it died. (exit code of the judge, counts)"""
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka)
        weir.start("gateway", binary).wait_ready()
        weir.start("store").wait_ready()
        log = weir.folder / "accepted.jsonl"
        broker_outage(kafka, weir, log, restart_gateway(weir))
        return weir.judge(log)


def expect_caught(judged, *kinds):
    code, counts = judged
    say(f"judge: exit {code}, {counts}")
    found = counts.get("violations", {})
    if code != 1 or not any(kind in found for kind in kinds):
        raise Failed(f"the mutant was not caught for {' or '.join(kinds)}: exit {code}, {found}")


def expect_whole(judged):
    code, counts = judged
    say(f"judge: exit {code}, {counts}")
    if code != 0:
        raise Failed("the judge found the right gateway wrong")


def apply_first():
    expect_caught(
        store_dies_before_commit("weir-consumer-mutant-apply-first"), "lost", "wrong-ending", "gateway-differs", "double"
    )


def offsets_first():
    expect_caught(store_dies_before_commit("weir-consumer-mutant-offsets-first"), "lost")


def no_dedupe():
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, partitions=PARTITIONS)
        Feed(kafka, seed=1).put(ORDERS)
        weir.start("gateway").wait_ready()
        store = weir.start("store", WEIR_PLUGIN_PATH=str(BUILD / "mutants")).wait_ready()
        with Watch(kafka) as watch:
            watch.wait_settled(60, [store])
        expect_caught(weir.judge(), "wrong-ending")


def host_restarts_between_executions(binary):
    """A record that always fails, and a restart after a few of many executions. (exit code of the judge, counts)"""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=[f"attempts = {ATTEMPTS}"])
        put(kafka, [("fail-1", "x")])
        host = echo.instance("one", binary).start()
        wait_for("a few executions", 60, lambda: len(echo.read(RETRIES)[RETRIES]) >= 3, [host])
        host.kill()
        bury(kafka.bootstrap, "echo")
        host.start()
        wait_for("a dead letter", 60, lambda: echo.read(LETTERS)[LETTERS], [host])
        return echo.weir.judge_service("echo", attempts=ATTEMPTS)


def attempts_in_memory():
    expect_whole(host_restarts_between_executions("weir-consumer"))
    expect_caught(host_restarts_between_executions("weir-consumer-mutant-attempts-in-memory"), "attempts")


def ack_first():
    expect_caught(gateway_dies_in_an_outage("weir-gateway-mutant-ack-first"), "answer-lost")


def right():
    expect_whole(gateway_dies_in_an_outage())


TESTS = {
    "apply-first": apply_first,
    "offsets-first": offsets_first,
    "no-dedupe": no_dedupe,
    "attempts-in-memory": attempts_in_memory,
    "ack-first": ack_first,
    "right": right,
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TESTS:
        sys.exit(f"usage: mutants.py {'|'.join(TESTS)}")
    main(TESTS[sys.argv[1]])
