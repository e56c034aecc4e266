#!/usr/bin/python3
"""Tables that reach beyond what an instance owns, and emitting without a record, on real Kafka; `tables.py CASE` runs one."""
import re
import sys

from stage import PARTITIONS, SOURCE, TARGET, Echo, Failed, Stage, keys_on, main, put, wait_for


TOLD = {"WEIR_LOG_LEVEL": "info"}


def spread(count, word="k"):
    """Keys on every partition in turn, `count` a partition."""
    return [key for row in zip(*(keys_on(p, count, word) for p in range(PARTITIONS))) for key in row]


def applied(program, owned=None):
    """Keys that the instance got from the table since its last start, in order."""
    text = program.log.read_text().rpartition("--- start")[2]
    found = re.findall(r"tables\.applied.* partition=\d+ offset=\d+ key=(\S+) owned=(yes|no)", text)
    return [key for key, mine in found if owned is None or mine == owned]


def test_a_whole_table_is_read_before_the_first_record():
    with Stage() as stage:
        kafka = stage.kafka()
        service = Echo(stage, kafka, plugin="tables-all")
        before, after = spread(20, "before"), spread(20, "after")
        put(kafka, [(key, "1") for key in before])
        one, two = service.instance("one").start(**TOLD).wait_ready(), service.instance("two")
        service.settle(alive=[one])
        two.start(**TOLD).wait_ready()  # READY means: all of it
        if sorted(applied(two)) != sorted(before):
            raise Failed(f"{len(applied(two))} of {len(before)} records when ready\n{two.tail()}")
        text = two.log.read_text()
        if text.count("tables.caught_up") != PARTITIONS or text.rindex("tables.caught_up") > text.index("partition.taken"):
            raise Failed(f"records were handed out too early\n{two.tail(40)}")
        put(kafka, [(key, "2") for key in after])
        for program in (one, two):  # whoever handles them: both follow
            wait_for("the table followed", 30, lambda p=program: set(after) <= set(applied(p)), [one, two])


def test_standby_follows_what_others_own():
    with Stage() as stage:
        kafka = stage.kafka()
        service = Echo(stage, kafka, plugin="tables-standby")
        put(kafka, [(key, "1") for key in spread(20, "first")])
        one, two = service.instance("one").start(**TOLD), service.instance("two").start(**TOLD)
        for program in (one, two):
            program.wait_ready()
        put(kafka, [(key, "2") for key in spread(20, "second")])
        service.settle(alive=[one, two])
        every = {r.key_text for r in service.read(TARGET)[TARGET]}

        def known(program):
            own = set(re.findall(r"tables\.committed.* partition=(\d+)", program.log.read_text()))
            return set(applied(program)) | {k for p in own for k in every if k in keys_on(int(p), 40, k.split("-")[0])}

        for program in (one, two):
            wait_for("standby partitions followed", 30, lambda p=program: known(p) == every, [one, two])
        if not applied(one, "no") and not applied(two, "no"):
            raise Failed("nothing was read as standby")
        two.kill()
        put(kafka, [(key, "3") for key in spread(5, "third")])
        service.settle(alive=[one])
        taken = one.log.read_text().rpartition("assignment.taken")[2]
        ends = {int(m) for m in re.findall(r"table\.reading topic=\S+ partition=\d+ from=(\d+) to=\d+ owned=yes", taken)}
        if 0 in ends:
            raise Failed(f"what was followed is read from the beginning again: {ends}\n{one.tail(40)}")


def test_a_deferred_record_is_completed_later():
    """Its key waits, others do not; woken it goes on at once; after a kill it is new again."""
    with Stage() as stage:
        kafka = stage.kafka()
        gate = stage.folder / "gate"
        gate.touch()
        service = Echo(stage, kafka, plugin="pending", echo=[f"pending.gate = {gate}"])
        slow, quick = keys_on(0, 1, "slow")[0], keys_on(0, 1, "quick")[0]
        one = service.instance().start(**TOLD).wait_ready()

        def done():
            return [r.value.decode() for r in service.read(TARGET)[TARGET]]

        put(kafka, [(slow, "1"), (quick, "2"), (slow, "3")])
        wait_for("the other key is handled", 30, lambda: done() == ["2"], [one])
        one.kill()
        one.start(**TOLD).wait_ready()
        put(kafka, [(quick, "4"), (slow, "5")])
        wait_for("the other key is handled after a restart", 30, lambda: done() == ["2", "4"], [one])
        gate.unlink()
        wait_for("what was deferred is completed, in order", 30, lambda: done() == ["2", "4", "1", "3", "5"], [one])
        tickets = [dict(r.headers)["ticket"] for r in service.read(TARGET)[TARGET]]
        if tickets != [b"no", b"no", b"yes", b"yes", b"yes"] or one.stop() != 0:
            raise Failed(f"tickets: {tickets}\n{one.tail()}")


def test_a_tick_emits_with_its_partitions_offsets():
    with Stage() as stage:
        kafka = stage.kafka()
        service = Echo(stage, kafka, plugin="tables-standby")
        keys = spread(3, "later")
        one = service.instance().start(**TOLD).wait_ready()
        put(kafka, [(key, "x") for key in keys])

        def emitted():
            return sorted(r.key_text for r in service.read(TARGET)[TARGET] if r.value == b"later")

        wait_for("emitted by ticks", 30, lambda: emitted() == sorted(keys), [one])
        found = service.read(SOURCE, TARGET)
        if {(r.key, r.partition) for r in found[TARGET]} != {(r.key, r.partition) for r in found[SOURCE]}:
            raise Failed("a record went to another partition")
        text = one.log.read_text()
        if text.count("tick=yes") != len(keys) or "positions=0" in text:
            raise Failed(f"the plugin was not told\n{one.tail(30)}")
        if one.stop() != 0:
            raise Failed(one.tail())


if __name__ == "__main__":
    case = globals().get("test_" + (sys.argv[1] if len(sys.argv) > 1 else ""))
    if case is None:
        sys.exit(f"{sys.argv[0]}: no case named {sys.argv[1:]}")
    main(case)
