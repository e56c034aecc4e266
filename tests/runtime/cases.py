#!/usr/bin/python3
"""The consumer host on real Kafka; `cases.py CASE` runs one."""
import collections
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from stage import (
    LETTERS,
    PARTITIONS,
    RETRIES,
    ROOT,
    SOURCE,
    TARGET,
    Echo,
    Failed,
    Stage,
    check_keys,
    check_same,
    executions,
    find_program,
    keys_on,
    main,
    newest_librdkafka,
    put,
    readiness,
    say,
    source,
    wait_for,
)

SMALL = ["batch.max = 100"]
OLDEST = "weir_oldest_unfinished_seconds"


def numbered(count, keys=50):
    return [(f"k-{i % keys}", f"{i}") for i in range(count)]


def test_poison_record():
    """One dead letter with its headers; the records behind it are handled."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        bad, (before, after) = keys_on(1, 1, "reject")[0], keys_on(1, 2)
        put(kafka, [(before, "1"), (bad, "{"), (after, "2")], ce_id=b"r-1")
        one = echo.instance().start().wait_ready()
        echo.settle(alive=[one])
        found = echo.read(TARGET, LETTERS)
        if [r.key_text for r in found[TARGET]] != [before, after]:
            raise Failed(f"handled: {[r.key_text for r in found[TARGET]]}")
        if len(found[LETTERS]) != 1:
            raise Failed(f"{len(found[LETTERS])} dead letters")
        letter = found[LETTERS][0]
        wanted = {
            "ce_id": "r-1",
            "__dlq.errors.topic": SOURCE,
            "__dlq.errors.partition": "1",
            "__dlq.errors.offset": "1",
            "__dlq.errors.group": "echo",
            "__dlq.errors.delivery.count": "1",
            "__dlq.errors.message": "the key asks for it",
            "weir-disposition": "invalid",
            "weir-error-type": "echo",
        }
        told = {name: letter.header(name) for name in wanted}
        if told != wanted or letter.partition != 1 or letter.value != b"{":
            raise Failed(f"the letter: {told} on {letter.partition}")
        if one.metric("weir_dead_letters_total") != 1:
            raise Failed("the metric does not count it")


def test_too_large_record():
    """What a plugin emits beyond the target's limit costs that record only."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        put(kafka, [("k-1", "1"), ("large-1", "2"), ("k-2", "3")])
        one = echo.instance().start()
        echo.settle(alive=[one])
        found = echo.read(TARGET, LETTERS)
        if sorted(r.key_text for r in found[TARGET]) != ["k-1", "k-2"]:
            raise Failed("the others were not handled")
        if [r.header("weir-disposition") for r in found[LETTERS]] != ["too-large"]:
            raise Failed("no dead letter of it")


def test_retry_keeps_order():
    """Each record of some keys fails twice and is done at its third execution; nothing of its key overtakes it."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        keys = keys_on(0, 3, "retry2") + keys_on(0, 3) + keys_on(1, 3, "retry1") + keys_on(1, 3)
        put(kafka, [(keys[i % len(keys)], str(i)) for i in range(10 * len(keys))])
        one = echo.instance().start()
        check_keys(echo, 10 * len(keys))
        wait_for("the executions' metric", 10, lambda: executions(one) == {1: 60, 2: 30, 3: 30}, [one])


def states_of(echo, partition, offset):
    """What the retry topic says of one record of the source, in order: executions, "done" for its end."""
    origin = f"{SOURCE}/{partition}/{offset}"
    told = [r for r in echo.read(RETRIES)[RETRIES] if r.header("weir-origin") == origin]
    return ["done" if r.header("weir-done") else int(r.header("weir-attempt")) for r in told]


def test_attempts_are_bounded():
    """A record that always fails: three executions, one letter, its partition goes on; redriven, the same once more."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        bad, good = keys_on(2, 3, "fail"), keys_on(2, 10)
        put(kafka, [(key, "x") for key in good[:5] + bad + good[5:]])
        echo.instance().start()
        check_keys(echo, len(good), len(bad))
        letters = echo.read(LETTERS)[LETTERS]
        for letter in letters:
            told = letter.header("weir-disposition"), letter.header("__dlq.errors.delivery.count")
            if told != ("max-attempts", "3") or letter.partition != 2:
                raise Failed(f"the letter says {told}")
        for offset in (5, 6, 7):
            if states_of(echo, 2, offset) != [1, 2, "done"]:
                raise Failed(f"the retry topic says {states_of(echo, 2, offset)} of record {offset}")
        headers = {"weir-origin": f"{SOURCE}/2/6", "weir-attempt": "0", "weir-redrive-count": "1"}
        put(kafka, [(letters[1].key, letters[1].value)], topic=RETRIES, **headers)
        wait_for("the second letter", 30, lambda: len(echo.read(LETTERS)[LETTERS]) == len(bad) + 1)
        letter = echo.read(LETTERS)[LETTERS][-1]
        told = [letter.header(f"__dlq.errors.{name}") for name in ("topic", "partition", "offset", "delivery.count")]
        if told != [SOURCE, "2", "6", "3"] or letter.header("weir-redrive-count") != "1":
            raise Failed(f"the letter of the redriven record says {told}")
        if states_of(echo, 2, 6) != [1, 2, "done", 0, 1, 2, "done"]:
            raise Failed(f"the retry topic says {states_of(echo, 2, 6)}")


