"""The invariant: every accepted command ended exactly once, rightly and in order, and the change log says so."""
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import jsontext
import retries
from history import Position
from replay import Document, Expected, Replay, partition_of

SHOWN = 20
# A dead letter for one of these is an ending that the replay cannot foresee; it is allowed and counted.
UNFORESEEN = ("max-attempts", "expired", "too-large", "crashed")
OPERATIONS = {"c": "created", "u": "updated", "d": "deleted"}
LETTER_HEADERS = (
    "__dlq.errors.topic",
    "__dlq.errors.partition",
    "__dlq.errors.offset",
    "__dlq.errors.group",
    "__dlq.errors.delivery.count",
    "__dlq.errors.message",
    "weir-disposition",
    "weir-error-type",
    "weir-original-timestamp",
    "weir-redrive-count",
)


class Findings:
    """Violations by kind, the first few in words, and the counts of what was seen."""

    def __init__(self):
        self.violations, self.lines, self.counts = Counter(), [], Counter()

    def add(self, kind, where, text):
        self.violations[kind] += 1
        if len(self.lines) < SHOWN:
            self.lines.append(f"{kind} {where}: {text}")

    def check(self, holds, kind, where, text):
        if not holds:
            self.add(kind, where, text)
        return holds


@dataclass
class Ending:
    """One record that ends a command. `kind` is change, outcome or letter."""

    kind: str
    record: object
    value: dict = None
    raw: dict = None


def _letter_origin(letter):
    told = [letter.header(f"__dlq.errors.{part}") for part in ("topic", "partition", "offset")]
    named = None if None in told else Position.parse("/".join(told))
    if named and named.topic.endswith(".retry"):
        return Position.parse(letter.header("weir-origin")) or named
    return named


def _parsed(findings, record):
    try:
        return jsontext.parse_object(record.value), jsontext.raw_members(record.value)
    except jsontext.Malformed as error:
        findings.add("malformed", record.position, f"value is not JSON: {error}")
        return {}, {}


def collect(history, findings):
    """{command position: [Ending]}; what cannot be placed is a violation."""
    endings = defaultdict(list)
    known = {r.position for r in history.commands}

    def place(origin, ending):
        if origin not in known:
            findings.add("foreign", ending.record.position, f"ends {origin}, which is no command")
        else:
            endings[origin].append(ending)

    for record in history.changes:
        if record.value is not None:
            value, raw = _parsed(findings, record)
            if value.get("reason") is None:
                place(Position.parse(record.header("weir-origin")), Ending("change", record, value, raw))
            else:
                findings.counts["changes_without_command"] += 1
    for record in history.outcomes:
        value, raw = _parsed(findings, record)
        place(Position.parse(value.get("at")), Ending("outcome", record, value, raw))
    for record in history.dlq:
        place(_letter_origin(record), Ending("letter", record))
    return endings


def redrive_count(letter):
    """Which life of its command a letter ended: 0, or the number of its redrive."""
    text = letter.record.header("weir-redrive-count") or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def _ended(ending, expected):
    """What the replay takes over from an ending, for the commands that follow."""
    if ending.kind == "letter":
        return Expected("letter", disposition=ending.record.header("weir-disposition"))
    if ending.kind == "outcome":
        return Expected("outcome", words=(ending.value.get("outcome"),))
    if ending.value.get("op") == "d":
        return Expected("change", operation="d")
    text = ending.raw.get("after", b"null")
    version = ending.value.get("version")
    document = Document(
        text,
        ending.value.get("after"),
        int(version.text) if isinstance(version, jsontext.Number) and version.text.isdigit() else 0,
        ending.value.get("request"),
        exact=bool(expected.document and expected.document.exact),
    )
    return Expected("change", operation=ending.value.get("op"), document=document)


