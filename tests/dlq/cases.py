#!/usr/bin/python3
"""cases.py [CASE…]: `weirctl dlq` on real Kafka; one cluster for all cases, each with topics of its own."""
import json
import sys
import time

from letters import BODY, PARTITIONS, Case, Failed, Stage, check_each_once, ck, equal, main, partition_of, say, signal, wait_for

KEYS = {partition_of(f"k-{i}".encode(), PARTITIONS): f"k-{i}" for i in range(30)}  # one on each partition


def letters_in(answer):
    return [one["source_offset"] for one in answer["letters"]]


def case_list_filters_and_tells_the_state(case):
    case.letter(KEYS[0], 10)
    case.letter(KEYS[1], 11, weir_disposition="max-attempts", weir_error_type="smtp-550")
    case.letter(KEYS[2], 12, weir_disposition="expired", weir_redrive_count="2")
    case.flush()
    case.redrive("--key", KEYS[0])
    equal("all", [10, 11, 12], letters_in(case.ask("list")))
    equal("open", [11, 12], letters_in(case.ask("list", "--open")))
    for flags, wanted in (
        (("--disposition", "expired"), [12]),
        (("--error-type", "smtp-550"), [11]),
        (("--key", KEYS[1]), [11]),
        (("--reason", "no number"), [10, 11, 12]),
        (("--reason", "nothing of it"), []),
        (("--source", case.source), [10, 11, 12]),
        (("--source", f"{case.source}/1"), [11]),
        (("--source", f"{case.source}/1/0-10"), []),
        (("--source", f"{case.source}/1/11"), [11]),
        (("--source", "elsewhere"), []),
        (("--newer-than", "1h"), [10, 11, 12]),
        (("--older-than", "1h"), []),
        (("--collection", "orders"), [10, 11, 12]),
    ):
        equal(" ".join(flags), wanted, letters_in(case.ask("list", *flags)))
    limited = case.ask("list", "--limit", "2")
    equal("limited", (2, True), (len(limited["letters"]), limited["more"]))
    table = case.run("list", "--service", "store").splitlines()
    equal("lines", 4, len(table))
    equal("a row", [f"{case.letters}/0/0", "redriven", KEYS[0], "invalid", "schema", "0/10"], table[1].split()[:1] + table[1].split()[2:7])
    stats = case.ask("stats")
    equal("stats", (2, 1, 3), (stats["open"], stats["redriven"], len(stats["groups"])))
    equal("says so", True, "2 open, 1 redriven" in case.run("stats", "--service", "store"))


def case_letters_of_other_systems_are_read(case):
    topic = case.letters  # any topic will do
    case.put(topic, 0, "s", b"x", [("kafka_dlt-original-topic", b"placed"), ("kafka_dlt-original-partition", b"\0\0\0\5"),
                                   ("kafka_dlt-original-offset", b"\0\0\0\0\0\0\1\0"), ("kafka_dlt-exception-fqcn", b"a.B")])
    case.put(topic, 0, "c", b"x", [("__connect.errors.topic", b"sunk"), ("__connect.errors.exception.class.name", b"c.D")])
    case.put(topic, 0, "k", b"x", [("__streams.errors.topic", b"clicks"), ("__streams.errors.offset", b"7"),
                                   ("__streams.errors.exception", b"e.F")])
    case.put(topic, 0, None, None, [])
    case.flush()
    found = json.loads(case.run("list", "--topic", topic, "--json"))["letters"]
    told = [(one["dialect"], one.get("source_topic"), one.get("source_offset"), one.get("error_type")) for one in found]
    wanted = [("spring", "placed", 256, "a.B"), ("connect", "sunk", None, "c.D"), ("streams", "clicks", 7, "e.F"), ("unknown", None, None, None)]
    equal("letters", wanted, told)
    answer = case.redrive(exits=65)
    equal("none of them goes back", (0, 4), (answer["sent"], answer["impossible"]))
    case.run("redrive", "--topic", topic, exits=64)