def test_parked_records_survive():
    """While a key fails, others flow; executions are counted on after a kill -9 and by another instance; then all is done."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["attempts = 1000"])
        echo.gate.touch()
        parked, others = keys_on(0, 1, "gated") * 3, keys_on(0, 20) + keys_on(1, 20)
        put(kafka, [(key, str(i)) for i, key in enumerate(parked + others)])
        one, two = echo.instance("one").start(), echo.instance("two")
        wait_for("the other keys", 30, lambda: len(echo.read(TARGET)[TARGET]) == len(others), [one])
        echo.settle(alive=[one])  # parked, a record is done as far as its source goes
        wait_for("the metric", 10, lambda: one.metric("weir_parked_records") == len(parked), [one])

        def executed(times, program):
            wait_for(f"{times} executions", 30, lambda: states_of(echo, 0, 0)[-1] >= times, [program])

        executed(2, one)
        one.kill()
        one.start()
        executed(states_of(echo, 0, 0)[-1] + 2, one)
        two.start().wait_ready()
        one.kill()
        executed(states_of(echo, 0, 0)[-1] + 2, two)
        echo.gate.unlink()
        check_keys(echo, len(parked) + len(others))
        told = [states_of(echo, 0, offset) for offset in range(3)]
        if told != [[*range(1, len(told[0])), "done"], [0, "done"], [0, "done"]]:
            raise Failed(f"the retry topic says {told}")
        wait_for("nothing is parked", 10, lambda: two.metric("weir_parked_records") == 0, [two])


def test_a_full_parking_stops_its_partition():
    """More of one key than may be parked: its partition is not read on, others are, and it goes on by itself."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["attempts = 1000", "parked.max = 30", "batch.max = 20"])
        echo.gate.touch()
        key, others = keys_on(0, 1, "gated")[0], keys_on(1, 20)
        put(kafka, [(key, str(i)) for i in range(300)] + [(key, "x") for key in others])
        one = echo.instance().start()
        wait_for("the other partition", 30, lambda: len(echo.read(TARGET)[TARGET]) == len(others), [one])
        wait_for("back-pressure", 30, lambda: "partition.full" in one.log.read_text(), [one])
        wait_for("the age of what is parked", 10, lambda: one.metric(OLDEST) >= 1, [one])
        if (one.metric("weir_parked_records") or 0) > 50 or echo.lag() < 250:
            raise Failed(f"{one.metric('weir_parked_records')} are parked, the lag is {echo.lag()}")
        echo.gate.unlink()
        check_keys(echo, 300 + len(others))


