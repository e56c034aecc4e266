"""The retry topic as a log of states, one per command: what it says of each, and whether it may say so.

The latest state of an origin wins; weir-done and no body ends it. Executions only rise, and begin again at 0 with each
redrive; a redrive begins a new life of the command, with an ending of its own.
"""
from collections import defaultdict
from dataclasses import dataclass, field

from history import Position

LETTERS_OWN = ("weir-disposition", "weir-error-type")


@dataclass
class Life:
    """What the retry topic says of one command. `redrives` counts the records that began each redrive, `value` is what the
    last of them had."""

    redrives: dict = field(default_factory=lambda: defaultdict(int))
    value: bytes = None
    executions: int = -1
    count: int = 0
    is_live: bool = False

    @property
    def redriven(self):
        """The highest redrive count."""
        return max(self.redrives, default=0)


def live(records):
    """Origins whose latest state is not the end."""
    latest = {record.header("weir-origin"): record for record in records}
    return {origin for origin, record in latest.items() if record.header("weir-done") is None}


def _number(record, name, missing=None):
    text = record.header(name)
    if text is None:
        return missing
    return int(text) if text.isascii() and text.isdigit() else None


def read(history, findings, attempts):
    """{command position: Life}; what no retry record may be is a violation. `attempts`: most executions of a record."""
    commands, lives = {r.position: r for r in history.commands}, defaultdict(Life)
    for record in history.retry:
        origin = Position.parse(record.header("weir-origin"))
        command = commands.get(origin)
        if command is None:
            findings.add("foreign", record.position, f"a state of {origin}, which is no command")
            continue
        _judge_place(findings, record, command)
        if record.header("weir-done") is not None:
            _end(findings, record, lives[origin])
        else:
            _judge_content(findings, record, command)
            _begin(findings, record, lives[origin], attempts)
    findings.counts["retry_records"] += len(history.retry)
    findings.counts["parked_commands"] += len(lives)
    findings.counts["redrives"] += sum(sum(life.redrives.values()) for life in lives.values())
    return lives


def _judge_place(findings, record, command):
    where = record.position
    findings.check(record.partition == command.partition, "wrong-place", where, f"a state of {command.position}")
    findings.check(record.key == command.key, "wrong-key", where, f"not the key of {command.position}")


def _judge_content(findings, record, command):
    """A state is the command as it came; a letter that was mended on its way back says so."""
    where = record.position
    for name, value in command.headers.items():
        findings.check(record.headers.get(name) == value, "wrong-header", where, f"{name} was not kept")
    for name in LETTERS_OWN:
        findings.check(record.header(name) is None, "wrong-header", where, f"{name} of a letter was left")
    mended = record.header("weir-patched") is not None
    findings.check(mended or record.value == command.value, "wrong-value", where, "not the bytes of the command")


def _end(findings, record, life):
    findings.check(record.value is None, "malformed", record.position, "a state that is done, with a body")
    findings.check(life.is_live, "stray-done", record.position, "the end of a state that does not live")
    life.is_live = False


def _begin(findings, record, life, attempts):
    where = record.position
    executions, count = _number(record, "weir-attempt"), _number(record, "weir-redrive-count", 0)
    if executions is None or count is None:
        findings.add("wrong-header", where, "weir-attempt or weir-redrive-count is no number")
        return
    if executions > 0:
        findings.check(_number(record, "weir-not-before") is not None, "wrong-header", where, "no weir-not-before")
        findings.check(record.header("weir-error") is not None, "wrong-header", where, "no weir-error")
    findings.check(executions < attempts, "attempts", where, f"{executions} executions, and {attempts} are the most")
    if executions == 0 and count > 0:
        life.redrives[count] += 1
        life.value = record.value
    elif count == life.count:
        told = f"{executions} executions after {life.executions}"
        findings.check(executions > life.executions, "attempts", where, told)
        findings.check(life.is_live or life.executions < 0, "retry-after-done", where, "a state of what had ended")
    findings.check(count >= life.count, "wrong-header", where, f"redrive {count} after {life.count}")
    life.executions, life.count, life.is_live = executions, count, True
