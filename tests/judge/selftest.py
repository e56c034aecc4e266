#!/usr/bin/python3
"""The judge judged: a whole history passes, and each violation made by hand is caught as what it is.

selftest.py [CASE …] runs the cases named (without test_), or all; ctest runs one a time.
"""
import copy
import hashlib
import json
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True

import answers
import jsontext
import reads
from history import History, Names, Position, Record, partition_of
from invariant import Findings, Judge
from replay import Refused, _sum

PARTITIONS = 2
NAMES = Names("orders")


def key_on(partition, stem="o"):
    """A key that belongs to the partition."""
    return next(k for k in (f"{stem}-{i}" for i in range(99)) if partition_of(k.encode(), PARTITIONS) == partition)


class Story:
    """Builds a History record by record, each ending written out by the case itself."""

    def __init__(self):
        self.history = History(NAMES, PARTITIONS, partition_counts={t: PARTITIONS for t in NAMES.all})
        self.ids = 0

    def _append(self, records, topic, partition, key, value, headers):
        offset = sum(r.partition == partition for r in records)
        raw = {name: text.encode() for name, text in headers.items()}
        record = Record(topic, partition, offset, key, value, raw, 1_700_000_000_000 + offset)
        records.append(record)
        return record

    def command(self, op, key, value=None, **headers):
        self.ids += 1
        told = {
            "ce_specversion": "1.0",
            "ce_id": f"r{self.ids}",
            "ce_type": f"weir.orders.{op}",
            **{n.replace("_", "-"): v for n, v in headers.items()},
        }
        if "ce-id" in told:
            told["ce_id"] = told.pop("ce-id")
        if op is None:
            told = {}
        place = partition_of(key.encode(), PARTITIONS)
        body = None if value is None else value.encode()
        return self._append(self.history.commands, NAMES.commands, place, key.encode(), body, told)

    def change(self, command, op, version, after=None, request=None):
        request = request or command.header("ce_id")
        headers = {
            "ce_id": request,
            "weir-origin": str(command.position),
            "ce_type": f"weir.orders.{ {'c': 'created', 'u': 'updated', 'd': 'deleted'}[op] }",
            "ce_subject": command.key_text,
        }
        value = f'{{"op":"{op}","collection":"orders","key":"{command.key_text}","version":{version}'
        value += f',"request":"{request}","ts_ms":1700000000000,"after":{after or "null"}}}'
        topic, key = NAMES.changes, command.key
        record = self._append(self.history.changes, topic, command.partition, key, value.encode(), headers)
        if op == "d":
            self._append(self.history.changes, topic, command.partition, key, None, headers)
        return record

    def outcome(self, command, word, error=None, first=None):
        value = {"request": command.header("ce_id"), "outcome": word, "error": error, "at": str(command.position)}
        if first is not None:
            value["first"] = str(first.position)
        return self._append(
            self.history.outcomes, NAMES.outcomes, command.partition, command.key, json.dumps(value).encode(), {}
        )

    def state(self, command, executions=0, redrive=None, **headers):
        """A state of the command in the retry topic."""
        told = {name: value.decode() for name, value in command.headers.items()}
        told |= {"weir-origin": str(command.position), "weir-attempt": str(executions)}
        if executions:
            told |= {"weir-not-before": "1700000000000", "weir-error": "echo: not yet"}
        if redrive:
            told["weir-redrive-count"] = str(redrive)
        told |= {name.replace("_", "-"): text for name, text in headers.items()}
        return self._append(self.history.retry, NAMES.retry, command.partition, command.key, command.value, told)

    def done(self, command):
        """The end of its states."""
        told = {"weir-origin": str(command.position), "weir-done": "done"}
        return self._append(self.history.retry, NAMES.retry, command.partition, command.key, None, told)

    def letter(self, command, disposition, redrive=0, executions=1):
        told = {name: value.decode() for name, value in command.headers.items()}
        told |= {
            "__dlq.errors.topic": command.topic,
            "__dlq.errors.partition": str(command.partition),
            "__dlq.errors.offset": str(command.offset),
            "__dlq.errors.group": "store",
            "__dlq.errors.delivery.count": str(executions),
            "__dlq.errors.message": "why",
            "weir-disposition": disposition,
            "weir-error-type": "json",
            "weir-original-timestamp": "1700000000000",
            "weir-redrive-count": str(redrive),
        }
        self._append(self.history.dlq, NAMES.dlq, command.partition, command.key, command.value, told)
        return self.outcome(command, "dead-lettered", disposition)

    def judged(self):
        judge = Judge(self.history, "orderID")
        judge.run()
        return judge

    def violations(self):
        return dict(self.judged().findings.violations)