def test_a_lost_retry_range_stops_its_partition():
    """Offsets of both topics are committed without a record too; what is then lost of the retry topic is named."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        one = echo.instance().start(WEIR_OFFSETS_EVERY_MS="200")

        def committed(topic):
            return source.committed(kafka.bootstrap, "echo", topic, PARTITIONS)

        for topic in (SOURCE, RETRIES):
            wait_for(f"offsets of {topic}", 30, lambda: set(committed(topic).values()) == {0}, [one])
        one.stop()
        put(kafka, [(key, "x") for key in keys_on(0, 3)], topic=RETRIES)
        delete_records(kafka, RETRIES, 0, 2)
        one.start()
        wait_for("the partition stops", 30, lambda: "partition.stopped" in one.log.read_text(), [one])
        lost = f"records 0 to 1 of {RETRIES} partition 0 are lost"
        wait_for("readiness names what is lost", 10, lambda: lost in readiness(one).get("why", ""), [one])


def test_records_not_reached_are_handed_out_again():
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        keys = keys_on(0, 5)
        skipped = keys_on(0, 1, "skip")
        put(kafka, [(key, "x") for key in keys[:2] + skipped + keys[2:]])
        one = echo.instance().start()
        echo.settle(alive=[one])
        check_same(echo, 6)


def test_markers_are_no_lag():
    """The source was written in transactions: the markers behind its last record are nothing to be waited for."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        echo.gate.touch()
        put(kafka, [(keys_on(2, 1, "wait")[0], "x")])
        put(kafka, [(key, "x") for key in keys_on(0, 3) + keys_on(1, 3)], transaction="shop")
        one = echo.instance().start()
        wait_for("the other partitions", 30, lambda: len(echo.read(TARGET)[TARGET]) == 6, [one])

        def told(name, partition):
            return one.metric(f'{name}{{topic="orders",partition="{partition}"}}')

        age = told(OLDEST, 2)
        if age > 120:
            raise Failed(f"a record that was just written is said to be {age} s old")
        wait_for("metrics told anew", 10, lambda: told(OLDEST, 2) >= age + 2, [one])
        lags = [told("weir_lag", partition) for partition in range(PARTITIONS)]
        if lags != [0, 0, 1]:
            raise Failed(f"of the partitions, of which one waits, the lags are {lags}")


def test_wait_stops_one_partition():
    """The outside world is down: its partition stands and spends no attempt, others flow; then all is handled."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        echo.gate.touch()
        waiting, behind = keys_on(0, 1, "wait"), keys_on(0, 20)
        put(kafka, [(key, "x") for key in waiting + behind] + [(key, "x") for key in keys_on(1, 20)])
        one = echo.instance().start()
        wait_for("the other partition", 30, lambda: len(echo.read(TARGET)[TARGET]) == 20, [one])
        wait_for("ten probes", 30, lambda: (one.metric('weir_records_total') or 0) >= 30, [one])
        wait_for("the age of what waits", 10, lambda: one.metric(f'{OLDEST}{{topic="orders",partition="0"}}') >= 1, [one])
        if one.metric(f'{OLDEST}{{topic="orders",partition="1"}}'):
            raise Failed("what does not wait is said to be old")
        if readiness(one)["waiting"] != 1 or readiness(one)["why"] != "orders partition 0: the gate is shut":
            raise Failed(f"readiness does not tell: {readiness(one)}")
        if len(echo.read(TARGET)[TARGET]) != 20 or echo.read(RETRIES)[RETRIES]:
            raise Failed("something went past the gate, or was counted")
        echo.gate.unlink()
        echo.settle(alive=[one])
        check_same(echo, 41)
        wait_for("nothing is unfinished", 10, lambda: one.metric(OLDEST) == 0, [one])
        if "why" in readiness(one):
            raise Failed(f"it still gives a reason: {readiness(one)}")
        if one.metric("weir_dead_letters_total"):
            raise Failed("an outage filled the dead-letter topic")


def test_handler_errors_lose_nothing():
    """handle() fails for a while: the batch comes again, whole."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        echo.gate.touch()
        put(kafka, numbered(100) + [("error-1", "x")] + numbered(100))
        one = echo.instance().start()
        wait_for("a failed batch", 30, lambda: "batch.failed" in one.log.read_text(), [one])
        echo.gate.unlink()
        echo.settle(alive=[one])
        check_same(echo, 201)


def test_drain_on_sigterm():
    """Under load: the open batch is finished, the group left, exit 0 within drain.timeout, nothing double after it."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=[*SMALL, "drain.timeout = 10s"])
        put(kafka, numbered(20000))
        one, two = echo.instance("one").start(), echo.instance("two")
        wait_for("it is busy", 30, lambda: (one.metric("weir_batches_total") or 0) > 3 if one.is_ready() else 0, [one])
        began = time.monotonic()
        code = one.stop(15)
        took = time.monotonic() - began
        left = echo.lag()
        say(f"ended with {code} after {took:.2f} s, {left} records left")
        if code != 0 or took > 10 or left == 0:
            raise Failed("it should end well, in time, before all is done")
        began = time.monotonic()
        two.start().wait_ready(20)
        took = time.monotonic() - began
        if took > 5:
            raise Failed(f"the next one had to wait {took:.1f} s: the group was not left")
        echo.settle(120, [two])
        check_same(echo, 20000)


def test_sigterm_while_the_broker_hangs():
    """In the middle of a transaction: it ends in time all the same, and nothing is double or missing afterwards."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=[*SMALL, "drain.timeout = 8s"])
        put(kafka, numbered(10000))
        one = echo.instance().start()
        wait_for("it is busy", 30, lambda: (one.metric("weir_batches_total") or 0) > 3 if one.is_ready() else 0, [one])
        kafka.broker("stop")
        began = time.monotonic()
        code = one.stop(15)
        took = time.monotonic() - began
        kafka.broker("cont")
        say(f"ended with {code} after {took:.1f} s")
        if code != 0 or took > 9:
            raise Failed(one.tail())
        one.start()
        echo.settle(90, [one])
        check_same(echo, 10000)