class Judge:
    """Judges one History; the findings hold counts and violations, `replay` the documents as they must be."""

    def __init__(self, history, key_field, images="NEW_IMAGE", attempts=3):
        self.history, self.findings, self.images, self.attempts = history, Findings(), images, attempts
        self.replay = Replay(history.names, history.partitions, key_field)
        self.derived, self.lives = set(), {}
        # Endings of redriven commands that are not judged yet, by partition, in the order of their records.
        self.later = defaultdict(list)
        # The last change of each key as (text, tag): what a reader of the store must be told.
        self.view = {}

    def run(self):
        findings, history = self.findings, self.history
        for topic, count in history.partition_counts.items():
            findings.check(
                count == history.partitions, "partition-count", topic, f"{count}, not {history.partitions} partitions"
            )
        endings = collect(history, findings)
        self.lives = retries.read(history, findings, self.attempts)
        for command in history.commands:
            self._queue_later(command, endings)
        for command in history.commands:
            self._judge_command(command, endings.get(command.position, []))
        for partition in list(self.later):
            self._judge_later(partition, lambda _: True)
        self._judge_change_log()
        self._judge_view()
        findings.counts["commands"] = len(history.commands)
        findings.counts["documents"] = len(self.replay.documents)
        return findings

    def _queue_later(self, command, endings):
        """Takes the endings of a command's redrives out: they are judged where they happened, not where it was accepted."""
        life, ends = self.lives.get(command.position), endings.get(command.position, [])
        if life is None or not life.redrives:
            return
        first = [e for e in ends if e.kind == "letter" and redrive_count(e) == 0]
        told = [e for e in ends if e.kind == "outcome" and e.value.get("outcome") == "dead-lettered"]
        endings[command.position] = first + told[:1]
        rest = [e for e in ends if e not in first and e not in told[:1]]
        self._judge_lives(command, life, first, rest)
        again = replace(command, value=life.value)
        self.later[command.partition] += [(again, ending) for ending in rest]
        self.later[command.partition].sort(key=lambda pair: (pair[1].record.timestamp_ms, pair[1].record.offset))

    def _judge_lives(self, command, life, first, rest):
        """Each redrive ends once: by a letter of its count with its outcome, or, the last one, in another way. What was sent
        back twice may end a second time as unchanged."""
        where = command.position
        self.findings.check(first, "foreign", where, "redriven, but it was no dead letter")
        letters = Counter(redrive_count(e) for e in rest if e.kind == "letter")
        told = sum(e.kind == "outcome" and e.value.get("outcome") == "dead-lettered" for e in rest)
        others = [e for e in rest if e.kind == "change" or (e.kind == "outcome" and e.value.get("outcome") != "dead-lettered")]
        repeated = sum(life.redrives.values()) - len(life.redrives)
        unchanged = sum(e.kind == "outcome" and e.value.get("outcome") == "unchanged" for e in others)
        ended = sum(letters.values()) + len(others) - min(repeated, unchanged)
        for count in letters:
            self.findings.check(count in life.redrives, "foreign", where, f"a letter of redrive {count}, which was not")
        self.findings.check(told == sum(letters.values()), "no-outcome", where, f"{sum(letters.values())} letters, {told} outcomes")
        if ended > len(life.redrives) or max(letters.values(), default=0) > 1:
            self.findings.add("double", where, f"{len(life.redrives)} redrives ended {ended} times")
        elif ended < len(life.redrives) and not life.is_live:
            self.findings.add("lost", where, f"{len(life.redrives)} redrives, {ended} of them ended")

    def _judge_later(self, partition, happened):
        """Judges the redriven commands of a partition as far as they `happened` before what comes next."""
        queue = self.later[partition]
        while queue and happened(queue[0][1]):
            command, ending = queue.pop(0)
            expected = self.replay.expect(command, again=True)
            self._judge_ending(command, ending, expected, is_redriven=True)

    def run_service(self):
        """Judges what any service promises, whatever its plugin does: its retry topic and its dead letters."""
        endings = collect(self.history, self.findings)
        self.lives = retries.read(self.history, self.findings, self.attempts)
        for command in self.history.commands:
            life, letters = self.lives.get(command.position), Counter()
            for ending in endings.get(command.position, []):
                letters[redrive_count(ending)] += 1
                self._judge_place(command, ending)
                self._judge_letter(command, ending, None)
            if life is not None and life.is_live:
                self.findings.add("pending", command.position, "its latest retry state is not done")
            for count, times in letters.items():
                self.findings.check(times == 1, "double", command.position, f"{times} letters of redrive {count}")
        self.findings.counts["commands"] = len(self.history.commands)
        return self.findings

    def _judge_command(self, command, ends):
        life = self.lives.get(command.position)
        main = self._one_ending(command, ends, life is not None and life.is_live)
        if main is None:
            return
        self._judge_later(command.partition, lambda ending: _is_before(ending, main))
        self._judge_ending(command, main, self.replay.expect(command))

    def _judge_ending(self, command, main, expected, is_redriven=False):
        if main.kind == "outcome" and is_redriven:
            # Which of the others' changes came before it no topic says.
            self.findings.counts["outcomes"] += 1
            return self._judge_outcome_record(command, main)
        self.findings.counts[{"change": "changes", "outcome": "outcomes", "letter": "dead_letters"}[main.kind]] += 1
        self._judge_place(command, main)
        judge = {"change": self._judge_change, "outcome": self._judge_outcome, "letter": self._judge_letter}
        judge[main.kind](command, main, expected)
        self.replay.settle(command, _ended(main, expected))

    def _one_ending(self, command, ends, is_live):
        """The ending of a command, when it has exactly one; a letter and its outcome record are one."""
        where = command.position
        if is_live:
            self.findings.add("pending", where, "its latest retry state is not done")
        letters = [e for e in ends if e.kind == "letter"]
        told = [e for e in ends if e.kind == "outcome" and e.value.get("outcome") == "dead-lettered"]
        others = [e for e in ends if e not in letters and e not in told]
        if letters or told:
            if not letters:
                self.findings.add("no-letter", where, "outcome dead-lettered, but no dead letter")
            if not told:
                self.findings.add("no-outcome", where, "dead letter without its outcome record")
            for outcome in told[:1]:
                self._judge_outcome_record(command, outcome)
            count = max(len(letters), len(told)) + len(others)
        else:
            count = len(others)
        if count > 1:
            places = ", ".join(f"{e.kind} {e.record.position}" for e in ends)
            self.findings.add("double", where, f"ended {count} times: {places}")
        if count == 0 and not is_live:
            self.findings.add("lost", where, f"key {command.key_text!r} never ended")
        return (others + letters + told + [None])[0]

    def _judge_place(self, command, ending):
        record = ending.record
        self.findings.check(
            record.partition == command.partition, "wrong-place", record.position, f"ends {command.position}"
        )
        self.findings.check(record.key == command.key, "wrong-key", record.position, f"not the key of {command.position}")

    def _wrong_ending(self, command, ending, expected):
        wanted = expected.disposition or expected.error or expected.operation or "/".join(expected.words)
        got = {
            "change": lambda: ending.value.get("op"),
            "outcome": lambda: f"{ending.value.get('outcome')} {ending.value.get('error') or ''}".strip(),
            "letter": lambda: ending.record.header("weir-disposition"),
        }[ending.kind]()
        self.findings.add(
            "wrong-ending", command.position, f"{ending.kind} {got}, the replay says {expected.kind} {wanted}"
        )

    def _judge_change(self, command, ending, expected):
        if expected.kind != "change" or ending.value.get("op") != expected.operation:
            return self._wrong_ending(command, ending, expected)
        where, value, record = ending.record.position, ending.value, ending.record
        version = getattr(value.get("version"), "text", None)
        self.findings.check(
            version == str(expected.version), "wrong-version", where, f"{version}, the replay says {expected.version}"
        )
        self._judge_after(where, ending, expected)
        if self.images == "NEW_AND_OLD_IMAGES":
            old = expected.before.value if expected.before else None
            self.findings.check(value.get("before") == old, "wrong-value", where, "before differs from the replay")
        else:
            self.findings.check(value.get("before") is None, "wrong-value", where, "before without being asked for")
        fields = {"collection": self.history.names.collection, "key": command.key_text}
        if expected.request is not None:
            fields["request"] = expected.request
        else:
            self._judge_derived(where, value.get("request"))
        for name, wanted in fields.items():
            self.findings.check(
                value.get(name) == wanted, "wrong-field", where, f"{name} is {value.get(name)!r}, not {wanted!r}"
            )
        headers = {
            "ce_type": f"weir.{self.history.names.collection}.{OPERATIONS[expected.operation]}",
            "ce_subject": command.key_text,
            "ce_id": value.get("request"),
        }
        for name, wanted in headers.items():
            self.findings.check(
                record.header(name) == wanted, "wrong-header", where, f"{name} is {record.header(name)!r}, not {wanted!r}"
            )
        self.findings.check(isinstance(value.get("ts_ms"), jsontext.Number), "wrong-field", where, "no ts_ms")

    def _judge_derived(self, where, request):
        """A record without a request id got one from its position: a UUIDv5 that no other has."""
        try:
            version = uuid.UUID(request or "").version
        except ValueError:
            version = None
        self.findings.check(version == 5, "wrong-field", where, f"request {request!r} is no UUIDv5")
        self.findings.check(request not in self.derived, "wrong-field", where, f"request {request!r} is not the only one")
        self.derived.add(request)

    def _judge_after(self, where, ending, expected):
        if expected.document is None:
            self.findings.check(ending.value.get("after") is None, "wrong-value", where, "a delete with a document")
            return
        wanted, got = expected.document, ending.raw.get("after")
        if ending.value.get("after") != wanted.value:
            self.findings.add("wrong-value", where, f"after is {_short(got)}, the replay says {_short(wanted.text)}")
        elif wanted.exact and got != wanted.text.strip(b" \t\r\n"):
            self.findings.add("wrong-bytes", where, f"after is {_short(got)}, the command says {_short(wanted.text)}")

    def _judge_outcome(self, command, ending, expected):
        self._judge_outcome_record(command, ending)
        word, error = ending.value.get("outcome"), ending.value.get("error")
        if word == "dead-lettered":
            return  # told already: no-letter
        if expected.kind != "outcome" or word not in expected.words:
            return self._wrong_ending(command, ending, expected)
        if word == "rejected" and expected.error and error != expected.error:
            return self._wrong_ending(command, ending, expected)
        first = ending.value.get("first")
        self.findings.check(first == expected.first, "wrong-field", ending.record.position, f"first is {first}, not {expected.first}")
        self.findings.counts["repeats"] += first is not None
        self.findings.counts[f"outcome_{word}"] += 1

    def _judge_outcome_record(self, command, ending):
        where, told = ending.record.position, command.header("ce_id")
        self.findings.check(ending.record.key == command.key, "wrong-key", where, f"not the key of {command.position}")
        if told is not None:
            self.findings.check(ending.value.get("request") == told, "wrong-field", where, f"request is not {told}")

    def _judge_letter(self, command, ending, expected):
        record, where = ending.record, ending.record.position
        for name in LETTER_HEADERS:
            self.findings.check(record.headers.get(name), "wrong-header", where, f"no {name}")
        for name, value in command.headers.items():
            self.findings.check(record.headers.get(name) == value, "wrong-header", where, f"{name} was not kept")
        self.findings.check(record.value == command.value, "wrong-value", where, "not the bytes of the command")
        disposition = record.header("weir-disposition")
        executions = record.header("__dlq.errors.delivery.count")
        if disposition == "max-attempts":
            self.findings.check(
                executions == str(self.attempts), "attempts", where, f"{executions} executions, not {self.attempts}"
            )
        self.findings.counts[f"letter_{disposition}"] += 1
        if expected is not None and disposition not in UNFORESEEN and (expected.kind != "letter" or disposition != expected.disposition):
            self._wrong_ending(command, ending, expected)

    def _judge_change_log(self):
        """Per key: origins rise, and a null follows each delete and nothing else."""
        last, open_delete = {}, {}
        for record in self.history.changes:
            where, key = record.position, (record.partition, record.key)
            origin = Position.parse(record.header("weir-origin"))
            deleted = open_delete.pop(key, None)
            if record.value is None:
                self.findings.counts["tombstones"] += 1
                self.findings.check(
                    deleted is not None and deleted.headers == record.headers,
                    "stray-tombstone",
                    where,
                    "a null that follows no delete of its key with the same headers",
                )
                continue
            if deleted is not None:
                self.findings.add("no-tombstone", deleted.position, "a delete without its null")
            before = last.get(key)
            if origin is not None:
                # A redriven command has lost its place.
                in_order = origin not in self.lives or not self.lives[origin].redrives
                if in_order and before is not None and before >= origin:
                    self.findings.add("out-of-order", where, f"{origin} comes after {before}")
                last[key] = origin if in_order else before
            if record.header("ce_type") == f"weir.{self.history.names.collection}.deleted":
                open_delete[key] = record
            self.findings.check(
                partition_of(record.key or b"", self.history.partitions) == record.partition,
                "wrong-place",
                where,
                "not the partition of its key",
            )
        for deleted in open_delete.values():
            self.findings.add("no-tombstone", deleted.position, "a delete without its null")

    def _judge_view(self):
        """What is left after compaction must be the documents of the replay."""
        last = {}
        for record in self.history.changes:
            last[record.key_text] = record
        for key, record in last.items():
            if record.value is None:
                continue
            _, raw = _parsed(Findings(), record)
            self.view[key] = (raw.get("after"), record.header("ce_id"))
        wanted = self.replay.documents
        for key in sorted(wanted.keys() | self.view.keys(), key=str):
            if key not in self.view:
                self.findings.add("view-differs", key, "not in the change log's compacted view")
            elif key not in wanted:
                self.findings.add("view-differs", key, "in the compacted view, but the replay deleted it")
            elif self.view[key][0] != wanted[key].text.strip(b" \t\r\n"):
                self.findings.add("view-differs", key, f"{_short(self.view[key][0])}, not {_short(wanted[key].text)}")


def _is_before(ending, other):
    """Whether one ending happened before another: by its offset in one topic, by the broker's clock across topics."""
    if ending.kind == other.kind:
        return ending.record.offset < other.record.offset
    return ending.record.timestamp_ms < other.record.timestamp_ms


def _short(data):
    text = (data or b"nothing").decode("utf-8", "replace")
    return text if len(text) <= 80 else text[:77] + "..."
