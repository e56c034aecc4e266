"""What should have happened: the commands of a topic, replayed one by one as WIRE describes them."""
import re
from dataclasses import dataclass
from decimal import Decimal

import jsontext
from history import partition_of

KINDS = ("create", "replace", "merge", "delete", "adjust")
KEY_LIMIT_BYTES = 255
DIGITS_LIMIT = 34
_TAG = re.compile(r'(W/)?"([^"]*)"|([^\s,"]+)')


@dataclass
class Document:
    """One live document. `exact` says that the replay knows its bytes; after a merge it knows the value only."""

    text: bytes
    value: object
    version: int
    tag: str
    exact: bool = True


@dataclass
class Expected:
    """How a command must end. kind is change, outcome or letter; `words` are the accepted outcome words."""

    kind: str
    request: str = None
    operation: str = None
    version: int = 0
    document: Document = None
    before: Document = None
    words: tuple = ()
    error: str = None
    first: str = None
    disposition: str = None


class Refused(Exception):
    """The command can never succeed: a dead letter."""


def command_kind(record, collection):
    """create, replace, merge or delete; a record without ce_type is a replace, or with no value a delete."""
    told = record.header("ce_type")
    if told is None:
        return "delete" if record.value is None else "replace"
    stem = f"weir.{collection}."
    kind = told[len(stem) :] if told.startswith(stem) else None
    if kind not in KINDS:
        raise Refused(f"unknown ce_type {told}")
    return kind


def request_id(record):
    """The record's own id; None when Weir had to derive one from the position."""
    return record.header("ce_id") or None


def _tags(text):
    for weak, quoted, bare in _TAG.findall(text):
        yield bool(weak), quoted or bare


def precondition_holds(record, document):
    """If-Match compares strongly, If-None-Match weakly (RFC 9110, 13.1)."""
    wanted, unwanted = record.header("weir-if-match"), record.header("weir-if-none-match")
    if wanted is not None:
        if document is None:
            return False
        if wanted.strip() != "*" and not any(not w and t == document.tag for w, t in _tags(wanted)):
            return False
    if unwanted is not None and document is not None:
        if unwanted.strip() == "*" or any(t == document.tag for _, t in _tags(unwanted)):
            return False
    return True


def _check_key(key):
    if not key or len(key) > KEY_LIMIT_BYTES:
        raise Refused("key of no or too many bytes")
    try:
        text = key.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("key is not UTF-8") from None
    if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in text):
        raise Refused("control character in the key")
    return text


def _units(number):
    """A number as (integer, decimals)."""
    sign, digits, exponent = Decimal(number.text).as_tuple()
    units = int("".join(map(str, digits))) * (-1 if sign else 1)
    if units and exponent > 0:
        units *= 10 ** min(exponent, DIGITS_LIMIT)
    if len(str(abs(units))) > DIGITS_LIMIT or -exponent > DIGITS_LIMIT or (units and exponent > DIGITS_LIMIT):
        raise Refused("too many digits")
    return units, max(0, -exponent)


def _sum(a, b):
    """Exact: as many decimals as the operand that has more, no exponent."""
    (a, a_decimals), (b, b_decimals) = _units(a), _units(b)
    decimals = max(a_decimals, b_decimals)
    scaled = a * 10 ** (decimals - a_decimals), b * 10 ** (decimals - b_decimals)
    total = sum(scaled)
    if any(len(str(abs(n))) > DIGITS_LIMIT for n in (*scaled, total)):
        raise Refused("too many digits")
    if decimals == 0 and not -(1 << 63) <= total < 1 << 63:
        raise Refused("an integer beyond 64 bits")
    text = str(abs(total)).rjust(decimals + 1, "0")
    text = f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text
    return jsontext.Number("-" + text if total < 0 else text)