def test_a_hanging_handler_is_cut_off():
    """SIGTERM while the plugin hangs: ended at drain.timeout, as a failure that says so."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["drain.timeout = 2s"])
        one = echo.instance().start().wait_ready()
        put(kafka, [("hang-1", "x")])
        time.sleep(0.5)  # nothing tells from outside that a handler hangs
        began = time.monotonic()
        code = one.stop(10)
        if code != 70 or time.monotonic() - began > 5 or "waiting_for=plugin" not in one.log.read_text():
            raise Failed(f"exit {code}\n{one.tail()}")


def test_a_record_that_ends_the_process():
    """Executed at three starts, then a dead letter that says so; its neighbours are handled once."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["instance.static = true"])
        (bad,), good = keys_on(1, 1, "crash"), keys_on(1, 4)
        put(kafka, [(key, "x") for key in good[:2] + [bad] + good[2:]])
        one = echo.instance()
        for _ in range(3):
            code = one.start().wait_ended(30)
            if code != 99:
                raise Failed(f"exit {code} instead of the plugin's\n{one.tail()}")
        one.start()
        echo.settle(alive=[one])
        found = echo.read(TARGET, LETTERS)
        told = [(r.key_text, r.header("weir-disposition"), r.header("__dlq.errors.offset")) for r in found[LETTERS]]
        if told != [(bad, "crashed", "2")] or [r.key_text for r in found[TARGET]] != good:
            raise Failed(f"letters {told}, handled {[r.key_text for r in found[TARGET]]}")


def test_a_static_member_keeps_its_partitions():
    """Restarted within the session's time it goes on at once, and the other instance is not disturbed."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["instance.static = true"], session_ms=30000)
        one, two = echo.instance("one").start(), echo.instance("two").start()
        wait_for("both have partitions", 60, lambda: all(p.is_ready() and readiness(p)["partitions"] for p in (one, two)))
        moves = two.metric("weir_rebalances_total")
        for end in (one.kill, one.stop):
            end()
            began = time.monotonic()
            one.start().wait_ready(20)
            say(f"ready again after {time.monotonic() - began:.1f} s")
        put(kafka, numbered(300))
        echo.settle(alive=[one, two])
        check_same(echo, 300)
        if two.metric("weir_rebalances_total") != moves:
            raise Failed("the other instance was rebalanced")


def test_cooperative_assignment_is_refused_below_2_10():
    with Stage() as stage:
        echo = Echo(stage, stage.kafka(), echo=["assignment = cooperative-sticky"])
        one = echo.instance().start()
        if one.wait_ended(30) != 78 or "install 2.10.1 or newer" not in one.log.read_text():
            raise Failed(one.tail())


def taken(program):
    """How often each partition was taken, from its first step on."""
    return collections.Counter(re.findall(r"partition\.taken topic=orders partition=(\d)", program.log.read_text()))


def test_cooperative_moves_only_what_has_to_on_the_newest_librdkafka():
    """Under load a second instance comes and goes: what the first one keeps is not taken anew; nothing double or missing."""
    os.environ["WEIR_LIBRDKAFKA"] = newest_librdkafka()
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=[*SMALL, "assignment = cooperative-sticky"])
        one, two = echo.instance("one").start().wait_ready(), echo.instance("two")
        hard = keys_on(0, 3, "retry2") + keys_on(2, 3, "retry2")
        put(kafka, numbered(3000) + [(key, "x") for key in hard])
        two.start()
        wait_for("both share", 60, lambda: two.is_ready() and sorted(readiness(p)["partitions"] for p in (one, two)) == [1, 2])
        put(kafka, numbered(3000) + [(key, "y") for key in hard])
        if set(taken(one).values()) != {1}:
            raise Failed(f"taken anew: {taken(one)}")
        moved = set(taken(two))
        two.stop()
        wait_for("the first has all again", 60, lambda: one.is_ready() and readiness(one)["partitions"] == PARTITIONS, [one])
        if taken(one) != {str(p): 1 + (str(p) in moved) for p in range(PARTITIONS)}:
            raise Failed(f"{moved} moved, taken: {taken(one)}")
        put(kafka, numbered(1000))
        echo.settle(120, [one])
        check_keys(echo, 7000 + 2 * len(hard))


def test_two_instances_share():
    """The second takes over a part, the first's death the rest; nothing double, nothing missing."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=SMALL)
        one, two = echo.instance("one").start(), echo.instance("two")
        put(kafka, numbered(3000))
        one.wait_ready()
        two.start().wait_ready()
        one.wait_ready()
        owned = [readiness(p)["partitions"] for p in (one, two)]
        if 0 in owned or sum(owned) != PARTITIONS:
            raise Failed(f"partitions are shared {owned}")
        put(kafka, numbered(3000))
        one.kill()
        echo.settle(60, [two])
        check_same(echo, 6000)