def case_show_lets_no_escape_sequence_through(case):
    hostile = b'\x1b]0;owned\x07{"a":\n"\xff\x9b2J\xc2\x9b\xe2\x80\xae"}'
    case.letter("k\x1b[2J", 1, value=hostile, partition=0, x_evil=b"\x1b[31m\r\n")
    case.flush()
    text = case.run("show", "--service", "store", f"{case.letters}/0/0")
    equal("control characters", [], [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or ord(c) == 0x202E])
    for part in (r"\x1b]0;owned\x07{", '"a":\n"', r"\xff\x9b2J\u009b\u202e", r"header x-evil: \x1b[31m\x0d\x0a", r"key k\x1b[2J", "weir-disposition: invalid"):
        if part not in text:
            raise Failed(f"no {part} in {text}")
    equal("short form", text, case.run("show", "--service", "store", "0/0"))
    told = case.ask("show", "0/0")
    equal("bytes", hostile.hex(), told["value_hex"])
    for line in case.run("list", "--service", "store").splitlines():
        equal("control characters", [], [c for c in line if ord(c) < 32])
    case.run("show", "--service", "store", "0/99", exits=65)


def case_redrive_takes_each_letter_back_once(case):
    case.letters_of(300)
    answer = case.redrive()
    equal("sent", (300, 0), (answer["sent"], answer["already"]))
    check_each_once(case, 300)
    record = case.returned()[0]
    wanted = {
        "ce_id": "r-%s" % record.header("weir-origin").rsplit("/", 1)[1],
        "ce_type": "weir.orders.create",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "weir-original-timestamp": "1700000000000",
        "weir-attempt": "0",
        "weir-not-before": "0",
        "weir-redrive-count": "1",
    }
    told = {name: value.decode() for name, value in record.headers.items()}
    equal("where from", f"{case.source}/{record.partition}/", told.pop("weir-origin").rstrip("0123456789"))
    equal("headers", wanted, told)
    answer = case.redrive()
    equal("again", (0, 300), (answer["sent"], answer["already"]))
    check_each_once(case, 300)


def case_what_a_filter_leaves_is_for_a_later_run(case):
    for i in range(30):
        case.letter(f"k-{i}", i, weir_disposition="expired" if i % 2 else "invalid")
    case.flush()
    equal("first", 15, case.redrive("--disposition", "expired")["sent"])
    equal("named", 1, case.redrive(case.ask("list", "--open")["letters"][3]["letter"])["sent"])
    equal("rest", (14, 16), (lambda a: (a["sent"], a["already"]))(case.redrive()))
    equal("different ones", 30, len({r.header("weir-origin") for r in case.returned()}))
    equal("records", 30, len(case.returned()))


def case_a_killed_redrive_is_taken_up_where_it_ended(case):
    case.letters_of(600)
    run = case.begin("--rate", "300")
    try:
        wait_for("a transaction committed, the next one open", 30, lambda: case.written() > 350)
    finally:
        run.kill()
        run.wait(10)
    answer = case.redrive()
    say(f"  killed: {answer['already']} found, {answer['sent']} sent then")
    if not 0 < answer["already"] < 600 or answer["sent"] + answer["already"] != 600:
        raise Failed(str(answer))
    check_each_once(case, 600)


def case_two_at_once_end_with_one(case):
    case.letters_of(200)
    slow = case.begin("--rate", "20")
    try:
        wait_for("some came back", 30, lambda: case.written() > 30)
        answer = case.redrive()
        output = slow.communicate(timeout=60)[0].decode()
    finally:
        slow.kill()
        slow.wait(10)
    equal("all", 200, answer["sent"] + answer["already"])
    equal("the slower one", 78, slow.returncode)
    if "another redrive of" not in output:
        raise Failed(output)
    check_each_once(case, 200)


def case_an_interrupted_redrive_keeps_what_was_acknowledged(case):
    case.letters_of(300)
    run = case.begin("--rate", "100", "--json")
    wait_for("some came back", 30, lambda: case.written() > 0)
    run.send_signal(signal.SIGINT)
    output = run.communicate(timeout=30)[0].decode()
    equal(output, 130, run.returncode)
    told = json.loads(output)
    equal("told", len(case.returned()), told["sent"])
    equal("interrupted", True, told["interrupted"])
    equal("rest", 300, case.redrive()["sent"] + told["sent"])
    check_each_once(case, 300)