class Replay:
    """The documents of one collection, as they must be after the commands seen so far."""

    def __init__(self, names, partitions, key_field):
        self.names, self.partitions, self.key_field = names, partitions, key_field
        self.documents = {}
        self.first_ends = {}

    def expect(self, record, again=False):
        """How this command must end, given all before it on its partition; `again`: it was a dead letter and is redriven."""
        request = request_id(record)
        try:
            key, kind = self._envelope(record)
            expected = (None if again else self._repeat(record, request)) or self._decide(record, key, kind, request)
        except (Refused, jsontext.Malformed) as error:
            expected = Expected("letter", disposition="invalid", error=str(error))
        if expected.kind == "letter" and record.key and expected.disposition == "invalid":
            # Whose partition it is comes first: another partition's owner may hold the key's truth.
            if partition_of(record.key, self.partitions) != record.partition:
                expected.disposition = "wrong-partition"
        expected.request = request
        return expected

    def settle(self, record, ended):
        """Takes over how the command really ended, so that one violation is told once and not by all that follow."""
        request = request_id(record)
        place = (record.partition, request)
        if request is not None and place not in self.first_ends:
            self.first_ends[place] = (record.header("weir-fingerprint"), str(record.position))
        if ended.kind != "change":
            return
        if ended.document is None:
            self.documents.pop(record.key_text, None)
        else:
            self.documents[record.key_text] = ended.document

    def _repeat(self, record, request):
        place = (record.partition, request)
        if place not in self.first_ends:
            return None
        fingerprint, first = self.first_ends[place]
        if record.header("weir-fingerprint") != fingerprint:
            return Expected("outcome", words=("rejected",), error="idempotency-key-reused", first=first)
        return Expected("outcome", words=("unchanged",), first=first)

    def _envelope(self, record):
        """(key, kind) of what may be a command."""
        key = _check_key(record.key)
        if partition_of(record.key, self.partitions) != record.partition:
            raise Refused("another partition's key")
        kind = command_kind(record, self.names.collection)
        if kind != "delete" and record.value is None:
            raise Refused("no body")
        return key, kind

    def _decide(self, record, key, kind, request):
        body = None if kind == "delete" else self._body(record, key, kind)
        old = self.documents.get(key)
        if not precondition_holds(record, old):
            return Expected("outcome", words=("rejected",), error="precondition-failed")
        if kind == "create" and old is not None:
            return Expected("outcome", words=("rejected",), error="already-exists")
        if kind == "adjust" and old is None:
            return Expected("outcome", words=("rejected",), error="not-found")
        if kind == "delete":
            if old is None:
                return Expected("outcome", words=("unchanged",))
            return Expected("change", operation="d", version=old.version + 1, before=old)
        version = old.version + 1 if old else 1
        new = self._document(kind, key, body, old, version, request)
        return Expected("change", operation="u" if old else "c", version=version, document=new, before=old)

    def _body(self, record, key, kind):
        value = jsontext.parse_object(record.value)
        if self.key_field in value and value[self.key_field] != key:
            raise Refused(f"{self.key_field} differs from the key")
        return record.value, value

    def _adjusted(self, old, changes):
        """A copy of the object with each number added; what can't be added refuses the command."""
        result = dict(old)
        for name, change in changes.items():
            now = old.get(name)
            if isinstance(change, dict) and isinstance(now, dict):
                result[name] = self._adjusted(now, change)
            elif isinstance(change, jsontext.Number) and isinstance(now, jsontext.Number):
                result[name] = _sum(now, change)
            else:
                raise Refused(f"{name} can't be adjusted")
        return result

    def _document(self, kind, key, body, old, version, request):
        text, value = body
        if kind == "adjust":
            return Document(text, self._adjusted(old.value, value), version, request, exact=False)
        if kind == "merge":
            merged = jsontext.merge(old.value if old else {}, value)
            merged.setdefault(self.key_field, key)
            return Document(text, merged, version, request, exact=False)
        if self.key_field not in value:
            text = jsontext.splice_first(text, self.key_field, key)
        return Document(text, jsontext.parse_object(text), version, request)