def test_a_twin_is_fenced():
    """Two processes of one instance name: one ends with 78 and says why; nothing double, nothing missing."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=SMALL)
        one, twin = echo.instance("one"), echo.instance("twin")
        twin.argv[twin.argv.index("twin")] = "one"
        one.start().wait_ready()
        twin.start()
        total, ended = 0, []
        deadline = time.monotonic() + 60
        while not ended and time.monotonic() < deadline:
            put(kafka, numbered(200))
            total += 200
            ended = [p for p in (one, twin) if not p.running]
            time.sleep(0.1)
        if not ended:
            raise Failed("both live on")
        code, text = ended[0].wait_ended(1), ended[0].log.read_text()
        if code != 78 or "echo.one" not in text or "--instance" not in text:
            raise Failed(f"exit {code}\n{ended[0].tail()}")
        echo.settle(60)
        check_same(echo, total)


def test_a_woken_zombie_writes_nothing():
    """Stopped beyond its session, replaced, woken again: its open batch is refused."""
    with Stage() as stage:
        kafka = stage.kafka("--set", "group.min.session.timeout.ms=1000")
        echo = Echo(stage, kafka, echo=SMALL)
        one, two = echo.instance("one").start().wait_ready(), echo.instance("two")
        put(kafka, numbered(20000))
        wait_for("it is busy", 30, lambda: (one.metric("weir_batches_total") or 0) > 3, [one])
        one.signal(signal.SIGSTOP)
        two.start()
        wait_for("the other takes all", 40, lambda: two.is_ready() and readiness(two)["partitions"] == PARTITIONS, [two])
        one.signal(signal.SIGCONT)
        echo.settle(120, [two])
        wait_for("the woken one takes part again", 60, one.is_ready, [one])
        check_same(echo, 20000)
        for line in one.log.read_text().splitlines():
            if " transaction." in line:
                say(line)


def test_a_stale_generation_is_refused():
    """Woken before its transaction times out, but after the group gave its partitions away: the offsets are refused."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["batch.max = 10"])
        one, two = echo.instance("one").start().wait_ready(), echo.instance("two")
        put(kafka, numbered(20000))
        wait_for("it is busy", 30, lambda: (one.metric("weir_batches_total") or 0) > 3, [one])
        one.signal(signal.SIGSTOP)
        two.start()
        wait_for("the group moves on", 30, lambda: f"partitions={PARTITIONS}" in two.log.read_text(), [two])
        one.signal(signal.SIGCONT)
        wait_for("both share", 60, lambda: one.is_ready() and two.is_ready(), [one, two])
        echo.weir.conf.write_text(echo.weir.conf.read_text().replace("batch.max = 10\n", ""))
        one.stop()
        two.stop()
        one.start()
        echo.settle(120, [one])
        check_same(echo, 20000)
        for line in one.log.read_text().splitlines():
            if " transaction." in line:
                say(line)


