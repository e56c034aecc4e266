"""What a client was told, against what lies in the command topic.

One JSON object a line: {"op": create|replace|merge|delete, "key": text or null, "sha256": of the body sent or null,
"status": number or null when no answer came, "position": Weir-Position or null, "request": request id or null};
further members are passed over.
A request is known again in the topic by its signature (op, key, body), which needs no word of Weir's own; the
client makes bodies distinct.
"""
import hashlib
import json
from collections import Counter, defaultdict

from history import Position

NOT_WRITTEN = (400, 401, 403, 404, 405, 413, 415, 422, 431, 503)


def load(path):
    """The lines of a client log."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _digest(value):
    return None if value is None else hashlib.sha256(value).hexdigest()


def _signature(answer):
    return answer["op"], answer.get("key"), answer.get("sha256")


def judge_answers(history, answers, findings):
    """No 2xx without its record at the place told, or anywhere when none is told, exactly once; no refused request in the topic."""
    found = _Found(history)
    told = set()
    for answer in answers:
        status = answer.get("status")
        findings.counts[f"answers_{_class(status)}"] += 1
        if status is not None and 200 <= status < 300:
            _judge_accepted(answer, found, findings, told)
    _judge_numbers(answers, found, findings)


def _class(status):
    if status is None:
        return "none"
    return "2xx" if 200 <= status < 300 else str(status)


class _Found:
    """The command topic by position, by request id and by signature."""

    def __init__(self, history):
        self.at = {r.position: r for r in history.commands}
        self.place_of = {r.header("ce_id"): r.position for r in history.commands}
        self.by_request = Counter(r.header("ce_id") for r in history.commands)
        self.by_signature = Counter()
        for record in history.commands:
            op = (record.header("ce_type") or "replace").rsplit(".", 1)[-1]
            digest = _digest(record.value)
            self.by_signature[op, record.key_text, digest] += 1
            # A client that left the key to Weir knows its request by the body alone.
            self.by_signature[op, None, digest] += 1


def _judge_accepted(answer, found, findings, told):
    what = f"{answer['op']} {answer.get('key')} ({answer['status']}, request {answer.get('request')})"
    position = Position.parse(answer.get("position"))
    if answer.get("position") is None:
        # Acknowledged as a repeat of what the broker had already (an answer of its was lost): it does not say where.
        findings.counts["answers_without_position"] += 1
        position = found.place_of.get(answer.get("request"))
    record = found.at.get(position)
    if record is None:
        findings.add("answer-missing", answer.get("position"), f"{what} is not in the topic there")
        return
    op = (record.header("ce_type") or "replace").rsplit(".", 1)[-1]
    key = answer.get("key")
    same = op == answer["op"] and key in (None, record.key_text) and _digest(record.value) == answer.get("sha256")
    findings.check(same, "answer-other", position, f"{what}, but another command lies there")
    findings.check(
        record.header("ce_id") == answer.get("request"), "answer-other", position, f"{what}, but ce_id differs"
    )
    findings.check(position not in told, "answer-twice", position, f"{what}: two answers name one record")
    told.add(position)


def _judge_numbers(answers, found, findings):
    """Of each signature: at least as many records as 2xx, at most as many as requests not surely refused."""
    least, most, refused = Counter(), Counter(), defaultdict(list)
    for answer in answers:
        status, signature = answer.get("status"), _signature(answer)
        if status is not None and 200 <= status < 300:
            least[signature] += 1
        if status in NOT_WRITTEN:
            refused[signature].append(answer)
            findings.check(
                not found.by_request[answer.get("request")] or answer.get("request") is None,
                "refused-written",
                answer.get("request"),
                f"{answer['op']} {answer.get('key')} was answered {status}, but its request id is in the topic",
            )
        else:
            most[signature] += 1
    for signature in least.keys() | most.keys() | refused.keys():
        records = found.by_signature[signature]
        where = f"{signature[0]} {signature[1]}"
        if records < least[signature]:
            findings.add("answer-lost", where, f"{least[signature]} 2xx, {records} records")
        if records > most[signature]:
            kind = "refused-written" if refused[signature] else "written-twice"
            findings.add(kind, where, f"{records} records, {most[signature]} requests that may have been written")