A, B = key_on(0), key_on(1)


def whole():
    """One of everything, rightly ended."""
    s = Story()
    body = f'{{"orderID":"{A}", "total": 19.99}}'
    s.change(s.command("create", A, body), "c", 1, body)
    again = f'{{"orderID":"{A}","total":1e2}}'
    s.change(s.command("replace", A, again), "u", 2, again)
    s.change(s.command("merge", A, '{"total":null,"note":{"a":1.0}}'), "u", 3, f'{{"orderID":"{A}","note":{{"a":1.0}}}}')
    priced = f'{{"orderID":"{A}","note":{{"a":1.5}}}}'
    s.change(s.command("adjust", A, '{"note":{"a":0.5}}'), "u", 4, priced)
    s.outcome(s.command("create", A, body), "rejected", "already-exists")
    s.outcome(s.command("replace", A, body, weir_if_match='"r9"'), "rejected", "precondition-failed")
    s.letter(s.command("replace", A, '{"orderID":'), "invalid")
    s.letter(s.command("replace", A, '{"orderID":"other"}'), "invalid")
    s.letter(s.command("adjust", A, '{"orderID":1}'), "invalid")
    s.change(s.command("delete", A), "d", 5)
    s.outcome(s.command("delete", A), "unchanged")
    s.outcome(s.command("adjust", A, '{"n":1}'), "rejected", "not-found")
    s.change(s.command("create", A, body), "c", 1, body)
    s.change(s.command("create", B, '{ "total": 1}'), "c", 1, f'{{"orderID":"{B}", "total": 1}}')
    derived = "6ba7b811-9dad-51d1-80b4-00c04fd430c8"
    s.change(s.command(None, B, '{}'), "u", 2, f'{{"orderID":"{B}"}}', derived)
    repeat = s.command("replace", B, '{"n":1}', ce_id="twice")
    s.change(repeat, "u", 3, f'{{"orderID":"{B}","n":1}}')
    s.outcome(s.command("replace", B, '{"n":1}', ce_id="twice"), "unchanged", first=repeat)
    reuse = s.command("replace", B, '{"n":2}', ce_id="twice", weir_fingerprint="x")
    s.outcome(reuse, "rejected", "idempotency-key-reused", repeat)
    return s