def test_a_paused_broker():
    """The broker stands for 20 s in the middle of the load: the producer is renewed, nothing double, nothing missing."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["batch.max = 20"])
        put(kafka, numbered(5000))
        one = echo.instance().start()
        wait_for("it is busy", 30, lambda: (one.metric("weir_batches_total") or 0) > 10 if one.is_ready() else 0, [one])
        kafka.broker("stop")
        time.sleep(20)  # the fault itself: longer than the transaction's timeout
        kafka.broker("cont")
        echo.settle(90, [one])
        check_same(echo, 5000)
        say(f"producers renewed: {one.metric('weir_producer_renewals_total')}")
        wait_for("ready again", 30, one.is_ready, [one])


def test_a_silent_broker_is_noticed_when_idle():
    """Nothing to do, and the broker stands still with its connections open: not ready, and ready once it goes on."""
    with Stage() as stage:
        kafka = stage.kafka()
        one = Echo(stage, kafka, session_ms=120000).instance().start()  # no rebalance, no timeout of a socket tells
        one.wait_ready()
        kafka.broker("stop")
        wait_for("not ready", 45, lambda: not one.is_ready(), [one])
        kafka.broker("cont")
        wait_for("ready again", 90, one.is_ready, [one])


def test_a_killed_broker():
    """kill -9 of the only broker under load: it waits, not ready, and goes on by itself."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=SMALL)
        put(kafka, numbered(20000))
        one = echo.instance().start()
        wait_for("it is busy", 30, lambda: (one.metric("weir_batches_total") or 0) > 3 if one.is_ready() else 0, [one])
        kafka.broker("kill")
        wait_for("not ready", 60, lambda: not one.is_ready(), [one])
        kafka.broker("start")
        wait_for("ready again", 90, one.is_ready, [one])
        echo.settle(120, [one])
        check_same(echo, 20000)


def tool(kafka, *arguments):
    """One of Kafka's own tools; what it prints."""
    argv = [ROOT / "tests/kafka/tool", arguments[0], "--bootstrap-server", kafka.bootstrap, *arguments[1:]]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout.decode()


def delete_records(kafka, topic, partition, offset):
    request = {"partitions": [{"topic": topic, "partition": partition, "offset": offset}], "version": 1}
    path = Path(kafka.folder) / "delete.json"
    path.write_text(json.dumps(request))
    tool(kafka, "delete-records", "--offset-json-file", path)


LOST = {"topic": SOURCE, "partition": 0, "from": 10, "to": 15}


def group(echo, *arguments, exits=0):
    return group_of(echo.weir, "echo", *arguments, exits=exits)


def group_of(weir, service, *arguments, exits=0):
    """weirctl group …: what it says; None where that is on stderr."""
    argv = [find_program("weirctl"), "--config", weir.conf, "group", *arguments, "--service", service, "--json"]
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, timeout=60, check=False)
    if done.returncode != exits:
        raise Failed(f"weirctl group {' '.join(arguments)}: exit {done.returncode} instead of {exits}")
    return json.loads(done.stdout) if done.stdout else None


def test_a_lost_range_stops_its_partition():
    """Records that were deleted before they were handled: the partition stops and names them; others flow."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        put(kafka, [(key, "x") for key in keys_on(0, 10) + keys_on(1, 10)])
        one = echo.instance().start()
        echo.settle(alive=[one])
        one.stop()
        put(kafka, [(key, "y") for key in keys_on(0, 10) + keys_on(1, 10)])
        delete_records(kafka, SOURCE, 0, 15)
        one.start()
        wait_for("the other partition", 30, lambda: len(echo.read(TARGET)[TARGET]) == 30, [one])
        wait_for("the partition stops", 30, lambda: readiness(one)["stopped"] == 1, [one])
        if one.is_ready() or "records 10 to 14 are lost" not in readiness(one)["why"]:
            raise Failed(f"it does not name what is lost\n{one.tail()}")
        shown = [(p["topic"], p["partition"]) for p in group(echo, "show")["partitions"] if p["state"] == "records lost"]
        if shown != [(SOURCE, 0)]:
            raise Failed(f"weirctl says that records are lost of {shown}")
        group(echo, "accept-loss", "--yes", exits=69)  # it still runs
        one.stop()
        if group(echo, "accept-loss", exits=64) != {"moved": False, "partitions": [LOST]}:
            raise Failed("it is not told what would be given up")
        group(echo, "accept-loss", "--yes")
        one.start()
        wait_for("what is left", 30, lambda: len(echo.read(TARGET)[TARGET]) == 35, [one])
        if group(echo, "accept-loss") != {"moved": False, "partitions": []}:
            raise Failed("there is still something lost")


def test_a_lost_offset_is_not_begun_anew():
    """No committed offset, but the service has written before: it stops, until --from-beginning says otherwise."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        put(kafka, [(key, "x") for key in keys_on(0, 3)])
        one = echo.instance().start()
        echo.settle(alive=[one])
        one.stop()
        tool(kafka, "groups", "--delete", "--group", "echo")
        one.start()
        wait_for("the partition stops", 30, lambda: "--from-beginning" in one.log.read_text(), [one])
        one.stop()
        if len(echo.read(TARGET)[TARGET]) != 3:
            raise Failed("it began anew")
        again = echo.instance("again", "weir-consumer", "--from-beginning").start()
        wait_for("handled again", 30, lambda: len(echo.read(TARGET)[TARGET]) == 6, [again])


