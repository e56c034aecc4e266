"""JSON as the wire means it: strict text, numbers compared by their spelling, members findable as raw text."""
import json
import math
import re
from dataclasses import dataclass
from json import decoder as _decoder

DEPTH_LIMIT = 32
_SPACE = re.compile(r"[ \t\n\r]*")


class Malformed(ValueError):
    """The text is not JSON as Weir accepts it."""


@dataclass(frozen=True)
class Number:
    """A number keeps its text: 19.99, 1.0 and 1e0 are three different values here."""

    text: str


def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("the same member twice")
    return members


def _refuse_constant(name):
    raise Malformed(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=Number, parse_int=Number, parse_constant=_refuse_constant
)


def _check(value, depth=0):
    """Strings, numbers and nesting within the limits."""
    if isinstance(value, str):
        if "\0" in value:
            raise Malformed("NUL in a string")
        if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
            raise Malformed("a lone surrogate")
    elif isinstance(value, Number):
        _check_number(value.text)
    elif isinstance(value, (list, dict)):
        if depth == DEPTH_LIMIT:
            raise Malformed(f"nested deeper than {DEPTH_LIMIT}")
        for item in value.keys() if isinstance(value, dict) else ():
            _check(item)
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth + 1)


def _check_number(text):
    if text.lstrip("-").isdigit():
        if not -(1 << 63) <= int(text) < 1 << 63:
            raise Malformed("an integer beyond 64 bits")
    elif math.isinf(float(text)):
        raise Malformed("a number beyond double range")


def text_of(data):
    """Bytes to text; anything but strict UTF-8 is Malformed."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from None


def parse(data):
    """Bytes to a value; raises Malformed."""
    text = text_of(data)
    if text.startswith("\ufeff"):
        raise Malformed("a byte order mark")
    try:
        value, end = _DECODER.raw_decode(text, _SPACE.match(text).end())
    except (json.JSONDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if _SPACE.match(text, end).end() != len(text):
        raise Malformed(f"text after the value at character {end}")
    _check(value)
    return value


def parse_object(data):
    """As parse(), for a document: the top must be an object."""
    value = parse(data)
    if not isinstance(value, dict):
        raise Malformed("not an object")
    return value


def raw_members(data):
    """The top-level members of an object as {name: raw bytes of the value}, spelled as they came."""
    parse_object(data)
    text = text_of(data)
    at = _SPACE.match(text).end() + 1
    found = {}
    while True:
        at = _SPACE.match(text, at).end()
        if text[at] == "}":
            return found
        if text[at] == ",":
            at += 1
            continue
        name, at = _decoder.scanstring(text, at + 1, True)
        at = _SPACE.match(text, at).end() + 1
        start = _SPACE.match(text, at).end()
        _, at = _DECODER.raw_decode(text, start)
        found[name] = text[start:at].encode()


def splice_first(data, name, value):
    """The object's bytes with the string member `name` put in front; every other byte stays."""
    text = text_of(data)
    brace = text.index("{")
    rest = text[brace + 1 :]
    comma = "" if rest.lstrip(" \t\n\r").startswith("}") else ","
    member = f"{json.dumps(name, ensure_ascii=False)}:{json.dumps(value, ensure_ascii=False)}"
    return f"{text[: brace + 1]}{member}{comma}{rest}".encode()


def merge(target, patch):
    """RFC 7396, on parsed values."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result