def case_letters_that_may_not_go_back_are_named(case):
    case.letter(KEYS[0], 1, weir_redrive_count="3")
    case.letter(KEYS[0], 2, weir_cut="value of 9 bytes left out, sha256=00")
    case.letter(KEYS[0], 3, without=("__dlq.errors.offset",))
    case.letter(KEYS[0], 4, weir_redrive_count="2")
    case.flush()
    text = case.run("redrive", "--service", "store", exits=65)
    for part in (f"{case.letters}/0/0 key {KEYS[0]} left: it was redriven as often", f"{case.letters}/0/1 key", "weir-cut", f"{case.letters}/0/2 key",
                 "redrove 1 letters; 0 were redriven before, 3 are left"):
        if part not in text:
            raise Failed(f"no {part!r} in {text}")
    equal("count", ["3"], [r.header("weir-redrive-count") for r in case.returned()])
    equal("allowed by hand", 1, case.redrive("--redrives", "4", exits=65)["sent"])


def case_a_second_letter_of_a_record_is_another(case):
    case.letter(KEYS[0], 1)
    case.flush()
    equal("first", 1, case.redrive()["sent"])
    case.letter(KEYS[0], 1, weir_redrive_count="1")
    case.letter(KEYS[0], 1)  # as if the source had been read anew from its beginning
    case.flush()
    answer = case.redrive()
    equal("second", (1, 2), (answer["sent"], answer["already"]))
    equal("counts", ["1", "2"], [r.header("weir-redrive-count") for r in case.returned()])


def case_a_stray_goes_to_the_partition_of_its_key(case):
    case.letter(KEYS[2], 5, partition=0, weir_disposition="wrong-partition")
    case.put(case.letters, 1, None, BODY, [("__dlq.errors.topic", case.source), ("__dlq.errors.partition", "1"), ("__dlq.errors.offset", "9")])
    case.flush()
    equal("sent", 2, case.redrive()["sent"])
    equal("where", {(2, f"{case.source}/0/5"), (1, f"{case.source}/1/9")}, {(r.partition, r.header("weir-origin")) for r in case.returned()})


def case_a_document_changed_since_is_left_alone(case):
    def change(key, offset, partition=None):
        at = partition_of(key.encode(), PARTITIONS)
        origin = f"{case.source}/{at if partition is None else partition}/{offset}"
        case.put(case.changes, at, key, b"{}", [("weir-origin", origin)])

    now = {"weir_original_timestamp": str(int(time.time() * 1000))}
    for i, operation in enumerate(("replace", "merge", "create", "delete")):
        case.letter(f"k-{i}", 100 + 10 * i, operation=operation, **now)
        change(f"k-{i}", 101 + 10 * i)
    case.letter("k-10", 200, operation="replace", **now)
    change("k-10", 199)  # the command before
    case.letter("k-11", 210, operation="replace", **now)
    stray = "k-12"
    case.letter(stray, 220, operation="replace", partition=(partition_of(stray.encode(), 3) + 1) % 3, **now)
    change(stray, 7)
    case.flush()
    plan = case.redrive("--dry-run", exits=65)
    equal("dry run", (4, 3), (plan["sent"], plan["changed"]))
    equal("nothing came", 0, len(case.returned()))
    answer = case.redrive(exits=65)
    equal("answer", (4, 3), (answer["sent"], answer["changed"]))
    equal("left", {"k-0", "k-1", stray}, {one["key"] for one in answer["letters"]})
    case.letter("k-2", 130, operation="create", **now)
    change("k-2", 131)
    case.flush()
    equal("all kinds", 4, case.redrive("--if-unchanged", "all", exits=65)["changed"])
    equal("none", (4, 0), (lambda a: (a["sent"], a["changed"]))(case.redrive("--if-unchanged", "none")))