def test_a_lost_offset_is_found_by_its_traces():
    """The group's offsets are gone: a letter tells how far it was; what left no trace behind it is handled again."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        put(kafka, [(key, "x") for key in keys_on(0, 3) + keys_on(0, 1, "reject") + keys_on(0, 2)])
        one = echo.instance().start()
        echo.settle(alive=[one])
        one.stop()
        tool(kafka, "groups", "--delete", "--group", "echo")
        moved = {(p["topic"], p["partition"]): (p["from"], p["to"]) for p in group(echo, "from-origin", "--yes")["partitions"]}
        if moved != {(topic, p): (-1, 4 if (topic, p) == (SOURCE, 0) else 0) for topic in (SOURCE, RETRIES) for p in range(PARTITIONS)}:
            raise Failed(f"the group was moved to {moved}")
        one.start()
        wait_for("what left no trace", 30, lambda: len(echo.read(TARGET)[TARGET]) == 7, [one])
        if len(echo.read(LETTERS)[LETTERS]) != 1 or echo.read(TARGET)[TARGET][-1].value != b"x":
            raise Failed("the letter was written again")


def test_a_stores_lost_offset_is_found_by_its_traces():
    """Each record of a store leaves a trace: a change, an outcome or a letter. Nothing is handled again."""
    with Stage() as stage:
        kafka = stage.kafka()
        weir = stage.weir(kafka, partitions=PARTITIONS)
        keys = [keys_on(partition, 1)[0] for partition in range(PARTITIONS)]
        put(kafka, [(key, json.dumps({"orderID": key})) for key in keys])
        put(kafka, [(keys[0], "{}")], ce_type="weir.orders.merge")
        put(kafka, [(keys[1], json.dumps({"orderID": keys[1]}))], ce_type="weir.orders.create")
        put(kafka, [(keys[2], "no document")])
        store = weir.start("store")
        wait_for("all handled", 60, lambda: source.lag(kafka.bootstrap, "store", SOURCE) == 0, [store])
        store.stop()
        tool(kafka, "groups", "--delete", "--group", "store")
        moved = {p["partition"]: p["to"] for p in group_of(weir, "store", "from-origin", "--yes")["partitions"] if p["topic"] == SOURCE}
        if moved != {partition: 2 for partition in range(PARTITIONS)}:
            raise Failed(f"the group was moved to {moved}")
        written = source.ends(kafka.bootstrap, {f"{SOURCE}.changes": PARTITIONS, f"{SOURCE}.store.dlq": PARTITIONS})
        store.start()
        wait_for("all taken", 30, store.is_ready, [store])
        if source.ends(kafka.bootstrap, {f"{SOURCE}.changes": PARTITIONS, f"{SOURCE}.store.dlq": PARTITIONS}) != written:
            raise Failed("something was handled again")


def test_it_waits_for_the_broker():
    """No broker yet: alive, not ready, told every 10 s; joined as soon as it is there. SIGTERM ends the waiting."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        kafka.broker("kill")
        one, two = echo.instance("one").start(), echo.instance("two").start()
        wait_for("it tells", 30, lambda: "kafka.waiting" in one.log.read_text(), [one])
        if one.is_ready():
            raise Failed("ready without a broker")
        if two.stop(10) != 0:
            raise Failed("SIGTERM while it waits")
        kafka.broker("start")
        one.wait_ready(60)