class JudgeTest(unittest.TestCase):
    def caught(self, story, *kinds):
        found = story.violations()
        self.assertEqual(sorted(found), sorted(kinds), found)

    def test_whole_history_passes(self):
        judge = whole().judged()
        self.assertEqual(judge.findings.lines, [])
        counts = judge.findings.counts
        self.assertEqual(counts["commands"], 18)
        self.assertEqual((counts["changes"], counts["outcomes"], counts["dead_letters"]), (9, 6, 3))
        self.assertEqual((counts["tombstones"], counts["documents"]), (1, 2))

    def test_lost_command(self):
        s = whole()
        s.command("create", key_on(1, "x"), '{"n":1}')
        self.caught(s, "lost")

    def test_change_without_command(self):
        s = whole()
        stranger = copy.deepcopy(s.history.commands[0])
        stranger.offset = 77
        s.change(stranger, "u", 2, f'{{"orderID":"{A}","total":20}}')
        self.caught(s, "foreign", "view-differs")

    def test_double_change(self):
        s = whole()
        last = s.command("replace", B, '{"n":3}')
        s.change(last, "u", 4, f'{{"orderID":"{B}","n":3}}')
        s.change(last, "u", 4, f'{{"orderID":"{B}","n":3}}')
        self.caught(s, "double", "out-of-order")

    def test_change_and_outcome(self):
        s = whole()
        last = s.command("replace", B, '{"n":3}')
        s.change(last, "u", 4, f'{{"orderID":"{B}","n":3}}')
        s.outcome(last, "unchanged")
        self.caught(s, "double")

    def test_two_letters(self):
        s = whole()
        last = s.command("replace", B, "{")
        s.letter(last, "invalid")
        s.letter(last, "invalid")
        self.caught(s, "double")

    def test_out_of_order(self):
        s = whole()
        first = s.command("create", key_on(0, "x"), '{"n":1}')
        second = s.command("create", key_on(0, "x"), '{"n":2}')
        s.change(second, "c", 1, f'{{"orderID":"{key_on(0, "x")}","n":2}}')
        s.outcome(first, "rejected", "already-exists")
        self.caught(s, "wrong-ending")
        s = whole()
        first = s.command("replace", B, '{"n":3}')
        second = s.command("replace", B, '{"n":4}')
        s.change(second, "u", 5, f'{{"orderID":"{B}","n":4}}')
        s.change(first, "u", 4, f'{{"orderID":"{B}","n":3}}')
        self.caught(s, "out-of-order", "view-differs")

    def test_wrong_value(self):
        s = whole()
        s.change(s.command("replace", B, '{"n":3}'), "u", 4, f'{{"orderID":"{B}","n":4}}')
        self.caught(s, "wrong-value")

    def test_number_respelled(self):
        s = whole()
        s.change(s.command("merge", B, '{"n":19.99}'), "u", 4, f'{{"orderID":"{B}","n":19.989999999999998}}')
        self.caught(s, "wrong-value")

    def test_bytes_not_kept(self):
        s = whole()
        s.change(s.command("replace", B, '{"n": 3}'), "u", 4, f'{{"orderID":"{B}","n":3}}')
        self.caught(s, "wrong-bytes")

    def test_wrong_version(self):
        s = whole()
        s.change(s.command("replace", B, '{"n":3}'), "u", 3, f'{{"orderID":"{B}","n":3}}')
        self.caught(s, "wrong-version")

    def test_wrong_request(self):
        s = whole()
        s.change(s.command("replace", B, '{"n":3}'), "u", 4, f'{{"orderID":"{B}","n":3}}', "another")
        self.caught(s, "wrong-field")

    def test_wrong_operation(self):
        s = whole()
        s.change(s.command("replace", B, '{"n":3}'), "c", 4, f'{{"orderID":"{B}","n":3}}')
        self.caught(s, "wrong-ending")

    def test_effect_that_should_not_be(self):
        s = whole()
        s.change(s.command("create", B, '{"n":3}'), "u", 4, f'{{"orderID":"{B}","n":3}}')
        self.caught(s, "wrong-ending")

    def test_dead_letter_that_should_not_be(self):
        s = whole()
        s.letter(s.command("replace", B, '{"n":3}'), "invalid")
        self.caught(s, "wrong-ending")

    def test_unforeseen_letter_is_allowed_and_counted(self):
        s = whole()
        s.letter(s.command("replace", B, '{"n":3}'), "crashed")
        judge = s.judged()
        self.assertEqual(judge.findings.lines, [])
        self.assertEqual(judge.findings.counts["letter_crashed"], 1)

    def test_letter_without_outcome(self):
        s = whole()
        s.letter(s.command("replace", B, "{"), "invalid")
        s.history.outcomes.pop()
        self.caught(s, "no-outcome")

    def test_outcome_without_letter(self):
        s = whole()
        s.letter(s.command("replace", B, "{"), "invalid")
        s.history.dlq.pop()
        self.caught(s, "no-letter")

    def test_letter_header_missing(self):
        s = whole()
        s.letter(s.command("replace", B, "{"), "invalid")
        del s.history.dlq[-1].headers["__dlq.errors.group"]
        del s.history.dlq[-1].headers["ce_id"]
        self.assertEqual(s.violations(), {"wrong-header": 2})

    def test_letter_of_other_bytes(self):
        s = whole()
        s.letter(s.command("replace", B, "{"), "invalid")
        s.history.dlq[-1].value = b"{}"
        self.caught(s, "wrong-value")

    def test_missing_tombstone(self):
        s = whole()
        s.change(s.command("delete", B), "d", 4)
        s.history.changes.pop()
        self.caught(s, "no-tombstone", "view-differs")

    def test_tombstone_out_of_nothing(self):
        s = whole()
        s.change(s.command("delete", B), "d", 4)
        s.history.changes.append(copy.deepcopy(s.history.changes[-1]))
        s.history.changes[-1].offset += 1
        self.caught(s, "stray-tombstone")

    def test_change_on_another_partition(self):
        s = whole()
        record = s.change(s.command("replace", B, '{"n":3}'), "u", 4, f'{{"orderID":"{B}","n":3}}')
        record.partition = 0
        self.assertIn("wrong-place", s.violations())

    def test_wrong_partition_is_a_letter(self):
        s = whole()
        stray = s.command("replace", key_on(1, "z"), '{"n":3}')
        stray.partition, stray.offset = 0, 99
        s.letter(stray, "wrong-partition")
        self.assertEqual(s.violations(), {})

    def test_rejected_for_another_reason(self):
        s = whole()
        s.outcome(s.command("create", B, '{"n":3}'), "rejected", "precondition-failed")
        self.caught(s, "wrong-ending")

    def test_repeat_applied_again(self):
        s = whole()
        s.change(s.command("replace", B, '{"n":1}', ce_id="twice"), "u", 4, f'{{"orderID":"{B}","n":1}}')
        self.caught(s, "wrong-ending")

    def test_pending_retry(self):
        s = whole()
        command = s.command("replace", B, '{"n":3}')
        s.state(command, 1)
        self.caught(s, "pending")
        s.change(command, "u", 4, f'{{"orderID":"{B}","n":3}}')
        s.done(command)
        self.assertEqual(s.violations(), {})

    def retried(self):
        """A command that failed twice, one that was parked behind it, both done in their order."""
        s = whole()
        first, second = s.command("replace", B, '{"n":3}'), s.command("replace", B, '{"n":4}')
        s.state(first, 1), s.state(second), s.state(first, 2)
        s.change(first, "u", 4, f'{{"orderID":"{B}","n":3}}')
        s.done(first)
        s.change(second, "u", 5, f'{{"orderID":"{B}","n":4}}')
        s.done(second)
        return s

    def test_retried_and_parked(self):
        judge = self.retried().judged()
        self.assertEqual(judge.findings.lines, [])
        counts = judge.findings.counts
        self.assertEqual((counts["retry_records"], counts["parked_commands"]), (5, 2))

    def test_parked_command_lost(self):
        s = self.retried()
        s.history.changes.pop()
        self.assertIn("lost", s.violations())

    def test_attempts_forgotten(self):
        for executions in (1, 2):
            s = whole()
            command = s.command("replace", B, '{"n":3}')
            s.state(command, 1), s.state(command, 2), s.state(command, executions)
            s.change(command, "u", 4, f'{{"orderID":"{B}","n":3}}')
            s.done(command)
            self.caught(s, "attempts")

    def test_too_many_attempts(self):
        s = whole()
        command = s.command("replace", B, '{"n":3}')
        for executions in (1, 2, 3):
            s.state(command, executions)
        s.change(command, "u", 4, f'{{"orderID":"{B}","n":3}}')
        s.done(command)
        self.caught(s, "attempts")

    def test_letter_of_too_few_attempts(self):
        s = whole()
        command = s.command("replace", B, '{"n":3}')
        s.state(command, 1), s.done(command)
        s.letter(command, "max-attempts", executions=2)
        self.caught(s, "attempts")

    def test_state_after_its_end(self):
        s = self.retried()
        s.state(s.history.commands[-1], 1)
        s.done(s.history.commands[-1])
        self.caught(s, "retry-after-done")

    def test_end_of_no_state(self):
        s = self.retried()
        s.done(s.history.commands[-1])
        self.caught(s, "stray-done")

    def test_state_of_no_command(self):
        s = whole()
        s.state(s.command("replace", B, '{"n":3}'), 1)
        s.history.commands.pop()
        self.caught(s, "foreign")

    def test_state_changed(self):
        s = self.retried()
        s.history.retry[0].value = b"{}"
        self.caught(s, "wrong-value")
        s = self.retried()
        del s.history.retry[0].headers["ce_id"]
        del s.history.retry[0].headers["weir-error"]
        self.assertEqual(s.violations(), {"wrong-header": 2})

    def test_any_service(self):
        """Without a word of changes and outcomes: executions, ends and letters."""

        def judged(story):
            judge = Judge(story.history, "orderID")
            judge.history.changes, judge.history.outcomes = [], []
            return dict(judge.run_service().violations)

        s = self.retried()
        bad = s.command("replace", B, "x")
        s.state(bad, 1), s.state(bad, 2), s.done(bad), s.letter(bad, "max-attempts", executions=3)
        self.assertEqual(judged(s), {})
        s.letter(bad, "max-attempts", executions=3)
        self.assertEqual(judged(s), {"double": 1})
        s.history.dlq.pop()
        s.history.retry[0], s.history.retry[2] = s.history.retry[2], s.history.retry[0]
        self.assertEqual(judged(s), {"attempts": 1})

    def redriven(self):
        """A dead letter that is sent back and then done, after a later command of its key."""
        s = whole()
        first, second = s.command("replace", B, '{"n":3}'), s.command("replace", B, '{"n":4}')
        s.letter(first, "max-attempts", executions=3)
        s.change(second, "u", 4, f'{{"orderID":"{B}","n":4}}')
        s.state(first, redrive=1), s.done(first)
        s.change(first, "u", 5, f'{{"orderID":"{B}","n":3}}')
        s.history.changes[-1].timestamp_ms += 1000
        return s, first

    def test_redriven(self):
        s, _ = self.redriven()
        judge = s.judged()
        self.assertEqual(judge.findings.lines, [])
        self.assertEqual(judge.findings.counts["redrives"], 1)

    def test_redrive_lost(self):
        s, _ = self.redriven()
        s.history.changes.pop()
        self.caught(s, "lost")

    def test_redrive_done_twice(self):
        s, first = self.redriven()
        s.change(first, "u", 6, f'{{"orderID":"{B}","n":3}}')
        s.history.changes[-1].timestamp_ms += 2000
        self.caught(s, "double")

    def test_redriven_into_a_letter(self):
        s, first = self.redriven()
        s.history.changes.pop()
        s.letter(first, "max-attempts", redrive=1, executions=3)
        self.assertEqual(s.violations(), {})
        s.letter(first, "max-attempts", redrive=1, executions=3)
        self.caught(s, "double")

    def test_redriven_out_of_nothing(self):
        s, _ = self.redriven()
        s.history.dlq.pop(), s.history.outcomes.pop()
        self.caught(s, "foreign", "lost")

    def test_partition_counts_differ(self):
        s = whole()
        s.history.partition_counts[NAMES.retry] = 3
        self.caught(s, "partition-count")