def case_set_mends_the_body(case):
    case.letter(KEYS[0], 1)
    case.letter(KEYS[1], 2, value=b'{"orderID":"o-3",')
    case.flush()
    answer = case.redrive("--set", "/customer/email=ada@example.com", "--set", "/total=20", exits=65)
    equal("mended", (1, 1), (answer["sent"], answer["unpatchable"]))
    equal("whole", 1, case.redrive("--set", '={"orderID":"o-3"}')["sent"])
    first, second = case.returned()
    equal("body", BODY.replace(b"exmaple", b"example").replace(b"19.990", b"20"), first.value)
    equal("body", b'{"orderID":"o-3"}', second.value)
    audit = first.header("weir-patched")
    if not audit.startswith("pointer=/customer/email pointer=/total at=20") or " by=" not in audit:
        raise Failed(audit)
    case.run("redrive", "--service", "store", "--set", "total=1", exits=64)


def case_a_rate_is_kept(case):
    case.letters_of(30)
    began = time.monotonic()
    case.ask("redrive", "--rate", "15")
    took = time.monotonic() - began
    if took < 29 / 15:
        raise Failed(f"30 letters at 15 a second took {took:.2f} s")


def case_purge_deletes_up_to_a_letter(case):
    for i in range(5):
        case.letter(KEYS[1], i)
    case.letter(KEYS[2], 9)
    case.flush()
    text = case.run("purge", "--service", "store", f"{case.letters}/1/2", exits=64)
    if "3 of them open, 0 redriven" not in text or "--yes" not in text:
        raise Failed(text)
    equal("nothing is gone", 6, len(letters_in(case.ask("list"))))
    case.run("purge", "--service", "store", "--yes", exits=64)
    equal("deleted", True, case.ask("purge", "--yes", "1/2")["deleted"])
    equal("left", [3, 4, 9], letters_in(case.ask("list")))


def case_an_open_transaction_is_waited_for(case):
    """While the host's transaction is open, what stands behind its records in the retry topic is not to be seen."""
    host = ck.Producer(
        {"bootstrap.servers": case.kafka.bootstrap, "transactional.id": f"{case.prefix}host", "transaction.timeout.ms": 60000}
    )
    host.init_transactions(30)
    case.letters_of(3)
    host.begin_transaction()
    for partition in range(PARTITIONS):
        host.produce(case.retry, partition=partition, value=b"a parked record")
    host.flush(30)
    run = case.begin("--rate", "1000000", "--json", "--timeout", "1s")
    output = run.communicate(timeout=60)[0].decode()
    equal(output, 69, run.returncode)
    if "a transaction may be open" not in output:
        raise Failed(output)
    host.commit_transaction(30)
    equal("sent", 3, case.redrive()["sent"])
    equal("again", 3, case.redrive()["already"])


def case_wrong_command_lines_are_64(case):
    for arguments in (
        ("list",),
        ("list", "--service", "nobody"),
        ("list", "--service", "store", "--topic", "t"),
        ("list", "--service", "store", "--collection", "carts"),
        ("list", "--service", "store", "--rate", "5"),
        ("purge", "--service", "store", "--key", "k", "0/0", "--yes"),
        ("list", "--service", "store", "--source", "a/b"),
        ("list", "--service", "store", "--source", "a/1/9-2"),
        ("list", "--service", "store", "surplus"),
        ("show", "--service", "store"),
        ("show", "--service", "store", "elsewhere/0/0"),
        ("redrive", "--service", "store", "--rate", "0"),
        ("redrive", "--service", "store", "nonsense"),
    ):
        case.run(*arguments, exits=64)


CASES = {name[5:]: function for name, function in sorted(globals().items()) if name.startswith("case_")}


def test():
    wanted = sys.argv[1:] or CASES
    with Stage() as stage:
        kafka = stage.kafka()
        for number, name in enumerate(wanted):
            began = time.monotonic()
            try:
                CASES[name](Case(stage, kafka, f"c{number}"))
            except Failed as error:
                raise Failed(f"{name}: {error}") from None
            say(f"{name}  {time.monotonic() - began:.1f} s")
        say(f"{len(wanted)} cases")


if __name__ == "__main__":
    main(test)