def test_the_supervisor_is_told():
    """sd_notify: READY once the partitions flow, a STATUS line, the watchdog fed, STOPPING at SIGTERM."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            path = str(stage.folder / "notify")
            supervisor.bind(path)
            supervisor.settimeout(30)
            one = echo.instance().start(NOTIFY_SOCKET=path, WATCHDOG_USEC="400000")
            told = []

            def hear(word):
                while word not in "\n".join(told):
                    told.append(supervisor.recv(4096).decode())

            hear("READY=1")
            if readiness(one)["flowing"] != PARTITIONS:
                raise Failed(f"ready before all partitions flow: {told}")
            hear("STATUS=in the group; 3 partitions, 3 flowing")
            fed = sum("WATCHDOG=1" in line for line in told)
            began = time.monotonic()
            while sum("WATCHDOG=1" in line for line in told) < fed + 10:
                told.append(supervisor.recv(4096).decode())
            if time.monotonic() - began > 4:
                raise Failed("the watchdog is not fed in time")
            one.process.terminate()
            hear("STOPPING=1")
            if one.wait_ended(20) != 0:
                raise Failed(one.tail())


def test_reload_changes_the_log_level():
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)
        conf = echo.weir.conf
        text = re.sub(r"level = \w+", "level = error", conf.read_text())
        conf.write_text(text)
        one = echo.instance().start().wait_ready()
        if "partition.taken" in one.log.read_text():
            raise Failed("it tells more than errors")
        conf.write_text(text.replace("level = error", "level = notice"))
        one.signal(signal.SIGHUP)
        wait_for("the new level", 10, lambda: "reload.done" in one.log.read_text(), [one])


def reload(echo, one, before, after, told):
    """Writes another configuration, has it read again and waits until the log says so."""
    text = echo.weir.conf.read_text()
    if text.count(before) != 1:
        raise Failed(f"{before} is not once in\n{text}")
    seen = one.log.read_text().count(told)
    echo.weir.conf.write_text(text.replace(before, after))
    one.signal(signal.SIGHUP)
    wait_for(f"{told} after {after}", 10, lambda: one.log.read_text().count(told) > seen, [one])


def test_reload_reaches_the_plugin():
    """What the plugin reloads changes at once; a mistake, or what needs a restart, is named and changes nothing."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["echo.mark = first"])
        one = echo.instance().start().wait_ready()
        good = "echo.mark = second"
        reload(echo, one, "echo.mark = first", good, "reload.done")
        for bad, told in (
            ("echo.mark = refused", "echo.mark = refused is refused"),
            ("echo.mark = third\nattempts = 9", "attempts has changed, which needs a restart"),
            ("echo.mark = third\necho.advertise = http://127.0.0.1:1", "echo.advertise has changed, which needs a restart"),
            ("echo.mark = third\nno.such = key", "no.such"),
        ):
            reload(echo, one, good, bad, told)
            echo.weir.conf.write_text(echo.weir.conf.read_text().replace(bad, good))
        put(kafka, [("mark-1", "x")])
        echo.settle(alive=[one])
        if [r.value for r in echo.read(TARGET)[TARGET]] != [b"second"]:
            raise Failed(f"the mark is {[r.value for r in echo.read(TARGET)[TARGET]]}")


def test_topics_that_would_lose_records_are_refused():
    """A line for each difference, then 78; what only narrows the records that fit is no reason. The count is part of the data."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka)

        def refused(*wanted):
            one = echo.instance().start()
            code, told = one.wait_ended(30), one.log.read_text()
            if code != 78 or any(line not in told for line in wanted):
                raise Failed(f"exit {code}\n{one.tail()}")

        were = kafka.alter(SOURCE, {"max.message.bytes": "100000", "retention.ms": "1000"})
        line = "topic orders: retention.ms is 1000, should be 604800000, or data can be lost"
        refused("topic.differs topic=orders setting=max.message.bytes", line)
        sound = echo.weir.conf.read_text()
        echo.weir.conf.write_text(sound.replace(f"partitions = {PARTITIONS}", "partitions = 4"))
        refused("topic orders: partitions is 3, should be 4")
        echo.weir.conf.write_text(sound)
        kafka.alter(SOURCE, {"retention.ms": were["retention.ms"]})
        echo.instance().start().wait_ready()


def test_the_group_names_the_advertised_url():
    """client.id of the member is the URL that the plugin advertises."""
    with Stage() as stage:
        kafka = stage.kafka()
        echo = Echo(stage, kafka, echo=["echo.advertise = http://127.0.0.1:8090"])
        echo.instance().start().wait_ready()
        told = tool(kafka, "groups", "--describe", "--group", "echo", "--members")
        if "http://127.0.0.1:8090" not in told:
            raise Failed(told)


if __name__ == "__main__":
    case = globals().get("test_" + (sys.argv[1] if len(sys.argv) > 1 else ""))
    if case is None:
        sys.exit(f"{sys.argv[0]}: no case named {sys.argv[1:]}")
    main(case)