class AnswersTest(unittest.TestCase):
    def told(self, story, command, status=202, **more):
        value = command.value
        return {
            "op": command.header("ce_type").rsplit(".", 1)[-1],
            "key": command.key_text,
            "sha256": None if value is None else hashlib.sha256(value).hexdigest(),
            "status": status,
            "position": str(command.position),
            "request": command.header("ce_id"),
            **more,
        }

    def judge(self, answered, story):
        findings = Findings()
        answers.judge_answers(story.history, answered, findings)
        return dict(findings.violations)

    def setUp(self):
        self.story = Story()
        self.command = self.story.command("create", A, '{"n":1}')

    def test_answers_that_hold(self):
        unknown = self.told(self.story, self.command, 504, key="nobody", position=None, request=None)
        refused = self.told(self.story, self.command, 503, key="nobody", position=None, request="r99")
        generated = self.told(self.story, self.command, key=None)
        self.assertEqual(self.judge([self.told(self.story, self.command), unknown, refused], self.story), {})
        self.assertEqual(self.judge([generated], self.story), {})

    def test_accepted_without_record(self):
        answer = self.told(self.story, self.command, position="orders/0/5")
        self.assertEqual(self.judge([answer], self.story), {"answer-missing": 1})
        placeless = self.told(self.story, self.command, position=None)
        self.assertEqual(self.judge([placeless], self.story), {})
        self.assertEqual(self.judge([{**placeless, "request": "another"}], self.story), {"answer-missing": 1})
        lost = self.told(self.story, self.command, key="other", position="orders/0/5")
        self.assertEqual(self.judge([lost], self.story), {"answer-missing": 1, "answer-lost": 1})

    def test_accepted_at_anothers_place(self):
        self.story.command("create", A, '{"n":2}')
        answer = self.told(self.story, self.command, position="orders/0/1")
        self.assertEqual(self.judge([answer], self.story), {"answer-other": 2})

    def test_two_answers_for_one_record(self):
        answer = self.told(self.story, self.command)
        self.assertEqual(self.judge([answer, answer], self.story), {"answer-twice": 1, "answer-lost": 1})

    def test_refused_but_written(self):
        answer = self.told(self.story, self.command, 503, position=None, request=None)
        self.assertEqual(self.judge([answer], self.story), {"refused-written": 1})
        by_id = self.told(self.story, self.command, 503, position=None, key="other")
        self.assertEqual(self.judge([by_id], self.story), {"refused-written": 1})

    def test_accepted_once_written_twice(self):
        self.story.command("create", A, '{"n":1}')
        self.assertEqual(self.judge([self.told(self.story, self.command)], self.story), {"written-twice": 1})

    def test_unknown_may_be_written(self):
        answer = self.told(self.story, self.command, None, position=None, request=None)
        self.assertEqual(self.judge([answer], self.story), {})


class Server:
    """Answers GET /v1/orders/KEY from a dict."""

    def __init__(self, documents):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                text, tag = documents.get(self.path.rsplit("/", 1)[1], (None, None))
                self.send_response(200 if text is not None else 404)
                self.send_header("ETag", f'"{tag}"')
                self.send_header("Content-Length", str(len(text or b"")))
                self.end_headers()
                self.wfile.write(text or b"")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class ReadsTest(unittest.TestCase):
    def judge(self, served, view, keys):
        findings = Findings()
        with Server(served) as url:
            reads.judge_reads(url, "/v1/orders/", keys, view, findings, "store", settle_s=0)
        return dict(findings.violations), findings.counts["store_reads"]

    def test_store_equals_replay(self):
        documents = {"a": (b'{"n": 1}', "r1")}
        self.assertEqual(self.judge(documents, documents, ["a", "b"]), ({}, 2))

    def test_store_differs(self):
        view = {"a": (b'{"n": 1}', "r1")}
        for served in ({}, {"a": (b'{"n":1}', "r1")}, {"a": (b'{"n": 1}', "r2")}, {**view, "b": (b"{}", "r3")}):
            self.assertEqual(self.judge(served, view, ["a", "b"])[0], {"store-differs": 1}, served)

    def test_store_that_is_away(self):
        findings = Findings()
        reads.judge_reads("http://127.0.0.1:1", "/v1/orders/", ["a"], {}, findings, "store", settle_s=0)
        self.assertEqual(dict(findings.violations), {"store-differs": 1})


class TextTest(unittest.TestCase):
    def test_partitioner_is_javas(self):
        # Published vectors of Kafka's own UtilsTest.murmur2.
        for text, hashed in ((b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)):
            self.assertEqual(partition_of(text, 1 << 31), hashed & 0x7FFFFFFF)

    def test_positions(self):
        self.assertEqual(Position.parse("a/b/3/12"), Position("a/b", 3, 12))
        for text in ("", "orders/1", "orders/x/1", "/1/2", "orders/1/-2", None):
            self.assertIsNone(Position.parse(text))

    def test_json_refusals(self):
        bad = ("", "{", '{"a":1,"a":2}', "[1]", '{"a":NaN}', '{"a":"\\u0000"}', '{"a":"\\ud800"}', "{} x", '{"a":1e999}')
        for text in (*bad, '{"a":18446744073709551616}', '{"a":' + "[" * 32 + "]" * 32 + "}", "\ufeff{}"):
            with self.assertRaises(jsontext.Malformed, msg=text):
                jsontext.parse_object(text.encode())
        with self.assertRaises(jsontext.Malformed):
            jsontext.parse_object(b'{"a":"\xff"}')

    def test_raw_members_keep_their_text(self):
        raw = jsontext.raw_members(' {"a" : [1, 2 ] , "b\\u0063":1.50,"d":{ } } '.encode())
        self.assertEqual(raw, {"a": b"[1, 2 ]", "bc": b"1.50", "d": b"{ }"})

    def test_splicing(self):
        for text, wanted in (("{}", '{"k":"v"}'), ("{ }", '{"k":"v" }'), (' { "a":1}', ' {"k":"v", "a":1}')):
            self.assertEqual(jsontext.splice_first(text.encode(), "k", "v").decode(), wanted)

    def test_sums_are_exact(self):
        for a, b, wanted in (("19.99", "0.01", "20.00"), ("-0.5", "0.5", "0.0"), ("1e2", "1", "101"), ("-0", "0", "0")):
            self.assertEqual(_sum(jsontext.Number(a), jsontext.Number(b)).text, wanted)
        for a, b in ((str((1 << 63) - 1), "1"), ("1e33", "0.1"), ("1", "1e-40")):
            with self.assertRaises(Refused):
                _sum(jsontext.Number(a), jsontext.Number(b))

    def test_merge_vectors(self):
        # RFC 7396, appendix A (those whose target is an object).
        vectors = [
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
            ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ]
        for target, patch, result in vectors:
            self.assertEqual(jsontext.merge(target, patch), result)


def main():
    wanted = sys.argv[1:]
    suite, every = unittest.TestSuite(), unittest.defaultTestLoader
    for case in (JudgeTest, AnswersTest, ReadsTest, TextTest):
        suite.addTests(t for t in every.loadTestsFromTestCase(case) if not wanted or t._testMethodName[5:] in wanted)
    if suite.countTestCases() < max(1, len(wanted)):
        sys.exit(f"no such case: {' '.join(wanted)}")
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
